"""What the tests in this folder share: output, files of the repository, runs of programs.

A test file makes a Report, calls it once per check and exits with its status:

    from common import Report
    report = Report()
    report("name of the check", ok, "why not, in as many lines as it takes")
    report.skip("name", "why")
    report.finish()

Output is TAP on standard output, which tests/house/count.py counts. The environment comes from
tests/meson.build: TESS_SOURCE and TESS_BUILD are the roots of sources and build, TESS_CC the
compiler, TESS_PROGRAM the command line program, TESS_LIBRARY the shared library, TESS_CL_COUNT the
library made from tests/cl_count.c.
"""
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(os.environ.get("TESS_SOURCE") or Path(__file__).resolve().parents[2])
BUILD = Path(os.environ.get("TESS_BUILD") or SOURCE / "build")
SKIPPED = 77  # exit status of a test that could not run, as in Meson


class Report:
    """Numbered TAP lines; see the head of this file."""

    def __init__(self):
        self.number = 0
        self.failed = 0
        self.skipped = 0

    def _line(self, text, detail=""):
        print(text)
        for line in str(detail).splitlines():
            print(f"#   {line}")
        sys.stdout.flush()

    def __call__(self, name, ok, detail=""):
        self.number += 1
        self.failed += not ok
        self._line(f"{'ok' if ok else 'not ok'} {self.number} - {name}", "" if ok else detail)
        return ok

    def skip(self, name, why):
        self.number += 1
        self.skipped += 1
        self._line(f"ok {self.number} - {name} # SKIP {why}")

    @contextlib.contextmanager
    def check(self, name):
        """A check that passes unless its block raises AssertionError (or anything else)."""
        try:
            yield
        except Skip as why:
            self.skip(name, why)
        except Exception as error:  # a mistake in the check is a failure of the check
            self(name, False, f"{type(error).__name__}: {error}")
        else:
            self(name, True)

    def finish(self):
        print(f"1..{self.number}")
        if self.failed:
            sys.exit(1)
        sys.exit(SKIPPED if self.number and self.skipped == self.number else 0)


class Skip(Exception):
    """Raised inside Report.check() where something that the check needs is not there."""


def files(*suffixes):
    """The repository's files, tracked or new but not ignored, relative to SOURCE, sorted."""
    listed = shutil.which("git") and subprocess.run(
        ["git", "-C", str(SOURCE), "ls-files", "-co", "--exclude-standard", "-z"],
        capture_output=True)
    if listed and listed.returncode == 0:
        names = [os.fsdecode(name) for name in listed.stdout.split(b"\0") if name]
    else:  # no git, a release archive, or a repository of another user
        names = []
        for root, folders, leaves in os.walk(SOURCE):
            top = Path(root) == SOURCE
            folders[:] = [f for f in folders if f not in (".git", "__pycache__")
                          and not (top and (f.startswith("build") or f == "out"))]
            names += [str((Path(root) / leaf).relative_to(SOURCE)) for leaf in leaves]
    paths = {Path(name) for name in names}
    return sorted(p for p in paths if (SOURCE / p).is_file()
                  and (not suffixes or p.suffix in suffixes))


def compilers():
    """The compiler of this build first, and gcc and clang where they are."""
    found = []
    for name in (os.environ.get("TESS_CC", "cc"), "gcc", "clang"):
        command = name.split()
        if shutil.which(command[0]) and command not in found:
            found.append(command)
    return found


def pkg_config(*arguments):
    made = subprocess.run(["pkg-config", *arguments], capture_output=True, text=True)
    if made.returncode:
        raise AssertionError(f"pkg-config {' '.join(arguments)}: {made.stderr.strip()}")
    return made.stdout.split()


def run(command, timeout=600, **options):
    """A finished process with text output; `options` go to subprocess.run()."""
    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run([str(c) for c in command], capture_output=True, text=True,
                          errors="replace", timeout=timeout, **options)


@contextlib.contextmanager
def folder():
    """A temporary directory that goes away with the block."""
    with tempfile.TemporaryDirectory(prefix="tessella-test-") as name:
        yield Path(name)


def program():
    """The path of the command line program in this build."""
    return Path(os.environ.get("TESS_PROGRAM") or BUILD / "src/cli/tessella")


class Run:
    """What a run of the program left: status, out, err, and the counts of its OpenCL buffers.

    `counts` is what tests/cl_count.c writes (peak_bytes, live_bytes, live_objects, allocations,
    largest, failures), or None if the run was not counted or used no OpenCL.
    """

    def __init__(self, done, counts, command):
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr
        self.counts, self.command = counts, command

    def __str__(self):
        return (f"{' '.join(map(str, self.command))}\nexit {self.status}\n"
                f"{self.out}{self.err}counts {self.counts}")


def counted_environment(report, **settings):
    """The variables that make a process load the counting library; `settings` are the names that
    tests/cl_count.c has for them, in lower case and without TESS_CL_: fail_alloc=3."""
    variables = {"LD_PRELOAD": os.environ["TESS_CL_COUNT"], "TESS_CL_COUNT_REPORT": str(report)}
    for name, value in settings.items():
        if value:
            variables[f"TESS_CL_{name.upper()}"] = str(value)
    return variables


def read_counts(path):
    """The report that the counting library wrote; None if there is none."""
    return json.loads(Path(path).read_text()) if Path(path).is_file() else None


def tessella(*arguments, env=None, count=True, timeout=600, cwd=None, **settings):
    """Run the program to its end; returns a Run. `env` is added to this environment; `settings` are
    those of counted_environment()."""
    command = [program(), *arguments]
    with folder() as where:
        variables = {**os.environ, **(env or {})}
        if count:
            variables.update(counted_environment(where / "counts.json", **settings))
        done = run(command, timeout=timeout, env=variables, cwd=cwd)
        return Run(done, read_counts(where / "counts.json"), command)


def uncommented(text):
    """C text with comments and the contents of string literals taken out, lines kept."""
    pattern = r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''

    def replace(match):
        piece = match.group(0)
        return '""' if piece[0] in "\"'" else "\n" * piece.count("\n") + " "

    return re.sub(pattern, replace, text, flags=re.S)
