#!/usr/bin/env python3
"""Every format of splats and meshes by the program: written, read, converted, drawn, told."""
import gzip
import json
from material import (DONE, INPUT, Report, USAGE, digest, done, errors, expect_files, folder,
                      one_message, read_png, run, small_latent)

NO_DEVICE = {"OCL_ICD_VENDORS": "/nonexistent", "OCL_ICD_FILENAMES": ""}
SPLATS = {"ply": 1e-6, "splat": 1e-6, "spz": 4e-5, "splats.glb": 1e-6}  # how well positions are kept


def info(path):
    result = run("info", path, "--json", env=NO_DEVICE, count=False)
    assert result.status == DONE, result
    return json.loads(result.out)


def convert(source, *targets):
    result = run("convert", source, *[part for path in targets for part in ("-o", path)],
                 env=NO_DEVICE, count=False)
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
        check_bad(report, where)
    report.finish()


if __name__ == "__main__":
    main()
