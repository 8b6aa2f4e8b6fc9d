#!/usr/bin/env python3
"""A device that fails anywhere in a run from a picture to files: failing_generate.py PROBE [all]

Each allocation in turn, or the first use of what it made: the run goes on with less and says so. A
device that has less memory than it says: the same, or exit 4. Any other command: exit 4 and the
reason. Whatever happens, what --keep wrote is whole, and --from goes on from it to the same bytes.
Commands are sampled, or with `all` every one of them fails in turn.
"""
import shutil
import sys
from material import (DEVICE, DONE, SOURCE, Report, digests, errors, expect_same, folder,
                      nothing_live, run)

PICTURE = SOURCE / "demo/images/robot.png"
SMALL = ("--steps", "1", "--seed", "1", "--voxels", "500")
OUTPUTS = ("a.glb", "a.ply", "a.safetensors")
COMMANDS = 10  # that fail, of some hundred
SERIES = {"no limits": [], "small buffers": ["--memory", "10M", "--max-buffer", "4M"]}


class Place:
    """A folder for outputs and one for what is kept."""

    def __init__(self, root):
        self.into, self.kept = root / "out", root / "kept"
        shutil.rmtree(root, ignore_errors=True)
        self.into.mkdir(parents=True)

    def run(self, *options, **failures):
        outputs = [part for name in OUTPUTS for part in ("-o", self.into / name)]
        return run("generate", PICTURE, *SMALL, *options, *outputs,
                   "--keep", self.kept, "--from", self.kept, **failures)


def judge(place, result, wanted, kept):
    """Whether a run in which something failed went on."""
    assert result.counts and result.counts["failures"] > 0, f"nothing failed: {result}"
    nothing_live(result)
    there = digests(place.kept) if place.kept.exists() else {}
    expect_same("kept", there, {name: kept.get(name) for name in there})
    messages = [line for line in errors(result) if line.startswith("tessella: ")]
    if result.status == DONE:
        expect_same("with less memory", digests(place.into), wanted)
        assert "warning: " in result.err and "going on with" in result.err, result
        assert not messages, f"{messages} in {result}"
        return True
    assert result.status == DEVICE, result
    assert len(messages) == 1, result
    # The latent's file is written before decoders run, and whole.
    left = digests(place.into)
    expect_same("left", left, {name: wanted[name] for name in left if "safetensors" in name})
    return False


def expect_resumed(place, wanted, kept, options):
    result = place.run(*options)
    assert result.status == DONE and "warning" not in result.err, result
    expect_same("resumed", digests(place.into), wanted)
    expect_same("kept in the end", digests(place.kept), kept)


def fail(report, where, what, options, wanted, kept, failures):
    """Runs in each of which something fails; how many went on."""
    went_on = 0
    for failure in failures:
        with report.check(f"{what}: " + ", ".join(f"{k} {v}" for k, v in failure.items())):
            place = Place(where / "failing")
            result = place.run(*options, **failure)
            if judge(place, result, wanted, kept):
                went_on += 1
            else:
                expect_resumed(place, wanted, kept, options)
    return went_on


def check_series(report, where, what, options, every):
    clean = Place(where / what)
    first = clean.run(*options)
    if not report(f"{what}: a run without failures", first.status == DONE, first):
        return
    wanted, kept = digests(clean.into), digests(clean.kept)
    common = (report, where, what, options, wanted, kept)
    allocations, commands = first.counts["allocations"], first.counts["commands"]
    for kind in ("fail_alloc", "fail_use"):
        went_on = fail(*common, [{kind: n} for n in range(1, allocations + 1)])
        report(f"{what}: no {kind} ends a run that can do with less", went_on == allocations,
               f"{went_on} of {allocations} went on")
    # The first commands of a stage are the first uses of its memory, after which it may go on.
    step = 1 if every else max(commands // COMMANDS, 1)
    # How many pieces a launch is cut into goes by its speed: a later run may have fewer.
    numbers = range(1 + commands % step, commands * 3 // 4, step)
    went_on = fail(*common, [{"fail_command": n} for n in numbers])
    report(f"{what}: commands are not only first uses", went_on < len(numbers) / 2,
           f"{went_on} of {len(numbers)} went on")
    with report.check(f"{what}: what comes after the last one fails nothing"):
        place = Place(where / "failing")
        result = place.run(*options, fail_alloc=allocations + 1, fail_command=10 * commands)
        assert result.status == DONE and result.counts["failures"] == 0, result
        assert "warning" not in result.err, result
        expect_same("without failures", digests(place.into), wanted)


def check_less(report, where):
    """A device that has less than it says, in the end less than the largest stage needs at all."""
    clean = Place(where / "all there is")
    first = clean.run()
    wanted, kept = digests(clean.into), digests(clean.kept)
    peak = first.counts["peak_bytes"]
    sizes = [int(peak * share) for share in (0.9, 0.7, 0.5, 0.35, 0.25, 0.02)]
    went_on = fail(report, where, "less memory than is said", [], wanted, kept,
                   [{"memory": size} for size in sizes])
    report("runs shrink to a third of what they would take, and end where nothing fits",
           3 <= went_on < len(sizes), f"{went_on} of {len(sizes)} went on")


def main():
    report = Report()
    with folder() as where:
        for what, options in SERIES.items():
            check_series(report, where, what, options, "all" in sys.argv[2:])
        check_less(report, where)
    report.finish()


if __name__ == "__main__":
    main()
