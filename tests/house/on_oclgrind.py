#!/usr/bin/env python3
"""Run a test program under Oclgrind: on_oclgrind.py PROGRAM [ARGUMENT...]

Fails if the program does, or if Oclgrind reports a race, an access out of bounds, a value that was
never written, or a wrong API call. TESS_TINY=1 tells the program to run its tiny cases only: one
work-item at a time is interpreted here. What the program prints goes through; one check more says
whether Oclgrind was silent.
"""
import os
import re
import shutil
import sys
from common import SKIPPED, folder, run

API_ERROR = r"Oclgrind - OpenCL runtime error detected\n(?:[ \t]+[^\n]*\n?)*"
OPTIONS = ["--build-options", "-cl-opt-disable", "--data-races", "--uninitialized", "--check-api", "--max-errors", "20"]


def main():
    if not shutil.which("oclgrind"):
        print("ok 1 - Oclgrind is silent # SKIP no oclgrind")
        sys.exit(SKIPPED)
    variables = {**os.environ, "TESS_TINY": "1"}
    variables.pop("TESSELLA_DEVICE", None)  # there is one device
    with folder() as where:
        log = where / "log"
        # A cache of its own: a simulator of another version reads no other's binaries.
        variables["XDG_CACHE_HOME"] = str(where)
        done = run(["oclgrind", *OPTIONS, "--log", log, *sys.argv[1:]], timeout=3600,
                   env=variables)
        said = log.read_text().strip() if log.is_file() else "no log: it did not run"
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    # Wrong API calls are not logged but written to standard error.
    said = "\n".join([said, *re.findall(API_ERROR, done.stderr)]).strip()
    print(f"{'not ok' if said else 'ok'} 1 - Oclgrind is silent")
    for line in said.splitlines()[:60]:
        print(f"# {line}")
    sys.exit(1 if said else done.returncode)


if __name__ == "__main__":
    main()
