#!/usr/bin/env python3
"""How near meshes come to the true surfaces, before and after clean-up.

    bench/quality.py [--objects wuson,chair] [--quick] [--json FILE] [--table FILE]
                     [--picture FILE]

Each object is decoded as it comes, cleaned without simplification, cleaned and simplified to a
twentieth, and that with a texture: baked from the splats ("textured"), and then fitted to their views
("fitted", --texture-mode opt). Told are, against bench/surfaces.py:

  distance  mean distance of the mesh to the truth and of the truth to the mesh, in cells of the
            128^3 grid; Chamfer is the mean of both
  normals   mean angle between the normals of nearest points, both ways
  colours   root of the mean squared error, 8-bit sRGB, of vertex colours and of the texture
  stretch   L2 of Sander and others (SIGGRAPH 2001), weighted by area; 1 is best
  packing   share of the texels whose middle some triangle covers
  views     mean absolute difference, of 255, of the texture and the views of the splats that it was
            made of
  seconds   of the decoders, of clean-up and of unwrapping and baking, by the program's report

Points are taken evenly over areas, with fixed seeds. Needs python3-numpy, python3-scipy and
python3-matplotlib of Debian. The table is Markdown, the picture a PNG.
"""
import argparse
import io
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from memory import machine

ROOT = Path(__file__).resolve().parent.parent
OBJECTS = ("wuson", "chair")  # whose true surfaces are known
KINDS = {"decoded": ("--raw",), "cleaned": ("--simplify", "0"), "5 %": ()}
TEXTURES = {"textured": ("--texture",), "fitted": ("--texture", "--texture-mode", "opt")}
FIT = re.compile(r"mean difference to the views ([0-9.]+), before it ([0-9.]+)")
DECODERS = ("mesh decoder", "mesh extraction", "gaussian decoder")
CLEANING = ("visibility", "clean-up")


def fail(text):
    sys.exit(f"bench/quality.py: {text}")


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", default=",".join(OBJECTS), help=f"({','.join(OBJECTS)})")
    parser.add_argument("--samples", type=int, default=100000, help="points of each surface")
    parser.add_argument("--views", type=int, default=100, help="that clean-up looks from (100)")
    parser.add_argument("--view-size", type=int, default=512, help="pixels (512)")
    parser.add_argument("--quick", action="store_true",
                        help="one object, few points, fewer views, a small texture")
    parser.add_argument("--device", help="as the program's own")
    parser.add_argument("--precision", default="full", help="as the program's own (full)")
    parser.add_argument("--program", default=str(ROOT / "build/src/cli/tessella"))
    parser.add_argument("--json", metavar="FILE", help="write all measurements there")
    parser.add_argument("--table", metavar="FILE", help="write the table as Markdown")
    parser.add_argument("--picture", metavar="FILE", help="write a PNG")
    options = parser.parse_args()
    options.texture = ["--texture-views", "100"]
    if options.quick:
        options.objects, options.samples = "wuson", 5000
        options.views, options.view_size = 30, 512
        options.texture = ["--texture=128", "--texture-views", "8", "--texture-view-size", "128"]
    options.objects = options.objects.split(",")
    unknown = set(options.objects) - set(OBJECTS)
    if unknown:
        parser.error(f"--objects {','.join(sorted(unknown))}: expected some of "
                     f"{', '.join(OBJECTS)}")
    if options.samples < 1:
        parser.error("samples are counted from 1")
    if not Path(options.program).is_file():
        fail(f"{options.program} is missing; ./bootstrap bench quality builds it")
    return options


def tessella(options, *arguments):
    command = [str(word) for word in (options.program, *arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        fail(f"{' '.join(command)}\nexit status {done.returncode}: {done.stderr.strip()}")
    return done


def decode(options, name, scratch, suffix, *arguments):
    """A file, what `info` says of it, seconds per stage, and what the run told."""
    path, report = scratch / f"mesh{suffix}", scratch / "report.json"
    if "--raw" not in arguments:
        arguments += ("--views", options.views, "--view-size", options.view_size)
    if options.device:
        arguments += ("--device", options.device)
    done = tessella(options, "decode", ROOT / f"demo/latents/{name}.safetensors", "--model",
                    ROOT / "demo/model", "--precision", options.precision, "-v", "-o", path,
                    "--report", report, *arguments)
    stages = {}
    for stage in json.loads(report.read_text())["stages"]:
        stages[stage["name"]] = stages.get(stage["name"], 0) + stage["seconds"]
    info = json.loads(tessella(options, "info", "--json", path).stdout)
    return path, {key: info[key] for key in ("faces", "components", "boundary_edges",
                                             "non_manifold_edges")}, stages, done.stderr


# ---- one mesh ----

def compare(truth, mesh, count):
    import numpy
    random = numpy.random.default_rng(3)
    result = {}
    for key, a, b in (("to_truth", mesh, truth), ("from_truth", truth, mesh)):
        points, normals = a.sample(count, random)
        distances, others = b.nearest(points)
        cosines = numpy.clip((normals * others).sum(1), -1, 1)
        result[key] = 128 * float(distances.mean())
        result[key + "_degrees"] = float(numpy.degrees(numpy.arccos(cosines)).mean())
    result["chamfer"] = (result["to_truth"] + result["from_truth"]) / 2
    result["degrees"] = (result["to_truth_degrees"] + result["from_truth_degrees"]) / 2
    return result


def rms(colours, wanted):
    return None if wanted is None else float(((colours - wanted) ** 2).mean() ** 0.5)


def measure_vertices(options, truth, path):
    import numpy
    import surfaces
    vertices, faces = surfaces.read_ply(path)
    mesh = surfaces.Triangles(surfaces.positions_of(vertices), faces)
    result = compare(truth, mesh, options.samples)
    points, owners, weights = mesh.places(options.samples, numpy.random.default_rng(5))
    colours = numpy.stack([vertices[name] for name in ("red", "green", "blue")], axis=1)
    seen = (weights[:, :, None] * colours[faces[owners]]).sum(1)
    result["colour"] = rms(seen, truth.colours(points))
    return result


def read_glb(path):
    """Positions (z up), texture coordinates, faces, and the texture as sRGB 0..255."""
    import numpy
    from matplotlib import image
    data = path.read_bytes()
    length = int.from_bytes(data[12:16], "little")
    tree, binary = json.loads(data[20:20 + length]), data[28 + length:]
    primitive = tree["meshes"][0]["primitives"][0]

    def values(index, width):
        accessor = tree["accessors"][index]
        view = tree["bufferViews"][accessor["bufferView"]]
        kind = {5126: "<f4", 5125: "<u4", 5123: "<u2"}[accessor["componentType"]]
        at = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        return numpy.frombuffer(binary, kind, accessor["count"] * width, at).reshape(-1, width)
    attributes = primitive["attributes"]
    x, y, z = values(attributes["POSITION"], 3).astype(float).T
    view = tree["bufferViews"][tree["images"][0]["bufferView"]]
    at = view.get("byteOffset", 0)
    texture = image.imread(io.BytesIO(binary[at:at + view["byteLength"]]))[:, :, :3]
    return (numpy.stack([x, -z, y], axis=1), values(attributes["TEXCOORD_0"], 2).astype(float),
            values(primitive["indices"], 1).reshape(-1, 3).astype(int), 255.0 * texture)


def bilinear(texture, places):
    """The texture at u, v: v runs down, texel (0, 0) has its middle at half a texel."""
    import numpy
    size = numpy.array(texture.shape[1::-1])
    at = numpy.clip(places * size - 0.5, 0, size - 1)
    low = numpy.minimum(at.astype(int), size - 2)
    s, t = (at - low).T[:, :, None]
    x, y = low.T
    return ((1 - t) * ((1 - s) * texture[y, x] + s * texture[y, x + 1])
            + t * ((1 - s) * texture[y + 1, x] + s * texture[y + 1, x + 1]))


def stretch(corners, places):
    """L2 of the map from the texture to the surface, weighted by area; faces without area in the
    texture are counted apart."""
    import numpy
    one, two = (places[:, i] - places[:, 0] for i in (1, 2))
    flat = (one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0])  # twice the signed area
    p, q = (corners[:, i] - corners[:, 0] for i in (1, 2))
    areas = numpy.linalg.norm(numpy.cross(p, q), axis=1)
    good = abs(flat) > 1e-12
    one, two, p, q, flat, areas = (a[good] for a in (one, two, p, q, flat, areas))
    along_s = (p * two[:, 1:] - q * one[:, 1:]) / flat[:, None]
    along_t = (q * one[:, :1] - p * two[:, :1]) / flat[:, None]
    squares = ((along_s ** 2).sum(1) + (along_t ** 2).sum(1)) / 2
    scale = abs(flat).sum() / areas.sum()
    return float(((squares * areas).sum() / areas.sum() * scale) ** 0.5), int((~good).sum())


def coverage(places, size):
    """Shares of the texels whose middle lies in some triangle, and in more than one."""
    import numpy
    counts = numpy.zeros((size, size), numpy.uint16)
    for triangle in places * size - 0.5:
        low = numpy.maximum(numpy.ceil(triangle.min(0)), 0).astype(int)
        high = numpy.minimum(numpy.floor(triangle.max(0)), size - 1).astype(int)
        if (high < low).any():
            continue
        y, x = numpy.mgrid[low[1]:high[1] + 1, low[0]:high[0] + 1]
        sides = []
        for i in range(3):
            (ax, ay), (bx, by) = triangle[i], triangle[(i + 1) % 3]
            sides.append((bx - ax) * (y - ay) - (by - ay) * (x - ax))
        sides = numpy.array(sides)
        counts[low[1]:high[1] + 1, low[0]:high[0] + 1] += (sides > 0).all(0) | (sides < 0).all(0)
    return float((counts > 0).mean()), float((counts > 1).mean())


def measure_texture(options, truth, path):
    import numpy
    import surfaces
    positions, places, faces, texture = read_glb(path)
    mesh = surfaces.Triangles(positions, faces)
    result = compare(truth, mesh, options.samples)
    points, owners, weights = mesh.places(options.samples, numpy.random.default_rng(5))
    seen = bilinear(texture, (weights[:, :, None] * places[faces[owners]]).sum(1))
    result["colour"] = rms(seen, truth.colours(points))
    result["size"] = texture.shape[0]
    result["stretch"], result["flat_faces"] = stretch(positions[faces], places[faces])
    result["packing"], result["overlap"] = coverage(places[faces], texture.shape[0])
    return result


def measure(options, name, scratch):
    import surfaces
    truth = surfaces.true_surface(name)
    decode(options, name, scratch, ".glb", *TEXTURES["fitted"], *options.texture)  # fills caches
    result = {}
    for kind, arguments in KINDS.items():
        path, info, stages, _ = decode(options, name, scratch, ".mesh.ply", *arguments)
        result[kind] = info | measure_vertices(options, truth, path) | {"seconds": stages}
    for kind, arguments in TEXTURES.items():
        path, info, stages, told = decode(options, name, scratch, ".glb", *arguments,
                                          *options.texture)
        result[kind] = info | measure_texture(options, truth, path) | {"seconds": stages}
    after, before = map(float, FIT.search(told).groups())
    result["textured"]["views"], result["fitted"]["views"] = before, after
    return result


# ---- telling ----

def seconds_of(stages):
    """Of the decoders, of clean-up, of all else: unwrapping and baking."""
    decoders = sum(stages.get(name, 0) for name in DECODERS)
    cleaning = sum(stages.get(name, 0) for name in CLEANING)
    return decoders, cleaning, sum(stages.values()) - decoders - cleaning


def table(results):
    lines = [f"Measured on {results['machine']}, {results['samples']:,} points a surface.", "",
             "| object | mesh | faces | components | open edges | to the truth | from it | Chamfer "
             "| normals | colours |",
             "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for name, kinds in results["objects"].items():
        for kind, one in kinds.items():
            colour = "-" if one["colour"] is None else f"{one['colour']:.1f}"
            parts, edges = one["components"], one["boundary_edges"]
            if kind in TEXTURES:  # in the file its charts are apart
                parts = edges = "-"
            lines.append(f"| {name} | {kind} | {one['faces']:,} | {parts} | {edges} "
                         f"| {one['to_truth']:.3f} "
                         f"| {one['from_truth']:.3f} | {one['chamfer']:.3f} "
                         f"| {one['degrees']:.1f}° | {colour} |")
    lines += ["", "| object | texture | size | stretch | packing | overlap | views | decoders "
              "| clean-up | unwrapping and baking |",
              "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for name, kind in ((name, kind) for name in results["objects"] for kind in TEXTURES):
        one = results["objects"][name][kind]
        decoders, cleaning, baking = seconds_of(one["seconds"])
        lines.append(f"| {name} | {kind} | {one['size']} | {one['stretch']:.2f} "
                     f"| {100 * one['packing']:.0f} % | {100 * one['overlap']:.2f} % "
                     f"| {one['views']:.2f} | {decoders:.1f} s | {cleaning:.1f} s | {baking:.1f} s |")
    return "\n".join(lines) + "\n"


def draw(results, path):
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    names = list(results["objects"])
    kinds = (*KINDS, *TEXTURES)
    titles = {"chamfer": "Chamfer, cells of 128³", "degrees": "normals, degrees",
              "colour": "colours, of 255"}
    known = [key for key in titles if any(results["objects"][name]["decoded"][key] is not None
                                          for name in names)]
    figure, axes = pyplot.subplots(1, len(known), figsize=(3.4 * len(known), 3.2))
    for axis, key in zip(axes, known):
        for i, kind in enumerate(kinds):
            values = [results["objects"][name][kind][key] or 0 for name in names]
            axis.bar([j + 0.16 * (i - 2) for j in range(len(names))], values, 0.16, label=kind)
        axis.set_xticks(range(len(names)))
        axis.set_xticklabels(names)
        axis.set_title(titles[key])
    axes[0].legend()
    figure.savefig(path, dpi=80, bbox_inches="tight", format="png")


def main():
    options = parse_options()
    results = {"machine": machine(), "samples": options.samples, "views": options.views,
               "view_size": options.view_size, "objects": {}}
    scratch = Path(tempfile.mkdtemp(prefix="tessella-quality-"))
    try:
        for name in options.objects:
            results["objects"][name] = measure(options, name, scratch)
            print(f"{name}: measured", file=sys.stderr, flush=True)
            if options.json:
                Path(options.json).write_text(json.dumps(results, indent=1) + "\n")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    told = table(results)
    print(told)
    if options.table:
        Path(options.table).write_text(told)
    if options.picture:
        draw(results, options.picture)


if __name__ == "__main__":
    main()
