#!/usr/bin/env python3
"""The program with AMX, emulated where the CPU lacks it (tests/amx_program.c): the golden data passes,
and a decoder's bytes are the same at every budget."""
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from material import (GOLDEN, Report, digests, done, expect_same, folder, run,  # noqa: E402
                      small_latent, smallest_budget)


def check_budgets(where):
    latent = small_latent(where / "latent.safetensors", 12)
    least = smallest_budget(run("decode", latent, "-o", where / "no.glb", "--memory", "64K"))
    wanted = None
    for name, memory in (("small", f"{least}K"), ("large", "1G")):
        into = where / name
        into.mkdir()
        done("decode", latent, "-o", into / "a.ply", "-o", into / "a.glb", "--memory", memory,
             "--report", where / "report.json")
        device = json.loads((where / "report.json").read_text())["device"]
        assert device["matrix_unit"] == "amx", device
        wanted = wanted or digests(into)
        expect_same(name, digests(into), wanted)


def main():
    report = Report()
    program = os.environ.get("TESS_AMX_PROGRAM")
    if not program:
        report.skip("AMX", "it is a matter of x86-64 and Linux")
    else:
        os.environ["TESS_PROGRAM"] = program
        drivers = [device["driver"] for device in json.loads(done("devices", "--json").out)
                   if device["platform"] == "Portable Computing Language"]
        # As src/cli/main.c decides where there is AMX.
        if any(float(driver.split("+")[0].split("-")[0]) >= 4 for driver in drivers):
            os.environ["POCL_WORK_GROUP_SPECIALIZATION"] = "1"
        with report.check("the golden data"):
            lines = done("verify", GOLDEN).out.splitlines()
            assert lines and all(line.startswith("pass") for line in lines), lines
        with report.check("the same bytes at every budget"), folder() as where:
            check_budgets(where)
    report.finish()


if __name__ == "__main__":
    main()
