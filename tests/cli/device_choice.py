#!/usr/bin/env python3
"""Devices: what is listed, how one is chosen, and what is said when there is none."""
import json
import os
import shutil
from material import (DEVICE, DONE, MODEL, SMALLEST, SOURCE, Report, caches_in, digests, done,
                      expect_files, expect_same, folder, one_message, run, small_latent)

FIELDS = {"index": int, "id": str, "name": str, "vendor": str, "platform": str, "version": str,
          "driver": str, "type": str, "compute_units": int, "clock_mhz": int, "host_memory": bool,
          "fp16": bool, "keeps_time": bool, "memory_bytes": int, "max_buffer_bytes": int,
          "local_memory_bytes": int, "tuning": str, "alignment_bytes": int, "budget_bytes": int}


def chosen(where, latent, *options, **environment):
    """The name of the device that a run takes."""
    result = done("decode", latent, "-q", "-o", where / "a.ply", "--report", "/dev/stdout",
                  *options, env={"TESSELLA_DEVICE": "", **environment})
    return json.loads(result.out)["device"]["name"]


def check_no_times(where, latent):
    """The host's clock counts, the bytes are the same, and time is estimated."""
    assert "tells no times" in done("devices", no_times=1).out
    assert "tells no times" not in done("devices").out
    variables = caches_in(where / "caches")
    wanted = None
    untimed = {"no_times": 1, "env": variables}
    for name, more in (("timed", {}), ("untimed", untimed), ("again", untimed)):
        into = where / name
        into.mkdir()
        done("decode", latent, "-o", into / "a.glb", "-o", into / "a.ply", "--report",
             where / "times.json", **more)
        wanted = wanted or digests(into)
        expect_same(name, digests(into), wanted)
    for stage in json.loads((where / "times.json").read_text())["stages"][:2]:
        kernels = stage["kernel_seconds"]
        assert 0 < stage["longest_launch_seconds"] <= kernels <= stage["seconds"], stage
    plan = json.loads(done("plan", latent, "--json", no_times=1, env=variables).out)
    assert all(stage["estimated_seconds"] > 0 for stage in plan["stages"]), plan


def main():
    report = Report()
    with folder() as where:
        latent = small_latent(where / "latent.safetensors", 4)
        devices = json.loads(done("devices", "--json").out)
        with report.check("devices --json"):
            assert devices
            for number, device in enumerate(devices):
                wrong = {k: device.get(k) for k, kind in FIELDS.items()
                         if not isinstance(device.get(k), kind)}
                assert not wrong and set(device) == set(FIELDS), wrong or set(device) ^ set(FIELDS)
                assert device["index"] == number
                assert device["type"] in ("gpu", "cpu", "accelerator")
                assert 0 < device["budget_bytes"] < device["memory_bytes"]
                assert device["max_buffer_bytes"] <= device["memory_bytes"]
                assert device["alignment_bytes"] >= 128
        with report.check("devices"):
            text = done("devices").out
            for device in devices:
                assert device["name"] in text and device["driver"] in text, text
                assert device["id"] in text and "budget" in text, text
        with report.check("no buffer outlives devices"):
            result = done("devices")
            assert result.counts["allocations"] == 0, result

        with report.check("every device by index, P:D and name"):
            for device in devices:
                if device["type"] == "gpu":
                    continue  # its driver may need more than this test should
                for selector in (str(device["index"]), device["id"]):
                    assert chosen(where, latent, "--device", selector) == device["name"], selector
            first = next(d for d in devices if d["type"] == "cpu")
            part = first["name"][2:-2]
            for selector in ("cpu", "CPU", part, part.upper()):
                assert chosen(where, latent, "--device", selector) == first["name"], selector
        with report.check("TESSELLA_DEVICE, and --device before it"):
            cpu = next(d for d in devices if d["type"] == "cpu")
            assert chosen(where, latent, TESSELLA_DEVICE="cpu") == cpu["name"]
            assert chosen(where, latent, "--device", "cpu", TESSELLA_DEVICE="abacus") == cpu["name"]
        with report.check("a budget beyond the device's is cut, and said"):
            cpu = next(d for d in devices if d["type"] == "cpu")
            result = done("decode", latent, "-o", where / "a.ply", "--report", where / "r.json",
                          "--memory", "1000G", env={"TESSELLA_DEVICE": "cpu"})
            assert "warning" in result.err and str(1000 << 10) in result.err, result
            told = json.loads((where / "r.json").read_text())["budget"]["device_bytes"]
            assert told <= cpu["memory_bytes"], told

        into = where / "out"
        into.mkdir()
        decode = ["decode", SMALLEST, "-o", into / "a.glb", "-o", into / "a.png"]
        for selector in ("abacus", "99", "7:7", "-1", "0:"):
            with report.check(f"no device is called '{selector}'"):
                for arguments, environment in ((["--device", selector], {}),
                                               ([], {"TESSELLA_DEVICE": selector})):
                    result = run(*decode, *arguments, env=environment)
                    assert result.status == DEVICE, result
                    one_message(result, f"'{selector}'", *[d["name"] for d in devices])
                    expect_files(into)

        for limits, number in (({"local_memory": 8192}, "8192"), ({"group": 128}, "128")):
            with report.check(f"a device that is too small: {limits}"):
                result = run(*decode, **limits)
                assert result.status == DEVICE, result
                one_message(result, number, "expected at least 256 and 16384")
                expect_files(into)
        with report.check("a device that is just large enough"):
            done(*decode, local_memory=16384, group=256)
            for path in into.iterdir():
                path.unlink()

        with report.check("a device that tells no times"):
            check_no_times(where, latent)

        with report.check("a CPU that the driver's compiler does not know"):
            kernels = where / "cl"
            shutil.copytree(SOURCE / "cl", kernels)
            (kernels / "common.clh").write_text("#error unknown target CPU 'generic'\n")
            result = run(*decode, "--kernel-dir", kernels)
            assert result.status == DEVICE and "a later version of the driver" in result.err, result
            expect_files(into)

        nowhere = where / "vendors"
        nowhere.mkdir()
        none = {"OCL_ICD_VENDORS": str(nowhere), "OCL_ICD_FILENAMES": "", "TESSELLA_DEVICE": ""}
        for arguments in (["devices"], ["devices", "--json"], decode, ["verify", where],
                          ["render", where / "a.ply", "-o", into / "a.png"], ["plan", latent]):
            with report.check(f"{arguments[0]} without any OpenCL device"):
                result = run(*arguments, env=none, count=False)
                assert result.status == DEVICE and not result.out, result
                one_message(result, "pocl-opencl-icd")
                expect_files(into)
        with report.check("no device is needed to look at files"):
            assert run("model", MODEL, env=none, count=False).status == DONE
            assert run("plan", latent, "--described", env=none, count=False).status == DONE
        with report.check("a driver that does not load"):
            (nowhere / "broken.icd").write_text(os.fspath(where / "libnone.so") + "\n")
            result = run("devices", env=none, count=False)
            assert result.status == DEVICE, result
            assert "pocl-opencl-icd" in result.err, result
    report.finish()


if __name__ == "__main__":
    main()
