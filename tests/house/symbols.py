#!/usr/bin/env python3
"""The shared library exports the functions that tessella.h declares, and nothing else."""
import os
import re
from common import SOURCE, Report, run, uncommented


def main():
    report = Report()
    text = uncommented((SOURCE / "include/tessella.h").read_text())
    declared = set(re.findall(r"\bTESS_API\b[^;(]*?(\w+)\s*\(", text.replace("#define TESS_API", "")))
    declared = {name for name in declared if not name.startswith("__")}
    library = os.environ["TESS_LIBRARY"]
    listed = run(["nm", "-D", "--defined-only", "--format=posix", library])
    exported = {line.split()[0].split("@")[0] for line in listed.stdout.splitlines()}
    report("the header declares functions", len(declared) > 10, f"found {sorted(declared)}")
    report("nm reads the library", listed.returncode == 0, listed.stderr)
    for title, names in (
            ("all that is declared is exported", declared - exported),
            ("all that is exported is declared", exported - declared),
            ("all exported names start with tess_",
             {n for n in exported if not n.startswith("tess_")})):
        report(title, not names, "\n".join(sorted(names)))
    report.finish()


if __name__ == "__main__":
    main()
