#!/usr/bin/env python3
"""Variants of one picture: several seeds at once give what each gives alone; noise from a file; what
reports and plans say of a whole run; a line a stage where standard error is no terminal."""
import hashlib
import json
import random
import re
import struct
from material import (DEVICE, INPUT, MODEL, SOURCE, USAGE, Report, digest, done, folder, one_message,
                      run, write_tensors)

ROBOT = SOURCE / "demo/images/robot.png"  # the fewest voxels
QUICK = ["--model", MODEL, "--steps", "2"]
STAGES = ["image encoder", "structure flow", "structure decoder", "latent flow"]


def check_seeds(report, where):
    for seed in (3, 4, 5):
        done("generate", ROBOT, *QUICK, "--seed", seed, "-q", "-o",
             where / f"alone-{seed}.safetensors", "--report", where / f"alone-{seed}.json")
    with report.check("three seeds give what each gives alone"):
        done("generate", ROBOT, *QUICK, "--seed", "3..5", "-q", "-o",
             where / "together.safetensors", "--report", where / "together.json")
        for seed in (3, 4, 5):
            assert digest(where / f"together-{seed}.safetensors") == \
                digest(where / f"alone-{seed}.safetensors"), seed
    with report.check("the picture is encoded and each block of weights read once"):
        stages = {name: json.loads((where / f"{name}.json").read_text())["stages"]
                  for name in ("together", "alone-3", "alone-4", "alone-5")}
        names = [stage["name"] for stage in stages["together"]]
        assert names == STAGES[:2] + 3 * STAGES[2:3] + STAGES[3:], names
        for flow, file in (("structure flow", "ss_flow"), ("latent flow", "slat_flow")):
            sent = {name: stage["uploaded_bytes"] for name in stages for stage in stages[name]
                    if stage["name"] == flow}
            saved = sent["alone-3"] + sent["alone-4"] + sent["alone-5"] - sent["together"]
            # Twice the weights, but for those of the embedding of times.
            assert saved > 1.8 * (MODEL / f"ckpts/{file}.safetensors").stat().st_size, sent
    with report.check("in groups where memory is scarce, the same bytes"):
        done("generate", ROBOT, *QUICK, "--seed", "3..5", "-q", "-o", where / "small.safetensors",
             "--memory", "8M", "--report", where / "small.json")
        names = [stage["name"] for stage in
                 json.loads((where / "small.json").read_text())["stages"]]
        assert names == STAGES[:2] + 3 * STAGES[2:3] + 2 * STAGES[3:], names
        for seed in (3, 4, 5):
            assert digest(where / f"small-{seed}.safetensors") == \
                digest(where / f"alone-{seed}.safetensors"), seed


def floats(count, seed):
    """Normal noise as bytes of float32."""
    source = random.Random(seed)
    return struct.pack(f"<{count}f", *[source.gauss(0, 1) for _ in range(count)])


def check_noise(report, where):
    noise = where / "noise.safetensors"
    write_tensors(noise, {"noise_ss": ("F32", [1, 8, 8, 8, 8], floats(8 ** 4, 5))})
    with report.check("noise from a file"):
        for name, seed in (("a", 3), ("b", 3)):
            done("generate", ROBOT, *QUICK, "--seed", seed, "-q", "--noise", noise,
                 "-o", where / f"noise-{name}.safetensors")
        assert digest(where / "noise-a.safetensors") == digest(where / "noise-b.safetensors")
        assert digest(where / "noise-a.safetensors") != digest(where / "alone-3.safetensors")
    for name, tensors, part in (
            ("of another shape", {"noise_ss": ("F32", [1, 8, 4, 4, 4], bytes(2048))}, "noise_ss"),
            ("of another type", {"noise_ss": ("F64", [1, 8, 8, 8, 8], bytes(32768))}, "noise_ss"),
            ("with nothing", {"other": ("F32", [1], bytes(4))}, "noise_ss or noise_slat"),
            ("for other voxels", {"noise_slat": ("F32", [3, 8], bytes(96))}, "noise_slat")):
        with report.check(f"noise {name}"):
            bad = where / "bad.safetensors"
            write_tensors(bad, tensors)
            result = run("generate", ROBOT, *QUICK, "-q", "--noise", bad, "-o",
                         where / "never.safetensors")
            assert result.status == INPUT, result
            one_message(result, bad, part)
            assert not (where / "never.safetensors").exists()
    with report.check("noise for several seeds"):
        assert run("generate", ROBOT, "--noise", noise, "--seed", "1..2", "-o",
                   where / "never.safetensors").status == USAGE


def check_report(report, where):
    with report.check("a report's parameters and hashes"):
        told = json.loads((where / "alone-3.json").read_text())
        (generation,) = told["generations"]
        assert generation["seeds"] == ["3"] and generation["pictures"] == 1, generation
        for part in ("structure", "latent"):
            assert generation[part]["steps"] == 2, generation
        (source,), (result,) = told["inputs"], told["outputs"]
        for file, path in ((source, ROBOT), (result, where / "alone-3.safetensors")):
            assert file["path"] == str(path), file
            assert file["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest(), file
            assert file["bytes"] == path.stat().st_size, file


def check_plan(report, where):
    alone = {stage["name"]: stage
             for stage in json.loads((where / "alone-3.json").read_text())["stages"]}
    voxels = int(re.search(r"voxels +(\d+)", done("generate", ROBOT, *QUICK, "--seed", 3, "-o",
                                                  where / "again.safetensors").out)[1])
    told = json.loads(done("plan", *QUICK, "--voxels", voxels, "--json").out)
    plan = {stage["name"]: stage for stage in told["stages"]}
    with report.check("a plan of all stages"):
        assert list(plan) == STAGES + ["gaussian decoder", "mesh decoder"], list(plan)
    for name in STAGES[:3]:  # the latent's depend on where the voxels are
        with report.check(f"plan and run of the {name}"):
            for field in ("peak_bytes", "uploaded_bytes", "downloaded_bytes", "flop"):
                assert plan[name][field] == alone[name][field], (field, plan[name], alone[name])
    with report.check("too little for features and decoders is told before features are sampled"):
        budget = max(plan[name]["smallest_budget_bytes"] for name in STAGES[:3]) >> 10
        result = run("generate", ROBOT, *QUICK, "--seed", 3, "-o", where / "never.glb", "--memory",
                     f"{budget}K")
        assert result.status == DEVICE and "latent flow: " not in result.err, result
        named = int(re.search(r"--memory (\d+)K", result.err)[1])
        done("generate", ROBOT, *QUICK, "--seed", 3, "-q", "-o", where / "small.glb", "--memory",
             f"{named}K")


def check_lines(report, where):
    with report.check("a line a stage where standard error is no terminal"):
        result = done("generate", ROBOT, *QUICK, "--seed", 3, "-o", where / "lines.safetensors")
        for name in STAGES:
            assert len(re.findall(rf"^{name}: [\d.]+ s", result.err, re.M)) == 1, result
        assert done("generate", ROBOT, *QUICK, "--seed", 3, "-q", "-o",
                    where / "lines.safetensors").err == ""


def main():
    report = Report()
    with folder() as where:
        check_seeds(report, where)
        check_noise(report, where)
        check_report(report, where)
        check_plan(report, where)
        check_lines(report, where)
    report.finish()


if __name__ == "__main__":
    main()
