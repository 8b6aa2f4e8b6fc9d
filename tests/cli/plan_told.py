#!/usr/bin/env python3
"""`plan` tells what a run then does: the same peak, bytes, launches and arithmetic, stage by stage;
for a described device it needs none."""
import json
from material import (DEVICE, DONE, INPUT, LATENTS, MODEL, SOURCE, Report, copy_model, done,
                      edit_json, folder, one_message, run, small_latent, tessella)

EXACT = ("name", "peak_bytes", "launches", "flop", "uploaded_bytes", "downloaded_bytes",
         "spilled_bytes", "spilled_tensors", "prefetch", "spans")
PICTURE = SOURCE / "demo/images/duck.png"
SAMPLING = ("--steps", "4", "--guidance-interval", "0.8,1")  # of four steps three are guided
NO_DEVICE = {"OCL_ICD_VENDORS": "/nonexistent", "OCL_ICD_FILENAMES": "", "TESSELLA_DEVICE": ""}


def planned(*arguments, **options):
    return json.loads(done("plan", *arguments, "--json", **options).out)


def nothing_but_trials(counts):
    """Nothing was allocated on the device but what a matrix unit is tried with."""
    return counts["allocations"] <= 1 and counts["peak_bytes"] <= 64 << 10


def run_told(where, latent, *options):
    """What the stages of a run told, by name."""
    path = where / "told.json"
    done("decode", latent, "-o", where / "b.glb", "-o", where / "b.ply", "--report", path, *options)
    return {stage["name"]: stage for stage in json.loads(path.read_text())["stages"]}


def check_against_run(where, latent, options):
    report = where / "report.json"
    result = done("decode", latent, "-o", where / "a.glb", "-o", where / "a.ply",
                  "--report", report, *options)
    compare(planned(latent, *options), 2, report, result)


def check_against_generation(where, latent, options, **limits):
    report = where / "report.json"
    result = done("generate", PICTURE, *SAMPLING, "--seed", "1", *options,
                  "-o", where / "a.glb", "-o", where / "a.ply", "-o", latent, "--report", report,
                  **limits)
    compare(planned(latent, "--pictures", "1", *SAMPLING, *options, **limits), 6, report, result)


def compare(plan, count, report, result):
    """A plan with the report of the run, and with what was counted from outside."""
    told = json.loads(report.read_text())
    stages = {stage["name"]: stage for stage in told["stages"]}
    assert len(plan["stages"]) == count, [stage["name"] for stage in plan["stages"]]
    for stage in plan["stages"]:
        other = stages[stage["name"]]
        wrong = {key: (stage[key], other[key]) for key in EXACT if stage[key] != other[key]}
        assert not wrong, f"{stage['name']}: (plan, run) {wrong}"
        assert stage["peak_bytes"] <= plan["budget"]["device_bytes"]
        assert stage["smallest_budget_bytes"] <= stage["peak_bytes"], stage
    assert plan["peak_bytes"] == told["peak_bytes"] == result.counts["peak_bytes"], result
    assert plan["device"] == told["device"] and plan["budget"] == told["budget"]


def check_finish(report, where, latent):
    """What follows decoding needs the memory that the plan says, whatever the mesh is; its
    smallest budget is named before anything runs."""
    told = where / "finish.json"
    outputs = [part for name in ("f.glb", "f.ply", "f.png") for part in ("-o", where / name)]
    small = ("--views", "3", "--view-size", "192", "--size", "64", "--simplify", "300",
             "--texture=128", "--texture-views", "3", "--texture-view-size", "160")
    after = ["visibility", "texture views", "texture baking", "mesh drawing"]
    for options, stages in (((), after), (("--memory", "16M"), after),
                            (("--texture-mode", "opt", "--texture-steps", "3", "--sheet",
                              "--turntable", "1"),
                             [*after[:3], "texture fitting", after[3], "splat drawing"])):
        with report.check(f"plan and run of what follows decoding {' '.join(options)}"):
            plan = planned(latent, *outputs, *small, *options)
            result = done("decode", latent, *outputs, *small, *options, "--report", told)
            ran = json.loads(told.read_text())
            peaks = {}
            for stage in ran["stages"]:
                peaks[stage["name"]] = max(peaks.get(stage["name"], 0), stage["peak_bytes"])
            found = [stage for stage in plan["stages"] if stage.get("memory_only")]
            assert [stage["name"] for stage in found] == stages, found
            for stage in found:
                assert stage["peak_bytes"] == peaks[stage["name"]], (stage, peaks)
                # Floors are found to a 256th, or to 1 KiB.
                assert 0 < stage["smallest_budget_bytes"] <= 1.01 * stage["peak_bytes"] + 2048
            assert plan["peak_bytes"] == ran["peak_bytes"] == result.counts["peak_bytes"], result
    with report.check("a budget that decoding could do with is too small for what follows"):
        large = (latent, "-o", where / "no.glb", "--keep-hidden", "--texture=512",
                 "--texture-view-size", "2048")
        plan = planned(*large)
        least = {stage["name"]: stage["smallest_budget_bytes"] for stage in plan["stages"]}
        assert max(least, key=least.get) == "texture baking", least
        assert plan["smallest_budget_bytes"] == least["texture baking"], plan
        # Floors are found to a 256th; this is well below.
        budget = ("--memory", f"{(least['texture baking'] >> 10) * 63 // 64}K")
        wanted = f"--memory {least['texture baking'] >> 10}K"
        for result in (run("decode", *large, *budget), run("plan", *large, *budget), run(
                "generate", PICTURE, *large[1:], *budget, *SAMPLING)):
            one_message(result, "texture baking", wanted)
            assert result.status == DEVICE and nothing_but_trials(result.counts), result
    with report.check("without outputs a plan is for mesh and splats, cleaned"):
        result = tessella("plan", latent, "--model", MODEL)
        assert "visibility\n" in result.out and "texture" not in result.out, result


def check_text(where, latent):
    plan = planned(latent)
    text = done("plan", latent).out
    for stage in plan["stages"]:
        assert stage["name"] in text, text
        assert f"in {stage['launches']} launches" in text, text
        assert f"--memory {stage['smallest_budget_bytes'] >> 10}K" in text, text
        for span in stage["spans"]:
            assert span["name"] in text, text
    assert plan["device"]["name"] in text, text


def main():
    report = Report()
    wuson = LATENTS / "wuson.safetensors"
    with folder() as where:
        few = small_latent(where / "few.safetensors", 150)
        for latent, options in ((wuson, []), (wuson, ["--memory", "12M"]),
                                (few, ["--memory", "48M"]), (few, ["--memory", "8M"]),
                                (few, ["--max-buffer", "5M"]),
                                (LATENTS / "teapot.safetensors", ["--memory", "48M"])):
            with report.check(f"plan and run of {latent.stem} {' '.join(options)}"):
                check_against_run(where, latent, options)
        made = where / "made.safetensors"
        for options, limits in (([], {}), (["--memory", "24M"], {}), (["--memory", "12M"], {}),
                                (["--guide-apart"], {}), (["--max-buffer", "4M"], {}),
                                ([], {"max_alloc": 32 << 20}), ([], {"max_alloc": 4 << 20}),
                                (["--memory", "16M"], {"max_alloc": 6 << 20})):
            words = " ".join([*options, *(f"a device with buffers of {value >> 20}M"
                                          for value in limits.values())])
            with report.check(f"plan and run of a whole generation {words}"):
                check_against_generation(where, made, options, **limits)
        with report.check("--max-buffer plans for a device with such buffers"):
            own = ("--pictures", "1", "--cache-dir", where / "cache")  # see "the same plan twice"
            assert planned(made, *own, "--max-buffer", "4M")["stages"] == planned(
                made, *own, max_alloc=4 << 20)["stages"]
        check_finish(report, where, few)
        with report.check("the text tells the same as --json"):
            check_text(where, few)
        with report.check("a plan allocates nothing on the device"):
            counts = done("plan", wuson).counts
            assert nothing_but_trials(counts), counts
        with report.check("a budget too small for the plan"):
            result = run("plan", wuson, "--memory", "2M")
            assert result.status == DEVICE and not result.out, result
            one_message(result, "--memory")

        with report.check("time is estimated once the device was seen at work"):
            options = ("--cache-dir", where / "cache")
            before = planned(few, *options)
            assert not any("estimated_seconds" in stage for stage in before["stages"]), before
            assert "not known" in done("plan", few, *options).out
            for _ in range(2):  # what ran once only is not counted: drivers compile then
                told = run_told(where, few, *options)
            plan = planned(few, *options)
            for stage in plan["stages"]:
                ratio = stage["estimated_seconds"] / told[stage["name"]]["kernel_seconds"]
                assert 0.1 < ratio < 10, (stage, told[stage["name"]])
            more = planned(wuson, *options)
            for less, stage in zip(plan["stages"], more["stages"]):
                assert stage["estimated_seconds"] > less["estimated_seconds"], stage
            assert "time     about" in done("plan", few, *options).out
        with report.check("a described device needs none"):
            plan = planned(wuson, "--described", "--memory", "48M", "--max-buffer", "20M",
                           env=NO_DEVICE, count=False)
            assert plan["budget"] == {"device_bytes": 48 << 20, "max_buffer_bytes": 20 << 20}, plan
            assert 0 < plan["peak_bytes"] <= 48 << 20
            assert all(stage["launches"] > 0 for stage in plan["stages"])
        with report.check("less memory takes more work, never more memory"):
            plans = [planned(wuson, "--described", "--memory", size, env=NO_DEVICE, count=False)
                     for size in ("7M", "9M", "16M", "32M", "64M", "1G")]
            peaks = [plan["peak_bytes"] for plan in plans]
            assert peaks == sorted(peaks), peaks
            launches = [sum(s["launches"] for s in plan["stages"]) for plan in plans]
            assert launches[0] > launches[-1], launches
            floors = {plan["smallest_budget_bytes"] for plan in plans}
            assert len(floors) == 1, floors
        with report.check("25,000 voxels"):
            plan = planned("--described", "--voxels", "25000", "--resolution", "32",
                           env=NO_DEVICE, count=False)
            rows = {span["rows"] for stage in plan["stages"] for span in stage["spans"]}
            assert 25000 in rows, rows
        with report.check("25,000 voxels at resolution 64"):
            model = copy_model(where / "model")
            for name in ("slat_dec_gs", "slat_dec_mesh"):
                edit_json(model / f"ckpts/{name}.json",
                          lambda tree: tree["args"].update(resolution=64))
            plan = planned("--described", "--voxels", "25000", "--resolution", "64",
                           "--memory", "512M", "--model", model, env=NO_DEVICE, count=False)
            rows = {span["rows"] for stage in plan["stages"] for span in stage["spans"]}
            assert 25000 in rows, rows
        with report.check("without a latent, plan takes a shell at the model's resolution"):
            result = run("plan", "--described", env=NO_DEVICE, count=False)
            assert result.status == DONE, result
        with report.check("a latent that the model does not take"):
            result = run("plan", "--described", "--voxels", "1000", "--resolution", "64",
                         env=NO_DEVICE, count=False)
            assert result.status == INPUT, result
            line = one_message(result, "0..31")
            assert not line.startswith("tessella: :"), line
        with report.check("more voxels than the grid has"):
            result = run("plan", "--described", "--voxels", "32769", "--resolution", "32",
                         env=NO_DEVICE, count=False)
            assert result.status == 2, result
            assert "32768" in result.err, result
        with report.check("the same plan twice"):
            # In a cache of their own: other programs add to what the shared one knows of times.
            own = ("--cache-dir", where / "cache")
            assert planned(wuson, "--memory", "20M", *own) == planned(wuson, "--memory", "20M", *own)
            assert planned(wuson, "--model", MODEL, *own) == planned(wuson, *own)
    report.finish()


if __name__ == "__main__":
    main()
