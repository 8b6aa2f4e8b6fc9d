#!/usr/bin/env python3
"""Kernels for Intel's GPUs, compiled by ocloc: nothing is spilled."""
import re
import shutil
import struct
from dataclasses import dataclass
from material import Use, check_vendor, clang_candidates, folder, run, version_of


@dataclass
class Core:
    """What shares local memory (a subslice, dual subslice or Xe core): Intel's oneAPI GPU
    optimization guide, "Intel Xe GPU architecture"; for Gen9, "The compute architecture of Intel
    processor graphics Gen9"."""
    threads: int  # with 128 registers each
    local_bytes: int


CORES = {"dg2": Core(16 * 8, 128 << 10), "tgllp": Core(16 * 7, 128 << 10),
         "skl": Core(8 * 7, 64 << 10)}
LOCAL_LEAST = 1 << 10  # local memory is given out in powers of two from here on


def sections(binary):
    """(name, content) of the sections of an ELF file of 64 bits."""
    table, = struct.unpack_from("<Q", binary, 0x28)
    size, count, names = struct.unpack_from("<HHH", binary, 0x3A)
    heads = [struct.unpack_from("<IIQQQQIIQQ", binary, table + i * size) for i in range(count)]
    strings = binary[heads[names][4]:][:heads[names][5]]
    for head in heads:
        yield strings[head[0]:strings.index(b"\0", head[0])].decode(), binary[head[4]:][:head[5]]


def kernels_in(info):
    """(name, text) of each kernel in a .ze_info section, which is YAML. Its second part, of names
    and types of arguments, has kernels too."""
    text = info.partition("kernels_misc_info:")[0]
    for part in re.split(r"(?m)^  - name: +", text)[1:]:
        name = part.split("\n", 1)[0].strip()
        if not name.startswith("Intel_"):  # the compiler's own, where a program has constants
            yield name, part


def number(text, name, otherwise=0):
    found = re.search(rf"(?m)^ +{name}: +(\d+)$", text)
    return int(found.group(1)) if found else otherwise


def memory_buffers(text):
    """(spilled, scratch) in bytes a work-item: what per_thread_memory_buffers lists. Buffers are for
    a thread of the device, but where they are said to be for a work-item."""
    width = number(text, "simd_size", 1)
    spilled = scratch = 0
    listed = re.search(r"(?m)^    per_thread_memory_buffers:\n((?:      .*\n)*)", text)
    for entry in re.split(r"(?m)^      - ", listed.group(1))[1:] if listed else []:
        size = int(re.search(r"size: +(\d+)", entry).group(1))
        if not re.search(r"is_simt_thread: +true", entry):
            size = -(-size // width)
        if "spill_fill" in entry:
            spilled += size
        else:
            scratch += size
    return spilled, scratch


def occupancy(device, group, width, registers, local_bytes):
    core = CORES[device]
    threads = core.threads * 128 // registers
    group_threads = -(-group // width)
    groups = threads // group_threads
    if local_bytes:
        given = max(LOCAL_LEAST, 1 << (local_bytes - 1).bit_length())
        groups = min(groups, core.local_bytes // given)
    return groups * group_threads / threads


class Intel:
    name = "intel"
    devices = tuple(CORES)
    units = {"dg2": 2}
    clang = next(iter(clang_candidates()), None)
    note = ("Registers: of 32 bytes, of a thread of the device, 128 being the standard; then the "
            "work-items in a thread; then the share of a core's threads that fit at once.")

    def missing(self):
        return ("no ocloc (intel-opencl-icd)" if not shutil.which("ocloc") else
                "no clang" if not self.clang else None)

    def compilers(self):
        """ocloc does not tell its version, but Debian's packages do."""
        told = run(["dpkg-query", "-W", "-f", "${Package} ${Version}, ", "intel-opencl-icd",
                    "libigc1"]).stdout if shutil.which("dpkg-query") else ""
        return ["ocloc: " + (told.strip(", \n") or "version unknown")]

    def compile(self, device, path, defines, groups):
        with folder() as where:
            options = " ".join(["-cl-std=CL1.2", *defines, f"-I{path.parent}"])
            done = run(["ocloc", "compile", "-file", path, "-device", device, "--format", "zebin",
                        "-options", options, "-out_dir", where, "-output", "kernel"])
            made = list(where.glob("*.bin"))
            assert done.returncode == 0 and len(made) == 1, done.stdout + done.stderr
            content = dict(sections(made[0].read_bytes()))
        uses = []
        for name, text in kernels_in(content[".ze_info"].decode()):
            spilled, scratch = memory_buffers(text)
            width, registers = number(text, "simd_size"), number(text, "grf_count")
            local_bytes = number(text, "slm_size")
            uses.append(Use(
                device=device, file="", defines="", kernel=name, group=groups[name], width=width,
                registers=registers, local_bytes=local_bytes, spilled_bytes=spilled,
                scratch_bytes=scratch,
                occupancy=occupancy(device, groups[name], width, registers, local_bytes)))
        return uses


if __name__ == "__main__":
    check_vendor(Intel())
