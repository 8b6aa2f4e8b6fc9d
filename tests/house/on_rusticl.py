#!/usr/bin/env python3
"""Run a test program on rusticl over llvmpipe: on_rusticl.py PROBE PROGRAM [ARGUMENT...]

PROBE is tests/opencl_probe.c: where it finds no device that works, the test is skipped.
TESS_TINY=1 tells the program to run its tiny cases only, TESS_VARIANT=gpu only the kernels for
GPUs: llvmpipe takes minutes over vectors of 16.
"""
import os
import sys
import rusticl
from common import SKIPPED


def main():
    reason = rusticl.why_not(sys.argv[1])
    if reason:
        print(f"ok 1 - runs on rusticl # SKIP {reason}")
        sys.exit(SKIPPED)
    os.execve(sys.argv[2], sys.argv[2:],
              {**os.environ, **rusticl.ENVIRONMENT, "TESS_TINY": "1", "TESS_VARIANT": "gpu"})


if __name__ == "__main__":
    main()
