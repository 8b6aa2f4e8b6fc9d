"""Surfaces to measure meshes against: triangles, and the chair of demo/latents as rounded boxes.

Needs python3-numpy and python3-scipy of Debian. Points are [N,3] in the unit cube, z up. A surface
has

  sample(N, random)  points evenly over its area, and their unit normals
  nearest(points)    distance, and the normal there
  colours(points)    sRGB 0..255 [N,3] at the nearest place, or None where nobody knows them

wuson is the mesh that the latent was made of: turned, centred, its longest side 0.94. Where the
chair's boxes lie was not kept with its latent. Their bounds, radii and colours were fitted to the
32,974 outer vertices of the decoded mesh; these lie 0.033 cells of the 128^3 grid from the boxes
in the mean. An error that all of a face has in common is so not seen on the chair.
"""
from pathlib import Path

import numpy
from scipy.spatial import cKDTree

ROOT = Path(__file__).resolve().parent.parent
CELL = 1 / 128
CANDIDATES = 8  # triangles that are tried for each point: those of its nearest samples


def unit(vectors):
    return vectors / numpy.maximum(numpy.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)


def dot(a, b):
    return (a * b).sum(1)


def on_triangles(points, corners):
    """Distance of each point to its triangle [N,3,3]: the plane where it lies over it, else an
    edge."""
    best = numpy.full(len(points), numpy.inf)
    normals = numpy.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    inside = numpy.ones(len(points), bool)
    for i in range(3):
        start, edge = corners[:, i], corners[:, (i + 1) % 3] - corners[:, i]
        along = points - start
        share = numpy.clip(dot(along, edge) / numpy.maximum(dot(edge, edge), 1e-30), 0, 1)
        best = numpy.minimum(best, numpy.linalg.norm(along - share[:, None] * edge, axis=1))
        inside &= dot(numpy.cross(edge, along), normals) >= 0
    height = abs(dot(points - corners[:, 0], unit(normals)))
    return numpy.where(inside & (dot(normals, normals) > 1e-30), height, best)


class Triangles:
    def __init__(self, positions, faces, samples=100000):
        self.positions, self.faces = positions, faces
        corners = positions[faces]
        crossed = numpy.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        self.areas = numpy.linalg.norm(crossed, axis=1) / 2
        self.normals = unit(crossed)
        points, self.owners, _ = self.places(samples, numpy.random.default_rng(7))
        centres = corners.mean(1)  # no face is without a sample
        self.owners = numpy.concatenate([self.owners, numpy.arange(len(faces))])
        self.tree = cKDTree(numpy.concatenate([points, centres]))

    def places(self, count, random):
        """Points, their faces, their barycentric weights."""
        owners = random.choice(len(self.faces), count, p=self.areas / self.areas.sum())
        weights = random.random((count, 2))
        turned = weights.sum(1) > 1
        weights[turned] = 1 - weights[turned]
        weights = numpy.concatenate([1 - weights.sum(1, keepdims=True), weights], axis=1)
        return (weights[:, :, None] * self.positions[self.faces[owners]]).sum(1), owners, weights

    def sample(self, count, random):
        points, owners, _ = self.places(count, random)
        return points, self.normals[owners]

    def nearest(self, points):
        _, near = self.tree.query(points, k=CANDIDATES)
        best, owner = numpy.full(len(points), numpy.inf), numpy.zeros(len(points), int)
        for i in range(CANDIDATES):
            faces = self.owners[near[:, i]]
            distances = on_triangles(points, self.positions[self.faces[faces]])
            closer = distances < best
            best[closer], owner[closer] = distances[closer], faces[closer]
        return best, self.normals[owner]

    def colours(self, _points):
        return None


def rounded_box(points, lower, upper, radius):
    lower, upper = numpy.array(lower), numpy.array(upper)
    out = abs(points - (lower + upper) / 2) - (upper - lower) / 2 + radius
    return numpy.linalg.norm(numpy.maximum(out, 0), axis=1) + numpy.minimum(out.max(1), 0) - radius


class Chair:
    """Four legs, a seat and a back, mirrored in x; lengths in cells of the 128^3 grid."""
    LEG = (32.68, 27.90, -59.31), (41.58, 36.77, -5.95), 1.62
    SEAT = (-41.58, -36.77, -9.86), (41.58, 36.77, -1.95), 2.83
    BACK = (-41.58, 28.83, -9.86), (41.58, 36.77, 58.70), 2.77
    COLOURS = numpy.array([(153, 115, 58), (234, 84, 159), (234, 84, 159)], float)

    def parts(self, points):
        points = points / CELL
        mirrored = abs(points) * (1, 1, 0) + points * (0, 0, 1)
        return CELL * numpy.stack([rounded_box(mirrored, *self.LEG),
                                   rounded_box(points, *self.SEAT),
                                   rounded_box(points, *self.BACK)])

    def distance(self, points):
        return self.parts(points).min(0)

    def gradient(self, points):
        step = CELL / 100
        return unit(numpy.stack([self.distance(points + step * axis)
                                 - self.distance(points - step * axis)
                                 for axis in numpy.eye(3)], axis=1))

    def sample(self, count, random):
        """Points of a thin skin, moved on to the surface."""
        found = []
        while sum(map(len, found)) < count:
            points = random.uniform(-0.5, 0.5, (4 * count, 3))
            found.append(points[abs(self.distance(points)) < CELL])
        points = numpy.concatenate(found)[:count]
        for _ in range(3):
            points = points - self.distance(points)[:, None] * self.gradient(points)
        return points, self.gradient(points)

    def nearest(self, points):
        return abs(self.distance(points)), self.gradient(points)

    def colours(self, points):
        return self.COLOURS[self.parts(points).argmin(0)]


def read_ply(path):
    """A binary mesh as the program writes it: vertices with named fields, faces [F,3]."""
    head, body = Path(path).read_bytes().split(b"end_header\n", 1)
    counts, fields = {}, []
    for words in map(str.split, head.decode().splitlines()):
        if words[0] == "element":
            counts[words[1]] = int(words[2])
        elif words[0] == "property" and words[1] != "list":
            fields.append((words[2], {"float": "<f4", "uchar": "u1"}[words[1]]))
    vertices = numpy.frombuffer(body, numpy.dtype(fields), counts["vertex"])
    faces = numpy.frombuffer(body, numpy.dtype([("count", "u1"), ("corners", "<i4", 3)]),
                             counts["face"], offset=vertices.nbytes)["corners"]
    return vertices, faces


def positions_of(vertices):
    return numpy.stack([vertices[axis] for axis in "xyz"], axis=1).astype(float)


def true_surface(name):
    if name == "chair":
        return Chair()
    vertices, faces = read_ply(ROOT / "bench/truth/wuson.mesh.ply")
    return Triangles(positions_of(vertices), faces)
