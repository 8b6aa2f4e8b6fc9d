#!/usr/bin/env python3
"""From a picture and given voxels to files on rusticl over llvmpipe, another OpenCL with other
compilers and kernels: latent, splats and mesh are those of the tests' device, within rounding.
tests/slow finds the voxels there, too."""
import json
import struct
import sys
from material import MODEL, SOURCE, Report, done, folder, ply_head, read_tensors
import rusticl

PICTURE = SOURCE / "demo/images/robot.png"
# Three needles along the axes, some 90 voxels: an object takes minutes on llvmpipe.
NEEDLES = ("v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nv 0.02 0.02 0.02\n"
           "f 1 2 5\nf 1 3 5\nf 1 4 5\n")
BUDGET = "5500K"  # for which the mesh is decoded in pieces


def distance(got, wanted):
    """||got - wanted|| / ||wanted|| of fp32 values as bytes."""
    assert len(got) == len(wanted), f"{len(got)} bytes, expected {len(wanted)}"
    pairs = list(zip(*(struct.unpack(f"<{len(data) // 4}f", data) for data in (got, wanted))))
    return (sum((a - b) ** 2 for a, b in pairs) / sum(b * b for _, b in pairs)) ** 0.5


def compare_latents(report, got, wanted):
    with report.check("the same voxels"):
        assert got["coords"] == wanted["coords"]
    with report.check("their features"):
        error = distance(got["feats"][2], wanted["feats"][2])
        assert error < 1e-4, error


def make(where, structure, **environment):
    """The latent, the splats and what the mesh is."""
    where.mkdir()
    done("generate", PICTURE, "--model", MODEL, "--structure", structure, "--steps", "1", "--seed",
         "1", "--memory", BUDGET, *[part for name in ("a.safetensors", "a.ply", "a.glb")
                                    for part in ("-o", where / name)], env=environment)
    _, start = ply_head(where / "a.ply")
    mesh = json.loads(done("info", where / "a.glb", "--json", count=False).out)
    return (read_tensors(where / "a.safetensors")[0], (where / "a.ply").read_bytes()[start:], mesh)


def compare(report, where):
    structure = where / "needles.obj"
    structure.write_text(NEEDLES)
    latent, splats, mesh = make(where / "here", structure)
    others = make(where / "there", structure, **rusticl.ENVIRONMENT)
    compare_latents(report, others[0], latent)
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
    reason = rusticl.why_not(sys.argv[1])
    if reason:
        report.skip("a generation on rusticl", reason)
    else:
        with folder() as where:
            compare(report, where)
    report.finish()


if __name__ == "__main__":
    main()
