#!/usr/bin/env python3
"""Textures: a GLB with texture coordinates and a picture of what the splats look like, the same
bytes at every budget."""
import json
import shutil
import struct
import zlib
from material import (SMALLEST, USAGE, Report, digest, digests, done, expect_files, expect_same,
                      folder, one_message, run)

# Small and quick: few faces, few views.
QUICK = ("--simplify", "2000", "--keep-hidden", "--texture=256", "--texture-views", "12",
         "--texture-view-size", "256")


def read_glb(path):
    data = path.read_bytes()
    length = struct.unpack_from("<I", data, 12)[0]
    return json.loads(data[20:20 + length]), data[28 + length:]


def view_bytes(tree, binary, index):
    view = tree["bufferViews"][index]
    return binary[view["byteOffset"]:view["byteOffset"] + view["byteLength"]]


def vectors(tree, binary, name):
    accessor = tree["accessors"][tree["meshes"][0]["primitives"][0]["attributes"][name]]
    flat = view_bytes(tree, binary, accessor["bufferView"])
    width = int(accessor["type"][-1])
    code = {5126: "f", 5123: "H"}[accessor["componentType"]]
    return list(zip(*[iter(struct.unpack(f"<{accessor['count'] * width}{code}", flat))] * width))


def read_png(data):
    """Width, height and rows of an RGB PNG."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n", data[:8]
    at, packed = 8, b""
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack_from(">IIBB", body)
            assert (depth, colour) == (8, 2), (depth, colour)
        packed += body if kind == b"IDAT" else b""
        at += 12 + length
    raw, stride, rows, before = zlib.decompress(packed), 3 * width + 1, [], bytes(3 * width)
    for y in range(height):
        kind, line = raw[y * stride], bytearray(raw[y * stride + 1:(y + 1) * stride])
        for i in range(len(line)):
            left, up = line[i - 3] if i > 2 else 0, before[i]
            corner = before[i - 3] if i > 2 else 0
            if kind == 4:
                guess = left + up - corner
                best = min((abs(guess - p), n) for n, p in enumerate((left, up, corner)))[1]
                line[i] = line[i] + (left, up, corner)[best] & 255
            else:
                line[i] = line[i] + (0, left, up, (left + up) // 2)[kind] & 255
        rows.append(line)
        before = line
    return width, height, rows


def srgb(value):
    value /= 65535
    return 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055


def main():
    report = Report()
    with folder() as where:
        glb = where / "a.glb"
        done("decode", SMALLEST, "-o", glb, *QUICK)
        tree, binary = read_glb(glb)
        primitive = tree["meshes"][0]["primitives"][0]
        with report.check("the texture is the material's colour, without vertex colours"):
            material = tree["materials"][0]["pbrMetallicRoughness"]
            assert material["baseColorTexture"] == {"index": 0}, material
            assert (material["roughnessFactor"], material["metallicFactor"]) == (1, 0), material
            assert "COLOR_0" not in primitive["attributes"], primitive
            assert tree["images"][0]["mimeType"] == "image/png", tree["images"]
        width, height, rows = read_png(view_bytes(tree, binary, tree["images"][0]["bufferView"]))
        uvs = vectors(tree, binary, "TEXCOORD_0")
        with report.check("it has the size, and coordinates are inside"):
            assert width == height == 256, (width, height)
            assert len(uvs) == len(vectors(tree, binary, "POSITION"))
            assert all(0 <= u <= 1 and 0 <= v <= 1 for u, v in uvs)
        with report.check("its colours are near those of the mesh's own decoder"):
            plain = where / "plain.glb"
            done("decode", SMALLEST, "-o", plain, *QUICK[:3], count=False)
            other, other_binary = read_glb(plain)
            colours = dict(zip(vectors(other, other_binary, "POSITION"),
                               vectors(other, other_binary, "COLOR_0")))
            error = count = 0
            for (u, v), place in zip(uvs, vectors(tree, binary, "POSITION")):
                line, x = rows[min(int(v * height), height - 1)], min(int(u * width), width - 1)
                for k in range(3):
                    error += abs(line[3 * x + k] / 255 - srgb(colours[place][k]))
                    count += 1
            assert error / count < 0.08, error / count
            plain.unlink()
        with report.check("as JPEG"):
            jpeg = where / "b.glb"
            done("decode", SMALLEST, "-o", jpeg, *QUICK, "--texture-format", "jpeg")
            tree, binary = read_glb(jpeg)
            picture = view_bytes(tree, binary, tree["images"][0]["bufferView"])
            assert tree["images"][0]["mimeType"] == "image/jpeg", tree["images"]
            assert picture[:3] == b"\xff\xd8\xff" and picture[-2:] == b"\xff\xd9"
            assert jpeg.stat().st_size % 4 == 0
            jpeg.unlink()
        with report.check("`info` and `render` read it"):
            done("info", glb, count=False)
            done("render", glb, "-o", where / "a.png", "--size", "64")
            (where / "a.png").unlink()
        with report.check(".obj brings its material and its texture, the same as in .glb"):
            into = where / "obj"
            into.mkdir()
            done("decode", SMALLEST, "-o", into / "a.obj", *QUICK)
            expect_files(into, "a.obj", "a.mtl", "a.png")
            text = (into / "a.obj").read_text()
            assert "\nmtllib a.mtl\n" in text and "\nusemtl texture\n" in text
            assert text.count("\nvt ") == len(uvs), text.count("\nvt ")
            assert "\nmap_Kd a.png\n" in (into / "a.mtl").read_text()
            embedded = view_bytes(*read_glb(glb), read_glb(glb)[0]["images"][0]["bufferView"])
            assert (into / "a.png").read_bytes() == embedded
            shutil.rmtree(into)
        with report.check("a picture may not take the texture's place"):
            result = run("decode", SMALLEST, "-o", where / "a.obj", "-o", where / "a.png",
                         "--texture")
            assert result.status == USAGE and "a.png" in result.err, result
        wanted = digests(where)
        for memory in ("1G", "16M", "7680K"):
            with report.check(f"--memory {memory}"):
                into = where / memory
                into.mkdir()
                done("decode", SMALLEST, "-o", into / "a.glb", *QUICK, "--memory", memory)
                expect_same("another budget", digests(into), wanted)
        with report.check("--texture-mode opt makes another texture, the same at every budget"):
            fit = ("--texture-mode", "opt", "--texture-steps", "20")
            done("decode", SMALLEST, "-o", where / "fit.glb", *QUICK, *fit)
            done("decode", SMALLEST, "-o", where / "fit2.glb", *QUICK, *fit, "--memory", "7680K")
            made = [digest(where / name) for name in ("fit.glb", "fit2.glb", "a.glb")]
            assert made[0] == made[1] != made[2], made
            tree, binary = read_glb(where / "fit.glb")
            other = read_png(view_bytes(tree, binary, tree["images"][0]["bufferView"]))[2]
            error = sum(abs(a - b) for x, y in zip(rows, other) for a, b in zip(x, y))
            assert error / (3 * 256 * 256) < 8, error / (3 * 256 * 256)  # of 255
        with report.check("a budget too small names the smallest that works, and leaves nothing"):
            into = where / "small"
            into.mkdir()
            options = ("decode", SMALLEST, "-o", into / "a.glb", *QUICK[:3], "--texture",
                       "--texture-views", "4")
            result = run(*options, "--memory", "7M")
            message = one_message(result, "texture baking", "--memory")
            assert result.status == 4, result
            expect_files(into)
            floor = message.split("--memory ")[1].split(")")[0].strip("'`")
            done(*options, "--memory", floor)
        for option, value in (("--texture=1000", None), ("--texture=8", None),
                              ("--texture-format", "gif"), ("--texture-mode", "best"),
                              ("--texture-steps", "0"), ("--texture-views", "0"),
                              ("--texture-view-size", "9"), ("--texture-gutter", "3")):
            with report.check(f"{option} {value or ''} is refused"):
                options = [o for o in (option, value) if o]
                result = run("decode", SMALLEST, "-o", where / "no.glb", *options)
                assert result.status == USAGE and option.split("=")[0] in result.err, result
                assert not (where / "no.glb").exists()
        with report.check("a texture needs an output that holds one"):
            result = run("decode", SMALLEST, "-o", where / "no.stl", "--texture")
            assert result.status == USAGE, result
            assert ".glb" in result.err, result
    report.finish()


if __name__ == "__main__":
    main()
