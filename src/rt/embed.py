#!/usr/bin/env python3
"""Turn the files of cl/ into one C file: embed.py OUT.c FILE...

The texts go in as they are. Includes and #line markers are put in when a program is built
(src/rt/source.c), so that files from a directory given at run time go the same way.
"""
import sys
from pathlib import Path


def literal(line):
    out = line.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    return f'    "{out}\\n"'


def main():
    target, files = sys.argv[1], [Path(f) for f in sys.argv[2:]]
    lines = ['#include "rt/opencl.h"', "", "const struct tess_embedded_file tess_embedded_files[] = {"]
    for file in files:
        lines.append(f'    {{"{file.name}",')
        lines += [literal(line) for line in file.read_text().splitlines()]
        lines.append("    },")
    lines += ["};", f"const size_t tess_embedded_file_count = {len(files)};", ""]
    Path(target).write_text("\n".join(lines))


if __name__ == "__main__":
    main()
