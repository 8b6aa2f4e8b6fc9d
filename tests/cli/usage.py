#!/usr/bin/env python3
"""Command lines: usage errors are exit 2 before any work, help and version, exit statuses of
outputs that cannot be written, and outputs that appear whole or not at all."""
import json
import os
import re
import subprocess
from material import (DONE, FAILED, INPUT, MODEL, SMALLEST, USAGE, Report, digests, done,
                      expect_files, expect_same, folder, one_message, program, read_glb, run,
                      small_latent)

COMMANDS = ("generate", "decode", "render", "devices", "plan", "verify", "model", "info", "bench",
            "clean", "convert")
LATENT = str(SMALLEST)
OPTION = r"--[a-z-]*[a-z](?![-a-z])"  # not the "--latent-..." of help
# No work: these end before a device is looked for, so none has to be there.
NO_DEVICE = {"OCL_ICD_VENDORS": "/nonexistent", "OCL_ICD_FILENAMES": ""}

MISTAKES = {
    "an unknown command": ["paint"],
    "an unknown option": ["decode", LATENT, "-o", "a.glb", "--fast"],
    "an unknown short option": ["decode", LATENT, "-o", "a.glb", "-x"],
    "an unknown option and no command": ["--fast"],
    "no input": ["decode", "-o", "a.glb"],
    "two inputs": ["decode", LATENT, LATENT, "-o", "a.glb"],
    "no output": ["decode", LATENT],
    "an option without its value": ["decode", LATENT, "-o"],
    "an unknown suffix": ["decode", LATENT, "-o", "a.fbx"],
    "no suffix": ["decode", LATENT, "-o", "glb"],
    "a suffix only": ["decode", LATENT, "-o", ".glb"],
    "one bad suffix of two": ["decode", LATENT, "-o", "a.glb", "-o", "a.docx"],
    "an empty output": ["decode", LATENT, "-o", ""],
    "seventeen outputs": ["decode", LATENT, *["-o", "a.glb"] * 17],
    "--memory 0": ["decode", LATENT, "-o", "a.glb", "--memory", "0"],
    "--memory -1": ["decode", LATENT, "-o", "a.glb", "--memory", "-1"],
    "--memory M": ["decode", LATENT, "-o", "a.glb", "--memory", "M"],
    "--memory 12X": ["decode", LATENT, "-o", "a.glb", "--memory", "12X"],
    "--memory 12MM": ["decode", LATENT, "-o", "a.glb", "--memory", "12MM"],
    "--memory 1.5G": ["decode", LATENT, "-o", "a.glb", "--memory", "1.5G"],
    "--memory 2^64": ["decode", LATENT, "-o", "a.glb", "--memory", "18446744073709551616"],
    "--memory 2^64 by its unit": ["decode", LATENT, "-o", "a.glb", "--memory", "17179869184G"],
    "--memory empty": ["decode", LATENT, "-o", "a.glb", "--memory", ""],
    "--max-buffer none": ["decode", LATENT, "-o", "a.glb", "--max-buffer", "none"],
    "--seed -1": ["decode", LATENT, "-o", "a.glb", "--seed", "-1"],
    "--seed x": ["decode", LATENT, "-o", "a.glb", "--seed", "x"],
    "--size 0": ["decode", LATENT, "-o", "a.png", "--size", "0"],
    "--size 8193": ["decode", LATENT, "-o", "a.png", "--size", "8193"],
    "--size 10px": ["decode", LATENT, "-o", "a.png", "--size", "10px"],
    "--channel loud": ["decode", LATENT, "-o", "a.png", "--channel", "loud"],
    "--yaw nan": ["decode", LATENT, "-o", "a.png", "--yaw", "nan"],
    "--yaw east": ["decode", LATENT, "-o", "a.png", "--yaw", "east"],
    "--fov 180": ["decode", LATENT, "-o", "a.png", "--fov", "180"],
    "--fov 0": ["decode", LATENT, "-o", "a.png", "--fov", "0"],
    "--radius 0": ["decode", LATENT, "-o", "a.png", "--radius", "0"],
    "--radius inf": ["decode", LATENT, "-o", "a.png", "--radius", "inf"],
    "--supersampling 9": ["decode", LATENT, "-o", "a.png", "--supersampling", "9"],
    "--fps 0": ["render", "a.glb", "-o", "a.apng", "--fps", "0"],
    "an animation of the input": ["generate", "a.png", "-o", "a.glb", "--save-input", "b.apng"],
    "--turntable 0": ["render", "a.glb", "-o", "a.png", "--turntable", "0"],
    "a picture as a mesh": ["render", "a.glb", "-o", "b.glb"],
    "render without an output": ["render", "a.glb"],
    "plan of a latent and of voxels": ["plan", LATENT, "--voxels", "100"],
    "--voxels 0": ["plan", "--voxels", "0"],
    "--resolution 5000": ["plan", "--resolution", "5000"],
    "devices of something": ["devices", "gpu"],
    "verify of nothing": ["verify"],
    "two models": ["model", "a", "b"],
    "info of nothing": ["info"],
    "a texture without splats": ["convert", "a.glb", "-o", "b.glb", "--texture"],
    "clean-up while converting": ["convert", "a.glb", "-o", "b.glb", "--clean"],
    "steps of a fast texture": ["decode", LATENT, "-o", "a.glb", "--texture-steps", "9",
                                "--texture-mode", "fast"],
    "a fast texture of steps": ["decode", LATENT, "-o", "a.glb", "--texture-mode", "fast",
                                "--texture-steps", "9"],
    "a channel of a mesh": ["clean", "a.glb", "-o", "b.glb", "--channel", "normal"],
    "steps of a latent": ["decode", LATENT, "-o", "a.glb", "--steps", "3"],
    "a size of a picture in space": ["render", "a.glb", "-o", "b.png", "--scale", "2"],
    "an output twice": ["decode", LATENT, "-o", "a.glb", "-o", "b.glb", "-o", "./a.glb"],
    "an output that is the report": ["decode", LATENT, "-o", "a.glb", "--report", "../usage/a.glb"],
    "an output that is the input's copy": ["generate", "a.png", "--save-input", "b.png", "-o",
                                           "b.png"],
    "a conversion twice": ["convert", "a.ply", "-o", "b.spz", "-o", "b.spz"],
    "info into a file": ["info", "a.glb", "-o", "b.glb"],
}


def options_of(command):
    """What its help names, but for what it says of other commands, as `bench --tune`."""
    text = run(command, "--help", count=False).out
    return set(re.findall(OPTION, re.sub("`[^`]*`", "", text)))


def told(command, option, value):
    """What a command without inputs, or with too many, says of an option's value."""
    inputs = {"plan": ["a", "b"], "bench": ["a"] * 9, "model": ["a", "b"], "devices": ["a"]}
    result = run(command, f"{option}={value}", *inputs.get(command, []), env=NO_DEVICE, count=False)
    assert result.status == USAGE, result
    return result.err.splitlines()[0]


def check_values(report):
    """Messages tell what an option takes, and are right about ranges."""
    tried = set()
    for command in COMMANDS:
        for option in sorted(options_of(command) - tried):
            tried.add(option)
            refused = told(command, option, "?")
            range_ = re.search(r"'\?', expected (?:a power of two, )?(\S+) to (\S+)$", refused)
            if "'?'" in refused:
                with report.check(f"{option}: the message tells what it takes"):
                    assert "expected" in refused and "another value" not in refused, refused
            if not range_:
                continue
            with report.check(f"{option}: its limits are those that it tells"):
                for value in range_.groups():
                    assert "option" not in told(command, option, value), (option, value)
                low, high = map(float, range_.groups())
                for value in (low - max(0.01 * abs(low), 1e-12), high + 0.01 * abs(high), "nan", ""):
                    assert "expected" in told(command, option, value), (option, value)


def check_names(report, where):
    """The same name in two directories is two files; through a link it is one."""
    (where / "one").mkdir()
    (where / "two").mkdir()
    (where / "link").symlink_to("one")

    def plan(*outputs):
        options = [word for path in outputs for word in ("-o", path)]
        return run("plan", "--described", "--voxels", "20", "--model", MODEL, *options, cwd=where,
                   env=NO_DEVICE, count=False)
    with report.check("outputs of one name in two directories"):
        assert plan("one/a.glb", "two/a.glb", "a.glb").status == DONE, plan("one/a.glb", "two/a.glb")
    with report.check("one output by two names"):
        for names in (("one/a.glb", "link/a.glb"), ("none/a.glb", "none/a.glb"), ("a.ply", ".//a.ply"),
                      ("two/a.glb", where / "two/a.glb")):
            result = plan(*names)
            assert result.status == USAGE, result
            assert f"'{names[0]}' and '{names[1]}' are the same file" in result.err, result
    (where / "link").unlink()
    (where / "one").rmdir()
    (where / "two").rmdir()


def check_outputs(report, where):
    latent = small_latent(where / "latent.safetensors", 20)

    with report.check("a directory that is not there"):
        result = run("decode", latent, "-o", where / "none/a.glb")
        assert result.status == FAILED, result
        one_message(result, where / "none/a.glb", "No such file")
    with report.check("an output that is a directory"):
        (where / "is.glb").mkdir()
        result = run("decode", latent, "-o", where / "is.glb")
        assert result.status == FAILED, result
        one_message(result, where / "is.glb", "directory")
        (where / "is.glb").rmdir()
    with report.check("a directory that may not be written"):
        shut = where / "shut"
        shut.mkdir()
        shut.chmod(0o500)
        if os.access(shut, os.W_OK):  # root may
            shut = "/proc/self"
        result = run("decode", latent, "-o", f"{shut}/a.glb")
        assert result.status == FAILED, result
        one_message(result, f"{shut}/a.glb")
    for suffix in ("glb", "ply", "png", "obj", "stl"):
        with report.check(f"a full disk, {suffix}"):
            full = where / f"full.{suffix}"
            full.symlink_to("/dev/full")
            result = run("decode", latent, "-o", full)
            assert result.status == FAILED, result
            one_message(result, full, "No space left")
            assert full.is_symlink(), "the link is gone"
    with report.check("a report that cannot be written"):
        result = run("decode", latent, "-o", where / "b.glb", "--report", where / "none/r.json")
        assert result.status == FAILED, result
        one_message(result, where / "none/r.json")
    with report.check("a report into a device or through a link"):
        result = done("decode", latent, "-q", "-o", where / "b.glb", "--report", "/dev/stdout")
        assert json.loads(result.out)["stages"], result
        (where / "real.json").write_text("older")
        (where / "link.json").symlink_to(where / "real.json")
        done("decode", latent, "-q", "-o", where / "b.glb", "--report", where / "link.json")
        assert (where / "link.json").is_symlink()
        assert json.loads((where / "real.json").read_text())["stages"]
    with report.check("existing files stay when a run fails, and are replaced when it does not"):
        into = where / "existing"
        into.mkdir()
        for name in ("a.glb", "a.png", "r.json"):
            (into / name).write_text("older")
        arguments = ["-o", into / "a.glb", "-o", into / "a.png", "--report", into / "r.json"]
        result = run("decode", latent, *arguments, "--memory", "64K")
        assert result.status == 4, result
        assert all((into / name).read_text() == "older" for name in ("a.glb", "a.png", "r.json"))
        result = run("decode", "/nonexistent", *arguments)
        assert result.status == INPUT, result
        assert all((into / name).read_text() == "older" for name in ("a.glb", "a.png", "r.json"))
        done("decode", latent, *arguments)
        assert all((into / name).read_bytes() != b"older" for name in ("a.glb", "a.png", "r.json"))
        expect_files(into, "a.glb", "a.png", "r.json")
    with report.check("outputs have the permissions that the umask leaves"):
        before = os.umask(0o027)
        try:
            into = where / "modes"
            into.mkdir()
            done("decode", latent, "-o", into / "a.glb", "-o", into / "a.png",
                 "--report", into / "r.json")
        finally:
            os.umask(before)
        modes = {path.name: oct(path.stat().st_mode & 0o777) for path in into.iterdir()}
        assert set(modes.values()) == {"0o640"}, modes
    with report.check("the seed and the model are written into the file"):
        done("decode", latent, "-o", where / "seed.glb", "--seed", "18446744073709551615")
        text = json.dumps(read_glb(where / "seed.glb")[0])
        assert "18446744073709551615" in text and "Tessella" in text, text[:400]
    with report.check("the same run twice gives the same bytes"):
        for into in (where / "first", where / "second"):
            into.mkdir()
            done("decode", latent, *[part for s in ("glb", "ply", "obj", "stl", "png")
                                     for part in ("-o", into / f"a.{s}")])
        expect_same("twice", digests(where / "first"), digests(where / "second"))
    with report.check("sizes have units"):
        for size in ("67108864", "65536K", "64M", "64m", "64MiB", "64MB"):
            result = done("decode", latent, "-q", "-o", where / "b.ply", "--memory", size,
                          "--report", "/dev/stdout")
            assert json.loads(result.out)["budget"]["device_bytes"] == 64 << 20, size


def main():
    report = Report()
    with folder() as where:
        for name, arguments in MISTAKES.items():
            with report.check(f"usage: {name}"):
                into = where / "usage"
                into.mkdir(exist_ok=True)
                result = run(*arguments, env=NO_DEVICE, cwd=into, count=False)
                assert result.status == USAGE, result
                assert result.err.startswith("tessella: ") and not result.out, result
                assert "--help" in result.err, result
                expect_files(into)
        with report.check("no arguments at all"):
            result = run(env=NO_DEVICE, count=False)
            assert result.status == USAGE and "Usage:" in result.err and not result.out, result
        for command in (None, *COMMANDS):
            with report.check(f"{command or 'the program'} --help"):
                for option in ("--help", "-h"):
                    result = run(*([command] if command else []), option, env=NO_DEVICE,
                                 count=False)
                    assert result.status == DONE and not result.err, result
                    assert "Usage:" in result.out and "Exit status" in result.out, result
                    for name in [command] if command else COMMANDS:
                        assert f"tessella {name}" in result.out, result
        with report.check("every option that help names is one"):
            for command in COMMANDS:
                for option in options_of(command):
                    result = run(command, option, env=NO_DEVICE, count=False)
                    assert "unknown option" not in result.err, f"{command} {option}: {result}"
                    assert "is not one of" not in result.err, f"{command} {option}: {result}"
        check_values(report)
        with report.check("--version"):
            for arguments in (["--version"], ["decode", "--version"]):
                result = run(*arguments, env=NO_DEVICE, count=False)
                assert result.status == DONE, result
                words = result.out.split()
                assert words[0] == "tessella" and words[1].count(".") == 2, result
        with report.check("standard output that is full"):
            with open("/dev/full", "w") as full:
                result = subprocess.run([program(), "model", MODEL], stdout=full,
                                        stderr=subprocess.PIPE, text=True)
            assert result.returncode == FAILED and "standard output" in result.stderr, result
        check_names(report, where)
        check_outputs(report, where)
    report.finish()


if __name__ == "__main__":
    main()
