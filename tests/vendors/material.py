"""What the tests in this folder share: programs, kernels, exceptions, and the run of a vendor.

A vendor's test names its devices, finds its compiler and tells for each program what the compiler
made of the kernels: a Use each. check_vendor() does the rest: a check for each device and kernel that
nothing was spilled, and BUILD/vendors/VENDOR.json, of which table.py makes the tables.
"""
import json
import math
import re
import shutil
import sys
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "house"))
from common import BUILD, SOURCE, Report, folder, run  # noqa: E402,F401
from variants import VARIANTS, programs  # noqa: E402

# Kernels that spill or use scratch, and why that is so: (device, kernel, defines), patterns of
# fnmatch, then the reason.
EXCEPTIONS = [
    (device, "attention", "*QUERIES=128*", "sums and weights of 128 queries are 64 values of a "
     "work-item, which Intel's compiler keeps in memory; 64 queries are the default, "
     "`bench --tune` tries both")
    for device in ("dg2", "tgllp", "skl")] + [
    ("dg2", "attention_fast", "*UNIT=2*", "sums, scores and two factors are 96 of 128 registers; "
     "Intel's compiler has too few left and spills up to 8")]

# A group of kernels that state no size: rt/launch.c chooses it.
PLAIN_GROUP = 32 * 8

# Every compiler has to report this one: the place that is read is known on the device only.
SPILLER = """
kernel __attribute__((reqd_work_group_size(64, 1, 1))) void
spill(global float *out, global const uint *in, uint n)
{
    float kept[512];
    for (uint i = 0; i < 512; i++)
        kept[i] = out[i * n];
    for (uint i = 0; i < n; i++)
        kept[in[i] % 512] += kept[in[i + n] % 512];
    out[get_global_id(0)] = kept[in[n] % 512];
}
"""


# A device that cannot have this one is not known to the compiler.
PLAIN = "kernel void plain(global float *out) { out[get_global_id(0)] = 1.0f; }\n"


@dataclass
class Use:
    """What a kernel takes of a device. Bytes of local memory are for a group, others for a
    work-item; `width` is the number of work-items in a wave, warp or thread of the device; occupancy
    is the share of the device's waves that fit at once; None is unknown."""
    device: str
    file: str
    defines: str
    kernel: str
    group: int
    width: int
    registers: int
    local_bytes: int
    spilled_bytes: int
    scratch_bytes: int
    occupancy: float

    @property
    def label(self):
        return " ".join([self.kernel, *self.defines.replace("-D", "").split()])

    def excuse(self):
        """The reason why it may spill, or None."""
        for device, kernel, defines, reason in EXCEPTIONS:
            if fnmatch(self.device, device) and fnmatch(self.kernel, kernel) \
                    and fnmatch(self.defines, defines):
                return reason
        return None


def unit_programs(unit):
    """(file, defines) of the programs for a matrix unit, by its number in cl/matrix_unit.clh."""
    return [(Path(f"cl/{name}.cl"), ("-DTESS_CPU=0", *(f"-DUNIT={unit}" if define == "-DUNIT=0"
                                                       else define for define in row)))
            for name in ("attention_fast", "matmul_fast", "matrix_unit") for row in VARIANTS[name]]


def clang_candidates():
    """Compilers from clang-15, which the libraries of Debian 12 are made for, on."""
    names = [*(f"clang-{version}" for version in range(15, 40)), "clang"]
    return [name for name in names if shutil.which(name)]


def version_of(*command):
    """The first line of what a compiler says of itself that has a number in it."""
    done = run(command)
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines()]
    return next((line for line in lines if re.search(r"\d+\.\d+", line)), "unknown")


def groups_of(clang, path, defines):
    """{kernel: work-items in a group} of a file, from its preprocessed text."""
    done = run([clang, "-x", "cl", "-E", "-P", f"-I{SOURCE}/cl", *defines, path])
    assert done.returncode == 0, done.stderr
    groups = {}
    for piece in re.split(r"\bkernel\b", done.stdout)[1:]:
        head, name = re.match(r"(.*?)\bvoid\s+(\w+)\(", piece, re.S).groups()
        size = re.search(r"reqd_work_group_size\(([\d\s()+*/,]+)\)\)\)", head)
        # Macros leave sums, products and quotients of whole numbers.
        groups[name] = (math.prod(eval(size.group(1).replace("/", "//"), {})) if size
                        else PLAIN_GROUP)
    return groups


def check_program(report, vendor, device, path, defines):
    """The Uses of a program's kernels, each with its check."""
    done, uses = [], None
    text = " ".join(defines[1:])
    with report.check(f"{device} compiles {path} {text}".rstrip()):
        groups = groups_of(vendor.clang, SOURCE / path, defines)
        assert groups, "no kernels"
        uses = {use.kernel: use for use in vendor.compile(device, SOURCE / path, defines, groups)}
        assert set(uses) == set(groups), f"kernels {sorted(groups)}, told of {sorted(uses)}"
    for use in (uses or {}).values():
        use.file, use.defines = path.name, text
        spills, excuse = use.spilled_bytes + use.scratch_bytes, use.excuse()
        if excuse:
            report(f"{device}: {use.label} still spills: {excuse}", spills > 0,
                   "it does not: take it out of EXCEPTIONS in tests/vendors/material.py")
        else:
            report(f"{device}: {use.label} spills nothing", spills == 0,
                   f"{use.spilled_bytes} bytes spilled, {use.scratch_bytes} of scratch a work-item;"
                   f" {use.registers} registers, {use.width} wide")
        done.append(use)
    return done


def compile_text(vendor, device, text):
    with folder() as where:
        path = where / "kernel.cl"
        path.write_text(text)
        use, = vendor.compile(device, path, (), groups_of(vendor.clang, path, ()))
        return use


def is_known(report, vendor, device):
    try:
        compile_text(vendor, device, PLAIN)
    except AssertionError as error:
        lines = str(error).strip().splitlines() or [""]
        report.skip(f"kernels for {device}", f"the compiler does not take it: {lines[0]}")
        return False
    return True


def check_spiller(report, vendor, device):
    with report.check(f"{device}: a kernel that has to spill is seen"):
        use = compile_text(vendor, device, SPILLER)
        assert use.spilled_bytes + use.scratch_bytes >= 2048, use


def check_vendor(vendor):
    """Run all programs through a vendor's compiler, which has: name; devices; clang, a compiler;
    missing(), what is not there, as text, or None; compilers(), their versions; note, what the
    columns mean; units, the matrix unit of each device that has one; compile(device, path, defines,
    groups), a list of Uses."""
    report = Report()
    result = BUILD / "vendors" / f"{vendor.name}.json"
    result.unlink(missing_ok=True)
    missing = vendor.missing()
    if missing:
        report.skip(f"kernels for {vendor.name}", missing)
        report.finish()
    uses = []
    devices = [device for device in vendor.devices if is_known(report, vendor, device)]
    for device in devices:
        check_spiller(report, vendor, device)
        unit = getattr(vendor, "units", {}).get(device)
        # Unit 0 is for tests: no device chooses it.
        chosen = [program for program in programs(0) if "-DUNIT=0" not in program[1]]
        for path, defines in chosen + (unit_programs(unit) if unit else []):
            uses += check_program(report, vendor, device, path, defines)
    result.parent.mkdir(exist_ok=True)
    result.write_text(json.dumps({
        "vendor": vendor.name, "compilers": vendor.compilers(), "devices": devices,
        "note": vendor.note,
        "kernels": [{**asdict(use), "reason": use.excuse()} for use in uses]}, indent=1) + "\n")
    report.finish()
