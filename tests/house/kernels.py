#!/usr/bin/env python3
"""Every kernel file compiles without a warning, in every variant that the program builds."""
import shutil
from common import SOURCE, Report, files, run
from variants import VARIANTS, programs

FLAGS = ["-x", "cl", "-cl-std=CL1.2", "-Xclang", "-finclude-default-header", "-Wall", "-Wextra",
         "-Wno-unused-parameter", "-Werror"]
SYNTAX = ["-fsyntax-only", "-target", "spir64"]
INSTRUCTIONS = {"-DAMX=1", *(f"-DINTEGERS={n}" for n in (1, 2, 3))}
X86 = ["-c", "-o", "/dev/null", "-target", "x86_64-linux-gnu", "-march=skylake-avx512"]  # what has its instructions


def main():
    report = Report()
    kernels = files(".cl")
    report("there are kernels", bool(kernels))
    unknown = set(VARIANTS) - {path.stem for path in kernels}
    report("the table names files that exist", not unknown, "\n".join(sorted(unknown)))
    for path, defines in programs(0) + programs(1):
        label = f"{path} {' '.join(defines)}"
        if not shutil.which("clang"):
            report.skip(label, "no clang")
            continue
        target = X86 if INSTRUCTIONS & {*defines} else SYNTAX
        done = run(["clang", *FLAGS, *target, f"-I{SOURCE}/cl", *defines, SOURCE / path])
        report(label, done.returncode == 0, done.stderr)
    report.finish()


if __name__ == "__main__":
    main()
