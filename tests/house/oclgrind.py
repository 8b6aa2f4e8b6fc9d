#!/usr/bin/env python3
"""on_oclgrind.py finds what it is there for, in programs that are wrong: oclgrind.py PROBE"""
import shutil
import sys
from pathlib import Path
from common import Report, Skip, run

WRAPPER = Path(__file__).with_name("on_oclgrind.py")

CASES = [
    ("a correct program passes", ["ca64", "wa", "ka", "ua", "xa"], None),
    ("an access out of bounds fails", ["ca64", "oa", "xa"], "Invalid write"),
    ("a race fails", ["ca64", "da", "xa"], "data race"),
    ("an uninitialised value fails", ["ca64", "ua", "xa"], "uninitialized value"),
    ("values written in two parts pass", ["ca4096", "vb", "wb", "wa", "ub", "ua"], None),
    ("one of two parts fails", ["ca4096", "vb", "wa", "ub"], "uninitialized value"),
    ("a buffer in place of an old one passes", ["ca64", "wa", "xa", "ca4096", "wa", "ua"], None),
    ("a buffer in place of an old one fails", ["ca64", "wa", "xa", "ca64", "ua"],
     "uninitialized value"),
    ("a wrong API call fails", ["ca0"], "CL_INVALID_BUFFER_SIZE"),
]


def main():
    report = Report()
    for name, steps, wanted in CASES:
        with report.check(name):
            if not shutil.which("oclgrind"):
                raise Skip("no oclgrind")
            done = run([sys.executable, WRAPPER, sys.argv[1], *steps])
            text = f"exit {done.returncode}\n{done.stdout}{done.stderr}"
            assert (done.returncode == 0) == (wanted is None), text
            assert wanted is None or wanted in done.stdout, text
    report.finish()


if __name__ == "__main__":
    main()
