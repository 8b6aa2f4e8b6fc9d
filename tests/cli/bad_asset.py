#!/usr/bin/env python3
"""Splats and meshes for `render` that are damaged or something else: exit 3, one message that
names the file and what is wrong, no picture."""
import copy
import struct
from material import (DONE, INPUT, Report, done, expect_files, folder, one_message, ply_head,
                      read_glb, run, small_latent, write_glb)

NAN = struct.pack("<f", float("nan"))
INFINITY = struct.pack("<f", float("inf"))


def ply_cases(path):
    head, end = ply_head(path)
    data = path.read_bytes()[end:]
    lines = head.splitlines()
    count = next(int(line.split()[2]) for line in lines if line.startswith("element vertex"))
    names = [line.split()[2] for line in lines if line.startswith("property")]
    row = len(data) // count

    def with_head(old, new):
        assert old in head, old
        return head.replace(old, new).encode() + data

    def with_value(splat, name, value):
        at = splat * row + 4 * names.index(name)
        return head.encode() + data[:at] + value + data[at + 4:]

    whole = head.encode() + data
    return {
        "empty": (b"", []),
        "cut in the header": (whole[:100], ["header"]),
        "header only": (head.encode(), ["splats"]),
        "cut in the data": (whole[:-7], [f"{count} splats"]),
        "bytes after the end": (whole + b"1234", ["4 bytes after"]),
        "not a PLY": (b"solid of steel\n" + data, ["ply"]),
        "a PNG": (b"\x89PNG\r\n\x1a\n" + data, ["ply"]),
        "text format": (with_head("binary_little_endian", "ascii"), ["line 2"]),
        "big endian": (with_head("little_endian", "big_endian"), ["line 2"]),
        "no vertices": (with_head("element vertex", "element vortex"), []),
        "0 splats": (with_head(f"vertex {count}", "vertex 0"), ["vertex"]),
        "-1 splats": (with_head(f"vertex {count}", "vertex -1"), ["line"]),
        "10^15 splats": (with_head(f"vertex {count}", "vertex " + "9" * 15), ["9" * 15]),
        "10^30 splats": (with_head(f"vertex {count}", "vertex " + "9" * 30), ["line"]),
        "one splat more": (with_head(f"vertex {count}", f"vertex {count + 1}"), ["bytes"]),
        "no opacity": (with_head("property float opacity\n", ""), ["opacity"]),
        "no rotation": (with_head("property float rot_3", "property float rut_3"), ["rot_3"]),
        "x twice": (with_head("property float y\n", "property float x\n"), ["property x"]),
        "double x": (with_head("property float x\n", "property double x\n"), ["property x"]),
        "a list": (with_head("property float x\n", "property list uchar int x\n"), ["list"]),
        "an unknown type": (with_head("property float x\n", "property quad x\n"), ["type"]),
        "an endless line": (with_head("ply\n", "ply\ncomment " + "x" * 5000 + "\n"), ["line 2"]),
        "an endless header": (b"ply\nformat binary_little_endian 1.0\n" + b"comment\n" * 100000,
                              ["header"]),
        "NaN in x": (with_value(3, "x", NAN), ["splat 3", "property x", "nan"]),
        "infinity in a scale": (with_value(4, "scale_1", INFINITY), ["splat 4", "scale_1"]),
        "NaN in a colour": (with_value(5, "f_dc_2", NAN), ["splat 5", "f_dc_2"]),
        "rotation 0": (head.encode() + data[:4 * names.index("rot_0")] + bytes(16)
                       + data[4 * names.index("rot_0") + 16:], ["splat 0", "rot_"]),
        "scale e^1000": (with_value(1, "scale_0", struct.pack("<f", 1000)), ["splat 1", "scale"]),
    }


def glb_cases(path):
    """What to write: bytes, or the JSON object and the binary chunk."""
    tree, body = read_glb(path)
    whole = path.read_bytes()
    primitive = tree["meshes"][0]["primitives"][0]
    position, index = primitive["attributes"]["POSITION"], primitive["indices"]
    view = tree["bufferViews"][tree["accessors"][position]["bufferView"]]
    index_view = tree["bufferViews"][tree["accessors"][index]["bufferView"]]
    vertices = tree["accessors"][position]["count"]

    def changed(value, *keys):
        other = copy.deepcopy(tree)
        inner = other
        for key in keys[:-1]:
            inner = inner[key]
        if value is None:
            del inner[keys[-1]]
        else:
            inner[keys[-1]] = value
        return other, body

    def accessor(which, field, value):
        return changed(value, "accessors", which, field)

    def patched(at, data):
        return tree, body[:at] + data + body[at + len(data):]

    at, index_at = view.get("byteOffset", 0), index_view.get("byteOffset", 0)
    wide = tree["accessors"][index]["componentType"] == 5125
    beyond = struct.pack("<I" if wide else "<H", vertices)
    return {
        "empty": (b"", []),
        "cut in the head": (whole[:10], []),
        "cut in the JSON": (whole[:60], []),
        "cut in the data": (whole[:-9], []),
        "bytes after the end": (whole + b"tail", []),
        "not a GLB": (b"glXX" + whole[4:], []),
        "a PNG": (b"\x89PNG\r\n\x1a\n" + whole, []),
        "version 1": (whole[:4] + struct.pack("<I", 1) + whole[8:], ["version 1"]),
        "a chunk longer than the file": (whole[:12] + b"\xff\xff\xff\x7f" + whole[16:], ["chunk"]),
        "JSON that is none": (whole[:20] + b"[" + whole[21:], []),
        "no meshes": (changed(None, "meshes"), []),
        "a mesh without primitives": (changed([], "meshes", 0, "primitives"), ["no triangles"]),
        "no positions": (changed(None, "meshes", 0, "primitives", 0, "attributes", "POSITION"),
                         ["POSITION"]),
        "an accessor that is not there": (changed(999, "meshes", 0, "primitives", 0, "indices"),
                                          ["indices"]),
        "points instead of triangles": (changed(0, "meshes", 0, "primitives", 0, "mode"), []),
        "more vertices than data": (accessor(position, "count", 10**9), ["accessors"]),
        "no vertices": (accessor(position, "count", 0), ["accessors"]),
        "positions of bytes": (accessor(position, "componentType", 5121), ["POSITION", "VEC3 float"]),
        "positions of 2": (accessor(position, "type", "VEC2"), ["POSITION", "VEC3 float"]),
        "indices of floats": (accessor(index, "componentType", 5126),
                              ["indices", "unsigned integers"]),
        "an offset beyond the end": (accessor(position, "byteOffset", 10**12), ["accessors"]),
        "a view beyond the end": (changed(10**12, "bufferViews", 0, "byteLength"),
                                  ["bufferViews"]),
        "a stride of 3": (changed(3, "bufferViews", tree["accessors"][position]["bufferView"],
                                  "byteStride"), ["byteStride"]),
        "a buffer elsewhere": (changed("other.bin", "buffers", 0, "uri"), ["buffers"]),
        "NaN in a position": (patched(at + 12, NAN), []),
        "infinity in a position": (patched(at + 16, INFINITY), []),
        "an index beyond the vertices": (patched(index_at, beyond), [str(vertices)]),
        "a node that is its own child": (changed([0], "nodes", 0, "children"), ["nodes"]),
        "a required extension": (changed(["KHR_draco_mesh_compression"], "extensionsRequired"),
                                 ["KHR_draco_mesh_compression"]),
    }


def expect_refused(where, path, *parts):
    into = where / "out"
    into.mkdir(exist_ok=True)
    result = run("render", path, "-o", into / "a.png", "--size", "32", count=False)
    assert result.status == INPUT, result
    one_message(result, path, *parts)
    assert not result.out, result
    expect_files(into)


def main():
    report = Report()
    with folder() as where:
        latent = small_latent(where / "latent.safetensors", 30)
        good = {s: where / f"good.{s}" for s in ("ply", "glb", "obj", "stl")}
        done("decode", latent, *[part for path in good.values() for part in ("-o", path)])
        for name, (content, parts) in ply_cases(good["ply"]).items():
            with report.check(f"ply: {name}"):
                path = where / "bad.ply"
                path.write_bytes(content)
                expect_refused(where, path, *parts)
        for name, (content, parts) in glb_cases(good["glb"]).items():
            with report.check(f"glb: {name}"):
                path = where / "bad.glb"
                if isinstance(content, bytes):
                    path.write_bytes(content)
                else:
                    write_glb(path, *content)
                expect_refused(where, path, *parts)
        with report.check("glb and ply, each called the other"):
            for a, b in (("glb", "ply"), ("ply", "glb")):
                path = where / f"renamed.{b}"
                path.write_bytes(good[a].read_bytes())
                expect_refused(where, path)
        with report.check("what is no asset"):
            picture = where / "picture.png"
            done("render", good["glb"], "-o", picture, "--size", "32")
            for path in (picture, latent):
                expect_refused(where, path, ".ply", ".glb")
            for suffix in ("obj", "stl"):
                path = where / f"cut.{suffix}"
                path.write_bytes(good[suffix].read_bytes()[:100])
                expect_refused(where, path)
        with report.check("no such file, a directory"):
            expect_refused(where, where / "none.glb", "No such file")
            (where / "folder.ply").mkdir()
            expect_refused(where, where / "folder.ply", "directory")
        with report.check("the good ones are taken"):
            for suffix in ("ply", "glb", "obj", "stl"):
                result = run("render", good[suffix], "-o", where / "a.png", "--size", "32")
                assert result.status == DONE, result
                rewritten = where / "rewritten.glb"
                write_glb(rewritten, *read_glb(good["glb"]))
                assert run("render", rewritten, "-o", where / "a.png").status == DONE
    report.finish()


if __name__ == "__main__":
    main()
