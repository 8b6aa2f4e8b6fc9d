#!/usr/bin/env python3
"""Run a test program under Oclgrind: on_oclgrind.py PROGRAM [ARGUMENT...]

Fails if the program does, or if Oclgrind reports a race, an access out of bounds, a wrong API call
(all in one run) or a value that was never written (in another). TESS_TINY=1 tells the program to
run its tiny cases only: one work-item at a time is interpreted here. What the program prints in the
first run goes through; a check more for each run says whether Oclgrind was silent.
"""
import os
import re
import shutil
import sys
from common import SKIPPED, folder, run

API_ERROR = r"Oclgrind - OpenCL runtime error detected\n(?:[ \t]+[^\n]*\n?)*"
ACCESSES = "no race, no stray access, no wrong call"
VALUES = "no uninitialised value"
# Optimised code is faster by far, but may have instructions that Oclgrind 21.10 does not know, as
# "freeze"; then it says this and ends.
GIVEN_UP = "OCLGRIND FATAL ERROR"
PLAIN = ["--build-options", "-cl-opt-disable"]
# Puts a library before Oclgrind's own.
PRELOAD = ["sh", "-c", 'LD_PRELOAD=$0:$LD_PRELOAD exec "$@"', os.environ.get("TESS_CL_SHADOW")]


def oclgrind(options, command, **more):
    """The finished process, and what Oclgrind said."""
    with folder() as where:
        log = where / "log"
        variables = {**os.environ, **more, "TESS_TINY": "1"}
        # No cache of programs: those in it are made in a thread ahead of their first launch, and
        # Oclgrind 21.10 frees memory twice when it compiles while another thread runs a kernel.
        # No choice of a device: there is one.
        for name in ("XDG_CACHE_HOME", "HOME", "TESSELLA_DEVICE"):
            variables.pop(name, None)
        done = run(["oclgrind", "--max-errors", "20", "--log", log, *options, *command],
                   timeout=3600, env=variables)
        said = log.read_text().strip() if log.is_file() else "no log: it did not run"
    # Wrong API calls are not logged but written to standard error.
    return done, "\n".join([said, *re.findall(API_ERROR, done.stderr)]).strip()


def show(name, said):
    print(f"{'not ok' if said else 'ok'} 1 - {name}")
    for line in said.splitlines()[:60]:
        print(f"# {line}")
    sys.stdout.flush()
    return not said


def main():
    if not shutil.which("oclgrind"):
        for name in (ACCESSES, VALUES):
            print(f"ok 1 - {name} # SKIP no oclgrind")
        sys.exit(SKIPPED)

    done, said = oclgrind(["--data-races", "--check-api"], sys.argv[1:])
    if GIVEN_UP in said + done.stderr:
        done, said = oclgrind([*PLAIN, "--data-races", "--check-api"], sys.argv[1:])
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    good = show(ACCESSES, said) and done.returncode == 0

    # This part of Oclgrind 21.10 takes element 11 of a vector that is shuffled for undefined, so
    # that every sum over the halves of 16 values in the kernels for CPUs would be reported:
    # TESS_VARIANT=gpu leaves them out. It is not safe with several threads either. Whether results
    # are the same, however they are made, was seen in the first run: TESS_ONCE=1.
    done, said = oclgrind([*PLAIN, "--uninitialized", "--num-threads", "1",
                           "--global-mem-size", str(1 << 30)],
                          [*PRELOAD, *sys.argv[1:]], TESS_VARIANT="gpu", TESS_ONCE="1")
    if done.returncode and not said:
        said = f"exit {done.returncode}\n{done.stdout}{done.stderr}"
    good = show(VALUES, said) and good
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
