#!/usr/bin/env python3
"""`info` counts and measures meshes whose numbers are known, in every format, without a device."""
import json
import struct
from material import (DONE, INPUT, Report, done, folder, one_message, run, small_latent,
                      write_tensors)

NO_DEVICE = {"OCL_ICD_VENDORS": "/nonexistent", "OCL_ICD_FILENAMES": ""}
# A box 1 x 2 x 3 with a corner at (1, 0, 0), our axes; sides seen from outside, counter-clockwise.
CORNERS = [(1 + (i & 1), 2 * (i >> 1 & 1), 3 * (i >> 2 & 1)) for i in range(8)]
SIDES = [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5)]
FACES = [face for a, b, c, d in SIDES for face in ((a, b, c), (a, c, d))]
CLOSED = {"vertices": 8, "faces": 12, "components": 1, "boundary_edges": 0,
          "non_manifold_edges": 0, "inconsistent_edges": 0, "area": 22, "volume": 6,
          "bounds": [[1, 0, 0], [2, 2, 3]]}


def write_obj(path, corners, faces):  # y up
    path.write_text("".join(f"v {x} {z} {-y}\n" for x, y, z in corners)
                    + "".join(f"f {a + 1} {b + 1} {c + 1}\n" for a, b, c in faces))


def write_stl(path, corners, faces):
    path.write_bytes(bytes(80) + struct.pack("<I", len(faces))
                     + b"".join(struct.pack("<12fH", 0, 0, 0, *corners[a], *corners[b],
                                            *corners[c], 0) for a, b, c in faces))


def write_ply(path, corners, faces):
    path.write_text(f"ply\nformat ascii 1.0\nelement vertex {len(corners)}\nproperty float x\n"
                    f"property float y\nproperty float z\nelement face {len(faces)}\n"
                    "property list uchar int vertex_indices\nend_header\n"
                    + "".join(f"{x} {y} {z}\n" for x, y, z in corners)
                    + "".join(f"3 {a} {b} {c}\n" for a, b, c in faces))


WRITERS = {"obj": write_obj, "stl": write_stl, "ply": write_ply}


def info(path, *options):
    result = run("info", path, "--json", *options, env=NO_DEVICE, count=False)
    assert result.status == DONE, result
    return json.loads(result.out)


def expect(got, wanted):
    for key, value in wanted.items():
        flat = sum(value, []) if key == "bounds" else [value]
        have = sum(got[key], []) if key == "bounds" else [got[key]]
        assert len(flat) == len(have), (key, got)
        assert all(abs(a - b) < 1e-5 for a, b in zip(flat, have)), (key, value, got)


def main():
    report = Report()
    with folder() as where:
        with report.check("a latent, as text and as JSON"):
            latent = write_tensors(where / "a.safetensors", {
                "coords": ("I32", [2, 4], struct.pack("<8i", 0, 3, 1, 2, 0, 0, 5, 2)),
                "feats": ("F32", [2, 3], struct.pack("<6f", 0, 1, -2, 0.5, 4, 0))})
            assert info(latent) == {"voxels": 2, "channels": 3, "features": [-2, 4],
                                    "coordinates": [[0, 1, 2], [3, 5, 2]]}, info(latent)
            result = run("info", latent, env=NO_DEVICE, count=False)
            assert result.status == DONE and "voxels        2\n" in result.out, result
            latent.write_bytes(latent.read_bytes()[:-4])
            result = run("info", latent, env=NO_DEVICE, count=False)
            assert result.status == INPUT and not result.out, result
            one_message(result, latent)
        for suffix, write in WRITERS.items():
            path = where / f"box.{suffix}"
            with report.check(f"{suffix}: a box"):
                write(path, CORNERS, FACES)
                expect(info(path), CLOSED)
            with report.check(f"{suffix}: two boxes, one of them open and inside out"):
                other = [(x + 5, y, z) for x, y, z in CORNERS]
                turned = [(a + 8, c + 8, b + 8) for a, b, c in FACES[1:]]
                write(path, CORNERS + other, FACES + turned)
                expect(info(path), {"faces": 23, "components": 2, "boundary_edges": 3,
                                    "non_manifold_edges": 0, "inconsistent_edges": 0,
                                    "area": 22 + 22 - 1, "bounds": [[1, 0, 0], [7, 2, 3]]})
            with report.check(f"{suffix}: a fin, a face the wrong way"):
                write(path, CORNERS + [(9, 9, 9)],
                      [FACES[0][::-1]] + FACES[1:] + [(1, 5, 8)])
                expect(info(path), {"boundary_edges": 2, "non_manifold_edges": 1,
                                    "inconsistent_edges": 3, "components": 1})
        with report.check("--weld joins what lies at the same place"):
            soup = [CORNERS[i] for face in FACES for i in face]
            path = where / "soup.obj"
            write_obj(path, soup, [(i, i + 1, i + 2) for i in range(0, 36, 3)])
            expect(info(path), {"vertices": 36, "components": 12, "boundary_edges": 36})
            expect(info(path, "--weld"), CLOSED)
        with report.check("as text"):
            result = run("info", where / "soup.obj", "--weld", env=NO_DEVICE, count=False)
            lines = dict(line.split(None, 1) for line in result.out.splitlines())
            assert lines == {"vertices": "8", "faces": "12", "components": "1",
                             "boundary": "0 edges", "non-manifold": "0 edges",
                             "inconsistent": "0 edges", "area": "22", "volume": "6",
                             "bounds": "1 0 0 to 2 2 3"}, lines
            write_obj(where / "open.obj", CORNERS, FACES[1:])
            assert "(not closed)" in run("info", where / "open.obj", count=False).out
        latent = small_latent(where / "latent.safetensors", 30)
        decoded = {s: where / f"decoded.{s}" for s in ("glb", "obj", "ply")}
        done("decode", latent, *[part for path in decoded.values() for part in ("-o", path)])
        with report.check("what `decode` writes: the same mesh in each format, closed"):
            mesh = info(decoded["glb"])
            assert mesh["vertices"] and mesh["boundary_edges"] == 0, mesh
            assert mesh["inconsistent_edges"] == 0 and mesh["volume"] > 0, mesh
            expect(info(decoded["obj"]), mesh)
        with report.check("splats"):
            splats = info(decoded["ply"])
            assert splats["splats"] == 30 * 8, splats
            assert all(-0.6 < v < 0.6 for v in sum(splats["bounds"], [])), splats
            text = run("info", decoded["ply"], env=NO_DEVICE, count=False).out
            assert text.split()[:2] == ["splats", "240"], text
        with report.check("bad files"):
            write_obj(where / "bad.obj", CORNERS, [(0, 1, 99)])
            for name in ("bad.obj", "none.glb", "box.txt"):
                result = run("info", where / name, env=NO_DEVICE, count=False)
                assert result.status == INPUT and not result.out, result
                one_message(result, where / name)
    report.finish()


if __name__ == "__main__":
    main()
