#!/usr/bin/env python3
"""Pages: one file that loads nothing, holds the same bytes as .glb and .spz, and has good scripts."""
import base64
import html
import json
import os
import re
import shutil
import subprocess
from material import (DONE, FAILED, INPUT, Report, SMALLEST, Skip, USAGE, digest, done,
                      expect_files, expect_same, folder, one_message, run, small_latent)

NO_DEVICE = {"OCL_ICD_VENDORS": "/nonexistent", "OCL_ICD_FILENAMES": ""}
FILE = re.compile(r'<script type="text/plain" id="(\w+)" data-name="([^"]*)">([^<]*)</script>')
SCRIPT = re.compile(r"<script>\n(.*?)</script>", re.S)
UNLIT = b'"KHR_materials_unlit"'
# Names by which HTML, CSS and JavaScript load something.
LOADS = re.compile(r"https?:|//[a-z]|\b(?:src|srcset|action)\s*=\s*[\"']|@import|\burl\(|\bfetch\(|"
                   r"\bimport\b|XMLHttpRequest|WebSocket|importScripts|EventSource", re.I)


def read_page(path):
    """The page without its files, its files as {kind: (name, bytes)}, and its script."""
    text = path.read_text(encoding="utf-8")
    files = {kind: (html.unescape(name), base64.b64decode(data, validate=True))
             for kind, name, data in FILE.findall(text)}
    scripts = SCRIPT.findall(text)
    assert len(scripts) == 1, f"{len(scripts)} scripts"
    return FILE.sub("", text), files, scripts[0]


def convert(*arguments):
    return run("convert", *arguments, env=NO_DEVICE, count=False)


def converted(source, target):
    result = convert(source, "-o", target)
    assert result.status == DONE, result


def info(path):
    result = run("info", path, "--json", env=NO_DEVICE, count=False)
    assert result.status == DONE, result
    return json.loads(result.out)


def node(*arguments):
    if not shutil.which("node"):
        raise Skip("no node")
    done_ = subprocess.run(["node", *map(str, arguments)], capture_output=True, text=True, timeout=300)
    assert done_.returncode == 0, done_.stderr
    return done_.stdout


# Runs the page's own readers, without its last statement, which needs a browser.
READ = """
const fs = require("fs");
const [page, scriptPath] = process.argv.slice(1);
const files = {};
const pattern = /<script type="text\\/plain" id="(\\w+)" data-name="([^"]*)">([^<]*)<\\/script>/g;
for (const [, kind, name, text] of fs.readFileSync(page, "utf8").matchAll(pattern))
    files[kind] = {dataset: {name}, textContent: text};
globalThis.document = {getElementById: (id) => files[id] || null};
const script = fs.readFileSync(scriptPath, "utf8").replace(/\\nstart\\(\\)[^]*$/, "");
const own = new Function(script + "; return {embeddedFile, parseGlb, parseSpz, gunzip, boundsOf, " +
    "DepthOrder, Camera, fileAxes};")();
// How far corners of a cube come from the middle of a square picture at most, as a share of its
// half, and whether all of them are between the planes that cut.
function seen(own, half, middle) {
    const corners = [];
    for (let i = 0; i < 8; i++)
        for (let axis = 0; axis < 3; axis++)
            corners.push(middle + (i >> axis & 1 ? half : -half));
    const camera = new own.Camera([corners]);
    let reach = 0, between = true;
    for (let turn = 0; turn < 720; turn++) {
        camera.turn(Math.PI / 36, turn % 72 ? 0 : -0.3);
        const {rows, shift, focal, near, far} = camera.view(200, 200);
        for (let i = 0; i < 24; i += 3) {
            const [x, y, z] = rows.map((row, k) => shift[k] + row[0] * corners[i] +
                                                   row[1] * corners[i + 1] + row[2] * corners[i + 2]);
            reach = Math.max(reach, focal * Math.abs(x / z) / 100, focal * Math.abs(y / z) / 100);
            between = between && z > near && z < far;
        }
    }
    return [reach, between];
}
(async () => {
    const mesh = own.parseGlb(own.embeddedFile("glb").bytes);
    const splats = own.parseSpz(await own.gunzip(own.embeddedFile("spz").bytes));
    const told = {faces: mesh.indices.length / 3, vertices: mesh.positions.length / 3,
                  colours: mesh.colours.length / 4, normals: mesh.normals.length / 3,
                  splats: splats.count};
    for (const [name, positions] of [["mesh_bounds", mesh.positions],
                                     ["splat_bounds", splats.positions]]) {
        const {low, high} = own.boundsOf([positions]);
        told[name] = [low, high];
    }
    const order = new own.DepthOrder(splats), direction = [0.6, 0, 0.8];
    told.sorted_once = order.update(direction);
    told.sorted_twice = order.update([...direction]);
    const depth = (i) => 0.6 * splats.positions[3 * i] + 0.8 * splats.positions[3 * i + 2];
    told.seen = new Set(order.order).size;
    told.worst = 0;
    for (let i = 1; i < splats.count; i++)
        told.worst = Math.max(told.worst, depth(order.order[i]) - depth(order.order[i - 1]));
    told.seen_from = {};
    for (const [name, half, middle] of [["cube", 0.5, 0], ["small", 0.2, 0], ["far", 30, 100]])
        told.seen_from[name] = seen(own, half, middle);
    console.log(JSON.stringify(told));
})();
"""


def in_file_axes(bounds):
    """Bounds of our world in axes with y up: (x, y, z) is (x, z, -y) there."""
    (x0, y0, z0), (x1, y1, z1) = bounds
    return [[x0, z0, -y1], [x1, z1, -y0]]


def near(got, wanted, bound):
    pairs = list(zip(sum(got, []), sum(wanted, [])))
    assert len(pairs) == 6 and all(abs(a - b) <= bound for a, b in pairs), (got, wanted)


def check_decoded(report, where, latent):
    page, glb, spz = (where / f"a.{kind}" for kind in ("html", "glb", "spz"))
    done("decode", latent, "-o", page, "-o", glb, "-o", spz)
    text, files, script = read_page(page)
    with report.check("decode: one file, with the bytes of .glb and .spz of the same run"):
        expect_files(where, "a.glb", "a.html", "a.spz", "latent.safetensors")
        assert {kind: name for kind, (name, _) in files.items()} == {
            "glb": "a.glb", "spz": "a.spz"}, files.keys()
        assert files["glb"][1] == glb.read_bytes() and files["spz"][1] == spz.read_bytes()
    with report.check("it loads nothing, and forbids itself to"):
        found = [match.group(0) for match in LOADS.finditer(re.sub(r"(?m)(^|\s)//[^\n]*", "", text))]
        assert not found, found
        assert "default-src 'none'" in text
    with report.check("decode: a page alone needs no other output"):
        done("decode", latent, "-o", where / "alone.html")
        assert read_page(where / "alone.html")[1]["glb"][1] == glb.read_bytes()
    with report.check("convert: a page of a mesh, and one of splats"):
        for source, kinds in ((glb, {"glb"}), (spz, {"spz"})):
            converted(source, where / "one.html")
            assert set(read_page(where / "one.html")[1]) == kinds
    path = where / "script.js"
    path.write_text(script, encoding="utf-8")
    with report.check("node: the script parses"):
        node("--check", path)
    with report.check("node: its readers find what `info` finds, its sort sorts"):
        told = json.loads(node("-e", READ, page, path))
        mesh, splats = info(glb), info(spz)
        for name in ("vertices", "faces"):
            assert told[name] == mesh[name], (told, mesh)
        assert told["colours"] == told["normals"] == mesh["vertices"], told
        assert told["splats"] == told["seen"] == splats["splats"], (told, splats)
        near(told["mesh_bounds"], in_file_axes(mesh["bounds"]), 1e-6)
        near(told["splat_bounds"], in_file_axes(splats["bounds"]), 1e-6)
        assert told["sorted_once"] and not told["sorted_twice"], told
        assert told["worst"] < 2 / 65535, told["worst"]  # less than two steps of the keys
    with report.check("node: the camera sees a cube from all sides, and near enough"):
        told = json.loads(node("-e", READ, page, path))
        for name, (reach, behind) in told["seen_from"].items():
            assert 0.85 < reach < 1 and behind, (name, told["seen_from"])


def check_meshes(report, where, latent):
    with report.check("clean-up and --texture: the page has the mesh that .glb has"):
        done("decode", latent, "-o", where / "b.html", "-o", where / "b.glb", "--simplify", "500",
             "--keep-hidden", "--texture=64", "--texture-views", "4", "--texture-view-size", "64")
        files = read_page(where / "b.html")[1]
        assert files["glb"][1] == (where / "b.glb").read_bytes() and b'"images"' in files["glb"][1]
        assert "spz" in files
    with report.check("--unlit: the page and the mesh in it have no light"):
        for suffix in ("html", "glb"):
            done("decode", latent, "-o", where / f"u.{suffix}", "--simplify", "500", "--keep-hidden",
                 "--unlit")
        for options, expected in (([], False), (["--unlit"], True)):
            result = convert(where / "b.glb", "-o", where / "v.html", *options)
            assert result.status == DONE, result
            assert (UNLIT in read_page(where / "v.html")[1]["glb"][1]) == expected, options
        assert read_page(where / "u.html")[1]["glb"][1] == (where / "u.glb").read_bytes()
        assert UNLIT in (where / "u.glb").read_bytes()
    with report.check("a texture may be for a page only"):
        done("decode", latent, "-o", where / "c.html", "--simplify", "500", "--keep-hidden",
             "--texture=64", "--texture-views", "4", "--texture-view-size", "64")
        assert read_page(where / "c.html")[1]["glb"][1] == (where / "b.glb").read_bytes()


def check_names(report, where, glb):
    with report.check("a name with signs of HTML is text"):
        name = '<b>"&amp;\' é'
        page = where / f"{name}.html"
        converted(glb, page)
        text, files, _ = read_page(page)
        assert files["glb"][0] == f"{name}.glb", files["glb"][0]
        titles = re.findall(r"<(?:title|h1)>(.*?)</", text)
        assert [html.unescape(title) for title in titles] == [name, name], titles
        page.unlink()
    with report.check("the longest name"):
        page = where / ("n" * 250 + ".html")
        converted(glb, page)
        page.unlink()
    with report.check("the suffix in capitals, and a file that was there"):
        page = where / "OLD.HTML"
        page.write_text("old")
        converted(glb, page)
        assert set(read_page(page)[1]) == {"glb"}
        page.unlink()


def check_bad(report, where, latent, glb):
    before = sorted(p.name for p in where.iterdir())
    with report.check("a path that cannot be written"):
        for path in (where / "no/a.html", where / "folder.html"):
            if path.name == "folder.html":
                path.mkdir()
            result = convert(glb, "-o", path)
            assert result.status == FAILED, result
            one_message(result, "cannot write", path)
        (where / "folder.html").rmdir()
        expect_files(where, *before)
    with report.check("a page is not read"):
        page = where / "in.html"
        converted(glb, page)
        for command in (("info", page), ("convert", page, "-o", where / "x.glb")):
            result = run(*command, env=NO_DEVICE, count=False)
            assert result.status == INPUT, result
            one_message(result, page)
        page.unlink()
        expect_files(where, *before)
    with report.check("a full disk leaves nothing, and no folder beside it"):
        if not os.path.exists("/dev/full"):
            raise Skip("no /dev/full")
        page = where / "full.html"
        page.symlink_to("/dev/full")
        result = convert(glb, "-o", page)
        assert result.status == FAILED, result
        one_message(result, page)
        page.unlink()
        expect_files(where, *before)
    with report.check("a texture without a file that holds one names .html"):
        result = run("decode", latent, "-o", where / "no.stl", "--texture", count=False)
        assert result.status == USAGE and ".html" in result.err, result


def check_budgets(report, where, latent):
    page = where / "budget.html"
    done("decode", latent, "-o", page)
    wanted = {page.name: digest(page)}
    with report.check("the same bytes at a small budget"):
        done("decode", latent, "-o", page, "--memory", "7680K")
        expect_same("another budget", {page.name: digest(page)}, wanted)
    with report.check("--report names the page and no file that was in between"):
        done("decode", latent, "-o", page, "--report", where / "report.json")
        told = json.loads((where / "report.json").read_text())
        assert [(f["path"], f["sha256"]) for f in told["outputs"]] == [
            (str(page), wanted[page.name])], told["outputs"]


def main():
    report = Report()
    with folder() as where:
        latent = small_latent(where / "latent.safetensors", 30)
        check_decoded(report, where, latent)
        check_meshes(report, where, SMALLEST)
        check_names(report, where, where / "a.glb")
        check_bad(report, where, latent, where / "a.glb")
        check_budgets(report, where, latent)
    report.finish()


if __name__ == "__main__":
    main()
