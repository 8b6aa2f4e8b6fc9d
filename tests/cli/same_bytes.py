#!/usr/bin/env python3
"""On one device the output files are the same bytes at every budget, and the memory that a run says
it used is what it used, at or below the budget. So on devices whose own limit for a buffer is small."""
import json
from material import DONE, LATENTS, SOURCE, Report, digests, expect_same, folder, nothing_live, run

M = 1 << 20
SUFFIXES = ("glb", "ply", "png", "obj", "stl")


def limited(memory, max_buffer):
    options = []
    if memory:
        options += ["--memory", f"{memory >> 10}K"]
    if max_buffer:
        options += ["--max-buffer", f"{max_buffer >> 10}K"]
    return options


def title(memory, max_buffer, device_buffer=0):
    words = limited(memory, max_buffer)
    if device_buffer:
        words.append(f"a device with buffers of {device_buffer >> 10}K")
    return " ".join(words) or "no limits"


def counted(where, arguments, memory, max_buffer, device_buffer=0):
    """Run into `where`; the digests of what it wrote. The counts have to agree."""
    where.mkdir()
    report = where / "report.json"
    result = run(*arguments, *limited(memory, max_buffer), "--report", report,
                 max_alloc=device_buffer)
    assert result.status == DONE, result
    told = json.loads(report.read_text())
    report.unlink()
    nothing_live(result)
    counts = result.counts
    assert counts["failures"] == 0, result
    assert told["peak_bytes"] == counts["peak_bytes"], f"{told['peak_bytes']} told, {result}"
    assert told["peak_bytes"] == max(stage["peak_bytes"] for stage in told["stages"]), told
    if memory:
        assert told["budget"]["device_bytes"] == memory, told["budget"]
    assert told["peak_bytes"] <= told["budget"]["device_bytes"], told["budget"]
    if max_buffer or device_buffer:
        assert told["budget"]["max_buffer_bytes"] == (max_buffer or device_buffer), told["budget"]
    assert counts["largest"] <= told["budget"]["max_buffer_bytes"], counts
    return digests(where)


def compare(report, where, what, arguments, limits):
    """The same run under each of `limits`: memory, largest buffer, and the device's own limit for
    one where it is not as it is. `arguments` is called with the folder to write to."""
    wanted = None
    for number, limit in enumerate(limits):
        with report.check(f"{what}, {title(*limit)}"):
            into = where / f"{what.replace(' ', '-')}-{number}"
            got = counted(into, arguments(into), *limit)
            assert got, "nothing was written"
            if wanted is None:
                wanted = got
            expect_same("another budget", got, wanted)


def decode(name):
    latent = LATENTS / f"{name}.safetensors"

    def arguments(into):
        outputs = [part for s in SUFFIXES for part in ("-o", into / f"{name}.{s}")]
        return ["decode", latent, *outputs, "--seed", "7"]
    return arguments


def generate(into):
    outputs = [part for s in ("glb", "ply", "png", "safetensors") for part in ("-o", into / f"a.{s}")]
    return ["generate", SOURCE / "demo/images/duck.png", "--steps", "2", "--seed", "1",
            "--guidance-interval", "0.8,1", *outputs]


def render(asset, *options):
    return lambda into: ["render", asset, "-o", into / "picture.png", *options]


def main():
    report = Report()
    with folder() as where:
        # The smallest object fits whole into 48M, the teapot does not.
        compare(report, where, "wuson", decode("wuson"),
                [(0, 0), (1 << 30, 0), (96 * M, 0), (48 * M, 0), (16 * M, 0), (8 * M, 0),
                 (0, 8 * M), (0, 4 * M), (12 * M, 5 * M)])
        compare(report, where, "teapot", decode("teapot"), [(0, 0), (48 * M, 0), (48 * M, 8 * M)])
        compare(report, where, "generate", generate,
                [(0, 0), (1 << 30, 0), (64 * M, 0), (32 * M, 0), (16 * M, 0), (12 * M, 0),
                 (0, 8 * M), (24 * M, 5 * M), (0, 0, 32 * M), (0, 0, 8 * M), (0, 0, 4 * M),
                 (12 * M, 0, 4 * M)])
        for suffix in ("glb", "ply"):
            asset = where / "wuson-0" / f"wuson.{suffix}"
            limits = [(0, 0), (1 << 30, 0), (96 * M, 0), (48 * M, 0), (4 * M, 0), (M, 0),
                      (0, 8 * M), (0, M), (2 * M, M)]
            compare(report, where, f"picture of {suffix}", render(asset), limits)
            compare(report, where, f"turntable of {suffix}",
                    render(asset, "--turntable", "3", "--size", "200", "--supersampling", "3"),
                    [(0, 0), (3 * M, 0), (0, M)])
    report.finish()


if __name__ == "__main__":
    main()
