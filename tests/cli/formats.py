#!/usr/bin/env python3
"""Every format of splats and meshes by the program: written, read, converted, drawn, told."""
import gzip
import json
import math
import struct
from material import (DONE, INPUT, Report, USAGE, digest, done, errors, expect_files, folder,
                      one_message, ply_head, read_glb, read_png, run, small_latent)

NO_DEVICE = {"OCL_ICD_VENDORS": "/nonexistent", "OCL_ICD_FILENAMES": ""}
SPLATS = {"ply": 1e-6, "splat": 1e-6, "spz": 4e-5, "splats.glb": 1e-6}  # how well positions are kept


def info(path):
    result = run("info", path, "--json", env=NO_DEVICE, count=False)
    assert result.status == DONE, result
    return json.loads(result.out)


def convert(source, *targets, options=()):
    result = run("convert", source, *[part for path in targets for part in ("-o", path)],
                 *options, env=NO_DEVICE, count=False)
    assert result.status == DONE, result


def expect_bounds(path, wanted, bound):
    got = info(path)
    assert got["splats"] == wanted["splats"], (path, got)
    pairs = zip(sum(got["bounds"], []), sum(wanted["bounds"], []))
    assert all(abs(a - b) <= bound for a, b in pairs), (path, got, wanted)


def picture(where, source):
    path = where / "picture.png"
    done("render", source, "-o", path, "--size", "64", "--radius", "1.5")
    return b"".join(read_png(path)[3])


def check_splats(report, where, latent):
    files = {suffix: where / f"splats.{suffix}" for suffix in SPLATS}
    done("decode", latent, *[part for path in files.values() for part in ("-o", path)])
    wanted, drawn = info(files["ply"]), picture(where, files["ply"])
    for suffix, bound in SPLATS.items():
        with report.check(f".{suffix}: the same splats in the same axes"):
            expect_bounds(files[suffix], wanted, bound)
            assert looks_like(picture(where, files[suffix]), drawn)
        with report.check(f".{suffix}: converted there and back"):
            there, back = where / f"there.{suffix}", where / "back.ply"
            convert(files["ply"], there)
            convert(there, back)
            expect_bounds(back, wanted, bound)
            assert looks_like(picture(where, back), drawn)
    with report.check("a mesh has no splats to write, and splats no mesh"):
        mesh = where / "mesh.glb"
        done("decode", latent, "-o", mesh)
        for source, target in ((mesh, "x.splat"), (files["ply"], "x.glb")):
            result = run("convert", source, "-o", where / target, env=NO_DEVICE, count=False)
            assert result.status == USAGE, result
            assert target in errors(result)[0], result
            assert not (where / target).exists()


def looks_like(got, wanted):
    """Two pictures of the same splats, one of them from a file with fewer digits."""
    apart = [abs(a - b) for a, b in zip(got, wanted)]
    return len(got) == len(wanted) and sum(apart) / len(apart) < 1 and any(wanted)


def check_meshes(report, where, latent):
    names = ("mesh.glb", "mesh.obj", "mesh.stl", "mesh.mesh.ply")
    done("decode", latent, *[part for name in names for part in ("-o", where / name)])
    wanted = info(where / "mesh.glb")
    with report.check(".mesh.ply is a mesh, in the same axes as the others"):
        assert (where / "mesh.mesh.ply").read_bytes().startswith(b"ply\n")
        got = info(where / "mesh.mesh.ply")
        assert got["vertices"] == wanted["vertices"] and got["faces"] == wanted["faces"], got
        pairs = zip(sum(got["bounds"], []), sum(wanted["bounds"], []))
        assert all(abs(a - b) < 1e-6 for a, b in pairs), (got, wanted)
    with report.check("decode: .mesh.ply and .ply in one run are the mesh and the splats"):
        into = where / "both"
        into.mkdir()
        done("decode", latent, "-o", into / "a.mesh.ply", "-o", into / "a.ply")
        expect_files(into, "a.mesh.ply", "a.ply")
        assert info(into / "a.mesh.ply")["faces"] == wanted["faces"]
        assert "splats" in info(into / "a.ply")
        assert digest(into / "a.mesh.ply") == digest(where / "mesh.mesh.ply")


# How --up changes what a reader sees that expects the format's own axes: of (x, y, z).
Z_UP_AS_Y_UP = (lambda x, y, z: (x, -z, y))
Y_UP_AS_Z_UP = (lambda x, y, z: (x, z, -y))
Y_UP_AS_Y_DOWN = (lambda x, y, z: (x, -y, -z))
Z_UP_AS_Y_DOWN = (lambda x, y, z: (x, z, -y))
SAME = (lambda x, y, z: (x, y, z))
TURNED = {  # by suffix: with --up y, with --up z
    "glb": (SAME, Z_UP_AS_Y_UP), "obj": (SAME, Z_UP_AS_Y_UP), "stl": (Y_UP_AS_Z_UP, SAME),
    "mesh.ply": (Y_UP_AS_Z_UP, SAME), "ply": (Y_UP_AS_Y_DOWN, Z_UP_AS_Y_DOWN),
    "splat": (Y_UP_AS_Y_DOWN, Z_UP_AS_Y_DOWN), "spz": (SAME, Z_UP_AS_Y_UP),
    "splats.glb": (SAME, Z_UP_AS_Y_UP),
}


def placed(bounds, turn, scale):
    corners = [turn(*corner) for corner in bounds]
    return [[scale * min(axis) for axis in zip(*corners)],
            [scale * max(axis) for axis in zip(*corners)]]


def convert_to(where, source, suffix, *options):
    path = where / f"placed.{suffix}"
    convert(source, path, options=options)
    return path


def check_placing(report, where, latent):
    mesh, splats = where / "mesh.glb", where / "splats.ply"
    done("decode", latent, "-o", mesh, "-o", splats)
    bounds = {source: info(source)["bounds"] for source in (mesh, splats)}
    sources = {suffix: splats if suffix in SPLATS else mesh for suffix in TURNED}
    for axis, scale in (("y", 10), ("z", 0.5), (None, 2)):
        options = ["--scale", str(scale), *(["--up", axis] if axis else [])]
        for source in bounds:
            convert(source, *[where / f"placed.{suffix}" for suffix, from_ in sources.items()
                              if from_ == source], options=options)
        for suffix, (y_up, z_up) in TURNED.items():
            with report.check(f".{suffix}: {' '.join(options)}"):
                turn = {"y": y_up, "z": z_up, None: SAME}[axis]
                expected = placed(bounds[sources[suffix]], turn, scale)
                got = info(where / f"placed.{suffix}")["bounds"]
                apart = [abs(a - b) for a, b in zip(sum(got, []), sum(expected, []))]
                assert max(apart) < 1e-4 * scale, (got, expected)
    with report.check("splats turn and grow with their places"):
        plain, turned = rows_of(splats), rows_of(convert_to(where, splats, "ply", "--up", "y",
                                                            "--scale", "3"))
        for a, b in zip(plain[:20], turned[:20]):
            signs = (1, -1, -1)  # half a turn around x
            for i in range(9):
                sign = signs[i // 3] * signs[i % 3]
                assert abs(covariance(b)[i] - 9 * sign * covariance(a)[i]) < 1e-6, (a, b)
            apart = [abs(p - q) for p, q in zip(a[3:10], b[3:10])]
            assert max(apart) < 1e-4, "colours and opacity"
    with report.check("--stl-mm is for .stl only"):
        wanted = info(mesh)["bounds"]
        into = [where / "mm.stl", where / "mm.obj"]
        result = run("convert", mesh, "-o", into[0], "-o", into[1], "--stl-mm", "100", "--scale",
                     "2", env=NO_DEVICE, count=False)
        assert result.status == DONE, result
        for path, scale in zip(into, (200, 2)):
            got = info(path)["bounds"]
            apart = [abs(a - scale * b) for a, b in zip(sum(got, []), sum(wanted, []))]
            assert max(apart) < 1e-4 * scale, (path, got, wanted)
    with report.check("--unlit is in .glb"):
        tree, _ = read_glb(convert_to(where, mesh, "glb", "--unlit"))
        assert tree["extensionsUsed"] == ["KHR_materials_unlit"], tree
        assert tree["materials"][0]["extensions"] == {"KHR_materials_unlit": {}}, tree
        assert "extensionsUsed" not in read_glb(mesh)[0]
    with report.check("decode and clean take the same options"):
        wanted = info(mesh)["bounds"]
        done("decode", latent, "-o", where / "decoded.obj", "--scale", "2")
        done("clean", mesh, "-o", where / "cleaned.obj", "--scale", "2", "--simplify", "0",
             "--keep-hidden")
        for name in ("decoded.obj", "cleaned.obj"):
            got = info(where / name)["bounds"]
            apart = [abs(a - 2 * b) for a, b in zip(sum(got, []), sum(wanted, []))]
            assert max(apart) < 1e-4, (name, got, wanted)
    with report.check("values that the options do not take"):
        for options in (["--up", "x"], ["--up", ""], ["--scale", "0"], ["--scale", "-1"],
                        ["--scale", "nan"], ["--scale", "1e9"], ["--stl-mm", "0"],
                        ["--stl-mm", "10mm"]):
            result = run("convert", mesh, "-o", where / "never.obj", *options, env=NO_DEVICE,
                         count=False)
            assert result.status == USAGE and options[0] in errors(result)[0], result
        assert not (where / "never.obj").exists()


def rows_of(path):
    head, end = ply_head(path)
    width = head.count("property float")
    count = next(int(line.split()[2]) for line in head.splitlines() if "element" in line)
    values = struct.unpack(f"<{width * count}f", path.read_bytes()[end:])
    return [values[i * width:(i + 1) * width] for i in range(count)]


def covariance(row):
    """Of a splat's row: scales are logarithms, rotations w x y z."""
    w, x, y, z = row[13:17]
    m = [[1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
         [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
         [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)]]
    s = [math.exp(2 * v) for v in row[10:13]]
    return [sum(m[i][k] * m[j][k] * s[k] for k in range(3)) for i in range(3) for j in range(3)]


def check_bad(report, where):
    with report.check("bad files"):
        for name, content in (("empty.splat", b""), ("cut.splat", bytes(33)),
                              ("zeros.splat", bytes([0] * 28 + [128] * 4)),
                              ("empty.spz", b""), ("text.spz", b"ply\n"),
                              ("short.spz", gzip.compress(b"NGSP\3\0\0\0"))):
            (where / name).write_bytes(content)
            result = run("info", where / name, env=NO_DEVICE, count=False)
            assert result.status == INPUT and not result.out, result
            one_message(result, where / name)


def main():
    report = Report()
    with folder() as where:
        latent = small_latent(where / "latent.safetensors", 30)
        check_splats(report, where, latent)
        check_meshes(report, where, latent)
        check_placing(report, where, latent)
        check_bad(report, where)
    report.finish()


if __name__ == "__main__":
    main()
