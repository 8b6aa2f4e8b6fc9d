#!/usr/bin/env python3
"""Cleaned meshes: closed, manifold, no inner wall, the same bytes at every budget; each switch does
what it says."""
import json
import struct
from collections import Counter
from material import (DONE, INPUT, LATENTS, MODEL, USAGE, Report, copy_model, digest, digests, done,
                      edit_json, expect_same, folder, one_message, run, small_latent,
                      tessella)
from pictures import mean_difference


def read_glb(path):
    """Positions and faces."""
    data = path.read_bytes()
    length = struct.unpack_from("<I", data, 12)[0]
    tree, binary = json.loads(data[20:20 + length]), data[28 + length:]
    primitive = tree["meshes"][0]["primitives"][0]

    def values(index, code, width):
        accessor = tree["accessors"][index]
        view = tree["bufferViews"][accessor["bufferView"]]
        at = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        flat = struct.unpack_from(f"<{accessor['count'] * width}{code}", binary, at)
        return list(zip(*[iter(flat)] * width))
    kind = {5125: "I", 5123: "H"}[tree["accessors"][primitive["indices"]]["componentType"]]
    corners = [i for i, in values(primitive["indices"], kind, 1)]
    return values(primitive["attributes"]["POSITION"], "f", 3), list(zip(*[iter(corners)] * 3))


def measure(path):
    """Faces, edges with one face, edges with more than two, components, volume."""
    positions, faces = read_glb(path)
    edges = Counter(tuple(sorted((f[i], f[(i + 1) % 3]))) for f in faces for i in range(3))
    parents = list(range(len(positions)))

    def root(i):
        while parents[i] != i:
            parents[i] = i = parents[parents[i]]
        return i
    volume = 0
    for a, b, c in faces:
        parents[root(a)] = parents[root(b)] = root(c)
        (x, y, z), (p, q, r), (u, v, w) = positions[a], positions[b], positions[c]
        volume += (x * (q * w - r * v) + y * (r * u - p * w) + z * (p * v - q * u)) / 6
    return {"faces": len(faces), "boundary": sum(n == 1 for n in edges.values()),
            "crowded": sum(n > 2 for n in edges.values()),
            "components": len({root(i) for f in faces for i in f}), "volume": volume}


QUICK = ("--views", "100", "--view-size", "512")  # the original's thousand take a minute


def decode(name, path, *options):
    return run("decode", LATENTS / f"{name}.safetensors", "-o", path, *options)


def check_default(report, where):
    """Clean-up is what happens unless --raw says no: these runs are the program's own."""
    latent = small_latent(where / "few.safetensors", 150)

    def decode_few(name, *options):
        result = tessella("decode", latent, "--model", MODEL, "-o", where / name, *options)
        assert result.status == DONE, result
        return result
    with report.check("decode cleans, and --raw does not"):
        result = decode_few("default.glb")
        assert "visibility" in result.out and "clean-up" in result.out, result
        result = decode_few("raw-few.glb", "--raw")
        assert "visibility" not in result.out and "clean-up" not in result.out, result
        got, was = measure(where / "default.glb"), measure(where / "raw-few.glb")
        assert 0 < got["faces"] <= was["faces"] // 20, (got, was)
    with report.check("--clean may be said, and changes nothing"):
        quick = ("--keep-hidden", "--simplify", "200")
        decode_few("said.glb", "--clean", *quick)
        decode_few("unsaid.glb", *quick)
        assert digest(where / "said.glb") == digest(where / "unsaid.glb")
    with report.check("a report tells the hash of an input as it was, also when it is written over"):
        path, told = where / "over.glb", where / "over.json"
        path.write_bytes((where / "raw-few.glb").read_bytes())
        before = digest(path)
        done("clean", path, "-o", path, "--keep-hidden", "--simplify", "200", "--report", told)
        told = json.loads(told.read_text())
        hashes = [told[part][0]["sha256"] for part in ("inputs", "outputs")]
        assert hashes == [before, digest(path)] and hashes[0] != hashes[1], told
    with report.check("--raw with another option of clean-up, and of `clean`, is a contradiction"):
        for command in (("decode", latent, "--model", MODEL, "--clean"), ("generate", "a.png",
                        "--keep-holes"), ("clean", where / "unsaid.glb")):
            result = tessella(*command, "--raw", "-o", where / "no.glb")
            assert result.status == USAGE and "--raw" in result.err, result
            assert not (where / "no.glb").exists()
    with report.check("a sheet shows the cleaned mesh, a picture the decoded one"):
        look = ("--size", "48", "--turntable", "1", "--sheet")

        def differences(name, *others):
            result = []
            for mesh in ("unsaid", "raw-few"):
                done("render", where / f"{mesh}.glb", *others, "-o", where / "t.png",
                     *(look if others else look[:2]))
                result.append(mean_difference(where / name, where / "t.png"))
            return result
        decode_few("s.png", "-o", where / "s.ply", *quick, *look)
        clean, raw = differences("s.png", where / "s.ply")
        assert 5 * clean < raw, (clean, raw)
        decode_few("p.png", "-o", where / "said.glb", *quick, *look[:2])
        clean, raw = differences("p.png")
        assert 5 * raw < clean, (clean, raw)
        assert "clean-up" not in decode_few("p.png", *look[:2]).out
    with report.check("a page of splats has no mesh to clean"):
        model = copy_model(where / "splats", MODEL)
        edit_json(model / "pipeline.json",
                  lambda tree: tree["args"]["models"].pop("slat_decoder_mesh") and None)
        result = tessella("decode", latent, "--model", model, "-o", where / "p.html")
        assert result.status == DONE and "clean-up" not in result.out, result


def main():
    report = Report()
    with folder() as where:
        check_default(report, where)
        raw = where / "raw.glb"
        assert decode("wuson", raw).status == DONE
        before = measure(raw)
        with report.check("a decoded mesh has an inner wall"):
            assert before["components"] > 1 and before["boundary"] == 0, before
        for name in ("wuson", "chair"):
            with report.check(f"{name}: one closed manifold, with its whole volume"):
                path = where / f"{name}.glb"
                plain = where / f"{name}-raw.glb"
                assert decode(name, path, *QUICK).status == DONE
                assert decode(name, plain).status == DONE
                got, was = measure(path), measure(plain)
                assert got["boundary"] == got["crowded"] == 0, got
                assert got["components"] <= was["components"], (got, was)
                assert 0 < got["faces"] <= was["faces"] // 20, (got, was)
                assert got["volume"] > 1.3 * was["volume"], (got, was)
        with report.check("--keep-hidden keeps the wall, --simplify a number of faces"):
            path = where / "walls.glb"
            assert decode("wuson", path, "--keep-hidden", "--simplify", "4000").status == DONE
            got = measure(path)
            assert got["components"] == before["components"], got
            assert 3600 <= got["faces"] <= 4000, got
            assert abs(got["volume"] / before["volume"] - 1) < 0.05, (got, before)
        with report.check("--simplify 0 and --keep-hidden change nothing"):
            path = where / "same.glb"
            assert decode("wuson", path, "--simplify", "0", "--keep-hidden").status == DONE
            assert read_glb(path) == read_glb(raw)
        with report.check("views too coarse to see faces: a warning, and no empty file"):
            path = where / "coarse.glb"
            result = decode("wuson", path, "--simplify", "0", "--views", "20", "--view-size", "128")
            assert result.status == DONE, result
            assert "warning: clean-up: 20 views of 128 pixels see too little" in result.err, result
            assert measure(path)["faces"] == before["faces"], result
        with report.check("other views see the same object"):
            path = where / "views.glb"
            result = decode("wuson", path, "--views", "150", "--view-size", "640")
            assert result.status == DONE, result
            got, first = measure(path), measure(where / "wuson.glb")
            assert got["boundary"] == got["crowded"] == 0, got
            assert abs(got["faces"] / first["faces"] - 1) < 0.05, (got, first)
            assert abs(got["volume"] / first["volume"] - 1) < 0.01, (got, first)
        with report.check("`clean` makes of a file what `decode` makes"):
            path = where / "file.glb"
            done("clean", raw, "-o", path, *QUICK)
            again, direct = measure(path), measure(where / "wuson.glb")
            assert again["components"] == 1 and again["boundary"] == again["crowded"] == 0, again
            assert abs(again["volume"] / direct["volume"] - 1) < 0.01, (again, direct)
        with report.check("`convert` changes the format only"):
            stl, back = where / "a.stl", where / "a.glb"
            done("convert", raw, "-o", stl, count=False)
            done("convert", stl, "-o", back, count=False)
            got = measure(back)
            assert got["faces"] == before["faces"], (got, before)
            assert abs(got["volume"] / before["volume"] - 1) < 1e-4, (got, before)
        with report.check("splats are no mesh to clean"):
            splats = where / "splats.ply"
            done("decode", LATENTS / "wuson.safetensors", "-o", splats)
            result = run("clean", splats, "-o", where / "no.glb")
            assert result.status == INPUT and not (where / "no.glb").exists(), result
            one_message(result, splats, "expected")
        wanted = None
        for memory in ("1G", "48M", "8M"):
            with report.check(f"cleaned, --memory {memory}"):
                into = where / memory
                into.mkdir()
                result = decode("wuson", into / "wuson.glb", *QUICK, "--memory", memory)
                assert result.status == DONE, result
                wanted = wanted or digests(into)
                expect_same("another budget", digests(into), wanted)
        for option, value in (("--simplify", "1"), ("--simplify", "-0.5"), ("--simplify", "x"),
                              ("--views", "0"), ("--view-size", "9000"), ("--specks", "2")):
            with report.check(f"{option} {value} is refused"):
                result = decode("wuson", where / "no.glb", option, value)
                assert result.status == USAGE and option in result.err, result
                assert not (where / "no.glb").exists()
    report.finish()


if __name__ == "__main__":
    main()
