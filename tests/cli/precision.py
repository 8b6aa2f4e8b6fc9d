#!/usr/bin/env python3
"""--precision fast: what is said where there is no matrix unit, and the same bytes at every budget with
the portable one, which does the same work by ordinary instructions."""
import json
from material import (DONE, USAGE, Report, digests, done, expect_same, folder, run, small_latent,
                      smallest_budget)

PORTABLE = {"TESSELLA_MATRIX_UNIT": "portable"}


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
            assert "matrix unit" not in decode("full").err
            result = decode("none", "--precision", "fast", precision="fast")
            assert result.err.count("no matrix unit") == 1, result
            expect_same("no matrix unit", digests(where / "none"), digests(where / "full"))
        with report.check("with one: other bytes, the same at every budget, as much as planned"):
            fast = {"precision": "fast", "unit": "portable", **PORTABLE}
            result = decode("fast", "--precision", "fast", **fast)
            assert result.err.count("by the matrix unit portable") == 1, result
            wanted = digests(where / "fast")
            assert wanted != digests(where / "full"), "nothing was rounded"
            least = smallest_budget(run("decode", latent, "-o", where / "no.ply", "--precision", "fast",
                                        "--memory", "64K", env=PORTABLE))
            small = decode("small", "--precision", "fast", "--memory", f"{least}K", **fast)
            expect_same("smallest budget", digests(where / "small"), wanted)
            assert small.counts["peak_bytes"] <= least << 10, small.counts
            plan = json.loads(done("plan", latent, "--json", "--precision", "fast", env=PORTABLE).out)
            gaussian, = [one for one in plan["stages"] if one["name"] == "gaussian decoder"]
            assert gaussian["peak_bytes"] == result.counts["peak_bytes"], (gaussian, result.counts)
        with report.check("a described device, another word"):
            assert done("plan", "--described", "--voxels", "100", "--precision", "fast").status == DONE
            assert run("verify", where, "--precision", "half", count=False).status == USAGE
    report.finish()


if __name__ == "__main__":
    main()
