#!/usr/bin/env python3
"""Matrix units: what is said where there is none for --precision fast, and the same bytes at every
budget with the portable ones, which do the same work by ordinary instructions."""
import json
from material import (DONE, USAGE, Report, digests, done, expect_same, folder, run, small_latent,
                      smallest_budget)

NONE = {"TESSELLA_MATRIX_UNIT": "none"}


def check_unit(report, where, latent, decode, name, kind):
    precision, environment = kind["precision"], {"TESSELLA_MATRIX_UNIT": kind["unit"]}
    options = ("--precision", precision)
    with report.check(f"{kind['unit']}: other bytes, the same at every budget, as much as planned"):
        result = decode(name, *options, **kind, **environment)
        told = result.err.count(f"by the matrix unit {kind['unit']}")
        assert told == (precision == "fast"), result  # with -v; of full precision, with -v -v
        wanted = digests(where / name)
        assert wanted != digests(where / "full"), "nothing was rounded"
        least = smallest_budget(run("decode", latent, "-o", where / "no.ply", *options,
                                    "--memory", "64K", env=environment))
        small = decode(f"small {name}", *options, "--memory", f"{least}K", **kind, **environment)
        expect_same("smallest budget", digests(where / f"small {name}"), wanted)
        assert small.counts["peak_bytes"] <= least << 10, small.counts
        plan = json.loads(done("plan", latent, "--json", *options, env=environment).out)
        gaussian, = [one for one in plan["stages"] if one["name"] == "gaussian decoder"]
        assert gaussian["peak_bytes"] == result.counts["peak_bytes"], (gaussian, result.counts)


def main():
    report = Report()
    with folder() as where:
        latent = small_latent(where / "latent.safetensors", 12)

        def decode(name, *options, precision="full", unit="none", **environment):
            (where / name).mkdir()
            result = done("decode", latent, "-v", "-o", where / name / "a.ply", "--report",
                          where / "report.json", *options, env=environment)
            device = json.loads((where / "report.json").read_text())["device"]
            assert (device["precision"], device["matrix_unit"]) == (precision, unit), device
            return result

        with report.check("without a matrix unit: full precision, and that is said once"):
            assert "matrix unit" not in decode("full", **NONE).err
            result = decode("none", "--precision", "fast", precision="fast", **NONE)
            assert result.err.count("no matrix unit") == 1, result
            expect_same("no matrix unit", digests(where / "none"), digests(where / "full"))
        full = {"precision": "full", "unit": "amx-portable"}
        fast = {"precision": "fast", "unit": "portable"}
        quantised = {"precision": "fast", "unit": "avx-portable"}
        for name, kind in (("fast", fast), ("pieces", full), ("quantised", quantised)):
            check_unit(report, where, latent, decode, name, kind)
        with report.check("a described device, another word"):
            assert done("plan", "--described", "--voxels", "100", "--precision", "fast").status == DONE
            assert run("verify", where, "--precision", "half", count=False).status == USAGE
    report.finish()


if __name__ == "__main__":
    main()
