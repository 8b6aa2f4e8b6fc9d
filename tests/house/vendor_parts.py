#!/usr/bin/env python3
"""The tests in tests/vendors find what they are there for: with compilers that are made up, and in
samples of what real ones say. So this runs where those compilers are not."""
import contextlib
import io
import json
import sys
from dataclasses import replace
from pathlib import Path
from common import SOURCE, Report, folder, run

VENDORS = Path(__file__).resolve().parents[1] / "vendors"
sys.path.insert(0, str(VENDORS))
import amd  # noqa: E402
import intel  # noqa: E402
import material  # noqa: E402
import nvidia  # noqa: E402

USE = material.Use(device="chip", file="a.cl", defines="-DD=64", kernel="attention", group=64,
                   width=32, registers=80, local_bytes=1024, spilled_bytes=0, scratch_bytes=0,
                   occupancy=0.5)

ZE_INFO = """kernels:
  - name:            scale
    execution_env:
      grf_count:       128
      simd_size:       16
      slm_size:        4096
    per_thread_memory_buffers:
      - type:            scratch
        usage:           spill_fill_space
        size:            1024
      - type:            global
        usage:           private_space
        size:            576
        is_simt_thread:  true
  - name:            Intel_Symbol_Table_Void_Program
    execution_env:
      simd_size:       8
kernels_misc_info:
  - name:            scale
"""

REMARKS = """a.cl:1:1: remark: Function Name: scale [-Rpass-analysis=kernel-resource-usage]
a.cl:1:1: remark:     VGPRs: 84 [-Rpass-analysis=kernel-resource-usage]
a.cl:1:1: remark:     ScratchSize [bytes/lane]: 72 [-Rpass-analysis=kernel-resource-usage]
a.cl:1:1: remark:     VGPRs Spill: 16 [-Rpass-analysis=kernel-resource-usage]
"""

PTX = """.visible .entry scale(
{
\t.local .align 4 .b8 \t__local_depot0[576];
\t.shared .align 4 .b8 scale_$_a[4096];
\t.shared .align 4 .b8 scale_$_b[64];
}
.visible .entry add(
{
}
"""


class MadeUp:
    """A compiler for one device that tells what it was given."""
    name = "made-up"
    devices = ("chip",)
    note = ""

    def __init__(self, use):
        self.use = use

    def compile(self, device, path, defines, groups):
        return [replace(self.use, device=device)]


def checked(use, exceptions):
    """Whether the check of a program whose kernel is used so passes."""
    kept = material.EXCEPTIONS, material.groups_of
    material.EXCEPTIONS, material.groups_of = exceptions, lambda *_: {use.kernel: use.group}
    maker = MadeUp(use)
    maker.clang = "none"
    inner = Report()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            material.check_program(inner, maker, "chip", Path("cl/a.cl"),
                                   ("-DTESS_CPU=0", "-DD=64"))
    finally:
        material.EXCEPTIONS, material.groups_of = kept
    return inner.failed == 0


def check_table(report):
    with report.check("the table tells what spills, and why"), folder() as where:
        spilling = replace(USE, scratch_bytes=576)
        (where / "amd.json").write_text(json.dumps({
            "vendor": "amd", "compilers": ["clang 15"], "devices": ["chip", "chop"], "note": "",
            "kernels": [{**vars(USE), "reason": None},
                        {**vars(spilling), "device": "chop", "reason": "long arrays"}]}))
        done = run([sys.executable, VENDORS / "table.py", where, "--json", where / "all.json",
                    "--table", where / "all.md"])
        assert done.returncode == 0, done.stderr
        text = (where / "all.md").read_text()
        assert "| `attention` D=64 | 64 | 1024 | 80, 32, 50 % | 80, 32, 50 %, " \
               "**576 B scratch** |" in text, text
        assert "- `attention`: long arrays." in text, text
        assert len(json.loads((where / "all.json").read_text())[0]["kernels"]) == 2
    with report.check("no results are no table"), folder() as where:
        done = run([sys.executable, VENDORS / "table.py", where, "--json", where / "all.json",
                    "--table", where / "all.md"])
        assert done.returncode and not (where / "all.md").exists()


def main():
    report = Report()
    excuse = [("chip", "attention", "*", "long arrays")]
    spilling, scratching = replace(USE, spilled_bytes=4), replace(USE, scratch_bytes=4)
    report("a kernel that spills nothing passes", checked(USE, []))
    report("one that spills registers fails", not checked(spilling, []))
    report("one that uses scratch fails", not checked(scratching, []))
    report("one that is excused passes", checked(spilling, excuse))
    report("an excuse for another device does not count",
           not checked(spilling, [("chop", "attention", "*", "long arrays")]))
    report("an excuse that is not needed fails", not checked(USE, excuse))
    with report.check("Intel's .ze_info is read"):
        (name, text), = intel.kernels_in(ZE_INFO)
        assert name == "scale" and intel.number(text, "simd_size") == 16
        assert intel.memory_buffers(text) == (64, 576), intel.memory_buffers(text)
    with report.check("clang's remarks for AMD are read"):
        (name, told), = amd.kernels_in(REMARKS)
        assert name == "scale"
        assert told == {"VGPRs": 84, "ScratchSize": 72, "VGPRs Spill": 16}, told
    with report.check("PTX is read"):
        assert list(nvidia.kernels_in_ptx(PTX)) == [("scale", 4160, 576), ("add", 0, 0)]
    with report.check("occupancy is what fits"):
        assert nvidia.occupancy("sm_86", 256, 64, 8448) == 32 / 48
        assert nvidia.occupancy("sm_86", 256, 32, 40 << 10) == 16 / 48
        assert intel.occupancy("dg2", 256, 16, 128, 8448) == 1
        assert intel.occupancy("skl", 256, 8, 128, 8448) == 32 / 56
    check_table(report)
    report("the table is in docs", (SOURCE / "docs/vendors.md").is_file())
    report.finish()


if __name__ == "__main__":
    main()
