#!/usr/bin/env python3
"""Make docs/demo.png: the demo objects, meshes above and Gaussian splats below.

    docs/make_demo_picture.py [--program build/tessella] [--output docs/demo.png]

Every picture is drawn by the program; this only puts them side by side on a plain ground.
"""
import argparse
import os
import struct
import subprocess
import tempfile
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("teapot", "mug", "chair", "rocket", "car", "duck", "wuson")
SIZE = 176  # pixels of one picture
GROUND = (246, 246, 244)
CAMERA = ("--yaw", "35", "--pitch", "22", "--radius", "1.95")


def paeth(a, b, c):
    p = a + b - c
    pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
    return a if pa <= pb and pa <= pc else b if pb <= pc else c


def read_png(path):
    """Rows of 8-bit RGBA as the program writes them."""
    data, at, packed = path.read_bytes(), 8, b""
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", body)
            assert (depth, colour, interlace) == (8, 6, 0), path
        elif kind == b"IDAT":
            packed += body
        at += 12 + length
    raw, rows, before = zlib.decompress(packed), [], bytes(4 * width)
    for y in range(height):
        start = y * (4 * width + 1)
        kind, row = raw[start], bytearray(raw[start + 1:start + 1 + 4 * width])
        for i in range(4 * width):
            left, up, corner = (row[i - 4], before[i], before[i - 4]) if i > 3 \
                else (0, before[i], 0)
            row[i] = (row[i] + (0, left, up, (left + up) // 2, paeth(left, up, corner))[kind]) & 255
        rows.append(bytes(row))
        before = row
    return rows


def on_ground(row):
    """A row of RGBA, alpha not premultiplied, as RGB over GROUND."""
    out = bytearray()
    for i in range(0, len(row), 4):
        alpha = row[i + 3]
        out += bytes((row[i + c] * alpha + GROUND[c] * (255 - alpha) + 127) // 255
                     for c in range(3))
    return bytes(out)


def filtered(row, before):
    """The row behind the filter byte with which its bytes are smallest."""
    best = None
    for kind in range(5):
        line = bytearray([kind])
        for i, value in enumerate(row):
            left, up, corner = (row[i - 3], before[i], before[i - 3]) if i > 2 \
                else (0, before[i], 0)
            line.append((value - (0, left, up, (left + up) // 2, paeth(left, up, corner))[kind])
                        & 255)
        cost = sum(min(value, 256 - value) for value in line[1:])
        if best is None or cost < best[0]:
            best = cost, bytes(line)
    return best[1]


def write_png(path, rows):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + \
            struct.pack(">I", zlib.crc32(kind + body))
    width, before, lines = len(rows[0]) // 3, bytes(len(rows[0])), []
    for row in rows:
        lines.append(filtered(row, before))
        before = row
    path.write_bytes(b"\x89PNG\r\n\x1a\n"
                     + chunk(b"IHDR", struct.pack(">IIBBBBB", width, len(rows), 8, 2, 0, 0, 0))
                     + chunk(b"IDAT", zlib.compress(b"".join(lines), 9)) + chunk(b"IEND", b""))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--program", default=ROOT / "build/tessella")
    parser.add_argument("--output", type=Path, default=ROOT / "docs/demo.png")
    options = parser.parse_args()
    look = ("-q", "--size", str(SIZE), *CAMERA)
    meshes, splats = [], []
    with tempfile.TemporaryDirectory() as scratch:
        for name in NAMES:
            stem = os.path.join(scratch, name)
            subprocess.run([options.program, "decode", ROOT / f"demo/latents/{name}.safetensors",
                            "--model", ROOT / "demo/model", "-q", "-o", stem + ".glb",
                            "-o", stem + ".ply"], check=True)
            for suffix, pictures in ((".glb", meshes), (".ply", splats)):
                subprocess.run([options.program, "render", stem + suffix, "-o", stem + ".png",
                                "--supersampling", "4", *look], check=True)
                pictures.append(read_png(Path(stem + ".png")))
    rows = [on_ground(b"".join(picture[y] for picture in line))
            for line in (meshes, splats) for y in range(SIZE)]
    write_png(options.output, rows)


if __name__ == "__main__":
    main()
