#!/usr/bin/env python3
"""Programs of others read what we write: every kind of GLB passes the Khronos validator without
error or warning, and splat-transform reads every file of splats with the right counts, places,
colours and shapes. `./bootstrap validators` installs both; without them this is skipped."""
import json
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[0] / "cli"))
from material import (BUILD, DONE, Report, Skip, done, folder, read_glb, run,  # noqa: E402
                      small_latent, write_glb)
import splat_files  # noqa: E402

MODULES = Path(BUILD) / "validators/node_modules"
NO_DEVICE = {"OCL_ICD_VENDORS": "/nonexistent", "OCL_ICD_FILENAMES": ""}
HINT = "run ./bootstrap validators to install it"

# The validator does not know attributes that extensions name, nor this extension, see
# https://github.com/KhronosGroup/glTF-Validator/issues/252
UNKNOWN_ATTRIBUTES = {
    f"/meshes/0/primitives/0/attributes/KHR_gaussian_splatting:{name}"
    for name in ("ROTATION", "SCALE", "OPACITY", "SH_DEGREE_0_COEF_0")}

# How well a format keeps positions, colours, opacities and shapes: half a step of its numbers.
BOUNDS = {"ply": (1e-6, 1e-6, 1e-5, 1e-5), "splat": (1e-6, 0.0021, 0.0021, 0.05),
          "spz": (4e-5, 0.004, 0.0021, 0.1)}


def need(package):
    if not shutil.which("node"):
        raise Skip(f"no node; {HINT}")
    if not (MODULES / package).is_dir():
        raise Skip(f"no {package}; {HINT}")


def validate(*paths):
    """What the validator says, by path."""
    command = ["node", str(HERE / "validate.mjs"), str(MODULES.parent), *map(str, paths)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def transform(source, target, *options):
    command = ["node", str(MODULES / "@playcanvas/splat-transform/bin/cli.mjs"), "-w", "-q",
               *options, str(source), str(target)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert result.returncode == 0 and Path(target).is_file(), (command, result)


def convert(source, target, *options):
    result = run("convert", source, "-o", target, *options, env=NO_DEVICE, count=False)
    assert result.status == DONE, result
    return target


def check_meshes(report, where, latent):
    """GLB files of every kind that the program writes."""
    kinds = {
        "vertex colours": [],
        "cleaned": ["--clean", "--views", "20", "--view-size", "128"],
        "unlit": ["--unlit"],
        "turned and scaled": ["--up", "z", "--scale", "100"],
        "texture, PNG": ["--texture=64", "--texture-views", "8", "--texture-view-size", "128"],
        "texture, JPEG, unlit": ["--texture=64", "--texture-views", "8", "--texture-view-size",
                                 "128", "--texture-format", "jpeg", "--unlit"],
    }
    files = {}
    for i, (kind, options) in enumerate(kinds.items()):
        files[kind] = where / f"mesh-{i}.glb"
        done("decode", latent, "-o", files[kind], "--seed", "7", *options)
    obj = where / "plain.obj"
    obj.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    files["without colours"] = convert(obj, where / "plain.glb")
    need("gltf-validator")
    issues = validate(*files.values())
    for kind, path in files.items():
        with report.check(f"GLB, {kind}: nothing that the validator minds"):
            assert issues[str(path)] == [], issues[str(path)]


def check_splats_glb(report, where, ply):
    path, plain = convert(ply, where / "a.splats.glb"), where / "plain.splats.glb"
    tree, body = read_glb(path)
    attributes = tree["meshes"][0]["primitives"][0]["attributes"]
    for name in list(attributes):
        if ":" in name:
            attributes["_" + name.replace(":", "_").upper()] = attributes.pop(name)
    del tree["extensionsUsed"], tree["meshes"][0]["primitives"][0]["extensions"]
    write_glb(plain, tree, body)
    need("gltf-validator")
    issues = validate(path, plain)
    with report.check("GLB, splats: only what the validator does not know yet"):
        messages = issues[str(path)]
        errors = {m["pointer"] for m in messages if m["severity"] < 2}
        assert errors == UNKNOWN_ATTRIBUTES, messages
        assert {m["code"] for m in messages} == {"MESH_PRIMITIVE_INVALID_ATTRIBUTE",
                                                 "UNSUPPORTED_EXTENSION"}, messages
    with report.check("GLB, splats: nothing with other names for the attributes"):
        assert not [m for m in issues[str(plain)] if m["severity"] < 2], issues[str(plain)]


def check_splats(report, where, ply):
    need("@playcanvas/splat-transform")
    wanted = splat_files.read_ply(ply)
    for suffix, bounds in BOUNDS.items():
        with report.check(f".{suffix}: splat-transform reads the same splats"):
            path, table = where / f"a.{suffix}", where / f"a.{suffix}.csv"
            if suffix != "ply":
                convert(ply, path)
            transform(path, table)
            splat_files.expect_close(splat_files.read_csv(table), wanted, *bounds)
    with report.check(".splats.glb: the numbers of splat-transform's, but for half a turn"):
        # It takes y up from y down by a turn around z, TRELLIS by one around x.
        theirs = where / "theirs.glb"
        transform(ply, theirs)
        ours = splat_files.read_glb(*read_glb(convert(ply, where / "ours.splats.glb")))
        turned = [s.turned((-1, 1, -1)) for s in splat_files.read_glb(*read_glb(theirs))]
        splat_files.expect_close(ours, turned, *BOUNDS["ply"])
    with report.check("what splat-transform writes is read: .ply, .spz of version 3"):
        for suffix, options in (("ply", []), ("spz", ["--spz-version", "3"])):
            theirs = where / f"theirs.{suffix}"
            transform(ply, theirs, *options)
            back = splat_files.read_ply(convert(theirs, where / "back.ply"))
            # Its positions in .spz have 12 fractional bits.
            bounds = (max(BOUNDS[suffix][0], 1.3e-4), *BOUNDS[suffix][1:])
            splat_files.expect_close(back, wanted, *bounds)


def check_versions(report):
    with report.check("package-lock.json pins what package.json names"):
        names = json.loads((HERE / "package.json").read_text())["dependencies"]
        locked = json.loads((HERE / "package-lock.json").read_text())["packages"]
        for name, version in names.items():
            entry = locked[f"node_modules/{name}"]
            assert entry["version"] == version and entry["integrity"], (name, entry)


def main():
    report = Report()
    check_versions(report)
    with folder() as where:
        latent, ply = small_latent(where / "latent.safetensors", 40), where / "a.ply"
        done("decode", latent, "-o", ply)
        for name, check, argument in (("GLB of meshes", check_meshes, latent),
                                      ("GLB of splats", check_splats_glb, ply),
                                      ("files of splats", check_splats, ply)):
            try:
                check(report, where, argument)
            except Skip as why:
                report.skip(name, why)
    report.finish()


if __name__ == "__main__":
    main()
