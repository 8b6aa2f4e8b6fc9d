#!/usr/bin/env python3
"""SIGINT and SIGTERM at several moments: a sane exit status, no partial and no temporary file, and
a program cache that works afterwards."""
import os
import shutil
import signal
import time
from material import LATENTS, Report, digests, done, expect_same, folder, names, started

# A run without a program cache compiles for seconds. PoCL's own cache is another one.
MOMENTS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 2.5)
COLD_MOMENTS = (0.1, 0.4, 1.5, 3.0)
OUTPUTS = ("a.glb", "a.ply", "a.png", "a.obj")
LOADED = 0.3  # seconds: until the drivers are loaded a signal simply ends the process
PATIENCE = 30  # seconds from the signal to the end: a driver's compiler cannot be stopped


def start(into, caches, latent):
    into.mkdir()
    return started("decode", latent, "--raw",
                   *[part for name in OUTPUTS for part in ("-o", into / name)],
                   XDG_CACHE_HOME=str(caches))


def interrupted(process, number, moment, again=False):
    """Status and standard error of a run that got the signal so many seconds after its start."""
    time.sleep(moment)
    sent = time.monotonic()
    try:
        process.send_signal(number)
        if again:
            time.sleep(0.05)
            process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    return process.returncode, err.decode(errors="replace"), time.monotonic() - sent


def judge(into, moment, status, err, number, wanted, compiles=False):
    allowed = {0, 128 + number} | ({-number} if moment < LOADED else set())
    assert status in allowed, f"exit {status}, expected one of {sorted(allowed)}; {err}"
    left = names(into)
    odd = [name for name in left if name not in OUTPUTS]
    assert not odd, f"{odd} left, exit {status}"
    if status == 0:
        assert left == sorted(OUTPUTS), f"{left}, but it said that it was done"
    if status == 128 + number:
        # Compilers have their own say.
        lines = [line for line in err.splitlines()
                 if line.startswith("tessella: ") or not compiles]
        assert len(lines) == 1 and lines[0].startswith("tessella: "), f"not one message: {err}"
    # What is there is whole.
    expect_same("after a signal", digests(into), {n: wanted[n] for n in left})
    return status


def main():
    report = Report()
    latent = LATENTS / "wuson.safetensors"
    with folder() as where:
        reference = where / "reference"
        reference.mkdir()
        for _ in range(2):  # the second time with warm caches
            begin = time.monotonic()
            done("decode", latent, *[part for n in OUTPUTS for part in ("-o", reference / n)])
            duration = time.monotonic() - begin
        wanted = digests(reference)
        warm = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")

        clean = 0
        for number in (signal.SIGINT, signal.SIGTERM):
            for moment in MOMENTS:
                with report.check(f"{number.name} after {moment} s"):
                    into = where / f"{number.name}-{moment}"
                    status, err, _ = interrupted(start(into, warm, latent), number, moment)
                    clean += judge(into, moment, status, err, number, wanted) == 128 + number
        report("some of these runs were ended by the program itself", clean >= 4,
               f"{clean} of {2 * len(MOMENTS)}")

        with report.check("existing outputs stay when a run is interrupted"):
            into = where / "existing"
            process = start(into, warm, latent)
            for name in OUTPUTS:
                (into / name).write_text("older")
            status, err, _ = interrupted(process, signal.SIGINT, duration / 3)
            assert status == 130, f"exit {status}: {err}"
            assert names(into) == sorted(OUTPUTS)
            assert all((into / name).read_text() == "older" for name in OUTPUTS)

        # Compilers run in the process: what they do when they are told to stop is theirs.
        cold = where / "caches"
        for number, moment in zip((signal.SIGINT, signal.SIGTERM) * len(COLD_MOMENTS),
                                  COLD_MOMENTS):
            with report.check(f"{number.name} after {moment} s, cold caches"):
                shutil.rmtree(cold, ignore_errors=True)
                into = where / f"cold-{number.name}-{moment}"
                status, err, _ = interrupted(start(into, cold, latent), number, moment)
                judge(into, moment, status, err, number, wanted, compiles=True)
                cache = cold / "tessella"
                entries = names(cache) if cache.is_dir() else []
                assert all(name.endswith(".clbin") for name in entries), entries
        with report.check("a run with the caches that this left"):
            into = where / "afterwards"
            process = start(into, cold, latent)
            out, err = process.communicate(timeout=300)
            assert process.returncode == 0, err
            expect_same("afterwards", digests(into), wanted)

        with report.check("a second signal ends the program at once"):
            into = where / "twice"
            status, err, seconds = interrupted(start(into, warm, latent), signal.SIGINT,
                                               duration / 3, again=True)
            assert status in (130, -signal.SIGINT), f"exit {status}: {err}"
            assert seconds < 3, f"{seconds:.1f} s"
    report.finish()


if __name__ == "__main__":
    main()
