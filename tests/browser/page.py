#!/usr/bin/env python3
"""A page in Chromium and in Firefox, without windows: it looks as `tessella render` draws the same
files, and does what its buttons and the mouse ask. Pictures stay in BUILD/browser.
"""
import re
import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "house"))
import chromium  # noqa: E402
import firefox  # noqa: E402
from common import BUILD  # noqa: E402
from material import LATENTS, Report, digest, done, read_png  # noqa: E402

SIZE = 512  # pixels
BACKGROUND = bytes.fromhex("202328")  # as in src/page/page.css
VIEWS = {"front": (30, 20), "below": (200, -35)}  # yaw, pitch
# Name: the page, what it shows, and the file and channel that the command draws.
MODES = {"mesh": ("page", "mesh", "glb", "colour"),
         "normals": ("page", "normals", "glb", "normal"),
         "splats": ("page", "splats", "spz", "colour"),
         "no light": ("unlit", "mesh", "glb", "flat"),
         "texture": ("textured", "mesh", "glb", "colour")}

# Least overlap of what is not background, and greatest mean difference of colours there. Both
# renderers sample edges differently; the browser blends splats in 8 bits, dozens in a pixel. The
# command knows a texture by its colours at the vertices.
OVERLAP = 0.97
DIFFERENCE = {"mesh": 4, "normals": 4, "splats": 8, "no light": 4, "texture": 6}  # of 255

# Waits for the page; the value is its message, if it shows one.
READY = """new Promise((done) => {
    const look = () => {
        const message = document.getElementById("message");
        if (!message || (!message.hidden && message.textContent === "Loading"))
            setTimeout(look, 50);
        else
            requestAnimationFrame(() => requestAnimationFrame(
                () => done(message.hidden ? "" : message.textContent)));
    };
    look();
})"""
DRAWN = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))"
PRESSED = """[...document.querySelectorAll("#modes button")].filter(
    (button) => button.getAttribute("aria-pressed") === "true").map((b) => b.dataset.mode).join()"""
SCROLLS = "document.documentElement.scrollHeight > innerHeight"


def middle_of(selector):
    return f"""(() => {{
        const box = document.querySelector({selector!r}).getBoundingClientRect();
        return [Math.round(box.x + box.width / 2), Math.round(box.y + box.height / 2)];
    }})()"""


def show(browser, page, fragment):
    browser.open(f"{page.as_uri()}#{fragment}")
    message = browser.evaluate(READY)
    assert message == "", message


def shoot(browser, where, name):
    path = where / f"{browser.name}-{re.sub('[^a-z0-9]+', '-', name)}.png"
    browser.evaluate(DRAWN)
    path.write_bytes(browser.screenshot())
    return path


def on_background(path, crop=0):
    """RGB of a picture with or without alpha, as the page would show it, in one piece; `crop` columns
    are left out at each side."""
    width, height, kind, rows = read_png(path)
    assert (width - 2 * crop, height) == (SIZE, SIZE), f"{path}: {width} x {height}"
    step = 3 if kind == 2 else 4
    data = b"".join(row[step * crop:step * (width - crop)] for row in rows)
    if kind == 2:
        return data
    out = bytearray(BACKGROUND * (SIZE * SIZE))
    for i in range(SIZE * SIZE):
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


def expect_alike(got, wanted, difference, crop=0):
    overlap, apart = compare(on_background(got, crop), on_background(wanted))
    print(f"# {Path(got).name}: overlap {overlap:.4f}, difference {apart:.2f}")
    assert overlap > OVERLAP and apart < difference, (overlap, apart)


def check_looks(report, browser, where):
    for mode, (page, kind, suffix, channel) in MODES.items():
        for name, (yaw, pitch) in VIEWS.items():
            with report.check(f"{browser.name}: {mode}, {name}"):
                show(browser, where / f"{page}.html",
                     f"{kind}&yaw={yaw}&pitch={pitch}&radius=2&bare")
                got = shoot(browser, where, f"{mode}-{name}")
                wanted = where / f"wanted-{page}-{kind}-{name}.png"
                if not wanted.exists():
                    done("render", where / f"{page}.{suffix}", "-o", wanted, "--size", SIZE, "--yaw",
                         yaw, "--pitch", pitch, "--channel", channel, count=False)
                expect_alike(got, wanted, DIFFERENCE[mode])


def check_use(report, browser, where):
    page = where / "page.html"
    with report.check(f"{browser.name}: buttons choose what is shown"):
        show(browser, page, "yaw=30&pitch=20")
        seen = set()
        for mode in ("splats", "normals", "mesh"):
            browser.click(*browser.evaluate(middle_of(f"[data-mode={mode}]")))
            seen.add(digest(shoot(browser, where, f"button-{mode}")))
            assert browser.evaluate(PRESSED) == mode, browser.evaluate(PRESSED)
        assert len(seen) == 3, "the picture did not change"
    with report.check(f"{browser.name}: a drag of a side turns by half a turn"):
        show(browser, page, "mesh&yaw=30&pitch=20&radius=2&bare")
        before = shoot(browser, where, "before-drag")
        browser.drag(256, 256, SIZE // 4, 0)
        dragged = shoot(browser, where, "dragged")
        show(browser, page, "mesh&yaw=75&pitch=20&radius=2&bare")
        expect_alike(dragged, shoot(browser, where, "turned"), 1)
        assert compare(on_background(dragged), on_background(before))[0] < OVERLAP
    with report.check(f"{browser.name}: a wider window shows the same, not stretched"):
        show(browser, page, "mesh&yaw=30&pitch=20&radius=2&bare")
        browser.resize(SIZE + 200, SIZE)
        expect_alike(shoot(browser, where, "wide"), where / "wanted-page-mesh-front.png",
                     DIFFERENCE["mesh"], 100)
        assert not browser.evaluate(SCROLLS)
        browser.resize(SIZE, SIZE)
    with report.check(f"{browser.name}: the files can be saved"):
        show(browser, page, "")
        folder = where / f"{browser.name}-downloads"
        for kind, button in (("glb", 1), ("spz", 2)):
            browser.click(*browser.evaluate(middle_of(f"#downloads button:nth-child({button})")))
            saved, wanted = folder / f"page.{kind}", where / f"page.{kind}"
            end = time.monotonic() + 60
            while time.monotonic() < end and not (saved.exists() and
                                                  saved.stat().st_size == wanted.stat().st_size):
                time.sleep(0.1)
            assert saved.exists() and digest(saved) == digest(wanted), kind


def check_browser(report, name, module, kind, where):
    program = module.find()
    if not program:
        report.skip(name, f"no {name}: ./bootstrap browser installs it where apt has it")
        return
    browser = None
    with report.check(f"{name} starts"):
        (where / f"{name}-downloads").mkdir()
        browser = kind(program, where, SIZE)
    if not browser:
        return
    browser.name = name
    try:
        check_looks(report, browser, where)
        check_use(report, browser, where)
        if name == "chromium":
            with report.check("chromium: nothing is loaded from elsewhere"):
                kinds = {address.split(":")[0] for address in browser.loaded}
                assert "file" in kinds and kinds <= {"file", "data", "blob", "about"}, browser.loaded
    finally:
        browser.close()


def make_pages(where):
    """Pages with all that one has, without light, and with a texture; and their files."""
    latent = LATENTS / "teapot.safetensors"
    texture = ("--simplify", "20000", "--keep-hidden", "--texture=512")
    for name, options in (("page", ()), ("unlit", ("--unlit",)), ("textured", texture)):
        done("decode", latent, *options, "-o", where / f"{name}.html", "-o", where / f"{name}.glb",
             "-o", where / f"{name}.spz", count=False)


def main():
    report = Report()
    where = BUILD / "browser"
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir(parents=True)
    if chromium.find() or firefox.find():
        with report.check("pages are written"):
            make_pages(where)
    check_browser(report, "chromium", chromium, chromium.Chromium, where)
    check_browser(report, "firefox", firefox, firefox.Firefox, where)
    report.finish()


if __name__ == "__main__":
    main()
