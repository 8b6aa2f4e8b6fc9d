#!/usr/bin/env python3
"""`bench quality`: its measures by hand where the answer is known, and its quick form on one object."""
import json
import os
import subprocess
import sys
from material import Report, SOURCE, folder

SCRIPT = SOURCE / "bench/quality.py"
PYTHONS = (sys.executable, "/usr/bin/python3")
MODULES = "import numpy, scipy, matplotlib"
# A unit square in two triangles, over it a texture that it fills by half: no stretch, distances and
# colours of which all are known.
BY_HAND = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy, quality, surfaces
corners = numpy.array([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)], float)
faces = numpy.array([(0, 1, 2), (0, 2, 3)])
square = surfaces.Triangles(corners, faces, 1000)
far, normals = square.nearest(numpy.array([(.3, .6, .25), (1.3, .5, 0), (-3, -4, 0)]))
assert numpy.allclose(far, (.25, .3, 5)) and numpy.allclose(normals, (0, 0, 1)), (far, normals)
half = (corners[:, :2] * (1, .5))[faces]
stretch, flat = quality.stretch(corners[faces], half)
assert abs(stretch - ((1 + 4) / 2 / 2) ** .5) < 1e-9 and flat == 0, (stretch, flat)
covered, twice = quality.coverage(half, 63)
assert abs(covered - .5) < .03 and twice == 0, (covered, twice)
covered, twice = quality.coverage(numpy.concatenate([half, half]), 63)
assert abs(twice - .5) < .03, twice
ramp = numpy.zeros((4, 4, 3)) + numpy.arange(4)[None, :, None]
seen = quality.bilinear(ramp, numpy.array([(.5, .5), (.125, .9), (1, 0)]))
assert numpy.allclose(seen[:, 0], (1.5, 0, 3)), seen
chair = surfaces.Chair()
points, normals = chair.sample(2000, numpy.random.default_rng(1))
far, others = chair.nearest(points + normals / 1280)
assert abs(numpy.median(far) * 1280 - 1) < .01, numpy.median(far)
told = quality.compare(chair, chair, 2000)
assert told["chamfer"] < 1e-3 and told["degrees"] < .1, told
"""


def find_python():
    for python in PYTHONS:
        if os.path.exists(python) and not subprocess.run([python, "-c", MODULES], check=False,
                                                         capture_output=True).returncode:
            return python
    return None


def call(python, *words):
    return subprocess.run([python, *map(str, words)], capture_output=True, text=True, check=False)


def main():
    report = Report()
    python = find_python()
    if not python:
        report.skip("bench/quality.py", "no Python with numpy, scipy and matplotlib")
        report.finish()
    with report.check("distances, stretch, packing, colours and the chair by hand"):
        told = call(python, "-c", BY_HAND, SCRIPT.parent)
        assert told.returncode == 0, told.stderr
    with folder() as where, report.check("--quick: one object, finite and plausible figures"):
        files = {f"--{name}": where / name for name in ("json", "table", "picture")}
        told = call(python, SCRIPT, "--quick", "--program", os.environ["TESS_PROGRAM"],
                    "--device", os.environ["TESSELLA_DEVICE"],
                    *(word for pair in files.items() for word in pair))
        assert told.returncode == 0, told.stderr
        kinds = json.loads(files["--json"].read_text())["objects"]["wuson"]
        assert list(kinds) == ["decoded", "cleaned", "5 %", "textured", "fitted"], kinds
        assert kinds["5 %"]["faces"] * 5 < kinds["decoded"]["faces"], kinds
        for kind, one in kinds.items():
            # The truth lies by the mesh; wrong axes or a wrong scale are many cells away.
            assert 0 < one["from_truth"] < 0.5 and one["degrees"] < 60, (kind, one)
        assert 0.9 < kinds["textured"]["stretch"] < 4, kinds["textured"]
        assert 0.1 < kinds["textured"]["packing"] < 1, kinds["textured"]
        assert 0 < kinds["fitted"]["views"] < 0.95 * kinds["textured"]["views"] < 10, kinds
        assert "| wuson | textured |" in files["--table"].read_text(), told.stdout
        assert files["--picture"].read_bytes().startswith(b"\x89PNG"), "no picture"
    with report.check("an unknown object is a message"):
        told = call(python, SCRIPT, "--objects", "teapot", "--program", "/nonexistent")
        assert told.returncode == 2 and "expected some of wuson, chair" in told.stderr, told
    report.finish()


if __name__ == "__main__":
    main()
