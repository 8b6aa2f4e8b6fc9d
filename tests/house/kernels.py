#!/usr/bin/env python3
"""Every kernel file compiles without a warning, in every variant that the program builds."""
import itertools
import shutil
from common import SOURCE, Report, files, run

FLAGS = ["-x", "cl", "-cl-std=CL1.2", "-Xclang", "-finclude-default-header", "-Wall", "-Wextra",
         "-Wno-unused-parameter", "-Werror", "-fsyntax-only", "-target", "spir64"]

# A file and its defines with their values; combinations that are never built are left out by a
# list of whole rows. Files that are not named take no defines.
VARIANTS = {
    "attention": [(f"-DD={D}",) for D in (16, 40, 64, 80)],
    "bench": [(f"-DCHAINS={chains}",) for chains in (2, 4, 8, 12)],
    "matmul": [(f"-DTAPS={taps}", f"-DWEIGHT_F16={half}")
               for taps, half in itertools.product((1, 8, 27), (0, 1))],
    "weight": [("-DSOURCE_F16=1", "-DTARGET_F16=1"), ("-DSOURCE_F16=1", "-DTARGET_F16=0"),
               ("-DSOURCE_F16=0", "-DTARGET_F16=0")],
}


def main():
    report = Report()
    kernels = files(".cl")
    report("there are kernels", bool(kernels))
    unknown = set(VARIANTS) - {path.stem for path in kernels}
    report("the table names files that exist", not unknown, "\n".join(sorted(unknown)))
    for path in kernels:
        for cpu, defines in itertools.product((0, 1), VARIANTS.get(path.stem, [()])):
            defines = (f"-DTESS_CPU={cpu}", *defines)
            label = f"{path} {' '.join(defines)}"
            if not shutil.which("clang"):
                report.skip(label, "no clang")
                continue
            done = run(["clang", *FLAGS, f"-I{SOURCE}/cl", *defines, SOURCE / path])
            report(label, done.returncode == 0, done.stderr)
    report.finish()


if __name__ == "__main__":
    main()
