#!/usr/bin/env python3
"""Pictures: sizes, alpha, channels, turntables; a written file shows what was decoded."""
from material import (LATENTS, USAGE, Report, digest, done, expect_files, folder, names,
                      one_message, read_png, run)

RGBA = 6


def pixels(path):
    """Width, height, and the pixels' channels as four sequences."""
    width, height, colour, rows = read_png(path)
    assert colour == RGBA, f"{path}: colour type {colour}"
    data = b"".join(rows)
    return width, height, [data[c::4] for c in range(4)]


def channels_of(path):
    return pixels(path)[2]


def mean_difference(a, b):
    """Of two pictures of one size, premultiplied, in 1/255."""
    (wa, ha, one), (wb, hb, other) = pixels(a), pixels(b)
    assert (wa, ha) == (wb, hb), f"{wa} x {ha}, {wb} x {hb}"
    total = 0
    for c in range(3):
        for x, y, p, q in zip(one[c], other[c], one[3], other[3]):
            total += abs(x * p - y * q) / 255
    return total / (3 * wa * ha)


def largest_difference(a, b):
    return max(max(abs(x - y) for x, y in zip(p, q)) for p, q in
               zip(pixels(a)[2], pixels(b)[2]))


def coverage(path):
    width, height, channels = pixels(path)
    return sum(channels[3]) / 255 / (width * height)


def expect_object(path, size):
    """A picture with something in the middle and nothing around it."""
    width, height, (red, green, blue, alpha) = pixels(path)
    assert (width, height) == (size, size), f"{width} x {height}"
    corners = [0, size - 1, size * (size - 1), size * size - 1]
    assert all(alpha[i] == 0 for i in corners), [alpha[i] for i in corners]
    share = sum(alpha) / 255 / size**2
    assert 0.02 < share < 0.9, f"alpha covers {share}"
    assert max(alpha) > 250, max(alpha)
    middle = [i for i in range(size * size) if alpha[i] > 200]
    assert len({(red[i], green[i], blue[i]) for i in middle}) > 50, "one colour"


def check_render(report, where):
    for suffix in ("glb", "ply"):
        asset = where / f"a.{suffix}"
        with report.check(f"{suffix}: size, alpha, content"):
            for size in (1, 33, 128, 257):
                path = where / f"{suffix}-{size}.png"
                result = done("render", asset, "-o", path, "--size", size)
                assert str(path) in result.out, result
                if size > 100:
                    expect_object(path, size)
                else:
                    assert pixels(path)[:2] == (size, size)
        with report.check(f"{suffix}: 512 pixels are the default"):
            done("render", asset, "-o", where / "default.png")
            done("render", asset, "-o", where / "told.png", "--size", "512", "--yaw", "30",
                 "--pitch", "20", "--radius", "2", "--fov", "40", "--channel", "colour",
                 "--supersampling", "4" if suffix == "glb" else "1")
            assert read_png(where / "default.png")[:2] == (512, 512)
            assert digest(where / "default.png") == digest(where / "told.png")
        with report.check(f"{suffix}: the camera turns and moves"):
            def shot(*options):
                done("render", asset, "-o", where / "shot.png", "--size", "96", *options)
                return digest(where / "shot.png"), coverage(where / "shot.png")
            base = shot()
            views = [shot("--yaw", "120"), shot("--pitch", "-40"), shot("--radius", "3"),
                     shot("--fov", "25"), shot("--pitch", "90")]
            assert len({view[0] for view in [base, *views]}) == 6, "two views are one"
            assert views[2][1] < base[1] * 0.7, "further away is smaller"
            assert views[3][1] > base[1] * 1.3, "a longer lens shows it larger"
            assert shot("--yaw", "390")[1] == base[1] or \
                abs(shot("--yaw", "390")[1] - base[1]) < 1e-3, "390 degrees are 30"
        with report.check(f"{suffix}: from inside and from far away"):
            shot("--radius", "0.05")
            assert shot("--radius", "1000")[1] < 0.001
        with report.check(f"{suffix}: supersampling changes edges only"):
            for n in (1, 8):
                done("render", asset, "-o", where / f"s{n}.png", "--size", "96",
                     "--supersampling", n)
            difference = mean_difference(where / "s1.png", where / "s8.png")
            assert 0 < difference < 6, difference


def check_channels(report, where):
    with report.check("channels of a mesh"):
        for channel in ("colour", "flat", "normal"):
            done("render", where / "a.glb", "-o", where / f"{channel}.png", "--size", "128",
                 "--channel", channel)
            expect_object(where / f"{channel}.png", 128)
        colour, flat, normal = (channels_of(where / f"{s}.png") for s in ("colour", "flat", "normal"))
        assert colour[3] == flat[3] == normal[3], "another outline"
        assert colour != flat and flat != normal
        # Shading darkens; normals point at the eye, which is above: blue is z.
        inside = [i for i, a in enumerate(flat[3]) if a == 255]
        assert sum(colour[1][i] for i in inside) != sum(flat[1][i] for i in inside)
        blue = sum(normal[2][i] for i in inside) / len(inside)
        assert blue > 128, blue
        lengths = [sum((normal[c][i] / 127.5 - 1) ** 2 for c in range(3)) ** 0.5 for i in inside]
        near = sum(0.85 < length < 1.1 for length in lengths)
        assert near > 0.8 * len(lengths), f"{near} of {len(lengths)} normals of length 1"


def write_cube(path):
    """A cube around the origin, each face with corners of its own; .obj has y up."""
    lines, count = [], 0
    for axis in range(3):
        for side in (-0.25, 0.25):
            u, v = (axis + 1) % 3, (axis + 2) % 3
            for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
                corner = [0, 0, 0]
                corner[axis], corner[u], corner[v] = side, a * side, b * 0.25
                lines.append("v {} {} {}".format(*corner))
            lines.append("f {} {} {} {}".format(*range(count + 1, count + 5)))
            count += 4
    path.write_text("\n".join(lines) + "\n")
    return path


def middle_pixel(path):
    width, height, channels = pixels(path)
    return tuple(c[height // 2 * width + width // 2] for c in channels)


def check_depth_and_alpha(report, where):
    for suffix in ("glb", "ply"):
        asset = where / f"a.{suffix}"
        for channel in ("colour", "depth", "alpha"):
            done("render", asset, "-o", where / f"c-{channel}.png", "--size", "96", "--channel",
                 channel)
        colour, depth, alpha = (channels_of(where / f"c-{c}.png")
                                for c in ("colour", "depth", "alpha"))
        with report.check(f"{suffix}: alpha is that of the colours"):
            assert alpha[0] == alpha[1] == alpha[2] == colour[3] and set(alpha[3]) == {255}
        with report.check(f"{suffix}: depth is grey, where the colours are"):
            assert depth[0] == depth[1] == depth[2]
            assert max(abs(a - b) for a, b in zip(depth[3], colour[3])) <= 1
            greys = [g for g, a in zip(depth[0], depth[3]) if a > 200]
            # Between the sphere's ends, and not flat.
            assert 20 < min(greys) < max(greys) < 250 and len(set(greys)) > 20, sorted(set(greys))
    with report.check("mesh and splats have the same depth"):
        done("render", where / "a.glb", "-o", where / "c-mesh.png", "--size", "96", "--channel",
             "depth")
        mesh, splats = channels_of(where / "c-mesh.png"), depth
        both = [abs(a - b) for a, b, p, q in zip(mesh[0], splats[0], mesh[3], splats[3])
                if p == 255 and q > 250]
        assert len(both) > 500 and sum(both) / len(both) < 4, sum(both) / len(both)
    cube = write_cube(where / "cube.obj")
    with report.check("normals of a cube's faces"):
        # Files' axes (x, y, z) are the world's (x, z, -y): yaw 0 looks at the face of +y.
        for view, wanted in ((["--yaw", "0", "--pitch", "0"], (128, 255, 128, 255)),
                             (["--yaw", "90", "--pitch", "0"], (255, 128, 128, 255)),
                             (["--yaw", "180", "--pitch", "0"], (128, 0, 128, 255)),
                             (["--yaw", "270", "--pitch", "0"], (0, 128, 128, 255)),
                             (["--pitch", "90"], (128, 128, 255, 255)),
                             (["--pitch", "-90"], (128, 128, 0, 255))):
            done("render", cube, "-o", where / "n.png", "--size", "33", "--channel", "normal",
                 *view)
            assert middle_pixel(where / "n.png") == wanted, (view, middle_pixel(where / "n.png"))
    with report.check("depth falls with the distance"):
        greys = []
        for radius in ("1.2", "1.5", "2", "3", "8"):
            done("render", cube, "-o", where / "n.png", "--size", "33", "--channel", "depth",
                 "--yaw", "0", "--pitch", "0", "--radius", radius)
            greys.append(middle_pixel(where / "n.png")[0])
        # The face is a quarter in front of the middle, wherever the eye is outside.
        assert set(greys) == {round(255 * (0.75**0.5 + 0.25) / (2 * 0.75**0.5))}, greys
        done("render", cube, "-o", where / "n.png", "--size", "64", "--channel", "depth", "--yaw",
             "45", "--pitch", "0")
        width, height, (grey, _, _, alpha) = pixels(where / "n.png")
        row = [grey[height // 2 * width + x] for x in range(width)
               if alpha[height // 2 * width + x] == 255]
        edge = row.index(max(row))
        assert row[:edge] == sorted(row[:edge]) and row[edge:] == sorted(row[edge:], reverse=True)
        assert len(set(row)) > 8, row
    with report.check("splats have no normals"):
        result = run("render", where / "a.ply", "-o", where / "none.png", "--channel", "normal")
        assert result.status == USAGE and not (where / "none.png").exists(), result
        one_message(result, "splats have no normals")
    with report.check("decode draws the mesh for its normals, whatever else it writes"):
        done("decode", LATENTS / "wuson.safetensors", "-o", where / "n.ply", "-o",
             where / "n.png", "--channel", "normal")
        done("render", where / "a.glb", "-o", where / "m.png", "--channel", "normal")
        assert channels_of(where / "n.png")[3] == channels_of(where / "m.png")[3]


def check_turntable(report, where):
    for suffix in ("glb", "ply"):
        with report.check(f"{suffix}: a turntable of 5"):
            into = where / f"turn-{suffix}"
            into.mkdir()
            done("render", where / f"a.{suffix}", "-o", into / "t.png", "--turntable", "5",
                 "--size", "64", "--yaw", "30")
            frames = [f"t-{i:03}.png" for i in range(5)]
            expect_files(into, "t.png", *frames)
            # Three columns, two rows; the last place stays empty.
            width, height, sheet = pixels(into / "t.png")
            assert (width, height) == (192, 128), (width, height)
            for number, name in enumerate(frames):
                _, _, frame = pixels(into / name)
                x, y = number % 3 * 64, number // 3 * 64
                for c in range(4):
                    for row in range(64):
                        at = (y + row) * width + x
                        assert sheet[c][at:at + 64] == frame[c][row * 64:row * 64 + 64], name
            assert not any(sheet[3][(64 + row) * width + 128:(64 + row) * width + 192].strip(b"\0")
                           for row in range(64)), "the sixth place is not empty"
            assert len({digest(into / name) for name in frames}) == 5
            # Frame 1 is the view at yaw 30 + 72.
            done("render", where / f"a.{suffix}", "-o", into / "one.png", "--size", "64",
                 "--yaw", "102")
            assert largest_difference(into / "one.png", into / frames[1]) <= 2
            done("render", where / f"a.{suffix}", "-o", into / "zero.png", "--size", "64")
            assert digest(into / "zero.png") == digest(into / frames[0])


def expect_cells(sheet, size, rows):
    """A sheet of pictures of `size`: rows of paths."""
    width, height, got = pixels(sheet)
    assert (width, height) == (size * len(rows[0]), size * len(rows)), (width, height)
    for y, row in enumerate(rows):
        for x, path in enumerate(row):
            cell = channels_of(path)
            for c in range(4):
                for line in range(size):
                    at = (y * size + line) * width + x * size
                    assert got[c][at:at + size] == cell[c][line * size:(line + 1) * size], path


def check_sheet(report, where):
    into = where / "sheet"
    into.mkdir()
    shared = ["--size", "48", "--yaw", "10"]
    with report.check("a sheet: mesh, normals, splats, in rows of views"):
        for name, options in (("mesh", ["glb"]), ("normal", ["glb", "--channel", "normal"]),
                              ("splats", ["ply"])):
            done("render", where / f"a.{options[0]}", "-o", into / f"{name}.png", *options[1:],
                 "--turntable", "3", *shared)
        done("render", where / "a.glb", where / "a.ply", "-o", into / "sheet.png", "--sheet",
             "--turntable", "3", *shared)
        expect_cells(into / "sheet.png", 48, [[into / f"{name}-{i:03}.png" for i in range(3)]
                                              for name in ("mesh", "normal", "splats")])
        assert "sheet-000.png" not in names(into)
    with report.check("four views are the default; one asset is enough"):
        done("render", where / "a.ply", "-o", into / "four.png", "--turntable", "4", *shared)
        done("render", where / "a.ply", "-o", into / "sheet.png", "--sheet", *shared)
        expect_cells(into / "sheet.png", 48, [[into / f"four-{i:03}.png" for i in range(4)]])
    with report.check("another channel for all; splats have no normals"):
        for suffix in ("glb", "ply"):
            done("render", where / f"a.{suffix}", "-o", into / f"d-{suffix}.png", "--channel",
                 "depth", *shared)
        done("render", where / "a.glb", where / "a.ply", "-o", into / "sheet.png", "--sheet",
             "--turntable", "1", "--channel", "depth", *shared)
        expect_cells(into / "sheet.png", 48, [[into / "d-glb.png", into / "d-ply.png"]])
        done("render", where / "a.glb", where / "a.ply", "-o", into / "sheet.png", "--sheet",
             "--turntable", "1", "--channel", "normal", *shared)
        expect_cells(into / "sheet.png", 48, [[into / "normal-000.png"]])
    with report.check("decode makes what a sheet shows, and writes what it was asked for"):
        own = where / "own"
        own.mkdir()
        result = done("decode", LATENTS / "wuson.safetensors", "-o", own / "s.png", "--sheet",
                      "--turntable", "1", *shared)
        assert "gaussian decoder" in result.out and "mesh decoder" in result.out, result
        expect_files(own, "s.png")
        assert pixels(own / "s.png")[:2] == (3 * 48, 48)
        done("render", where / "a.glb", where / "a.ply", "-o", into / "side.png", "--sheet",
             "--turntable", "1", *shared)
        difference = mean_difference(own / "s.png", into / "side.png")
        assert difference < 0.6, difference  # colours in files have 8 bits
    with report.check("an animated sheet has all side by side"):
        done("render", where / "a.glb", where / "a.ply", "-o", into / "s.apng", "--sheet",
             "--turntable", "3", *shared)
        expect_cells(into / "s.apng", 48, [[into / f"{name}-000.png"
                                            for name in ("mesh", "normal", "splats")]])
    with report.check("several assets are for sheets only"):
        result = run("render", where / "a.glb", where / "a.ply", "-o", into / "no.png")
        assert result.status == USAGE and not (into / "no.png").exists(), result
        assert "unexpected" in result.err and "a.ply" in result.err, result


def check_decode(report, where):
    latent = LATENTS / "wuson.safetensors"
    with report.check("decode and render draw the same mesh"):
        done("render", where / "a.glb", "-o", where / "b.png")
        # Vertex colours are stored with 8 bits, which is all that may differ.
        difference = mean_difference(where / "a.png", where / "b.png")
        assert difference < 0.6, difference
        assert channels_of(where / "a.png")[3] == channels_of(where / "b.png")[3], "another outline"
    with report.check("decode of splats only draws splats, as render does"):
        into = where / "splats"
        into.mkdir()
        done("decode", latent, "-o", into / "s.ply", "-o", into / "s.png")
        done("render", into / "s.ply", "-o", into / "again.png")
        assert digest(into / "s.ply") == digest(where / "a.ply")
        difference = mean_difference(into / "s.png", into / "again.png")
        assert difference < 0.1, difference
    with report.check("a picture only"):
        into = where / "only"
        into.mkdir()
        done("decode", latent, "-o", into / "a.PNG")
        assert names(into) == ["a.PNG"]
        assert digest(into / "a.PNG") == digest(where / "a.png")
    with report.check("mesh and splats show the same object"):
        for suffix in ("glb", "ply"):
            done("render", where / f"a.{suffix}", "-o", where / f"both-{suffix}.png", "--size",
                 "96", "--channel", "flat")
        a, b = (channels_of(where / f"both-{s}.png") for s in ("glb", "ply"))
        # Splats reach beyond the surface by their width.
        mesh = sum(p > 128 for p in a[3])
        both = sum(p > 128 and q > 128 for p, q in zip(a[3], b[3]))
        either = sum(p > 128 or q > 128 for p, q in zip(a[3], b[3]))
        assert both > 0.98 * mesh and both > 0.75 * either, f"{mesh}, {both}, {either} pixels"
        difference = mean_difference(where / "both-glb.png", where / "both-ply.png")
        assert difference < 12, difference
    with report.check("a turntable out of decode"):
        into = where / "decoded"
        into.mkdir()
        done("decode", latent, "-o", into / "t.png", "-o", into / "t.glb", "--turntable", "2",
             "--size", "64")
        expect_files(into, "t.png", "t-000.png", "t-001.png", "t.glb")
        assert read_png(into / "t.png")[:2] == (128, 64)


def main():
    report = Report()
    with folder() as where:
        done("decode", LATENTS / "wuson.safetensors", "-o", where / "a.glb", "-o", where / "a.ply",
             "-o", where / "a.png")
        check_render(report, where)
        check_channels(report, where)
        check_depth_and_alpha(report, where)
        check_turntable(report, where)
        check_sheet(report, where)
        check_decode(report, where)
    report.finish()


if __name__ == "__main__":
    main()
