#!/usr/bin/env python3
"""From a picture to a latent, and from a part of it to files, on rusticl over llvmpipe, another
OpenCL with other compilers and kernels: the same voxels as on the tests' device, and latent, splats
and mesh within rounding."""
import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from material import (MODEL, SOURCE, Report, done, folder, ply_head, read_tensors,
                      small_latent)

VENDOR = Path("/etc/OpenCL/vendors/rusticl.icd")
PICTURE = SOURCE / "demo/images/robot.png"
VOXELS = 300  # that are decoded, of some thousand: minutes on llvmpipe
OTHER = {"OCL_ICD_VENDORS": str(VENDOR), "RUSTICL_ENABLE": "llvmpipe", "TESSELLA_DEVICE": "llvmpipe"}


def floats(data):
    return struct.unpack(f"<{len(data) // 4}f", data)


def distance(got, wanted):
    """||got - wanted|| / ||wanted||"""
    assert len(got) == len(wanted), f"{len(got)} values, expected {len(wanted)}"
    return (sum((a - b) ** 2 for a, b in zip(got, wanted)) / sum(b * b for b in wanted)) ** 0.5


def generate(where, **environment):
    """The latent that a picture gives."""
    where.mkdir()
    path = where / "a.safetensors"
    done("generate", PICTURE, "--model", MODEL, "--steps", "1", "--latent-guidance", "0", "--seed",
         "1", "--memory", "32M", "-o", path, env=environment)
    return path


def decode(latent, where, **environment):
    """Its splats and what its mesh is, which is made in pieces."""
    done("decode", latent, "--model", MODEL, "--memory", "6M",
         *[part for name in ("a.ply", "a.glb") for part in ("-o", where / name)], env=environment)
    _, start = ply_head(where / "a.ply")
    mesh = json.loads(done("info", where / "a.glb", "--json", count=False).out)
    return floats((where / "a.ply").read_bytes()[start:]), mesh


def why_not():
    if not VENDOR.is_file():
        return "no rusticl (mesa-opencl-icd)"
    probe = subprocess.run([sys.argv[1], "ca64", "ka", "wa"], env={**os.environ, **OTHER},
                           capture_output=True, text=True, check=False)
    if probe.returncode or "ka 0" not in probe.stdout:
        return "its device does not work here"
    return None


def compare(report, where):
    made = generate(where / "here")
    tensors, _ = read_tensors(made)
    others, _ = read_tensors(generate(where / "there", **OTHER))
    with report.check("the same voxels"):
        assert others["coords"] == tensors["coords"]
    with report.check("the latent"):
        error = distance(floats(others["feats"][2]), floats(tensors["feats"][2]))
        assert error < 1e-4, error
    latent = small_latent(where / "part.safetensors", VOXELS, made)
    splats, mesh = decode(latent, where / "here")
    other_splats, other_mesh = decode(latent, where / "there", **OTHER)
    with report.check("the splats"):
        error = distance(other_splats, splats)
        assert error < 1e-4, error
    with report.check("the mesh"):
        for name, bound in (("vertices", 0.002), ("faces", 0.002), ("area", 1e-3)):
            assert abs(other_mesh[name] / mesh[name] - 1) < bound, (name, other_mesh, mesh)
        corners = zip(sum(other_mesh["bounds"], []), sum(mesh["bounds"], []))
        assert max(abs(a - b) for a, b in corners) < 1e-3, (other_mesh, mesh)


def main():
    report = Report()
    reason = why_not()
    if reason:
        report.skip("a whole generation on rusticl", reason)
    else:
        with folder() as where:
            compare(report, where)
    report.finish()


if __name__ == "__main__":
    main()
