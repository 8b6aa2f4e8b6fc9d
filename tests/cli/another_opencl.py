#!/usr/bin/env python3
"""A whole generation on rusticl over llvmpipe, another OpenCL with other compilers and kernels: the
same voxels as on the tests' device, and latent, splats and mesh within rounding."""
import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from material import MODEL, SOURCE, Report, done, folder, ply_head, read_tensors

VENDOR = Path("/etc/OpenCL/vendors/rusticl.icd")
PICTURE = SOURCE / "demo/images/robot.png"
OTHER = {"OCL_ICD_VENDORS": str(VENDOR), "RUSTICL_ENABLE": "llvmpipe", "TESSELLA_DEVICE": "llvmpipe"}


def floats(data):
    return struct.unpack(f"<{len(data) // 4}f", data)


def distance(got, wanted):
    """||got - wanted|| / ||wanted||"""
    assert len(got) == len(wanted), f"{len(got)} values, expected {len(wanted)}"
    return (sum((a - b) ** 2 for a, b in zip(got, wanted)) / sum(b * b for b in wanted)) ** 0.5


def generate(where, **environment):
    where.mkdir()
    done("generate", PICTURE, "--model", MODEL, "--steps", "1", "--seed", "1", "--memory", "32M",
         *[part for name in ("a.safetensors", "a.ply", "a.glb") for part in ("-o", where / name)],
         env=environment)
    tensors, _ = read_tensors(where / "a.safetensors")
    _, start = ply_head(where / "a.ply")
    mesh = json.loads(done("info", where / "a.glb", "--json", count=False).out)
    return tensors, floats((where / "a.ply").read_bytes()[start:]), mesh


def why_not():
    if not VENDOR.is_file():
        return "no rusticl (mesa-opencl-icd)"
    probe = subprocess.run([sys.argv[1], "ca64", "ka", "wa"], env={**os.environ, **OTHER},
                           capture_output=True, text=True, check=False)
    if probe.returncode or "ka 0" not in probe.stdout:
        return "its device does not work here"
    return None


def compare(report, where):
    tensors, splats, mesh = generate(where / "here")
    others = generate(where / "there", **OTHER)
    with report.check("the same voxels"):
        assert others[0]["coords"] == tensors["coords"]
    with report.check("the latent"):
        error = distance(floats(others[0]["feats"][2]), floats(tensors["feats"][2]))
        assert error < 1e-4, error
    with report.check("the splats"):
        error = distance(others[1], splats)
        assert error < 1e-4, error
    with report.check("the mesh"):
        for name, bound in (("vertices", 0.002), ("faces", 0.002), ("area", 1e-3)):
            assert abs(others[2][name] / mesh[name] - 1) < bound, (name, others[2], mesh)
        corners = zip(sum(others[2]["bounds"], []), sum(mesh["bounds"], []))
        assert max(abs(a - b) for a, b in corners) < 1e-3, (others[2], mesh)


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
