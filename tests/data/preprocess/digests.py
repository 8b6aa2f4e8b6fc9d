#!/usr/bin/env python3
"""Digests for tests/test_preprocess.c: what Pillow makes of the same pictures in the steps of
TRELLIS' preprocess_image(). Needs Pillow (10.4 was used) and NumPy."""
from pathlib import Path

import numpy as np
from PIL import Image

LANCZOS = Image.Resampling.LANCZOS
# Kind, width, height of a picture, and sizes of results.
CASES = [
    ("noise", 37, 29, (1, 14, 70)),
    ("noise", 71, 60, (84,)),  # the square around it has the wanted size: it is copied
    ("noise", 4, 5, (112,)),
    ("disc", 200, 151, (112, 518)),
    ("disc", 61, 64, (70,)),
    ("disc", 1400, 60, (112,)),
    ("opaque", 50, 31, (112,)),
    ("opaque", 1500, 40, (112,)),
    ("robot", 512, 512, (112, 518)),
]


def make(kind, width, height):
    if kind == "robot":
        return np.array(Image.open(Path(__file__).with_name("robot.png")))
    pixels = np.empty((height, width, 4), np.uint8)
    state = width
    for y in range(height):
        for x in range(width):
            for c in range(4):
                state = (state * 1664525 + 1013904223) % 2**32
                pixels[y, x, c] = state >> 24
            dx, dy = 2 * x + 6 - width, 2 * y + 1 - height
            alpha = 400 - 400 * (dx * dx + dy * dy) // height**2
            if kind != "noise":
                pixels[y, x, 3] = min(max(alpha, 0), 255) if kind == "disc" else 255
    return pixels


def preprocess(pixels, size):
    image = Image.fromarray(pixels)
    if (pixels[:, :, 3] == 255).all():
        image = image.convert("RGB")
        scale = min(1, 1024 / max(image.size))
        if scale < 1:
            image = image.resize([int(side * scale) for side in image.size], LANCZOS)
        image.putalpha(255)
    rows, columns = np.nonzero(np.array(image)[:, :, 3] > 0.8 * 255)
    x0, y0, x1, y1 = columns.min(), rows.min(), columns.max(), rows.max()
    half = int(1.2 * max(x1 - x0, y1 - y0)) // 2
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    image = image.crop((x - half, y - half, x + half, y + half))
    values = np.array(image.resize((size, size), LANCZOS)).astype(np.float32) / 255
    return (values[:, :, :3] * values[:, :, 3:] * 255).astype(np.uint8)


def fnv(data):
    result = 14695981039346656037
    for byte in data:
        result = (result ^ byte) * 1099511628211 % 2**64
    return result


for kind, width, height, sizes in CASES:
    for size in sizes:
        digest = fnv(preprocess(make(kind, width, height), size).tobytes())
        print(f"{{{kind.upper()}, {width}, {height}, {size}, {digest:#x}}},")
