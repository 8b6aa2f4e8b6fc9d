#!/usr/bin/env python3
"""Kernels for NVIDIA's GPUs, compiled by clang with libclc to PTX, and on by ptxas where it is (on
PATH, or named by TESS_PTXAS): nothing is spilled. Without ptxas only what is in memory in PTX already
is seen."""
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from material import Use, check_vendor, clang_candidates, folder, run, version_of


@dataclass
class Multiprocessor:
    """CUDA C++ programming guide, "Technical specifications per compute capability"."""
    warps: int
    blocks: int
    local_bytes: int
    reserved_bytes: int  # of local memory, by each block


MULTIPROCESSORS = {"sm_75": Multiprocessor(32, 16, 64 << 10, 0),
                   "sm_86": Multiprocessor(48, 16, 100 << 10, 1 << 10),
                   "sm_90": Multiprocessor(64, 32, 228 << 10, 1 << 10)}
REGISTERS = 65536  # of a multiprocessor, given to warps in pieces of 256
WARP = 32
LIBRARIES = [os.environ.get("TESS_LIBCLC", ""), "/usr/lib/clc/nvptx64--nvidiacl.bc",
             "/usr/share/clc/nvptx64--nvidiacl.bc"]


def library():
    """libclc for PTX, or None."""
    return next((Path(name) for name in LIBRARIES if name and Path(name).is_file()), None)


def ptxas():
    return shutil.which(os.environ.get("TESS_PTXAS") or "ptxas")


def kernels_in_ptx(text):
    """(name, bytes of local memory, bytes of scratch) of each kernel. "shared" is what OpenCL calls
    local, and "local" is private memory."""
    for part in re.split(r"(?m)^\.visible \.entry ", text)[1:]:
        shared = sum(map(int, re.findall(r"\.shared [^\n]*\[(\d+)\];", part)))
        private = sum(map(int, re.findall(r"\.local [^\n]*__local_depot\d*\[(\d+)\];", part)))
        yield re.match(r"\w+", part).group(0), shared, private


def occupancy(device, group, registers, local_bytes):
    chip = MULTIPROCESSORS[device]
    warps = -(-group // WARP)
    warp_registers = -(-registers * WARP // 256) * 256
    blocks = min(chip.blocks, chip.warps // warps, REGISTERS // warp_registers // warps)
    taken = local_bytes + chip.reserved_bytes
    if taken:
        blocks = min(blocks, chip.local_bytes // taken)
    return blocks * warps / chip.warps


class Nvidia:
    name = "nvidia"
    clang = next(iter(clang_candidates()), None)
    note = ("Registers: of a work-item; then the work-items in a warp; then the share of a "
            "multiprocessor's warps that fit at once.")

    def __init__(self):
        self.devices = list(MULTIPROCESSORS) if ptxas() else ["ptx"]
        self.units = {device: 1 for device in self.devices if device != "sm_75"}

    def missing(self):
        return ("no clang (clang-15)" if not self.clang else
                "no libclc for PTX (libclc-15)" if not library() else None)

    def compilers(self):
        told = [version_of(self.clang, "--version")]
        return told + ([f"ptxas: {version_of(ptxas(), '--version')}"] if ptxas() else [])

    def compile(self, device, path, defines, groups):
        with folder() as where:
            ptx = where / "kernel.ptx"
            # Matrix units came with sm_80.
            target, features = ("sm_80", "+ptx71") if "-DUNIT=1" in defines else ("sm_70", "+ptx63")
            done = run([self.clang, "-x", "cl", "-cl-std=CL1.2", "-Xclang",
                        "-finclude-default-header", "-target", "nvptx64-unknown-nvidiacl",
                        "-Xclang", "-target-cpu", "-Xclang", target, "-Xclang", "-target-feature",
                        "-Xclang", features, "-Xclang", "-mlink-builtin-bitcode", "-Xclang",
                        library(), *defines, f"-I{path.parent}", "-S", "-o", ptx, path])
            assert done.returncode == 0, done.stderr
            uses = [Use(device=device, file="", defines="", kernel=name, group=groups[name],
                        width=WARP, registers=None, local_bytes=shared, spilled_bytes=0,
                        scratch_bytes=private, occupancy=None)
                    for name, shared, private in kernels_in_ptx(ptx.read_text())]
            if device != "ptx":
                for use in uses:
                    self.assemble(use, ptx, where)
        return uses

    def assemble(self, use, ptx, where):
        """Fill in what ptxas tells. A kernel at a time: its words then belong to that one."""
        done = run([ptxas(), "-v", f"-arch={use.device}", f"-e={use.kernel}", ptx, "-o",
                    where / "kernel.cubin"])
        told = done.stdout + done.stderr
        assert done.returncode == 0, told
        stack, stored, loaded = map(int, re.search(
            r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads",
            told).groups())
        use.registers = int(re.search(r"Used (\d+) registers", told).group(1))
        use.spilled_bytes, use.scratch_bytes = max(stored, loaded), stack
        use.occupancy = occupancy(use.device, use.group, use.registers, use.local_bytes)


if __name__ == "__main__":
    check_vendor(Nvidia())
