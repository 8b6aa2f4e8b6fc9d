"""Gaussian splats from files, as rows of numbers, and how far two sets of them are apart."""
import csv
import math
import struct
from pathlib import Path

SH_DC = 0.28209479177387814  # degree 0 of the spherical harmonics
NAMES = ("x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", "opacity", "scale_0", "scale_1", "scale_2",
         "rot_0", "rot_1", "rot_2", "rot_3")


class Splat:
    """Position, displayed colour, opacity in 0..1, and the covariance, which is the same for every
    way to write the axes of an ellipsoid."""

    def __init__(self, position, coefficients, opacity, scales, rotation):
        self.position = position
        self.colour = [min(max(0.5 + SH_DC * c, 0), 1) for c in coefficients]
        self.opacity = opacity
        self.scales = scales
        m = matrix(rotation)
        self.covariance = [sum(m[i][k] * m[j][k] * scales[k] ** 2 for k in range(3))
                           for i in range(3) for j in range(3)]

    def turned(self, axes):
        """In other axes: `axes` has the sign of each."""
        other = Splat.__new__(Splat)
        other.__dict__ = dict(self.__dict__)
        other.position = [a * p for a, p in zip(axes, self.position)]
        other.covariance = [axes[i] * axes[j] * self.covariance[3 * i + j]
                            for i in range(3) for j in range(3)]
        return other


def matrix(q):
    length = math.sqrt(sum(v * v for v in q))
    w, x, y, z = (v / length for v in q)
    return [[1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)]]


def of_row(row):
    """From the numbers of the 3DGS convention: logit, logarithms."""
    return Splat(row[0:3], row[3:6], 1 / (1 + math.exp(-row[6])), [math.exp(s) for s in row[7:10]],
                 row[10:14])


def read_csv(path):
    with open(path, newline="", encoding="utf-8") as file:
        return [of_row([float(row[name]) for name in NAMES]) for row in csv.DictReader(file)]


def read_ply(path):
    head, _, body = Path(path).read_bytes().partition(b"end_header\n")
    lines = [line.split() for line in head.decode().splitlines()]
    names = [line[2] for line in lines if line[0] == "property"]
    count = next(int(line[2]) for line in lines if line[0] == "element")
    width = len(names)
    values = struct.unpack(f"<{count * width}f", body)
    rows = [values[i * width:(i + 1) * width] for i in range(count)]
    return [of_row([row[names.index(name)] for name in NAMES]) for row in rows]


def read_glb(tree, body):
    """From KHR_gaussian_splatting, given the JSON object and the binary chunk."""
    attributes = tree["meshes"][0]["primitives"][0]["attributes"]

    def array(name):
        accessor = tree["accessors"][attributes[name]]
        assert accessor["componentType"] == 5126, (name, accessor)
        width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}[accessor["type"]]
        view = tree["bufferViews"][accessor["bufferView"]]
        at = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        flat = struct.unpack_from(f"<{accessor['count'] * width}f", body, at)
        return [flat[i * width:(i + 1) * width] for i in range(accessor["count"])]

    prefix = "KHR_gaussian_splatting:"
    return [Splat(p, c, o[0], s, (q[3], *q[:3]))
            for p, c, o, s, q in zip(array("POSITION"), array(prefix + "SH_DEGREE_0_COEF_0"),
                                     array(prefix + "OPACITY"), array(prefix + "SCALE"),
                                     array(prefix + "ROTATION"))]


def expect_close(got, wanted, position, colour, opacity, shape):
    """Each number within a bound; `shape` is of covariances, relative to the largest entry."""
    assert len(got) == len(wanted), f"{len(got)} splats, expected {len(wanted)}"
    for i, (a, b) in enumerate(zip(got, wanted)):
        apart = (max(abs(p - q) for p, q in zip(a.position, b.position)),
                 max(abs(p - q) for p, q in zip(a.colour, b.colour)), abs(a.opacity - b.opacity),
                 max(abs(p - q) for p, q in zip(a.covariance, b.covariance))
                 / max(abs(p) for p in b.covariance))
        bounds = (position, colour, opacity, shape)
        assert all(x <= bound for x, bound in zip(apart, bounds)), (i, apart, bounds)
