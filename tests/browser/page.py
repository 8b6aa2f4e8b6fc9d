#!/usr/bin/env python3
"""A page in a headless browser looks as `tessella render` draws the same files.

Chromium draws with its own software renderer, so no graphics card is needed. TESS_CHROMIUM names the
program (else chromium, chromium-browser or google-chrome). Pictures stay in BUILD/browser.
"""
import os
import re
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "house"))
from common import BUILD, run  # noqa: E402
from material import LATENTS, Report, Skip, done, read_png  # noqa: E402

SIZE = 512  # pixels
BACKGROUND = bytes.fromhex("202328")  # as in src/page/page.css
VIEWS = {"front": (30, 20), "below": (200, -35)}  # yaw, pitch
MODES = {"mesh": ("glb", "colour"), "normals": ("glb", "normal"), "splats": ("spz", "colour")}

# Least overlap of what is not background, and greatest mean difference of colours there. Both
# renderers sample edges differently; the browser blends splats in 8 bits, dozens in a pixel.
OVERLAP = 0.97
DIFFERENCE = {"mesh": 4, "normals": 4, "splats": 8}  # of 255


def browser():
    for name in (os.environ.get("TESS_CHROMIUM"), "chromium", "chromium-browser", "google-chrome"):
        if name and shutil.which(name):
            return name
    raise Skip("no chromium: ./bootstrap browser installs it")


def screenshot(where, page, fragment):
    path = where / f"{re.sub('[^a-z0-9]+', '-', fragment)}.png"
    path.unlink(missing_ok=True)
    made = run([browser(), "--headless", "--no-sandbox", "--use-angle=swiftshader",
                "--enable-unsafe-swiftshader", "--hide-scrollbars", "--force-device-scale-factor=1",
                "--force-color-profile=srgb", f"--user-data-dir={where / 'profile'}",
                f"--window-size={SIZE},{SIZE}", "--virtual-time-budget=20000",
                f"--screenshot={path}", f"{page.as_uri()}#{fragment}"], timeout=600)
    assert made.returncode == 0 and path.is_file(), made.stderr
    return path


def on_background(path):
    """RGB of a picture with or without alpha, as the page would show it, in one piece."""
    width, height, kind, rows = read_png(path)
    assert (width, height) == (SIZE, SIZE), f"{path}: {width} x {height}"
    data = b"".join(rows)
    if kind == 2:
        return data
    out = bytearray(BACKGROUND * (width * height))
    for i in range(width * height):
        alpha = data[4 * i + 3]
        for k in range(3 if alpha else 0):
            out[3 * i + k] = (data[4 * i + k] * alpha + BACKGROUND[k] * (255 - alpha) + 127) // 255
    return bytes(out)


def shown(picture):
    """Which pixels are not background."""
    return [max(abs(picture[i + k] - BACKGROUND[k]) for k in range(3)) > 24
            for i in range(0, len(picture), 3)]


def compare(got, wanted):
    """Overlap of what is shown, and the mean difference there."""
    ours, theirs = shown(got), shown(wanted)
    either = [i for i in range(len(ours)) if ours[i] or theirs[i]]
    both = sum(ours[i] and theirs[i] for i in either)
    apart = sum(abs(got[3 * i + k] - wanted[3 * i + k]) for i in either for k in range(3))
    assert len(either) > 1000, f"{len(either)} pixels are shown"
    return both / len(either), apart / len(either) / 3


def check_mode(report, where, page, mode):
    kind, channel = MODES[mode]
    for name, (yaw, pitch) in VIEWS.items():
        with report.check(f"{mode} from the {name}"):
            got = screenshot(where, page, f"{mode}&yaw={yaw}&pitch={pitch}&radius=2&bare")
            wanted = where / f"{mode}-{name}-wanted.png"
            done("render", page.with_suffix(f".{kind}"), "-o", wanted, "--size", SIZE, "--yaw", yaw,
                 "--pitch", pitch, "--channel", channel, count=False)
            overlap, difference = compare(on_background(got), on_background(wanted))
            print(f"# {mode} {name}: overlap {overlap:.4f}, difference {difference:.2f}")
            assert overlap > OVERLAP and difference < DIFFERENCE[mode], (overlap, difference)


def main():
    report = Report()
    where = BUILD / "browser"
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir(parents=True)
    page, textured = where / "page.html", where / "textured.html"
    with report.check("there is a browser, and a page"):
        browser()
        done("decode", LATENTS / "teapot.safetensors", "-o", page, "-o", page.with_suffix(".glb"),
             "-o", page.with_suffix(".spz"), count=False)
    if page.exists():
        for mode in MODES:
            check_mode(report, where, page, mode)
        with report.check("a texture looks like vertex colours"):
            done("decode", LATENTS / "teapot.safetensors", "-o", textured, "--simplify", "20000",
                 "--keep-hidden", "--texture=512", count=False)
            got = screenshot(where, textured, "mesh&yaw=30&pitch=20&radius=2&bare&textured")
            overlap, difference = compare(on_background(got),
                                          on_background(where / "mesh-front-wanted.png"))
            print(f"# textured: overlap {overlap:.4f}, difference {difference:.2f}")
            assert overlap > OVERLAP and difference < 12, (overlap, difference)
        with report.check("the page with its buttons"):
            screenshot(where, page, "mesh")
    report.finish()


if __name__ == "__main__":
    main()
