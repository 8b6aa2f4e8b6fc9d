#!/usr/bin/env python3
"""Model directories with files that are missing, absurd or do not belong together: exit 3, one
message that names the file and the field or tensor, no output; `model` says the same."""
import shutil
import struct
from material import (DONE, INPUT, MODEL, Report, copy_model, edit_json, expect_files, folder,
                      header_of, one_message, read_tensors, run, small_latent, write_raw,
                      write_tensors)

GS, MESH = "slat_dec_gs", "slat_dec_mesh"
WEIGHT = "blocks.0.mlp.mlp.0.weight"


def config(name, field, value, *keys):
    """Set a field of a decoder's configuration (None: take it out)."""
    def change(tree):
        for key in keys:
            tree = tree[key]
        if value is None:
            del tree[field]
        else:
            tree[field] = value
    return lambda model: edit_json(model / f"ckpts/{name}.json", change)


def args(name, field, value):
    return config(name, field, value, "args")


def representation(name, field, value):
    return config(name, field, value, "args", "representation_config")


def text(path, content):
    return lambda model: (model / path).write_text(content)


def gone(path):
    return lambda model: (model / path).unlink()


def tensors(name, change):
    def apply(model):
        path = model / f"ckpts/{name}.safetensors"
        content, metadata = read_tensors(path)
        change(content)
        write_tensors(path, content, metadata)
    return apply


def cut(path, length):
    def apply(model):
        content = (model / path).read_bytes()
        (model / path).write_bytes(content[:length])
    return apply


def pipeline(change):
    return lambda model: edit_json(model / "pipeline.json", change)


def drop_decoders(tree):
    models = tree["args"]["models"]
    tree["args"]["models"] = {k: v for k, v in models.items() if "decoder" not in k}


def set_in(tree, value, *keys):
    for key in keys[:-1]:
        tree = tree[key]
    if value is None:
        del tree[keys[-1]]
    else:
        tree[keys[-1]] = value


def reshaped(content):
    dtype, (rows, columns), data = content[WEIGHT]
    content[WEIGHT] = (dtype, [columns, rows], data)


def flat(content):
    dtype, (rows, columns), data = content[WEIGHT]
    content[WEIGHT] = (dtype, [rows * columns], data)


def as_integers(content):
    _, shape, data = content[WEIGHT]
    content[WEIGHT] = ("I16", shape, data)


def doubles(content):
    _, shape, _ = content[WEIGHT]
    content[WEIGHT] = ("F64", shape, bytes(8 * shape[0] * shape[1]))


def shorter(content):
    dtype, (rows, columns), data = content[WEIGHT]
    content[WEIGHT] = (dtype, [rows - 1, columns], data[:len(data) // rows * (rows - 1)])


def overlapping(model):
    path = model / f"ckpts/{GS}.safetensors"
    header, body = header_of(*read_tensors(path))
    begin, end = header[WEIGHT]["data_offsets"]
    header[WEIGHT]["data_offsets"] = [begin - 2, end - 2]
    write_raw(path, header, body)


def lying(model):
    path = model / f"ckpts/{GS}.safetensors"
    data = path.read_bytes()
    path.write_bytes(struct.pack("<Q", 1 << 40) + data[8:])


# What is done to a copy of the demo model; which file the message names; what else it names.
CASES = {
    "no pipeline.json": (gone("pipeline.json"), "pipeline.json", ["No such file"]),
    "pipeline.json is empty": (text("pipeline.json", ""), "pipeline.json", []),
    "pipeline.json is no JSON": (text("pipeline.json", "{\"name\": "), "pipeline.json", []),
    "pipeline.json is an array": (text("pipeline.json", "[]"), "pipeline.json", ["object"]),
    "pipeline.json without args": (pipeline(lambda t: set_in(t, None, "args")), "pipeline.json",
                                   ["args"]),
    "pipeline.json without models": (pipeline(lambda t: set_in(t, None, "args", "models")),
                                     "pipeline.json", ["models"]),
    "models is a list": (pipeline(lambda t: set_in(t, [], "args", "models")), "pipeline.json",
                         ["models"]),
    "a model that is a number": (pipeline(lambda t: set_in(t, 3, "args", "models",
                                                           "slat_decoder_gs")),
                                 "pipeline.json", ["slat_decoder_gs"]),
    "a model without a path": (pipeline(lambda t: set_in(t, "", "args", "models",
                                                         "slat_decoder_gs")),
                               "pipeline.json", ["slat_decoder_gs"]),
    "normalization of zero": (pipeline(lambda t: set_in(t, [0] * 8, "args", "slat_normalization",
                                                        "std")),
                              "pipeline.json", ["std"]),
    "no configuration": (gone(f"ckpts/{GS}.json"), f"{GS}.json", ["No such file"]),
    "no weights": (gone(f"ckpts/{MESH}.safetensors"), f"{MESH}.safetensors", ["No such file"]),
    "configuration is empty": (text(f"ckpts/{GS}.json", ""), f"{GS}.json", []),
    "configuration is no JSON": (text(f"ckpts/{GS}.json", "<html>"), f"{GS}.json", []),
    "configuration with a tail": (text(f"ckpts/{GS}.json", "{} {}"), f"{GS}.json", []),
    "unknown network": (config(GS, "name", "SLatTeapotDecoder"), f"{GS}.json", ["name"]),
    "the other decoder's name": (config(MESH, "name", "SLatGaussianDecoder"), f"{MESH}.json", []),
    "no name": (config(GS, "name", None), f"{GS}.json", ["name"]),
    "no args": (config(GS, "args", None), f"{GS}.json", ["args"]),
    "args is text": (config(GS, "args", "none"), f"{GS}.json", ["args"]),
    "no resolution": (args(GS, "resolution", None), f"{GS}.json", ["resolution"]),
    "resolution 0": (args(GS, "resolution", 0), f"{GS}.json", ["resolution"]),
    "resolution 10^9": (args(GS, "resolution", 10**9), f"{GS}.json", ["resolution"]),
    "resolution is text": (args(GS, "resolution", "32"), f"{GS}.json", ["resolution"]),
    "resolution 31.5": (args(GS, "resolution", 31.5), f"{GS}.json", ["resolution"]),
    "no blocks": (args(GS, "num_blocks", 0), f"{GS}.json", ["num_blocks"]),
    "-1 blocks": (args(MESH, "num_blocks", -1), f"{MESH}.json", ["num_blocks"]),
    "10^6 blocks": (args(MESH, "num_blocks", 10**6), f"{MESH}.json", ["num_blocks"]),
    "channels null": (args(GS, "model_channels", False), f"{GS}.json", ["model_channels"]),
    "0 channels": (args(GS, "model_channels", 0), f"{GS}.json", ["model_channels"]),
    "10^10 channels": (args(GS, "model_channels", 10**10), f"{GS}.json", ["model_channels"]),
    "1e400 channels": (lambda model: text(f"ckpts/{GS}.json", (model / f"ckpts/{GS}.json")
                                          .read_text().replace("128", "1e400"))(model),
                       f"{GS}.json", ["model_channels"]),
    "no latent channels": (args(GS, "latent_channels", None), f"{GS}.json", ["latent_channels"]),
    "heads that do not divide channels": (args(GS, "num_heads", 3), f"{GS}.json",
                                          ["num_heads", "128"]),
    "0 heads": (args(GS, "num_heads", 0), f"{GS}.json", ["num_heads"]),
    "more heads than channels": (args(GS, "num_heads", 256), f"{GS}.json", ["num_heads"]),
    "window 0": (args(GS, "window_size", 0), f"{GS}.json", ["window_size"]),
    "window -8": (args(GS, "window_size", -8), f"{GS}.json", ["window_size"]),
    "mlp_ratio 0": (args(GS, "mlp_ratio", 0), f"{GS}.json", ["mlp_ratio"]),
    "mlp_ratio 10^6": (args(GS, "mlp_ratio", 10**6), f"{GS}.json", ["mlp_ratio"]),
    "unknown attention": (args(GS, "attn_mode", "telepathy"), f"{GS}.json", ["attn_mode"]),
    "use_fp16 is text": (args(GS, "use_fp16", "yes"), f"{GS}.json", ["use_fp16"]),
    "no representation": (args(GS, "representation_config", None), f"{GS}.json",
                          ["representation_config"]),
    "no gaussians": (representation(GS, "num_gaussians", 0), f"{GS}.json", ["num_gaussians"]),
    "no voxel_size": (representation(GS, "voxel_size", None), f"{GS}.json", ["voxel_size"]),
    "opacity_bias 1": (representation(GS, "opacity_bias", 1), f"{GS}.json", ["opacity_bias"]),
    "scaling_bias 0": (representation(GS, "scaling_bias", 0), f"{GS}.json", ["scaling_bias"]),
    "no lr": (representation(GS, "lr", None), f"{GS}.json", ["lr"]),
    "unknown activation": (representation(GS, "scaling_activation", "relu"), f"{GS}.json",
                           ["scaling_activation"]),
    "use_color is a number": (representation(MESH, "use_color", 2), f"{MESH}.json", ["use_color"]),
    "other channels than the weights": (args(GS, "model_channels", 256), f"{GS}.safetensors",
                                        ["tensor", "expected"]),
    "more blocks than the weights": (args(GS, "num_blocks", 4), f"{GS}.safetensors",
                                     ["tensor blocks.3."]),
    "fewer blocks than the weights": (args(GS, "num_blocks", 2), f"{GS}.safetensors",
                                      ["tensor blocks.2."]),
    "other latent channels": (args(GS, "latent_channels", 16), f"{GS}.safetensors",
                              ["input_layer.weight", "16"]),
    "other gaussians": (representation(GS, "num_gaussians", 32), f"{GS}.safetensors",
                        ["tensor", "[32,3]"]),
    "no colours but weights for them": (representation(MESH, "use_color", False),
                                        f"{MESH}.safetensors", ["out_layer"]),
    "a tensor is missing": (tensors(GS, lambda t: t.pop(WEIGHT)), f"{GS}.safetensors", [WEIGHT]),
    "a tensor too many": (tensors(GS, lambda t: t.update(surplus=("F32", [1], b"\0" * 4))),
                          f"{GS}.safetensors", ["surplus"]),
    "a tensor of another name": (tensors(MESH, lambda t: t.update(
        {"blocks.0.mlp.mlp.0.weigth": t.pop(WEIGHT)})), f"{MESH}.safetensors", [WEIGHT]),
    "a tensor transposed": (tensors(GS, reshaped), f"{GS}.safetensors", [WEIGHT, "[512,128]"]),
    "a tensor flat": (tensors(GS, flat), f"{GS}.safetensors", [WEIGHT]),
    "a tensor with a row less": (tensors(GS, shorter), f"{GS}.safetensors", [WEIGHT, "[511,128]"]),
    "a tensor of integers": (tensors(GS, as_integers), f"{GS}.safetensors", [WEIGHT, "I16"]),
    "a tensor of doubles": (tensors(GS, doubles), f"{GS}.safetensors", [WEIGHT, "F64"]),
    "weights cut short": (cut(f"ckpts/{GS}.safetensors", 100000), f"{GS}.safetensors", []),
    "weights are empty": (cut(f"ckpts/{MESH}.safetensors", 0), f"{MESH}.safetensors", []),
    "weights overlap": (overlapping, f"{GS}.safetensors", ["overlap"]),
    "a lying header": (lying, f"{GS}.safetensors", ["header"]),
    "weights are a directory": (lambda model: ((model / f"ckpts/{GS}.safetensors").unlink(),
                                               (model / f"ckpts/{GS}.safetensors").mkdir()),
                                f"{GS}.safetensors", ["directory"]),
}


def main():
    report = Report()
    with folder() as where:
        latent = small_latent(where / "latent.safetensors", 20)
        outputs = where / "out"
        outputs.mkdir()
        decode = ["decode", latent, "-o", outputs / "a.glb", "-o", outputs / "a.ply",
                  "-o", outputs / "a.png"]
        for name, (change, file, parts) in CASES.items():
            with report.check(name):
                model = copy_model(where / "model")
                try:
                    change(model)
                    result = run(*decode, "--model", model, count=False)
                    assert result.status == INPUT, result
                    one_message(result, model, file, *parts)
                    assert not result.out, result
                    expect_files(outputs)
                    told = run("model", model, count=False)
                    assert told.status == INPUT, told
                    for part in [file, *parts]:
                        assert part in told.out + told.err, f"no {part!r} in {told}"
                finally:
                    shutil.rmtree(model)

        with report.check("pipeline.json without decoders"):
            model = copy_model(where / "model")
            pipeline(drop_decoders)(model)
            result = run(*decode, "--model", model, count=False)
            assert result.status == INPUT, result
            one_message(result, "pipeline.json", "slat_decoder_")
            expect_files(outputs)
        with report.check("what is not asked for is not looked at"):
            shutil.rmtree(model)
            copy_model(model)
            gone(f"ckpts/{MESH}.safetensors")(model)
            result = run("decode", latent, "-o", outputs / "a.ply", "--model", model, count=False)
            assert result.status == DONE, result
            expect_files(outputs, "a.ply")
        with report.check("no such directory"):
            result = run(*decode, "--model", where / "none", count=False)
            assert result.status == INPUT, result
            one_message(result, where / "none", "No such file")
        with report.check("TESSELLA_MODEL names the directory, --model goes first"):
            result = run("model", count=False, env={"TESSELLA_MODEL": str(where / "none")})
            assert result.status == INPUT, result
            result = run("model", "--model", MODEL, count=False,
                         env={"TESSELLA_MODEL": str(where / "none")})
            assert result.status == DONE, result
    report.finish()


if __name__ == "__main__":
    main()
