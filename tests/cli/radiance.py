#!/usr/bin/env python3
"""Radiance fields: decoded, stored, read back, drawn; the same bytes at every budget."""
import json
import struct
from material import (DEVICE, GOLDEN, INPUT, LATENTS, USAGE, Report, copy_model, digest, done,
                      edit_json, expect_files, folder, one_message, read_png, read_tensors, run,
                      smallest_budget, write_tensors)

MODEL = GOLDEN / "model"


def floats(tensor):
    return struct.unpack(f"<{len(tensor[2]) // 4}f", tensor[2])


def decode(where, latent, name, *options):
    path = where / name
    done("decode", latent, "--model", MODEL, "-o", path, *options)
    return path


def check_file(report, where, golden, latent):
    field = decode(where, latent, "a.rf.safetensors", "--seed", "7")
    tensors, metadata = read_tensors(field)
    with report.check("tensors, shapes, metadata"):
        shapes = {name: (kind, shape) for name, (kind, shape, _) in tensors.items()}
        count = golden["coords"][1][0]
        assert shapes == {"coords": ("I32", [count, 4]), "trivec": ("F32", [count, 16, 3, 8]),
                          "density": ("F32", [count, 16]),
                          "features_dc": ("F32", [count, 16, 3])}, shapes
        assert metadata["resolution"] == "16" and metadata["seed"] == "7", metadata
        assert metadata["model"], metadata
    with report.check("values are those of the original code"):
        assert tensors["coords"][2] == golden["coords"][2]
        for name in ("trivec", "density", "features_dc"):
            got, wanted = floats(tensors[name]), floats(golden[name])
            error = sum((g - w)**2 for g, w in zip(got, wanted)) / sum(w * w for w in wanted)
            assert len(got) == len(wanted) and error**0.5 < 1e-5, f"{name}: {error**0.5}"
    with report.check("info counts its voxels"):
        told = json.loads(done("info", field, "--json").out)
        assert (told["voxels"], told["resolution"], told["rank"], told["dim"]) == \
            (count, 16, 16, 8), told
        assert "voxels" in done("info", field).out
    with report.check("convert reads and writes it"):
        done("convert", field, "-o", where / "c.rf.safetensors")
        again, _ = read_tensors(where / "c.rf.safetensors")
        assert again == tensors
    with report.check("it is no mesh, and no splats either"):
        for name in ("a.glb", "a.ply"):
            result = run("convert", field, "-o", where / name)
            assert result.status == USAGE and not (where / name).exists(), result
            one_message(result, where / name, "there is none")
    with report.check("decode writes it beside all others, the same bytes at every budget"):
        wanted = {}
        for number, limit in enumerate(([], ["--memory", "4M"], ["--memory", "64M"],
                                        ["--max-buffer", "1M"])):
            into = where / f"all-{number}"
            into.mkdir()
            done("decode", latent, "--model", MODEL, "-o", into / "a.rf.safetensors", "-o",
                 into / "a.ply", *limit)
            expect_files(into, "a.rf.safetensors", "a.ply")
            wanted.setdefault("rf", digest(into / "a.rf.safetensors"))
            assert digest(into / "a.rf.safetensors") == wanted["rf"], limit
    return field


def check_missing(report, where, latent):
    with report.check("a model without the decoder"):
        result = run("decode", LATENTS / "wuson.safetensors", "-o", where / "n.rf.safetensors",
                     "-o", where / "n.glb")
        assert result.status == INPUT, result
        one_message(result, "slat_dec_rf", "No such file")
        assert not (where / "n.glb").exists() and not (where / "n.rf.safetensors").exists()
    with report.check("a model that names no such decoder"):
        model = copy_model(where / "without", MODEL)
        edit_json(model / "pipeline.json",
                  lambda value: value["args"]["models"].pop("slat_decoder_rf") and value)
        result = run("decode", latent, "--model", model, "-o", where / "n.rf.safetensors")
        assert result.status == INPUT, result
        one_message(result, "pipeline.json", "slat_decoder_rf", "missing")
    with report.check("a decoder whose file is missing"):
        model = copy_model(where / "model", MODEL)
        (model / "ckpts/slat_dec_rf.safetensors").unlink()
        result = run("decode", latent, "--model", model, "-o", where / "n.rf.safetensors")
        assert result.status == INPUT, result
        one_message(result, "slat_dec_rf.safetensors", "No such file")
    with report.check("vectors of one element"):
        model = copy_model(where / "short", MODEL)
        edit_json(model / "ckpts/slat_dec_rf.json",
                  lambda value: value["args"]["representation_config"].update(dim=1))
        result = run("decode", latent, "--model", model, "-o", where / "n.rf.safetensors")
        assert result.status == INPUT, result
        one_message(result, "slat_dec_rf.json", "dim")


def check_pictures(report, where, latent, field):
    shot = ["--size", "48", "--supersampling", "2"]
    with report.check("decode and render draw the same field"):
        into = where / "drawn"
        into.mkdir()
        done("decode", latent, "--model", MODEL, "-o", into / "a.rf.safetensors", "-o",
             into / "a.png", *shot)
        done("render", into / "a.rf.safetensors", "-o", into / "b.png", *shot)
        width, height, _, rows = read_png(into / "a.png")
        assert (width, height) == (48, 48) and digest(into / "a.png") == digest(into / "b.png")
        alpha = b"".join(rows)[3::4]
        assert max(alpha) > 200 and 0.1 < sum(a > 0 for a in alpha) / 48**2 < 0.9
    with report.check("depth and alpha go with the colours"):
        pictures = {}
        for channel in ("colour", "depth", "alpha"):
            done("render", field, "-o", where / "c.png", "--channel", channel, *shot)
            data = b"".join(read_png(where / "c.png")[3])
            pictures[channel] = [data[c::4] for c in range(4)]
        colour, depth, alpha = (pictures[c] for c in ("colour", "depth", "alpha"))
        assert alpha[0] == alpha[1] == alpha[2] == colour[3] and set(alpha[3]) == {255}
        assert depth[0] == depth[1] == depth[2]
        assert max(abs(a - b) for a, b in zip(depth[3], colour[3])) <= 1
        greys = [g for g, a in zip(depth[0], depth[3]) if a > 200]
        assert 10 < min(greys) < max(greys) < 245, (min(greys), max(greys))
    with report.check("it has no normals"):
        result = run("render", field, "-o", where / "n.png", "--channel", "normal")
        assert result.status == USAGE and not (where / "n.png").exists(), result
        one_message(result, "radiance fields have no normals")
    with report.check("the same bytes at every budget, and what is needed is told"):
        written = set()
        for limit in ([], ["--memory", "64M"], ["--memory", "4M"], ["--memory", "1M"],
                      ["--max-buffer", "1M"]):
            result = done("render", field, "-o", where / "m.png", "--size", "100", *limit)
            written.add(digest(where / "m.png"))
        assert len(written) == 1, written
        result = run("render", field, "-o", where / "m.png", "--memory", "64K")
        assert result.status == DEVICE, result
        least = smallest_budget(result)
        done("render", field, "-o", where / "m.png", "--memory", f"{least}K")
    with report.check("turntables and sheets take it"):
        done("decode", latent, "--model", MODEL, "-o", where / "s.ply")
        done("render", field, "-o", where / "f.png", "--turntable", "2", *shot)
        done("render", where / "s.ply", "-o", where / "s.png", "--turntable", "2", *shot)
        done("render", where / "s.ply", field, "-o", where / "sheet.png", "--sheet",
             "--turntable", "2", *shot)
        width, height, _, rows = read_png(where / "sheet.png")
        assert (width, height) == (96, 96), (width, height)
        assert rows[:48] == read_png(where / "s.png")[3]
        assert rows[48:] == read_png(where / "f.png")[3]


def check_bad_files(report, where, field, latent):
    data = field.read_bytes()
    bad = where / "bad.rf.safetensors"
    for what, contents, parts in (
            ("a latent", latent.read_bytes(), ("tensor trivec", "missing")),
            ("a file that is cut off", data[:-8], ()),
            ("an empty file", b"", ())):
        with report.check(f"{what} as a field"):
            bad.write_bytes(contents)
            result = run("render", bad, "-o", where / "x.png")
            assert result.status == INPUT and not (where / "x.png").exists(), result
            one_message(result, bad, *parts)


def main():
    report = Report()
    golden, _ = read_tensors(GOLDEN / "io/slat_dec_rf.safetensors")
    with folder() as where:
        latent = write_tensors(where / "latent.safetensors",
                               {"coords": golden["coords"], "feats": golden["slat"]})
        field = check_file(report, where, golden, latent)
        check_missing(report, where, latent)
        check_pictures(report, where, latent, field)
        check_bad_files(report, where, field, latent)
    report.finish()


if __name__ == "__main__":
    main()
