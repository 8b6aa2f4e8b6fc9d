#!/usr/bin/env python3
"""Sum up test logs: count.py [--step NAME STATUS]... [testlog.json]...

Lists what failed and what was skipped, then prints "N passed, N failed, N skipped" alone on the
last line. TAP lines in a test's output count one each; a test without any counts as one. A step is
something beside the tests, as a build, that passed if its status is 0. A suite all of whose tests
were skipped counts as a failure: it says nothing. Exit status 1 if anything failed.
"""
import json
import re
import sys
from pathlib import Path

# cmocka writes "not ok 3 # SKIP name" for a skipped test; others "ok 3 - name # SKIP why".
TAP = re.compile(r"(?m)(?:^|(?<=\s))(not ok|ok) \d+(?: - (.*?))?(?:\s*# SKIP ?(.*))?$")


class Sum:
    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = []
        self.suites = {}  # name: [tests that ran, tests that were skipped]

    def add(self, label, suites, result, detail=""):
        if result == "passed":
            self.passed += 1
        else:
            getattr(self, result).append((label, detail))
        for suite in suites:
            counts = self.suites.setdefault(suite, [0, 0])
            counts[result == "skipped"] += 1


def add_test(total, where, test):
    # "tessella:io+plan / name"
    head, _, name = test["name"].rpartition(" / ")
    suites = [f"{where}{suite}" for suite in head.rpartition(":")[2].split("+") if suite]
    name = f"{where}{name}"
    output = test.get("stdout", "")
    tail = "\n".join((output + test.get("stderr", "")).splitlines()[-15:])
    ended = test["result"] in ("OK", "EXPECTEDFAIL", "SKIP")
    failed_before = len(total.failed)

    lines = list(TAP.finditer(output))
    for match in lines:
        state, title, why = match.groups()
        if why is not None:
            label = f"{name}: {title or why}"
            total.add(label, suites, "skipped", why if title else "")
        elif state == "ok":
            total.add(f"{name}: {title}", suites, "passed")
        else:
            following = output[match.end():].lstrip("\n").splitlines()
            notes = []
            for line in following:
                if not line.startswith("#"):
                    break
                notes.append(line.lstrip("# "))
            total.add(f"{name}: {title}", suites, "failed", "\n".join(notes[:15]))
    if not ended and len(total.failed) == failed_before:
        total.add(name, suites, "failed", f"{test['result']}, exit {test.get('returncode')}\n{tail}")
    elif not lines and ended:
        skipped = test["result"] == "SKIP"
        total.add(name, suites, "skipped" if skipped else "passed", tail if skipped else "")


def show(title, entries):
    if entries:
        print(f"\n{title}:")
    for label, detail in entries:
        lines = [line for line in detail.splitlines() if line.strip()]
        if len(lines) == 1:
            print(f"  {label} ({lines[0].strip()})")
        else:
            print(f"  {label}")
            for line in lines:
                print(f"      {line}")


def main(arguments):
    total = Sum()
    while arguments and arguments[0] == "--step":
        _, name, status, *arguments = arguments
        total.add(name, [], "passed" if status == "0" else "failed", f"exit {status}, see above")
    for log in map(Path, arguments):
        build = log.parent.parent.name
        where = "" if build == "build" else f"{build}: "
        if not log.is_file():
            total.add(f"{build}: no test log", [], "failed")
            continue
        for line in log.read_text().splitlines():
            if line.strip():
                add_test(total, where, json.loads(line))
    for suite, (ran, skipped) in sorted(total.suites.items()):
        if not ran and skipped:
            total.failed.append((f"suite {suite}: all {skipped} of its tests were skipped", ""))

    show("Skipped", total.skipped)
    show("Failed", total.failed)
    print(f"\n{total.passed} passed, {len(total.failed)} failed, {len(total.skipped)} skipped")
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
