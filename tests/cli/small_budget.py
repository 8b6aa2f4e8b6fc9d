#!/usr/bin/env python3
"""Too small a budget ends with exit 4 and the smallest one that works, which then does."""
import json
from material import (DEVICE, LATENTS, Report, digests, done, expect_files, expect_same, folder,
                      nothing_live, one_message, run, smallest_budget)

STEP = 64  # KiB: to this a smallest budget is found
TOO_SMALL = "64K"  # holds no stage of any run here


def arguments(command, source, into, outputs, options):
    pairs = [part for name in outputs for part in ("-o", into / name)]
    return [command, source, *pairs, *options]


def check(report, where, what, command, source, outputs, options=(), warm=None):
    """`warm`: a run's options whose results are known, for comparison; None: no limits."""
    wanted = where / f"{what} wanted"
    least = None

    def attempt(name, memory):
        into = where / f"{what} {name}"
        into.mkdir()
        return into, run(*arguments(command, source, into, outputs, options),
                         "--memory", memory)

    with report.check(f"{what}: too small a budget is refused"):
        wanted.mkdir()
        done(*arguments(command, source, wanted, outputs, warm or ()))
        into, result = attempt("refused", TOO_SMALL)
        assert result.status == DEVICE, result
        least = smallest_budget(result)
        expect_files(into)
        nothing_live(result)
    if least is None:
        return None
    with report.check(f"{what}: --memory {least}K, which it named, works"):
        into, result = attempt("works", f"{least}K")
        assert result.status == 0, result
        expect_same("at the smallest budget", digests(into), digests(wanted))
        assert result.counts["peak_bytes"] <= least << 10, result
        nothing_live(result)
    with report.check(f"{what}: {STEP} KiB less do not"):
        into, result = attempt("less", f"{least - STEP}K")
        assert result.status == DEVICE, result
        assert smallest_budget(result) == least, result
        expect_files(into)
        nothing_live(result)
    return least


def main():
    report = Report()
    wuson = LATENTS / "wuson.safetensors"
    pictures = ["a.glb", "a.ply", "a.png"]
    with folder() as where:
        least = check(report, where, "decode", "decode", wuson, pictures)
        with report.check("plan names the same budget"):
            plan = json.loads(done("plan", wuson, "--json").out)
            assert plan["smallest_budget_bytes"] == least << 10, plan["smallest_budget_bytes"]
            assert plan["smallest_budget_bytes"] == max(
                stage["smallest_budget_bytes"] for stage in plan["stages"])
            result = run("plan", wuson, "--memory", TOO_SMALL)
            assert result.status == DEVICE and smallest_budget(result) == least, result
        check(report, where, "splats only", "decode", wuson, ["a.ply"])
        check(report, where, "with --max-buffer 5M", "decode", wuson, pictures,
              ["--max-buffer", "5M"])
        check(report, where, "teapot", "decode", LATENTS / "teapot.safetensors", pictures)
        for suffix in ("glb", "ply"):
            check(report, where, f"picture of {suffix}", "render", where / f"decode wanted/a.{suffix}",
                  ["p.png"])
            large = ["--size", "1024", "--supersampling", "2"]
            check(report, where, f"large picture of {suffix}", "render",
                  where / f"decode wanted/a.{suffix}", ["p.png"], large, warm=large)

        with report.check("a picture that does not fit leaves no file of the same run"):
            into = where / "wide"
            into.mkdir()
            result = run(*arguments("decode", wuson, into, pictures, ["--size", "8192"]),
                         "--memory", f"{least}K")
            if result.status != 0:
                assert result.status == DEVICE, result
                smallest_budget(result)
                expect_files(into)

        # No budget makes up for buffers that are too small; that is said instead.
        for command, source in (("decode", wuson), ("render", where / "decode wanted/a.glb"),
                                ("render", where / "decode wanted/a.ply")):
            with report.check(f"{command} {source.name}: buffers that are too small are refused"):
                into = where / f"buffers {source.name}"
                into.mkdir()
                result = run(*arguments(command, source, into, ["p.png"], ["--max-buffer", "64K"]))
                assert result.status == DEVICE, result
                one_message(result, "the largest allowed is 64 KiB", "--max-buffer")
                expect_files(into)
                nothing_live(result)
        with report.check("less than anything needs"):
            result = run("decode", wuson, "-o", where / "a.glb", "--memory", "1")
            assert result.status == DEVICE, result
            one_message(result, "needs a budget of", "--memory")
            assert not (where / "a.glb").exists()
    report.finish()


if __name__ == "__main__":
    main()
