#!/usr/bin/env python3
"""Every header compiles alone, twice in a row, without a warning: as C11, tessella.h as C++ too."""
from common import SOURCE, Report, compilers, files, folder, pkg_config, run

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wstrict-prototypes", "-Werror"]


def compile_alone(compiler, language, standard, header, where, flags):
    unit = where / ("unit.c" if language == "c" else "unit.cc")
    unit.write_text(f'#include "{header}"\n#include "{header}"\nextern int unit;\n')
    warnings = [w for w in WARNINGS if language == "c" or w != "-Wstrict-prototypes"]
    return run([*compiler, "-x", language, f"-std={standard}", *warnings, *flags, "-fsyntax-only",
                unit])


def main():
    report = Report()
    inside = ["-D_GNU_SOURCE", f"-I{SOURCE}/src", f"-I{SOURCE}/include", f"-I{SOURCE}/tests",
              *pkg_config("--cflags", "OpenCL", "libpng", "libcjson")]
    with folder() as where:
        for compiler in compilers():
            name = " ".join(compiler)
            for header in files(".h"):
                if header.parts[0] == "include":
                    continue
                done = compile_alone(compiler, "c", "c11", SOURCE / header, where, inside)
                report(f"{header} alone, {name}", done.returncode == 0, done.stderr)
            public = SOURCE / "include/tessella.h"
            for language, standard in (("c", "c11"), ("c", "c2x"), ("c++", "c++11"),
                                       ("c++", "c++20")):
                done = compile_alone(compiler, language, standard, public, where, [])
                label = f"tessella.h alone as {standard}, {name}"
                if language == "c++" and "cc1plus" in done.stderr:
                    report.skip(label, "this compiler has no C++")
                else:
                    report(label, done.returncode == 0, done.stderr)
    report.finish()


if __name__ == "__main__":
    main()
