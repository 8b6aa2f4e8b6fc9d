#!/usr/bin/env python3
"""The image encoder's weights in every format and under every name that they are published with,
and in every place: the same bytes come out, the first place wins, and what is broken is named."""
import json
import os
import shutil
from pathlib import Path
from material import (GOLDEN, INPUT, Report, copy_model, done, expect_same, folder,
                      one_message, read_tensors, run, write_tensors)
from pth import write_pth

TINY = GOLDEN / "model"
PICTURE = GOLDEN.parent / "preprocess/robot.png"
OWN = TINY / "ckpts/dinov2_reg.safetensors"
HUB_FILE = "dinov2_vitl14_reg4_pretrain.pth"
HUB_NAME = "facebook/dinov2-with-registers-large"
TRELLIS = "microsoft/TRELLIS-image-large"
REVISION = "0123456789abcdef0123456789abcdef01234567"
NAMES = {"cls_token": "embeddings.cls_token", "pos_embed": "embeddings.position_embeddings",
         "register_tokens": "embeddings.register_tokens", "mask_token": "embeddings.mask_token",
         "patch_embed.proj": "embeddings.patch_embeddings.projection", "norm.": "layernorm."}
INNER = {"attn.proj": "attention.output.dense", "ls1.gamma": "layer_scale1.lambda1",
         "ls2.gamma": "layer_scale2.lambda1"}


def hugging_face(tensors):
    """The same tensors by the names of Hugging Face's transformers."""
    out = {}
    for name, (dtype, shape, data) in tensors.items():
        if not name.startswith("blocks."):
            start = next(s for s in NAMES if name.startswith(s))
            out[NAMES[start] + name[len(start):]] = (dtype, shape, data)
            continue
        _, index, rest = name.split(".", 2)
        if rest.startswith("attn.qkv."):
            third = len(data) // 3
            for i, part in enumerate(("query", "key", "value")):
                out[f"encoder.layer.{index}.attention.attention.{part}.{rest[9:]}"] = (
                    dtype, [shape[0] // 3, *shape[1:]], data[i * third:(i + 1) * third])
            continue
        for old, new in INNER.items():
            rest = rest.replace(old, new)
        out[f"encoder.layer.{index}.{rest}"] = (dtype, shape, data)
    return out


def without_encoder(path):
    model = copy_model(path, TINY)
    (model / "ckpts/dinov2_reg.safetensors").unlink()
    (model / "ckpts/dinov2_reg.json").unlink()
    return model


def put(path, source):
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, path)
    return path


def cache(hub, name, files, ref=REVISION, revisions=(REVISION,)):
    """A repository as Hugging Face caches it: links in snapshots to blobs."""
    root = hub / f"models--{name.replace('/', '--')}"
    (root / "blobs").mkdir(parents=True)
    for number, (file, source) in enumerate(files.items()):
        shutil.copyfile(source, root / f"blobs/{number:064x}")
    for revision in revisions:
        for number, file in enumerate(files):
            link = root / f"snapshots/{revision}/{file}"
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(os.path.relpath(root / f"blobs/{number:064x}", link.parent))
    if ref is not None:
        (root / "refs").mkdir()
        (root / "refs/main").write_text(ref)
    return root


class Places:
    """Empty homes and caches, so that nothing of this user's is found."""

    def __init__(self, where):
        self.home = where / "home"
        self.home.mkdir()
        self.torch = self.home / ".cache/torch/hub/checkpoints"
        self.hub = self.home / ".cache/huggingface/hub"
        # The programs' caches stay where they are: compiled kernels take long to make.
        self.programs = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")

    def environment(self, **more):
        return {"HOME": str(self.home), "XDG_CACHE_HOME": "", "TORCH_HOME": "", "HF_HOME": "",
                "HF_HUB_CACHE": "", "POCL_CACHE_DIR": str(self.programs / "pocl/kcache"), **more}


def told(model, places, *options, **more):
    """What `model --json` says of the image encoder, and the exit status."""
    result = run("model", model, "--json", *options, count=False,
                 env=places.environment(**more))
    assert result.out, result
    return json.loads(result.out)["parts"][-1], result.status


def expect_place(model, places, path, place, *options, **more):
    part, status = told(model, places, *options, **more)
    assert status == 0 and part["state"] == "ready", part
    assert Path(part["path"]).samefile(path) and part["place"] == place, part


def contents(kept):
    """The tensors of kept results; what made them, the file of weights included, stands beside."""
    return {path.name: read_tensors(path)[0] for path in kept.iterdir()}


def conditions(where, places, name, *options, model=TINY, **more):
    """The contents of what the encoder makes of a picture, from a run that goes no further than it
    has to: 8 voxels, one step."""
    into = where / name
    into.mkdir()
    done("generate", PICTURE, "-o", where / "a.safetensors", "--structure", where / "cube.obj",
         "--steps", "1", "--keep", into, "--model", model, "--cache-dir",
         places.programs / "tessella", *options, count=False, env=places.environment(**more))
    return contents(into)


def write_cube(path):
    corners = [(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)]
    path.write_text("".join(f"v {x} {y} {z}\n" for x, y, z in corners)
                    + "f 1 2 4 3\nf 5 6 8 7\nf 1 2 6 5\nf 3 4 8 7\nf 1 3 7 5\nf 2 4 8 6\n")


def check_formats(report, where, places):
    tensors, _ = read_tensors(OWN)
    foreign = hugging_face(tensors)
    wanted = conditions(where, places, "own names")
    files = {
        "torch-hub names, .pth": write_pth(where / "a.pth", tensors),
        "a .pth of protocol 4": write_pth(where / "b.pth", tensors, protocol=4),
        "a .pth with one storage": write_pth(where / "c.pth", tensors, shared=True),
        "a .pth of a training state": write_pth(where / "d.pth", tensors, wrapper="model"),
        "a .pth that is not called so": write_pth(where / "e.bin", tensors),
        "torch-hub names, safetensors": write_tensors(where / "a.safetensors.0", tensors),
        "Hugging Face's names": write_tensors(where / "model.safetensors", foreign,
                                              {"format": "pt"}),
        "Hugging Face's names, .pth": write_pth(where / "f.pth", foreign),
        "without what is not used": write_tensors(where / "g.safetensors", {
            n: t for n, t in tensors.items() if n != "mask_token" and not n.startswith("norm.")}),
    }
    for name, path in files.items():
        with report.check(f"{name}: the same bytes"):
            got = conditions(where, places, name, "--encoder", path)
            expect_same(name, got, wanted)
            expect_place(TINY, places, path, "given", "--encoder", path)
    return files


def check_places(report, where, places, files):
    """One place after another is filled, the last one first: each goes before those after it."""
    model = without_encoder(where / "model")
    hf, pth = files["Hugging Face's names"], files["torch-hub names, .pth"]
    with report.check("none: which file to put where, and where from"):
        part, status = told(model, places)
        assert status == INPUT and part["state"] == "missing" and "path" not in part, part
        for text in (HUB_FILE, f"{model}/ckpts", str(places.torch), str(places.hub), HUB_NAME,
                     "--encoder"):
            assert text in part["problem"], f"no {text} in {part}"
        sources = part["published"]
        assert [s["file"] for s in sources] == [HUB_FILE, "model.safetensors"], sources
        assert all(s["licence"] == "Apache-2.0" and s["bytes"] > 1.2e9 and s["put"]
                   and s["url"].startswith("https://") for s in sources), sources
        result = run("model", model, count=False, env=places.environment())
        for text in (HUB_FILE, "https://", "Apache-2.0", "1.1 GiB", "image_cond_model: missing",
                     f"as {model}/ckpts/{HUB_FILE}"):
            assert text in result.out, f"no {text} in {result}"
        result = run("generate", PICTURE, "-o", where / "no.glb", "--model", model,
                     env=places.environment())
        assert result.status == INPUT, result
        one_message(result, "no image encoder", HUB_FILE, model, "--encoder")
        assert not (where / "no.glb").exists()
    found = [("Hugging Face cache", cache(places.hub, HUB_NAME, {"model.safetensors": hf})
              / f"snapshots/{REVISION}/model.safetensors"),
             ("torch-hub cache", put(places.torch / HUB_FILE, pth))]
    own = {"model.safetensors": hf, "dinov2-with-registers-large/model.safetensors": hf,
           "dinov2_vitl14_reg4_pretrain.safetensors": OWN, HUB_FILE: pth,
           "ckpts/dinov2_vitl14_reg4_pretrain.safetensors": OWN, f"ckpts/{HUB_FILE}": pth,
           "ckpts/dinov2_reg.safetensors": OWN}
    shutil.move(places.torch / HUB_FILE, where / HUB_FILE)
    wanted = contents(where / "own names")
    with report.check("the cache of Hugging Face"):
        expect_place(model, places, found[0][1], found[0][0])
        expect_same("condition", conditions(where, places, "cached", model=model), wanted)
    with report.check("the cache of torch-hub goes first"):
        shutil.move(where / HUB_FILE, places.torch / HUB_FILE)
        expect_place(model, places, found[1][1], found[1][0])
        expect_same("condition", conditions(where, places, "hub", model=model), wanted)
    for name, source in own.items():
        with report.check(f"{name} in the model directory goes before what was tried so far"):
            expect_place(model, places, put(model / name, source), "model directory")
    with report.check("--encoder goes first of all"):
        expect_place(model, places, hf, "given", "--encoder", hf)


def check_variables(report, where, places, files):
    """Other caches by the variables that the projects have for them."""
    model = without_encoder(where / "bare")
    hf, pth = files["Hugging Face's names"], files["torch-hub names, .pth"]
    elsewhere = where / "elsewhere"
    shutil.rmtree(places.home / ".cache")
    one = cache(elsewhere / "hf/hub", HUB_NAME, {"model.safetensors": hf}) / "snapshots"
    two = cache(elsewhere / "only", HUB_NAME, {"model.safetensors": hf}) / "snapshots"
    three = cache(elsewhere / "xdg/huggingface/hub", HUB_NAME,
                  {"model.safetensors": hf}) / "snapshots"
    four = put(elsewhere / "xdg/torch/hub/checkpoints" / HUB_FILE, pth)
    five = put(elsewhere / "torch/hub/checkpoints" / HUB_FILE, pth)
    inside = f"{REVISION}/model.safetensors"
    home, only = {"HF_HOME": str(elsewhere / "hf")}, {"HF_HUB_CACHE": str(elsewhere / "only")}
    xdg = {"XDG_CACHE_HOME": str(elsewhere / "xdg")}
    with report.check("HF_HOME"):
        expect_place(model, places, one / inside, "Hugging Face cache", **home)
    with report.check("HF_HUB_CACHE goes before HF_HOME"):
        expect_place(model, places, two / inside, "Hugging Face cache", **home, **only)
    with report.check("XDG_CACHE_HOME"):
        expect_place(model, places, four, "torch-hub cache", **xdg)
        four.unlink()
        expect_place(model, places, three / inside, "Hugging Face cache", **xdg)
    with report.check("TORCH_HOME"):
        expect_place(model, places, five, "torch-hub cache",
                     TORCH_HOME=str(elsewhere / "torch"), **only)


def check_snapshots(report, where, places, files):
    """Caches that are whole in other ways, and broken ones."""
    model = without_encoder(where / "snapshots of")
    content = {"model.safetensors": files["Hugging Face's names"]}

    def hub(name, **options):
        return cache(where / "hubs" / name, HUB_NAME, content, **options)

    def use(root):
        return {"HF_HUB_CACHE": str(root.parent)}

    two = ("a" * 40, "b" * 40)
    with report.check("refs/main says which of two snapshots"):
        root = hub("two", ref="b" * 40 + "\n", revisions=two)
        expect_place(model, places, root / f"snapshots/{two[1]}/model.safetensors",
                     "Hugging Face cache", **use(root))
    with report.check("one snapshot needs no refs/main"):
        root = hub("one", ref=None)
        expect_place(model, places, root / f"snapshots/{REVISION}/model.safetensors",
                     "Hugging Face cache", **use(root))
    broken = {
        "two snapshots and no refs/main": (hub("which", ref=None, revisions=two),
                                           ["2 folders in snapshots", "refs/main"]),
        "refs/main is empty": (hub("empty ref", ref=""), ["refs/main", "name of a revision"]),
        "refs/main leads out of the cache": (hub("out", ref="../../../etc"),
                                             ["refs/main", "name of a revision"]),
        "refs/main of a kilobyte": (hub("long", ref="a" * 1024), ["refs/main", "larger than"]),
        "a revision without its snapshot": (hub("gone", ref="c" * 40),
                                            ["c" * 40, "is not there", "download"]),
    }
    root = hub("no snapshot")
    shutil.rmtree(root / "snapshots")
    shutil.rmtree(root / "refs")
    broken["no snapshot"] = (root, ["no folder in snapshots"])
    root = hub("directory as ref", ref=None)
    (root / "refs/main").mkdir(parents=True)
    broken["refs/main is a directory"] = (root, ["refs/main", "directory"])
    root = hub("no blob")
    shutil.rmtree(root / "blobs")
    broken["a link to a blob that is not there"] = (root, ["model.safetensors", "blobs/",
                                                          "link leads"])
    root = hub("no file")
    (root / f"snapshots/{REVISION}/model.safetensors").unlink()
    broken["a snapshot without the file"] = (root, [REVISION, "no model.safetensors"])
    root = hub("cut")
    blob = next((root / "blobs").iterdir())
    blob.write_bytes(blob.read_bytes()[:100000])
    broken["a blob cut short"] = (root, ["model.safetensors"])
    for name, (root, parts) in broken.items():
        with report.check(f"broken cache: {name}"):
            part, status = told(model, places, **use(root))
            assert status == INPUT and part["state"] in ("missing", "bad"), part
            result = run("generate", PICTURE, "-o", where / "no.glb", "--model", model,
                         count=False, env=places.environment(**use(root)))
            assert result.status == INPUT, result
            for text in (root, *parts):
                assert str(text) in part["problem"], f"no {text} in {part}"
                one_message(result, text)
    with report.check("what is found and bad is no reason to look further"):
        place = {"TORCH_HOME": str(where / "bad torch"), **use(hub("good"))}
        path = put(where / "bad torch/hub/checkpoints" / HUB_FILE, PICTURE)
        part, status = told(model, places, **place)
        assert status == INPUT and part["state"] == "bad" and part["path"] == str(path), part
    with report.check("a link in the torch-hub cache that leads nowhere"):
        path.unlink()
        path.symlink_to("absent.pth")
        part, status = told(model, places, **place)
        assert status == INPUT and part["state"] == "missing", part
        assert "absent.pth, where this link leads" in part["problem"], part


def check_model_cache(report, where, places):
    """All of a model by its name."""
    content = {str(p.relative_to(TINY)): p for p in sorted(TINY.rglob("*")) if p.is_file()}
    hub = where / "models"
    place = {"HF_HUB_CACHE": str(hub)}
    with report.check("a model that is not in the cache"):
        result = run("model", TRELLIS, count=False, env=places.environment(**place))
        assert result.status == INPUT, result
        one_message(result, TRELLIS, hub, f"https://huggingface.co/{TRELLIS}")
    root = cache(hub, TRELLIS, content)
    with report.check("a model by its name"):
        result = run("model", TRELLIS, "--json", count=False, env=places.environment(**place))
        tree = json.loads(result.out)
        assert result.status == 0, result
        assert tree["directory"] == str(root / f"snapshots/{REVISION}"), tree
        assert {p["place"] for p in tree["parts"][:-1]} == {"Hugging Face cache"}, tree
        expect_same("condition", conditions(where, places, "by name", model=TRELLIS, **place),
                    contents(where / "own names"))
    with report.check("TESSELLA_MODEL takes a name too"):
        result = done("model", count=False,
                      env=places.environment(TESSELLA_MODEL=TRELLIS, **place))
        assert str(root) in result.out, result
    with report.check("a directory of that name goes first"):
        shutil.copytree(TINY, where / "here" / TRELLIS)
        result = done("model", TRELLIS, "--json", count=False, cwd=where / "here",
                      env=places.environment(**place))
        assert json.loads(result.out)["directory"] == TRELLIS, result
    with report.check("a model with a link that leads nowhere"):
        link = root / f"snapshots/{REVISION}/ckpts/ss_dec.safetensors"
        link.resolve().unlink()
        result = run("model", TRELLIS, "--json", count=False, env=places.environment(**place))
        part = next(p for p in json.loads(result.out)["parts"]
                    if p["role"] == "sparse_structure_decoder")
        assert result.status == INPUT and part["state"] == "missing", part
        assert "where this link leads" in part["problem"], part
        assert part["published"][0]["bytes"] == 147591972, part
    with report.check("a cached model whose revision is gone"):
        shutil.rmtree(root / "snapshots")
        result = run("model", TRELLIS, count=False, env=places.environment(**place))
        assert result.status == INPUT, result
        one_message(result, root, REVISION, "download it again")


def main():
    report = Report()
    with folder() as where:
        places = Places(where)
        write_cube(where / "cube.obj")
        files = check_formats(report, where, places)
        check_places(report, where, places, files)
        check_variables(report, where, places, files)
        check_snapshots(report, where, places, files)
        check_model_cache(report, where, places)
    report.finish()


if __name__ == "__main__":
    main()
