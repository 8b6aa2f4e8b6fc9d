#!/usr/bin/env python3
"""Make one page of page.html and what it takes in, as a C file: embed.py OUT.c page.html FILE...

{{style}} and {{script}} become the files that end with .css and .js, in the order given. What is
between {{title}}, {{title}} and {{files}} are the texts of src/page/page.h.
"""
import re
import sys
from pathlib import Path

MARKS = ["title", "title", "files"]


def literal(line):
    out = line.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t").replace("?", "\\?")
    return f'        "{out}"'


def main():
    target, page, files = sys.argv[1], Path(sys.argv[2]), [Path(f) for f in sys.argv[3:]]
    text = page.read_text(encoding="utf-8")
    for mark, suffix in (("style", ".css"), ("script", ".js")):
        parts = [f.read_text(encoding="utf-8").rstrip() for f in files if f.suffix == suffix]
        text = text.replace("{{" + mark + "}}", "\n\n".join(parts))
    pieces = re.split(r"\{\{(\w+)\}\}", text)
    if pieces[1::2] != MARKS:
        sys.exit(f"{page}: expected the marks {MARKS}, found {pieces[1::2]}")
    lines = ['#include "page/page.h"', "", "const char *const tess_page_texts[] = {"]
    for piece in pieces[::2]:
        parts = piece.split("\n")
        lines += [literal(part)[:-1] + '\\n"' for part in parts[:-1]]
        lines += [literal(parts[-1]) + ","]
    Path(target).write_text("\n".join(lines + ["};", ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
