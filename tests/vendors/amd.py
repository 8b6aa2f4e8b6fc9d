#!/usr/bin/env python3
"""Kernels for AMD's GPUs, compiled by clang with ROCm's device library: nothing is spilled."""
import functools
import os
import re
from pathlib import Path
from material import Use, check_vendor, clang_candidates, folder, run, version_of

# Waves that a SIMD holds at most, and work-items in a wave: LLVM's "User guide for AMDGPU backend"
# and AMD's instruction set manuals.
WAVES = {"gfx906": (10, 64), "gfx90a": (8, 64), "gfx940": (8, 64), "gfx1030": (16, 32),
         "gfx1100": (16, 32)}
LIBRARIES = [os.environ.get("TESS_ROCM_BITCODE", ""), "/usr/lib/x86_64-linux-gnu/amdgcn/bitcode",
             "/usr/lib/amdgcn/bitcode", "/opt/rocm/amdgcn/bitcode"]


def library():
    """The folder of ROCm's device library, or None."""
    return next((Path(name) for name in LIBRARIES
                 if name and (Path(name) / "ocml.bc").is_file()), None)


def command(clang, device, path, defines, out):
    return [clang, "-x", "cl", "-cl-std=CL1.2", "-Xclang", "-finclude-default-header", "-target",
            "amdgcn-amd-amdhsa", f"-mcpu={device}", f"--rocm-device-lib-path={library()}", *defines,
            f"-I{path.parent}", "-Rpass-analysis=kernel-resource-usage", "-c", "-o", out, path]


@functools.lru_cache(None)
def compiler():
    """The first clang that can read the library, or None: one that is older cannot."""
    with folder() as where:
        path = where / "any.cl"
        path.write_text("kernel void any(global float *x) { x[0] = tanh(x[1]); }\n")
        for clang in clang_candidates():
            if run(command(clang, "gfx1030", path, (), where / "any.o")).returncode == 0:
                return clang
    return None


def kernels_in(remarks):
    """(name, {what: number}) of each kernel in what clang remarks."""
    lines = re.findall(r"remark: *(\S[^:\n]*): (\S+) \[-Rpass-analysis", remarks)
    kernels = []
    for what, value in lines:
        if what == "Function Name":
            kernels.append((value, {}))
        elif value.isdigit():
            kernels[-1][1][what.partition(" [")[0]] = int(value)
    return kernels


class Amd:
    name = "amd"
    devices = tuple(WAVES)
    units = {"gfx90a": 3, "gfx940": 3, "gfx1100": 4}
    note = ("Registers: vector registers of a work-item; then the work-items in a wave; then the "
            "share of a SIMD's waves that fit at once, as clang tells it.")

    def __init__(self):
        self.clang = compiler() if library() else None

    def missing(self):
        return ("no ROCm device library (rocm-device-libs)" if not library() else
                "no clang that can read ROCm's device library (clang-15)" if not self.clang else
                None)

    def compilers(self):
        return [version_of(self.clang, "--version")]

    def compile(self, device, path, defines, groups):
        with folder() as where:
            done = run(command(self.clang, device, path, defines, where / "kernel.o"))
        assert done.returncode == 0, done.stderr
        waves, width = WAVES[device]
        # Spilled registers are part of the scratch, so they are not counted twice; of scalar ones,
        # which go to lanes of vector registers, the remark only tells a number.
        return [Use(device=device, file="", defines="", kernel=name, group=groups[name], width=width,
                    registers=told["VGPRs"] + told.get("AGPRs", 0),
                    local_bytes=told["LDS Size"],
                    spilled_bytes=min(4 * told.get("VGPRs Spill", 0), told["ScratchSize"]),
                    scratch_bytes=max(0, told["ScratchSize"] - 4 * told.get("VGPRs Spill", 0)),
                    occupancy=told["Occupancy"] / waves)
                for name, told in kernels_in(done.stderr)]


if __name__ == "__main__":
    check_vendor(Amd())
