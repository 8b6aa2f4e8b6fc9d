#!/usr/bin/env python3
"""`model`: what a directory holds, part by part: found where, or what is wrong, and which file to
put where. As text and as JSON, which say the same."""
import json
import shutil
from material import (GOLDEN, INPUT, MODEL, SOURCE, USAGE, Report, copy_model, done, edit_json,
                      folder, one_message, read_tensors, run, write_tensors)

ROLES = ["sparse_structure_flow_model", "sparse_structure_decoder", "slat_flow_model",
         "slat_decoder_gs", "slat_decoder_rf", "slat_decoder_mesh", "image_cond_model"]
FILES = {"sparse_structure_flow_model": "ss_flow", "sparse_structure_decoder": "ss_dec",
         "slat_flow_model": "slat_flow", "slat_decoder_gs": "slat_dec_gs",
         "slat_decoder_mesh": "slat_dec_mesh"}
# Bytes of the published weights.
PUBLISHED = {"sparse_structure_flow_model": 1130770840, "sparse_structure_decoder": 147591972,
             "slat_flow_model": 1203755136, "slat_decoder_gs": 171450952,
             "slat_decoder_rf": 171450488, "slat_decoder_mesh": 181903412}
NOWHERE = {"HOME": "/nowhere", "XDG_CACHE_HOME": "", "TORCH_HOME": "", "HF_HOME": "",
           "HF_HUB_CACHE": ""}


def told(model, *options, **more):
    """(exit status, {role: part}, text) of a model, after a look at what always holds."""
    text = run("model", model, *options, count=False, env=NOWHERE, **more)
    result = run("model", model, "--json", *options, count=False, env=NOWHERE, **more)
    assert result.status == text.status and not result.err and not text.err, f"{text} {result}"
    tree = json.loads(result.out)
    parts = {part["role"]: part for part in tree["parts"]}
    assert list(parts) == ROLES, list(parts)
    assert tree["directory"] == str(model) and tree["place"] == "model directory", tree
    words = {"unused": "not used by this version"}
    for role, part in parts.items():
        state = part["state"]
        assert f"{role}: {words.get(state, state)}\n" in text.out, f"{role} {state}: {text}"
        for key in ("path", "problem", "summary"):
            assert part.get(key, "") in text.out, f"no {part[key]!r} in {text}"
        assert (state in ("missing", "bad")) == bool(part.get("problem")), part
        for source in part["published"]:
            shown = f"put {source['file']} (" in text.out and f"from {source['url']}\n" in text.out
            assert shown or state in ("ready", "unused"), f"no {source} in {text}"
    wrong = any(part["state"] in ("missing", "bad") for part in parts.values())
    assert text.status == (INPUT if wrong else 0), text
    return parts, text.out


def states(parts):
    return {role: part["state"] for role, part in parts.items() if part["state"] != "ready"}


def check_complete(report):
    for model in (MODEL, GOLDEN / "model"):
        with report.check(f"complete: {model.relative_to(SOURCE)}"):
            parts, text = told(model)
            assert states(parts) == {"slat_decoder_rf": "unused"}, states(parts)
            for role, name in FILES.items():
                part = parts[role]
                assert part["path"] == str(model / "ckpts" / name), part
                assert part["place"] == "model directory", part
                tensors, _ = read_tensors(model / f"ckpts/{name}.safetensors")
                assert part["bytes"] == sum(len(t[2]) for t in tensors.values()), part
                assert part["parameters"] > 4e5 and part["network"] in text, part
            encoder = parts["image_cond_model"]
            assert encoder["path"] == str(model / "ckpts/dinov2_reg.safetensors"), encoder
            assert "put " not in text, text
    with report.check("what the parts are"):
        _, text = told(MODEL)
        for part in ("SLatGaussianDecoder", "SLatMeshDecoder, 5.8 MiB, 3027301 parameters",
                     "3 blocks, 128 channels, 2 heads, window 8, resolution 32",
                     "3 levels, 64 to 16 channels", "4 registers, pictures of 112 x 112"):
            assert part in text, f"no {part!r} in {text}"
    with report.check("the directory by --model, TESSELLA_MODEL and as an argument"):
        wanted = done("model", MODEL, count=False).out
        assert done("model", "--model", MODEL, count=False).out == wanted
        assert done("model", count=False).out == wanted


def check_published(report):
    with report.check("what is published, how large, and under which licence"):
        parts, _ = told(MODEL)
        for role, size in PUBLISHED.items():
            source, = parts[role]["published"]
            assert source["bytes"] == size and source["licence"] == "MIT", source
            assert source["url"] == "https://huggingface.co/microsoft/TRELLIS-image-large", source
        assert [s["licence"] for s in parts["image_cond_model"]["published"]] == 2 * ["Apache-2.0"]
    with report.check("the README has the same table"):
        readme = (SOURCE / "README.md").read_text()
        for role, size in PUBLISHED.items():
            file = parts[role]["published"][0]["file"].split("/")[1].split(".")[0]
            assert role == "slat_decoder_rf" or f"| `{file}` | {size:,} |" in readme, file


def check_partial(report, where):
    for role, name in FILES.items():
        for suffix in ("json", "safetensors"):
            with report.check(f"without {name}.{suffix}"):
                model = copy_model(where / "partial")
                (model / f"ckpts/{name}.{suffix}").unlink()
                parts, text = told(model)
                assert states(parts) == {"slat_decoder_rf": "unused", role: "missing"}, \
                    states(parts)
                assert f"{name}.{suffix}" in parts[role]["problem"], parts[role]
                assert f"as {model}/ckpts/{name}.{{json,safetensors}}" in text, text
                shutil.rmtree(model)
    with report.check("pipeline.json alone"):
        model = where / "alone"
        model.mkdir()
        shutil.copy(MODEL / "pipeline.json", model)
        parts, text = told(model)
        assert states(parts) == {r: "unused" if r == "slat_decoder_rf" else "missing"
                                 for r in ROLES}, states(parts)
        assert text.count("https://huggingface.co/microsoft/TRELLIS-image-large") == 5, text


def check_broken(report, where):
    def cut(path):
        path.write_bytes(path.read_bytes()[:5000])

    def rename(path):
        tensors, metadata = read_tensors(path)
        tensors["mask_tokens"] = tensors.pop("mask_token")
        write_tensors(path, tensors, metadata)

    broken = {
        "fewer blocks than the configuration has": (
            "slat_decoder_gs", "slat_dec_gs.json",
            lambda p: edit_json(p, lambda t: t["args"].update(num_blocks=4)), "blocks.3."),
        "weights cut short": ("sparse_structure_flow_model", "ss_flow.safetensors", cut,
                              "ss_flow.safetensors"),
        "weights of another part": ("slat_flow_model", "slat_flow.safetensors",
                                    lambda p: shutil.copy(p.with_name("ss_flow.safetensors"), p),
                                    "slat_flow.safetensors"),
        "an empty configuration": ("sparse_structure_decoder", "ss_dec.json",
                                   lambda p: p.write_text("{}"), "ss_dec.json"),
        "an image encoder cut short": ("image_cond_model", "dinov2_reg.safetensors", cut,
                                       "dinov2_reg.safetensors"),
        "an image encoder with a tensor of another name": (
            "image_cond_model", "dinov2_reg.safetensors", rename, "mask_tokens"),
    }
    for name, (role, file, change, problem) in broken.items():
        with report.check(f"broken: {name}"):
            model = copy_model(where / "broken")
            change(model / "ckpts" / file)
            parts, _ = told(model)
            assert states(parts) == {"slat_decoder_rf": "unused", role: "bad"}, states(parts)
            assert problem in parts[role]["problem"], parts[role]
            assert str(model / "ckpts" / file.split(".")[0]) in parts[role]["problem"], parts[role]
            shutil.rmtree(model)
    with report.check("an encoder that is given and not there"):
        parts, _ = told(MODEL, "--encoder", where / "none.pth")
        part = parts["image_cond_model"]
        assert part["state"] == "missing" and part["place"] == "given", part
        assert "none.pth: No such file" in part["problem"], part
    with report.check("an encoder that is given and is something else"):
        parts, _ = told(MODEL, "--encoder", MODEL / "ckpts/ss_dec.safetensors")
        part = parts["image_cond_model"]
        assert part["state"] == "bad" and "pos_embed" in part["problem"], part
    with report.check("no model at all"):
        for options in ([], ["--json"]):
            result = run("model", where / "none", *options, count=False)
            assert result.status == INPUT and not result.out, result
            one_message(result, where / "none/pipeline.json", "No such file")
        assert run("model", MODEL, MODEL, count=False).status == USAGE


def main():
    report = Report()
    with folder() as where:
        check_complete(report)
        check_published(report)
        check_partial(report, where)
        check_broken(report, where)
    report.finish()


if __name__ == "__main__":
    main()
