#!/usr/bin/env python3
"""`generate`: from the demo's pictures to what the original makes of them, the same bytes however
the work is arranged (at every budget: same_bytes; where memory fails: failing_generate), and clear
messages for what cannot be used."""
import json
import signal
import struct
import time
import zlib
from material import (DEVICE, DONE, GOLDEN, INPUT, SOURCE, USAGE, Report, digest, digests, done,
                      expect_same, folder, names, nothing_live, one_message, read_png,
                      read_tensors, run, smallest_budget, started)

IMAGES = SOURCE / "demo/images"
DUCK = IMAGES / "duck.png"
ROBOT = IMAGES / "robot.png"  # the fewest voxels
# Voxels that the original modules make of these pictures with seed 1, in fp32.
VOXELS = {"car": 1765, "duck": 2231, "mug": 5668, "mushroom": 3677, "robot": 1471,
          "snowman": 1686, "teapot": 1629, "vase": 2977}
QUICK = ("--steps", "2", "--seed", "1")  # for what does not look at the result
SOME_GUIDED = ("--steps", "2", "--guidance-interval", "0.8,1")  # of two steps the first
STAGES = ("image encoder", "structure flow", "structure decoder", "latent flow", "mesh decoder")
FASTER = 5  # tries to interrupt a run before it is done


def write_png(path, rows, channels):
    """An 8-bit picture of rows of bytes."""
    def chunk(kind, data):
        return (struct.pack(">I4s", len(data), kind) + data
                + struct.pack(">I", zlib.crc32(kind + data)))
    head = struct.pack(">IIBBBBB", len(rows[0]) // channels, len(rows), 8,
                       {3: 2, 4: 6}[channels], 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
                     + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows), 1))
                     + chunk(b"IEND", b""))
    return path


def without_alpha(path, background):
    """The duck on a background: background(x, y) is a colour."""
    width, height, _, rows = read_png(DUCK)
    flat = []
    for y, row in enumerate(rows):
        line = bytearray()
        for x in range(width):
            *colour, alpha = row[4 * x:4 * x + 4]
            line += bytes((c * alpha + b * (255 - alpha)) // 255
                          for c, b in zip(colour, background(x, y)))
        flat.append(bytes(line))
    return write_png(path, flat, 3)


def lit(path):
    """The share of pixels that are not black."""
    width, height, colour, rows = read_png(path)
    step = 4 if colour == 6 else 3
    return sum(any(row[i:i + 3]) for row in rows
               for i in range(0, len(row), step)) / (width * height)


def made(where, name, *options, pictures=(ROBOT,), outputs=("a.safetensors",), **more):
    """The digests of the files that a run with these options writes into a new folder."""
    into = where / name
    into.mkdir()
    result = done("generate", *pictures, *options,
                  *[part for output in outputs for part in ("-o", into / output)], **more)
    nothing_live(result)
    return digests(into)


def refused(where, status, *arguments, **more):
    """A run that has to end with a status and leave nothing."""
    output = where / "refused.safetensors"
    result = run("generate", *arguments, "-o", output, **more)
    assert result.status == status, result
    assert not output.exists(), "an output was written"
    return result


def floats(data):
    return struct.unpack(f"<{len(data) // 4}f", data)


def check_reference(report, where):
    expected, _ = read_tensors(GOLDEN.parent / "demo-generated.safetensors")
    for name, count in VOXELS.items():
        with report.check(f"{name}: the voxels and the latent that the original makes"):
            made(where, name, "--seed", "1", pictures=[IMAGES / f"{name}.png"])
            tensors, _ = read_tensors(where / name / "a.safetensors")
            coords, feats = tensors["coords"][2], tensors["feats"][2]
            assert tensors["coords"][1] == [count, 4], tensors["coords"][1]
            rows = struct.unpack("<32i", expected[f"{name}.rows"][2])
            got = b"".join(coords[16 * row:16 * row + 16] for row in rows)
            assert got == expected[f"{name}.coords"][2], "other voxels"
            got = floats(b"".join(feats[32 * row:32 * row + 32] for row in rows))
            wanted = floats(expected[f"{name}.slat"][2])
            error = (sum((a - b) ** 2 for a, b in zip(got, wanted))
                     / sum(b * b for b in wanted)) ** 0.5
            assert error < 1e-5, error


def check_bytes(report, where):
    outputs = ("a.glb", "a.safetensors")
    steps = SOME_GUIDED
    wanted = made(where, "wanted", *steps, "--seed", "1", outputs=outputs)
    for name, options in (("apart", ["--guide-apart"]),
                          ("apart in 24M", ["--guide-apart", "--memory", "24M"]),
                          ("again", [])):
        with report.check(f"the same bytes: {name}"):
            into = made(where, name, *steps, "--seed", "1", *options, outputs=outputs)
            expect_same(name, into, wanted)
    with report.check("several seeds write what runs of one seed do"):
        several = made(where, "several", *steps, "--seed", "1..2", outputs=outputs)
        second = made(where, "second", *steps, "--seed", "2", outputs=outputs)
        assert second["a.safetensors"] != wanted["a.safetensors"], "two seeds, one result"
        single = {name.replace(".", f"-{seed}."): value
                  for seed, files in ((1, wanted), (2, second)) for name, value in files.items()}
        different = {n for n in single if several.get(n) != single[n]}
        assert sorted(several) == sorted(single) and not different, f"{several}, {single}"
    with report.check("a latent that was written decodes to the same mesh"):
        glb = where / "decoded.glb"
        done("decode", where / "wanted/a.safetensors", "--seed", "1", "-o", glb)
        assert digest(glb) == wanted["a.glb"], "other bytes"


def check_options(report, where):
    plain = made(where, "options", *QUICK)["a.safetensors"]
    with report.check("the coordinates change with the structure's options only"):
        coords = read_tensors(where / "options/a.safetensors")[0]["coords"]
        for option, value in (("steps", "3"), ("guidance", "1.5"), ("rescale-t", "2"),
                              ("guidance-interval", "0,0.1")):
            for stage in ("", "structure-", "latent-"):
                if stage == "latent-" and option == "guidance-interval":
                    continue  # the pair below
                name = f"--{stage}{option}"
                got = made(where, name, *QUICK, name, value)["a.safetensors"]
                assert got != plain, f"{name} {value} changes nothing"
                other = read_tensors(where / name / "a.safetensors")[0]["coords"] != coords
                assert other == (stage != "latent-"), f"{name}: coordinates, {other}"
    with report.check("without guidance its interval does not matter"):
        first = made(where, "unguided", *QUICK, "--guidance", "0")
        expect_same("interval", made(where, "interval", *QUICK, "--guidance", "0",
                                     "--guidance-interval", "0,1"), first)
    for option, value in (("--steps", "0"), ("--guidance", "-1"), ("--guidance-interval", "0.5"),
                          ("--guidance-interval", "1,0"), ("--rescale-t", "0"),
                          ("--seed", "2..1"), ("--seed", "1..9999"),
                          ("--multi-image", "other"), ("--background", "grey")):
        with report.check(f"{option} {value} is refused"):
            result = refused(where, USAGE, ROBOT, option, value)
            assert value in result.err, result


def check_pictures(report, where):
    white = without_alpha(where / "white.png", lambda x, y: (255, 255, 255))
    uneven = without_alpha(where / "uneven.png",
                           lambda x, y: (x * 7 & 255, y * 5 & 255, (x ^ y) & 255))
    with report.check("--save-input writes what the network sees"):
        made(where, "saved", *QUICK, "--save-input", where / "seen.png")
        width, height, _, rows = read_png(where / "seen.png")
        assert (width, height) == (112, 112), f"{width} x {height}"
        assert any(any(row) for row in rows), "nothing in it"
    with report.check("a plain background is keyed out"):
        made(where, "keyed", *QUICK, "--save-input", where / "keyed.png", pictures=[white])
        assert lit(where / "keyed.png") < 0.6, "the background is there"
        for option in ("key", "ffffff", "#FFFFFF"):
            name = f"keyed {option}"
            got = made(where, name, *QUICK, "--background", option, pictures=[white])
            expect_same(name, got, digests(where / "keyed"))
    with report.check("a background that is not plain is refused, with what to do"):
        one_message(refused(where, INPUT, uneven), uneven, "not plain", "alpha", "--background")
    with report.check("--background keep takes it as it is"):
        made(where, "kept", *QUICK, "--background", "keep", "--save-input", where / "kept.png",
             pictures=[uneven])
        # All of it, with a black margin: the cut is 1.2 times as large, so this is 1 / 1.44.
        assert 0.65 < lit(where / "kept.png") < 0.75, "not the whole picture"
    with report.check("a picture of nothing"):
        empty = write_png(where / "empty.png", [bytes(4 * 64)] * 64, 4)
        one_message(refused(where, INPUT, empty), empty, "alpha")
    for name, data in (("truncated", DUCK.read_bytes()[:20000]), ("none", b""),
                       ("text", b"not a picture at all\n" * 50)):
        with report.check(f"a file that is no picture: {name}"):
            bad = where / f"{name}.png"
            bad.write_bytes(data)
            one_message(refused(where, INPUT, bad), bad)
            one_message(refused(where, INPUT, DUCK, bad), bad)
    with report.check("a file that is not there"):
        one_message(refused(where, INPUT, where / "missing.png"), "missing.png")
    with report.check("a decoder that is not there is told before anything runs"):
        result = run("generate", DUCK, "-o", where / "a.rf.safetensors")
        assert result.status == INPUT, result
        one_message(result, "slat_dec_rf")
        assert not (where / "a.rf.safetensors").exists()


def check_several(report, where):
    pictures = [ROBOT, DUCK, IMAGES / "snowman.png"]
    alone = made(where, "alone", *SOME_GUIDED, "--seed", "1")
    for mode in ("stochastic", "multidiffusion"):
        with report.check(f"several pictures, {mode}"):
            options = (*SOME_GUIDED, "--seed", "1", "--multi-image", mode)
            got = made(where, mode, *options, pictures=pictures)
            assert got != alone, "the same as of one picture"
            expect_same("in 24M", made(where, f"{mode} 24M", *options, "--memory", "24M",
                                       pictures=pictures), got)
            expect_same("apart", made(where, f"{mode} apart", *options, "--guide-apart",
                                      pictures=pictures), got)
            expect_same("one picture", made(where, f"{mode} one", *options), alone)
    report("the two modes differ", digests(where / "stochastic")
           != digests(where / "multidiffusion"), "the same bytes")
    with report.check("nine pictures are too many"):
        refused(where, USAGE, *[DUCK] * 9)


def check_memory(report, where):
    wanted = digests(where / "options")
    with report.check("too small a budget names one that works"):
        budget = 64
        for _ in STAGES:  # those that are planned when their turn comes name their own
            result = run("generate", ROBOT, *QUICK, "-q", "-o", where / "small.safetensors",
                         "--memory", f"{budget}K")
            if result.status == 0:
                break
            assert result.status == DEVICE, result
            assert not (where / "small.safetensors").exists()
            nothing_live(result)
            named = smallest_budget(result)
            assert named > budget, f"{budget}K is refused, and {named}K proposed"
            budget = named
        assert result.status == 0, result
        assert result.counts["peak_bytes"] <= budget << 10, result
        assert digest(where / "small.safetensors") == wanted["a.safetensors"], "other bytes"


def check_interrupts(report, where):
    outputs = ("a.glb", "a.safetensors")
    begin = time.monotonic()
    made(where, "not interrupted", outputs=outputs)
    seconds = time.monotonic() - begin
    stopped = 0
    for share in (0.1, 0.3, 0.5, 0.7):
        with report.check(f"SIGINT after {share} of a run leaves nothing but a whole latent"):
            for attempt in range(FASTER):
                into = where / f"interrupted {share}, {attempt}"
                into.mkdir()
                process = started("generate", ROBOT, "-q", "--raw",
                                  *[part for name in outputs for part in ("-o", into / name)])
                time.sleep(share * seconds)
                process.send_signal(signal.SIGINT)
                _, err = process.communicate(timeout=60)
                if process.returncode != DONE:
                    break
                seconds *= 0.7  # it was over before: other work made the first run slow
            assert process.returncode in (130, -signal.SIGINT), f"{process.returncode}: {err}"
            assert names(into) in ([], ["a.safetensors"]), names(into)
            for name in names(into):
                done("info", into / name)
            stopped += process.returncode == 130
    report("some of these runs ended themselves", stopped >= 2, f"{stopped} did")


def check_report(report, where):
    with report.check("the report tells the stages"):
        path = where / "report.json"
        made(where, "reported", *QUICK, "--report", path, outputs=("a.glb",))
        told = [stage["name"] for stage in json.loads(path.read_text())["stages"]]
        order = [told.index(name) for name in STAGES]
        assert order == sorted(order), told
    with report.check("the golden data of the whole chain agrees"):
        result = done("verify", GOLDEN)
        files = {line.split()[1] for line in result.out.splitlines() if line.startswith("pass")}
        missing = {"dinov2", "ss_flow_step", "ss_sampler", "ss_dec", "slat_flow_step",
                   "slat_sampler", "slat_dec_gs", "slat_dec_mesh"} - files
        assert not missing, f"{sorted(missing)} not among {sorted(files)}"


def main():
    report = Report()
    with folder() as where:
        for check in (check_reference, check_bytes, check_options, check_pictures, check_several,
                      check_memory, check_interrupts, check_report):
            check(report, where)
    report.finish()


if __name__ == "__main__":
    main()
