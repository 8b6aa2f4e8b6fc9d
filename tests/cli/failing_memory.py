#!/usr/bin/env python3
"""Each of the first 200 allocations fails in turn, or the first use of what it made, as where a
driver allocates lazily: the run goes on with less, or ends with exit 4 and one clear message."""
from material import (DEVICE, DONE, LATENTS, Report, digests, done, errors, expect_files,
                      expect_same, folder, nothing_live, one_message, run, small_latent,
                      smallest_budget)

LIMIT = 200
OUTPUTS = ("a.glb", "a.ply", "a.png")


def arguments(latent, into, options):
    into.mkdir()
    return ["decode", latent, *options, "-q" if "-q" in options else "-v",
            *[part for name in OUTPUTS for part in ("-o", into / name)]]


def judge(result, into, wanted, plain):
    """Whether the run went on."""
    assert result.counts and result.counts["failures"] > 0, f"nothing failed: {result}"
    nothing_live(result)
    if result.status == DONE:
        expect_same("with less memory", digests(into), wanted)
        # Messages are lines of stages, as without failures, and warnings.
        assert "warning: " in result.err and "going on with" in result.err, result
        other = [line for line in errors(result) if line.split(":")[0] not in plain]
        assert not other, f"{other} in {result}"
        return True
    assert result.status == DEVICE, result
    failed = [line for line in errors(result) if line.split(":")[0] not in plain]
    assert len(failed) == 1 and failed[0].startswith("tessella: "), result
    expect_files(into)
    return False


def series(report, where, what, latent, options):
    clean = where / f"{what} clean"
    first = run(*arguments(latent, clean, options))
    if not report(f"{what}: a run without failures", first.status == DONE, first):
        return
    plain = {line.split(":")[0] for line in errors(first)}
    wanted = digests(clean)
    allocations = first.counts["allocations"]
    for kind in ("alloc", "use"):
        went_on = 0
        for number in range(1, min(allocations, LIMIT) + 1):
            with report.check(f"{what}: {'allocation' if kind == 'alloc' else 'use of buffer'} "
                              f"{number} of {allocations} fails"):
                into = where / f"{what} {kind} {number}"
                result = run(*arguments(latent, into, options), **{f"fail_{kind}": number})
                went_on += judge(result, into, wanted, plain)
        report(f"{what}: one {kind} that fails does not end a run that can do with less",
               went_on == allocations, f"{went_on} of {allocations} went on")
        with report.check(f"{what}: {kind} {allocations + 1} is none that fails"):
            into = where / f"{what} {kind} beyond"
            result = run(*arguments(latent, into, options), **{f"fail_{kind}": allocations + 1})
            assert result.status == DONE and result.counts["failures"] == 0, result
            assert "warning" not in result.err, result
            expect_same("without failures", digests(into), wanted)


def main():
    report = Report()
    with folder() as where:
        few = small_latent(where / "few.safetensors", 90)
        wuson = LATENTS / "wuson.safetensors"
        series(report, where, "whole", wuson, [])
        # Small buffers make many allocations.
        series(report, where, "few voxels, small buffers", few,
               ["--max-buffer", "4100K", "--size", "128"])
        series(report, where, "few voxels, 48M", few, ["--memory", "48M", "--size", "128"])

        with report.check("at the smallest budget there is no less to go on with"):
            # A matrix unit's trial is none of the memory that is meant here.
            plain = {"env": {"TESSELLA_MATRIX_UNIT": "none"}}
            result = run("decode", few, "-q", "-o", where / "x.glb", "--memory", "64K", **plain)
            least = smallest_budget(result)
            for kind in ("alloc", "use"):
                result = run("decode", few, "-q", "-o", where / "x.glb", "--memory", f"{least}K",
                             **{f"fail_{kind}": 1}, **plain)
                assert result.status == DEVICE, result
                one_message(result)
                nothing_live(result)
                assert not (where / "x.glb").exists()
    report.finish()


if __name__ == "__main__":
    main()
