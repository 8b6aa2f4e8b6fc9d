#!/usr/bin/env python3
"""`generate --keep` and `--from`: a run goes on from the last kept result that the same parameters
made and says which, whatever else changed; after a kill too; and damaged results are named."""
import shutil
import signal
import subprocess
import time
from material import (FAILED, GOLDEN, INPUT, SOURCE, Report, copy_model, digest, digests, done,
                      edit_json, expect_same, folder, names, one_message, read_tensors, run, started,
                      with_rows, write_tensors)

IMAGES = SOURCE / "demo/images"
DUCK, ROBOT = IMAGES / "duck.png", IMAGES / "robot.png"  # ROBOT has the fewest voxels
QUICK = ("--steps", "2", "--seed", "1")
KEPT = ["condition.safetensors", "latent-1.safetensors", "structure-1.safetensors"]
MADE_BY = "tessella.made_by"
LONG = ("--steps", "12", "--seed", "1")  # to be killed in


def generate(output, *options, pictures=(ROBOT,), **more):
    """What a run says it reused, in order."""
    result = done("generate", *pictures, "-o", output, *options, "-v", count=False, **more)
    return reused(result.err)


def reused(text):
    return [line.rsplit("/", 1)[1].split("-")[0].split(".")[0] for line in text.splitlines()
            if line.startswith("reused ")]


def change_weight(path):
    """The last float of a matrix becomes another one: same names, shapes and size."""
    tensors, metadata = read_tensors(path)
    name = max(n for n, t in tensors.items() if len(t[1]) >= 2 and n.endswith("weight"))
    dtype, shape, data = tensors[name]
    tensors[name] = (dtype, shape, data[:-2] + (b"\x00\x3c" if data[-2:] != b"\x00\x3c"
                                                else b"\x00\x38"))
    write_tensors(path, tensors, metadata)


def weights(name):
    return lambda model: change_weight(model / f"ckpts/{name}.safetensors")


def pipeline(change):
    return lambda model: edit_json(model / "pipeline.json", change)


def sampler(which, name, value):
    return pipeline(lambda tree: tree["args"][f"{which}_sampler"]["params"].update({name: value}))


def write_tetrahedron(path):
    path.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n")
    return path


def check_kept(report, where):
    """Makes `kept`, which most checks start from."""
    kept = where / "kept"
    plain = where / "plain.safetensors"
    with report.check("--keep changes nothing and writes each stage's result, with what made it"):
        generate(plain, *QUICK)
        assert generate(where / "keeping.safetensors", *QUICK, "--keep", kept) == []
        assert digest(where / "keeping.safetensors") == digest(plain), "other bytes"
        assert names(kept) == KEPT, names(kept)
        latent, metadata = read_tensors(kept / "latent-1.safetensors")
        assert latent == read_tensors(plain)[0], "the kept latent is another one"
        structure, _ = read_tensors(kept / "structure-1.safetensors")
        assert list(structure) == ["coords"] and structure["coords"] == latent["coords"]
        condition, first = read_tensors(kept / "condition.safetensors")
        assert condition["cond"][:2] == ("F32", [1, 69, 128]), condition["cond"][:2]
        assert metadata[MADE_BY].startswith(first[MADE_BY]), metadata
    with report.check("everything is reused, and nothing run"):
        before = {p: p.stat().st_mtime_ns for p in kept.iterdir()}
        got = generate(where / "again.safetensors", *QUICK, "--from", kept, "--report",
                       where / "again.json")
        assert got == ["latent"], got
        assert digest(where / "again.safetensors") == digest(plain), "other bytes"
        assert "flow" not in (where / "again.json").read_text(), "a stage ran"
        assert before == {p: p.stat().st_mtime_ns for p in kept.iterdir()}, "a file changed"
    with report.check("a latent taken up decodes to the same mesh"):
        done("generate", ROBOT, *QUICK, "-o", where / "a.glb", count=False)
        done("generate", ROBOT, *QUICK, "-o", where / "b.glb", "--from", kept, count=False)
        assert digest(where / "a.glb") == digest(where / "b.glb"), "other bytes"
    with report.check("a directory that is not there yet is where a first run starts"):
        both = where / "both"
        assert generate(where / "c.safetensors", *QUICK, "--from", both, "--keep", both) == []
        assert names(both) == KEPT, names(both)
        expect_same("kept", digests(both), digests(kept))
    return kept


# What changes; which of the kept results still fit.
OPTIONS = {
    "nothing": ([], ["latent"]),
    "the budget": (["--memory", "24M"], ["latent"]),
    "the buffers": (["--max-buffer", "8M"], ["latent"]),
    "guidance apart": (["--guide-apart"], ["latent"]),
    "a value that is the default": (["--structure-rescale-t", "3"], ["latent"]),
    "the seed": (["--seed", "2"], ["condition"]),
    "steps of the structure": (["--structure-steps", "3"], ["condition"]),
    "guidance of the structure": (["--structure-guidance", "1.5"], ["condition"]),
    "interval of the structure": (["--structure-guidance-interval", "0,0.1"], ["condition"]),
    "rescaling of the structure": (["--structure-rescale-t", "2"], ["condition"]),
    "steps of the latent": (["--latent-steps", "3"], ["condition", "structure"]),
    "guidance of the latent": (["--latent-guidance", "1.5"], ["condition", "structure"]),
    "interval of the latent": (["--latent-guidance-interval", "0,0.1"],
                               ["condition", "structure"]),
    "rescaling of the latent": (["--latent-rescale-t", "2"], ["condition", "structure"]),
    "steps of both": (["--steps", "3"], ["condition"]),
    "the background of a picture with alpha": (["--background", "keep"], ["latent"]),
}
MODELS = {
    "weights of the image encoder": (weights("dinov2_reg"), []),
    "weights of the structure flow": (weights("ss_flow"), ["condition"]),
    "weights of the structure decoder": (weights("ss_dec"), ["condition"]),
    "weights of the latent flow": (weights("slat_flow"), ["condition", "structure"]),
    "weights of the mesh decoder": (weights("slat_dec_mesh"), ["latent"]),
    "weights of the Gaussian decoder": (weights("slat_dec_gs"), ["latent"]),
    "steps in pipeline.json, which an option overrides": (
        sampler("sparse_structure", "steps", 4), ["latent"]),
    "guidance of the structure in pipeline.json": (
        sampler("sparse_structure", "cfg_strength", 1.25), ["condition"]),
    "rescaling of the latent in pipeline.json": (
        sampler("slat", "rescale_t", 1.5), ["condition", "structure"]),
    "the latents' mean": (pipeline(lambda t: t["args"]["slat_normalization"]["mean"].reverse()),
                          ["condition", "structure"]),
    "the latents' deviation": (
        pipeline(lambda t: t["args"]["slat_normalization"]["std"].reverse()),
        ["condition", "structure"]),
}


def expect_reuse(where, kept, expected, *options, **more):
    """A run from `kept` reuses what fits and makes what a run from nothing makes."""
    got = generate(where / "from.safetensors", *QUICK, *options, "--from", kept, **more)
    assert got == expected, f"reused {got}, expected {expected}"
    generate(where / "new.safetensors", *QUICK, *options, **more)
    assert digest(where / "from.safetensors") == digest(where / "new.safetensors"), "other bytes"


def check_changes(report, where, kept):
    wanted = digests(kept)
    for name, (options, expected) in OPTIONS.items():
        with report.check(f"changed: {name}"):
            expect_reuse(where, kept, expected, *options)
    for name, pictures in (("the picture", [DUCK]), ("one picture more", [ROBOT, DUCK]),
                           ("the same picture twice", [ROBOT, ROBOT])):
        with report.check(f"changed: {name}"):
            expect_reuse(where, kept, [], pictures=pictures)
    for name, (change, expected) in MODELS.items():
        with report.check(f"changed: {name}"):
            shutil.rmtree(where / "model", ignore_errors=True)
            model = copy_model(where / "model")
            change(model)
            expect_reuse(where, kept, expected, "--model", model)
    with report.check("changed: the whole model"):
        expect_reuse(where, kept, [], "--model", GOLDEN / "model")
    with report.check("a model of the same content elsewhere is the same"):
        expect_reuse(where, kept, ["latent"], "--model", copy_model(where / "moved"))
    with report.check("changed: voxels are given"):
        mesh = write_tetrahedron(where / "mesh.obj")
        expect_reuse(where, kept, ["condition"], "--structure", mesh)
    with report.check("none of this touched what was kept"):
        expect_same("kept", digests(kept), wanted)
    with report.check("the mode of several pictures matters where there are several"):
        several = where / "several"
        generate(where / "s.safetensors", *QUICK, "--keep", several, pictures=[ROBOT, DUCK])
        expect_reuse(where, several, ["latent"], pictures=[ROBOT, DUCK])
        expect_reuse(where, several, ["condition"], "--multi-image", "multidiffusion",
                     pictures=[ROBOT, DUCK])
        expect_reuse(where, several, [], pictures=[DUCK, ROBOT])
    with report.check("results of several seeds are side by side"):
        seeds = where / "seeds"
        done("generate", ROBOT, "--steps", "2", "--seed", "1..3", "-o", where / "n.safetensors",
             "--keep", seeds, count=False)
        assert names(seeds) == ["condition.safetensors"] + [
            f"{what}-{seed}.safetensors" for what in ("latent", "structure")
            for seed in (1, 2, 3)], names(seeds)
        expect_same("seed 1", {n: digest(seeds / n) for n in KEPT}, wanted)
        got = generate(where / "m.safetensors", "--steps", "2", "--seed", "2..4", "--from", seeds)
        assert got.count("latent") == 2 and "condition" in got, got
        for seed in (2, 3):
            assert digest(where / f"m-{seed}.safetensors") == digest(
                where / f"n-{seed}.safetensors"), f"seed {seed}: other bytes"


def start(output, kept):
    return started("generate", ROBOT, *LONG, "-o", output, "--keep", kept, "--from", kept, "-v")


def stop(process, number):
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    return process.returncode, err.decode(errors="replace")


def check_kills(report, where):
    """Killed as soon as a result is there, which is between two stages, and some time later,
    which is within one."""
    wanted = where / "long.safetensors"
    begin = time.monotonic()
    generate(wanted, *LONG)
    seconds = time.monotonic() - begin
    results = where / "long kept"
    generate(where / "x.safetensors", *LONG, "--keep", results)
    for number in (signal.SIGKILL, signal.SIGINT):
        for file in (None, *KEPT[:1], *KEPT[2:]):
            for delay in (0, 0.1 * seconds):
                stage = file.split(".")[0] if file else "nothing"
                with report.check(f"{number.name} {delay and 'some time ' or ''}after {stage} "
                                  "is there: the same bytes when taken up"):
                    expect_resumed(where, number, file, delay, wanted, results)
    with report.check("killed again and again, it comes to its end"):
        kept, output = where / "again and again", where / "end.safetensors"
        for attempt in range(20):
            process = start(output, kept)
            try:  # in the end longer than any stage takes
                process.communicate(timeout=(0.4 + 0.15 * attempt) * seconds)
            except subprocess.TimeoutExpired:
                stop(process, signal.SIGKILL)
                continue
            assert process.returncode == 0, process.returncode
            break
        assert attempt > 0, "it was not killed once"
        assert digest(output) == digest(wanted), "other bytes"
        expect_same("kept", {n: digest(kept / n) for n in KEPT}, digests(results))
    with report.check("SIGINT leaves whole results only"):
        kept = where / "interrupted"
        process = start(where / "y.safetensors", kept)
        wait_for(kept / KEPT[0], process)
        status, err = stop(process, signal.SIGINT)
        assert status == 130, f"{status}: {err}"
        assert not (where / "y.safetensors").exists()
        left = digests(kept)
        assert left and set(left) <= set(KEPT), left
        expect_same("kept", left, {n: digest(results / n) for n in left})


def wait_for(path, process):
    begin = time.monotonic()
    while path and not path.exists():
        assert process.poll() is None and time.monotonic() - begin < 60, f"no {path}"
        time.sleep(0.002)


def expect_resumed(where, number, file, delay, wanted, results):
    kept, output = where / "killed", where / "resumed.safetensors"
    for path in (kept, output):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    process = start(output, kept)
    wait_for(kept / file if file else None, process)
    time.sleep(delay)
    status, err = stop(process, number)
    assert status in (-number, 128 + number), f"it ended by itself: {status}, {err}"
    assert not output.exists(), "an output"
    got = reused(generate_err(output, kept))
    there = [name for name in KEPT if file and name <= file]
    if file:
        assert got[:len(there)] == [n.split(".")[0].split("-")[0] for n in sorted(there)
                                    if not n.startswith("latent")], f"{got} of {there}"
    else:
        assert "latent" not in got, got
    assert digest(output) == digest(wanted), "other bytes"
    expect_same("kept", {n: digest(kept / n) for n in KEPT}, digests(results))


def generate_err(output, kept):
    return done("generate", ROBOT, *LONG, "-o", output, "--keep", kept, "--from", kept, "-v",
                count=False).err


def patched(tensors, name, at, data):
    dtype, shape, old = tensors[name]
    tensors[name] = (dtype, shape, old[:at] + data + old[at + len(data):])


def whole(change):
    """Change the bytes of a file."""
    return lambda path: path.write_bytes(change(path.read_bytes()))


def inside(change):
    """Change tensors and leave what made them."""
    def apply(path):
        tensors, metadata = read_tensors(path)
        change(tensors)
        write_tensors(path, tensors, metadata)
    return apply


def minus_one(count=1):
    return b"\xff\xff\xff\xff" * count


NAN = b"\x00\x00\xc0\x7f"
# Which file; how it is damaged; what the message names besides the file.
DAMAGES = {
    "a condition cut short": ("condition", whole(lambda d: d[:-100]), []),
    "an empty condition": ("condition", whole(lambda d: b""), []),
    "a condition of something else": ("condition", whole(lambda d: b"x" * 5000), []),
    "a condition without its tensor": ("condition", inside(lambda t: t.update(
        cand=t.pop("cond"))), ["cond"]),
    "a condition of other tokens": ("condition", inside(lambda t: t.update(with_rows(t, 0))),
                                    ["cond"]),
    "a condition with NaN": ("condition", inside(lambda t: patched(t, "cond", 40, NAN)),
                             ["cond"]),
    "a structure cut short": ("structure-1", whole(lambda d: d[:-10]), []),
    "a structure without voxels": ("structure-1", inside(lambda t: t.update(with_rows(t, 0))),
                                   ["coords"]),
    "a negative coordinate": ("structure-1", inside(
        lambda t: patched(t, "coords", 20, minus_one())), ["coords"]),
    "a coordinate beyond the grid": ("structure-1", inside(
        lambda t: patched(t, "coords", 20, b"\xff\xff\xff\x7f")), ["coords"]),
    "a coordinate just beyond the grid": ("structure-1", inside(
        lambda t: patched(t, "coords", 20, b"\x20\x00\x00\x00")), ["coords"]),
    "a voxel twice": ("structure-1", inside(
        lambda t: patched(t, "coords", 16, t["coords"][2][:16])), ["coords"]),
    "another batch": ("structure-1", inside(
        lambda t: patched(t, "coords", 16, b"\x01\0\0\0")), ["coords"]),
    "a latent cut short": ("latent-1", whole(lambda d: d[:5000]), []),
    "a latent without features": ("latent-1", inside(lambda t: t.pop("feats")), ["feats"]),
    "a latent without voxels": ("latent-1", inside(lambda t: t.update(with_rows(t, 0))), []),
    "features of fewer channels": ("latent-1", inside(lambda t: t.update(
        feats=("F32", [t["feats"][1][0], 4], t["feats"][2][:len(t["feats"][2]) // 2]))),
        ["feats"]),
    "NaN in the features": ("latent-1", inside(lambda t: patched(t, "feats", 64, NAN)),
                            ["feats"]),
    "a latent's negative coordinate": ("latent-1", inside(
        lambda t: patched(t, "coords", 20, minus_one())), ["coords"]),
}


def check_damage(report, where, kept):
    """A damaged result is an error that names it; it stays where it is, and nothing else goes."""
    for name, (file, damage, parts) in DAMAGES.items():
        with report.check(f"damaged: {name}"):
            broken = where / "broken"
            shutil.rmtree(broken, ignore_errors=True)
            broken.mkdir()
            for result in ("condition", "structure-1", "latent-1"):
                if result != "latent-1" or file == "latent-1":  # else it would be all there is
                    shutil.copy(kept / f"{result}.safetensors", broken)
            path = broken / f"{file}.safetensors"
            damage(path)
            before = digests(broken)
            output = where / "damaged.safetensors"
            result = run("generate", ROBOT, *QUICK, "-q", "-o", output, "--from", broken,
                         "--keep", broken, count=False)
            assert result.status == INPUT, result
            one_message(result, path, *parts)
            assert not output.exists(), "an output"
            expect_same("what was kept", digests(broken), before)
    with report.check("what other parameters made is not looked into"):
        other = where / "other"
        shutil.copytree(kept, other)
        for file in KEPT:
            tensors, metadata = read_tensors(other / file)
            metadata[MADE_BY] = "something else"
            write_tensors(other / file, {"junk": ("F32", [1], NAN)}, metadata)
        assert generate(where / "o.safetensors", *QUICK, "--from", other, "--keep", other) == []
        expect_same("kept anew", digests(other), digests(kept))
    with report.check("a file without a word about what made it"):
        tensors, _ = read_tensors(kept / KEPT[0])
        write_tensors(other / KEPT[0], tensors)
        got = generate(where / "p.safetensors", *QUICK, "--latent-steps", "1", "--from", other)
        assert got == ["structure"], got
    with report.check("a directory that cannot be made or written into"):
        (where / "file").write_text("older")
        for path in (where / "file", where / "none/below"):
            result = run("generate", ROBOT, *QUICK, "-q", "-o", where / "q.safetensors", "--keep",
                         path, count=False)
            assert result.status == FAILED, result
            one_message(result, path)
            assert not (where / "q.safetensors").exists(), "an output"
        assert (where / "file").read_text() == "older"


def main():
    report = Report()
    with folder() as where:
        kept = check_kept(report, where)
        check_changes(report, where, kept)
        check_damage(report, where, kept)
        check_kills(report, where)
    report.finish()


if __name__ == "__main__":
    main()
