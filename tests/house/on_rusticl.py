#!/usr/bin/env python3
"""Run a test program on rusticl over llvmpipe: on_rusticl.py PROBE PROGRAM [ARGUMENT...]

PROBE is tests/opencl_probe.c: where it finds no device that works, the test is skipped.
TESS_TINY=1 tells the program to run its tiny cases only, TESS_VARIANT=gpu only the kernels for
GPUs: llvmpipe takes minutes over vectors of 16.
"""
import os
import sys
from pathlib import Path
from common import SKIPPED, run

VENDOR = Path("/etc/OpenCL/vendors/rusticl.icd")


def skip(why):
    print(f"ok 1 - runs on rusticl # SKIP {why}")
    sys.exit(SKIPPED)


def main():
    if not VENDOR.is_file():
        skip("no rusticl (mesa-opencl-icd)")
    variables = {**os.environ, "OCL_ICD_VENDORS": str(VENDOR), "RUSTICL_ENABLE": "llvmpipe",
                 "TESSELLA_DEVICE": "llvmpipe", "TESS_TINY": "1", "TESS_VARIANT": "gpu"}
    probe = run([sys.argv[1], "ca64", "ka", "wa"], env=variables)
    if probe.returncode or "ka 0" not in probe.stdout:
        lines = (probe.stdout + probe.stderr).strip().splitlines() or [""]
        skip(f"its device does not work here: {lines[0]}")
    os.execve(sys.argv[2], sys.argv[2:], variables)


if __name__ == "__main__":
    main()
