#!/usr/bin/env python3
"""Objects of any number of voxels: none is a clear message; from one to all of the grid, at the
least budget that a run names and without a limit, the files are the same and the budget holds.
tests/slow has the whole grid of the demo model."""
import json
import random
import shutil
import struct
from material import (DONE, FAILED, INPUT, MODEL, SOURCE, Report, copy_model, digests, done,
                      expect_same, folder, one_message, read_tensors, run, write_tensors)

PICTURE = SOURCE / "demo/images/duck.png"
QUICK = ("--steps", "1", "--latent-guidance", "0", "--seed", "1")
GRID = 32  # of the demo model
COUNTS = (1, 2, 3, 7, 65, 1027)
SMALL_GRID = 16  # of the model that `bench --synthetic --tiny` writes


def generate(where, model, kept, *options, attempt=done):
    where.mkdir(exist_ok=True)
    names = ("a.glb", "a.ply", "a.safetensors")
    outputs = [part for name in names for part in ("-o", where / name)]
    return attempt("generate", PICTURE, "--model", model, *QUICK, *outputs, "--from", kept, *options)


def replace_voxels(kept, count, grid, metadata):
    """Some voxels of the grid, in an order of their own."""
    places = random.Random(count).sample(range(grid ** 3), count)
    rows = [(0, place // grid ** 2, place // grid % grid, place % grid) for place in places]
    data = b"".join(struct.pack("<4i", *row) for row in rows)
    write_tensors(kept / "structure-1.safetensors", {"coords": ("I32", [count, 4], data)}, metadata)


def run_in_least(where, model, kept):
    """Go by what refusals name: first that of one stage, then that of the largest."""
    budget = "256K"
    for _ in range(3):
        result = generate(where, model, kept, "-q", "--memory", budget, attempt=run)
        if result.status == DONE:
            return budget
        assert not list(where.iterdir()), "files of a run that was refused"
        budget = one_message(result, "--memory").split("--memory ")[1].split(")")[0]
    raise AssertionError(f"refused three times: {result}")


def check_counts(report, where, model=MODEL, counts=COUNTS, grid=GRID):
    kept = where / f"kept {grid}"
    done("generate", PICTURE, "--model", model, *QUICK, "--keep", kept, "-o",
         where / "first.safetensors")
    _, metadata = read_tensors(kept / "structure-1.safetensors")
    (kept / "latent-1.safetensors").unlink()
    for count in counts:
        with report.check(f"{count} of {grid ** 3} voxels"):
            replace_voxels(kept, count, grid, metadata)
            result = generate(where / "any", model, kept, "-v")
            assert "reused " in result.err and "structure-1" in result.err, result
            tensors, _ = read_tensors(where / "any/a.safetensors")
            assert tensors["feats"][1] == [count, 8], tensors["feats"][1]
            budget = run_in_least(where / "least", model, kept)
            expect_same(f"{count} voxels in {budget}", digests(where / "least"),
                        digests(where / "any"))
            shutil.rmtree(where / "least")


def check_whole(report, where):
    model = where / "synthetic"
    done("bench", "--synthetic", model, "--tiny", count=False)
    check_counts(report, where, model, (SMALL_GRID ** 3,), SMALL_GRID)


def check_wished(report, where):
    """--voxels goes on with the shell that plans are made for, so plans hold to the byte."""
    for count, options in ((900, ()), (900, ("--memory", "12M")), (3000, ())):
        with report.check(" ".join(["--voxels", str(count), *options])):
            path, told = where / "shell.safetensors", where / "report.json"
            result = done("generate", PICTURE, "--model", MODEL, "--voxels", count, "-o", path,
                          "-o", where / "shell.ply", "-o", where / "shell.glb",
                          "--report", told, *options)
            assert read_tensors(path)[0]["coords"][1] == [count, 4]
            planned = json.loads(done("plan", "--model", MODEL, "--voxels", count, "--json",
                                      *options).out)
            ran = {stage["name"]: stage for stage in json.loads(told.read_text())["stages"]}
            for stage in planned["stages"]:
                for key in ("peak_bytes", "uploaded_bytes", "downloaded_bytes", "launches", "flop"):
                    assert ran[stage["name"]][key] == stage[key], (stage["name"], key)
            assert result.counts["peak_bytes"] == planned["peak_bytes"], result.counts


def check_none(report, where):
    with report.check("no voxel at all"):
        model = copy_model(where / "empty", MODEL)
        path = model / "ckpts/ss_dec.safetensors"
        tensors, metadata = read_tensors(path)
        tensors["out_layer.2.bias"] = ("F32", [1], struct.pack("<f", -1e6))
        write_tensors(path, tensors, metadata)
        out = where / "no.glb"
        result = run("generate", PICTURE, "--model", model, "--steps", "1", "-o", out, "-q")
        assert result.status in (FAILED, INPUT), result
        one_message(result, "came out empty", "seed")
        assert not out.exists()


def main():
    report = Report()
    with folder() as where:
        check_none(report, where)
        check_wished(report, where)
        check_counts(report, where)
        check_whole(report, where)
    report.finish()


if __name__ == "__main__":
    main()
