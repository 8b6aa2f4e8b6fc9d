#!/usr/bin/env python3
"""count.py counts: what it says decides whether a change goes in."""
import json
import sys
from pathlib import Path
from common import Report, folder, run

COUNT = Path(__file__).with_name("count.py")

CMOCKA = "1..3\nsaid ok 1 - good\nnot ok 2 - bad\n# 1 != 2\nnot ok 3 # SKIP later\n# not ok - all\n"


def log(where, *tests):
    path = where / "build/meson-logs/testlog.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(
        {"name": name, "stdout": out, "result": result, "returncode": code}) + "\n"
        for name, out, result, code in tests))
    return path


CASES = [
    # title, steps, tests, last line, exit status, what the output has to name
    ("cmocka's lines", [], [("t:io / a", CMOCKA, "FAIL", 1)], "1 passed, 1 failed, 1 skipped", 1,
     ["a: bad (1 != 2)", "a: later"]),
    ("a test without lines is one", [], [("t:io / a", "", "OK", 0)],
     "1 passed, 0 failed, 0 skipped", 0, []),
    ("a crash after good lines fails", [], [("t:io / a", "ok 1 - x\n", "FAIL", -11)],
     "1 passed, 1 failed, 0 skipped", 1, ["FAIL, exit -11"]),
    ("a test that hangs fails", [], [("t:io / a", "", "TIMEOUT", -15)],
     "0 passed, 1 failed, 0 skipped", 1, ["TIMEOUT"]),
    ("a suite that is skipped as a whole fails", [],
     [("t:io / a", "ok 1 - x # SKIP no y\n", "SKIP", 77), ("t:ops+io / b", "", "SKIP", 77),
      ("t:ops / c", "", "OK", 0)], "1 passed, 1 failed, 2 skipped", 1,
     ["a: x (no y)", "suite io"]),
    ("some skipped tests do not", [],
     [("t:io / a", "ok 1 - x # SKIP no y\nok 2 - z\n", "OK", 0)],
     "1 passed, 0 failed, 1 skipped", 0, ["a: x (no y)"]),
    ("steps count", ["--step", "one", "0", "--step", "two", "2"], [("a", "", "OK", 0)],
     "2 passed, 1 failed, 0 skipped", 1, ["two"]),
    ("nothing at all fails", [], [], "0 passed, 0 failed, 0 skipped", 1, []),
]


def main():
    report = Report()
    for title, steps, tests, last, status, named in CASES:
        with folder() as where, report.check(title):
            done = run([sys.executable, COUNT, *steps, log(where, *tests)])
            lines = done.stdout.splitlines()
            assert lines[-1] == last and done.returncode == status, done.stdout + done.stderr
            missing = [text for text in named if text not in done.stdout]
            assert not missing, f"{missing} not in:\n{done.stdout}"
    with folder() as where, report.check("a log that is not there fails"):
        done = run([sys.executable, COUNT, where / "build-x/meson-logs/testlog.json"])
        assert done.returncode == 1 and "build-x" in done.stdout, done.stdout
    report.finish()


if __name__ == "__main__":
    main()
