#!/usr/bin/env python3
"""Animated PNG: the file's structure, and frames that are the pixels of the single pictures."""
import signal
import struct
import time
import zlib
from material import (DEVICE, FAILED, LATENTS, USAGE, Report, digest, done, expect_files, folder,
                      names, one_message, read_png, run, started, unfilter)


def chunks_of(path):
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", f"{path}: not a PNG"
    at, chunks = 8, []
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        chunk = data[at + 8:at + 8 + length]
        crc, = struct.unpack_from(">I", data, at + 8 + length)
        assert crc == zlib.crc32(kind + chunk), f"{path}: chunk {kind} is damaged"
        chunks.append((kind, chunk))
        at += 12 + length
    assert at == len(data), f"{path}: cut off"
    return chunks


def read_apng(path):
    """Width, height, the compressed rows of each frame, and the delays."""
    chunks = chunks_of(path)
    kinds = [kind for kind, _ in chunks]
    assert kinds[0] == b"IHDR" and kinds[-1] == b"IEND", kinds
    assert kinds.count(b"acTL") == kinds.count(b"IHDR") == kinds.count(b"IEND") == 1, kinds
    assert kinds.index(b"acTL") < kinds.index(b"IDAT"), "acTL after the pixels"
    assert kinds.index(b"fcTL") < kinds.index(b"IDAT"), "the first picture is no frame"
    head = struct.unpack(">IIBBBBB", chunks[0][1])
    assert head[2:] == (8, 6, 0, 0, 0), head
    width, height = head[:2]
    sequence, controls, packed, seen_pixels = 0, [], [], True
    for kind, data in chunks:
        if kind == b"acTL":
            count, plays = struct.unpack(">II", data)
        elif kind == b"fcTL":
            number, *control = struct.unpack(">IIIIIHHBB", data)
            assert number == sequence, f"fcTL {number}, expected {sequence}"
            assert seen_pixels, "a frame without pixels"
            sequence, seen_pixels = sequence + 1, False
            controls.append(tuple(control))
            packed.append(b"")
        elif kind == b"fdAT":
            number, = struct.unpack_from(">I", data)
            assert number == sequence, f"fdAT {number}, expected {sequence}"
            assert len(packed) > 1, "fdAT in the first frame"
            sequence, seen_pixels = sequence + 1, True
            packed[-1] += data[4:]
        elif kind == b"IDAT":
            assert len(packed) == 1, "IDAT behind the first frame"
            seen_pixels = True
            packed[-1] += data
    assert count == len(controls) and plays == 0, f"{count} frames, {plays} times: {controls}"
    assert all(c[:4] == (width, height, 0, 0) and c[6:] == (0, 0) for c in controls), controls
    return width, height, packed, [c[4:6] for c in controls]


def frames_of(path):
    width, height, packed, _ = read_apng(path)
    return [unfilter(zlib.decompress(data), width * 4, height, 4) for data in packed]


def check_frames(report, where):
    for suffix in ("glb", "ply"):
        asset = where / f"a.{suffix}"
        with report.check(f"{suffix}: five frames are those of the turntable"):
            into = where / f"turn-{suffix}"
            into.mkdir()
            result = done("render", asset, "-o", into / "t.png", "-o", into / "t.apng",
                          "--turntable", "5", "--size", "64", "--fps", "25")
            assert str(into / "t.apng") in result.out, result
            expect_files(into, "t.png", "t.apng", *(f"t-{i:03}.png" for i in range(5)))
            width, height, _, delays = read_apng(into / "t.apng")
            assert (width, height) == (64, 64) and delays == [(1, 25)] * 5, delays
            for i, frame in enumerate(frames_of(into / "t.apng")):
                assert frame == read_png(into / f"t-{i:03}.png")[3], f"frame {i}"
        with report.check(f"{suffix}: the first picture, for all that knows no animations"):
            done("render", asset, "-o", into / "one.png", "--size", "64")
            assert read_png(into / "t.apng") == read_png(into / "one.png")
    with report.check("36 frames, 12 a second, of 512 pixels are the default"):
        done("render", where / "a.ply", "-o", where / "d.apng")
        width, height, _, delays = read_apng(where / "d.apng")
        assert (width, height) == (512, 512) and delays == [(1, 12)] * 36, delays
    with report.check("one frame"):
        done("render", where / "a.glb", "-o", where / "o.apng", "--turntable", "1", "--size", "33")
        assert len(read_apng(where / "o.apng")[2]) == 1
    with report.check("pictures of more than one IDAT"):
        done("render", where / "a.glb", "-o", where / "l.apng", "-o", where / "l.png",
             "--turntable", "2", "--size", "700", "--channel", "normal")
        kinds = [kind for kind, _ in chunks_of(where / "l.apng")]
        assert kinds.count(b"IDAT") > 1 and kinds.count(b"fdAT") > 1, kinds
        for i, frame in enumerate(frames_of(where / "l.apng")):
            assert frame == read_png(where / f"l-{i:03}.png")[3], f"frame {i}"


def check_decode(report, where):
    with report.check("decode writes the frames of its mesh"):
        into = where / "decoded"
        into.mkdir()
        done("decode", LATENTS / "wuson.safetensors", "-o", into / "t.apng", "-o", into / "t.png",
             "--turntable", "3", "--size", "64")
        for i, frame in enumerate(frames_of(into / "t.apng")):
            assert frame == read_png(into / f"t-{i:03}.png")[3], f"frame {i}"
    with report.check("a stage is told once, however many frames it drew"):
        result = done("decode", LATENTS / "wuson.safetensors", "-o", into / "u.apng",
                      "--turntable", "3", "--size", "16")
        assert result.out.count("mesh drawing") == 1 and "3 times" in result.out, result


def check_bytes(report, where):
    for suffix in ("glb", "ply"):
        with report.check(f"{suffix}: the same bytes at every budget"):
            written = set()
            for limit in ([], ["--memory", "48M"], ["--memory", "2M"], ["--max-buffer", "1M"]):
                done("render", where / f"a.{suffix}", "-o", where / "b.apng", "--turntable", "4",
                     "--size", "200", *limit)
                written.add(digest(where / "b.apng"))
            assert len(written) == 1, written


def check_failures(report, where):
    asset = where / "a.glb"
    with report.check("a budget too small leaves what was there"):
        into = where / "small"
        into.mkdir()
        (into / "a.apng").write_text("older")
        result = run("render", asset, "-o", into / "a.apng", "--memory", "64K")
        assert result.status == DEVICE, result
        expect_files(into, "a.apng")
        assert (into / "a.apng").read_text() == "older"
    with report.check("a full disk"):
        full = where / "full.apng"
        full.symlink_to("/dev/full")
        result = run("render", asset, "-o", full, "--turntable", "3", "--size", "64")
        assert result.status == FAILED, result
        one_message(result, full, "No space left")
    with report.check("a directory that is not there"):
        result = run("render", asset, "-o", where / "none/a.apng")
        assert result.status == FAILED, result
        one_message(result, where / "none/a.apng", "No such file")
    with report.check("an interrupt leaves nothing"):
        into = where / "interrupted"
        into.mkdir()
        process = started("render", asset, "-o", into / "a.apng", "--turntable", "1000")
        while not names(into) and process.poll() is None:  # until the first frame is drawn
            time.sleep(0.01)
        assert "a.apng" not in names(into), names(into)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 130, err
        expect_files(into)
    for options in (["--fps", "0"], ["--fps", "101"], ["--fps", "fast"], ["--turntable", "1001"]):
        with report.check(" ".join(options)):
            result = run("render", asset, "-o", where / "u.apng", *options)
            assert result.status == USAGE and not (where / "u.apng").exists(), result


def main():
    report = Report()
    with folder() as where:
        done("decode", LATENTS / "wuson.safetensors", "-o", where / "a.glb", "-o", where / "a.ply")
        check_frames(report, where)
        check_decode(report, where)
        check_bytes(report, where)
        check_failures(report, where)
    report.finish()


if __name__ == "__main__":
    main()
