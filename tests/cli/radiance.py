#!/usr/bin/env python3
"""Radiance fields: decoded, stored, read back, drawn; the same bytes at every budget."""
import json
import struct
from material import (GOLDEN, INPUT, LATENTS, USAGE, Report, copy_model, digest, done, edit_json,
                      expect_files, folder, one_message, read_tensors, run, write_tensors)

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


def main():
    report = Report()
    golden, _ = read_tensors(GOLDEN / "io/slat_dec_rf.safetensors")
    with folder() as where:
        latent = write_tensors(where / "latent.safetensors",
                               {"coords": golden["coords"], "feats": golden["slat"]})
        check_file(report, where, golden, latent)
        check_missing(report, where, latent)
    report.finish()


if __name__ == "__main__":
    main()
