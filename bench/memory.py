#!/usr/bin/env python3
"""What a small memory costs: the whole pipeline of the published size at many budgets.

    bench/memory.py [--model DIR] [--voxels 10240,25000] [--steps N] [--rounds N] [--only PARTS]
                    [--json FILE] [--table FILE] [--picture FILE]

Without --model a model of random weights of the published size is written to a temporary folder
first (4.2 GB; --tiny: 22 MB). Parts, which may be measured one by one into the same --json:

  runs    from a picture to .glb and .ply at each budget, at the smallest, and with buffers of at
          most 32 MiB: seconds, device memory by the program's word and by an independent count,
          anonymous host memory, and whether the files are the same bytes
  growth  decoding 10,000, 40,000 and 120,000 voxels: seconds a voxel, smallest budget
  disk    the structure's flow with the checkpoint in no cache, beside reading and computing alone
  many    twenty generations of the demo's model in one process: memory after each
  plan    seconds that `tessella plan` takes
  failing allocations, first uses and commands that fail, sampled over a run with few voxels:
          whether it went on to the same bytes, or ended with status 4 and was taken up again

Runs of all budgets take turns, and ratios are medians over neighbouring runs: the machine may be
busy with other work. The table is Markdown, the picture a PNG of time against budget.
"""
import argparse
import hashlib
import json
import math
import os
import platform
import random
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "demo/images/duck.png"
BUDGETS = ("256M", "512M", "1G", "4G", "none")
COMPARED = ("256M", "512M", "none")  # in every round
SMALL_BUFFERS = "buffers of 32 MiB"
SMALLEST = "smallest"
GROWTH = (10000, 40000, 120000)
OUTPUTS = ("a.glb", "a.ply", "a.safetensors")
FAILING = 4  # of each kind, spread over a run
PARTS = ("runs", "growth", "disk", "many", "plan", "failing")
FLOWS = ("structure flow", "latent flow")
DECODERS = ("structure decoder", "gaussian decoder", "mesh decoder")
MIB = 2 ** 20


def fail(text):
    sys.exit(f"bench/memory.py: {text}")


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="model directory (else one of random weights is made)")
    parser.add_argument("--tiny", action="store_true", help="a narrow model of random weights")
    parser.add_argument("--voxels", default="10240,25000", help="of the objects (10240,25000)")
    parser.add_argument("--steps", type=int, default=5, help="of each sampler (5)")
    parser.add_argument("--rounds", type=int, default=3, help="for ratios (3)")
    parser.add_argument("--only", default=",".join(PARTS), help=f"of {', '.join(PARTS)}")
    parser.add_argument("--build", default=str(ROOT / "build"), help="folder of the build")
    parser.add_argument("--json", metavar="FILE", help="take measurements up from there, and write")
    parser.add_argument("--table", metavar="FILE", help="write a table as Markdown")
    parser.add_argument("--picture", metavar="FILE", help="write a PNG")
    options = parser.parse_args()
    options.voxels = [int(word) for word in options.voxels.split(",")]
    options.only = options.only.split(",")
    unknown = set(options.only) - set(PARTS)
    if unknown:
        parser.error(f"--only {','.join(sorted(unknown))}: expected some of {', '.join(PARTS)}")
    options.program = Path(options.build) / "src/cli/tessella"
    options.count = Path(options.build) / "tests/cl_count.so"
    for path in (options.program, options.count):
        if not path.is_file():
            fail(f"{path} is missing; ./bootstrap bench memory builds it")
    return options


def find_model(options, scratch):
    """Have options.model name one: of random weights where none was given."""
    if not options.model:
        options.model = scratch / "model"
        subprocess.run([options.program, "bench", "--synthetic", options.model,
                        *(["--tiny"] if options.tiny else [])], check=True)


# ---- one run ----

def anonymous(pid):
    """Bytes of a process that no file is behind."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) << 10
    except (OSError, ValueError):
        pass
    return 0


def watch(command, environment):
    """Seconds of a run and the most anonymous memory that it was seen with."""
    start = time.monotonic()
    most = 0
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            most = max(most, anonymous(process.pid))
            time.sleep(0.05)
        message = process.stderr.read()
    if process.returncode:
        fail(f"{' '.join(map(str, command))}\nexit status {process.returncode}: {message.strip()}")
    return time.monotonic() - start, most


def run(options, scratch, *arguments, outputs=OUTPUTS, max_buffer=None):
    """One run of the program: its report, the independent count, seconds, hashes of its files."""
    report, count = scratch / "report.json", scratch / "count.json"
    environment = dict(os.environ, LD_PRELOAD=str(options.count), TESS_CL_COUNT_REPORT=str(count))
    if max_buffer:
        environment["TESS_CL_MAX_ALLOC"] = str(max_buffer)
    command = [options.program, *arguments, "--model", options.model, "-q", "--report", report]
    for name in outputs:
        command += ["-o", scratch / name]
    seconds, most = watch([str(word) for word in command], environment)
    told, counted = json.loads(report.read_text()), json.loads(count.read_text())
    return {"seconds": seconds, "anonymous_bytes": most,
            "counted_peak_bytes": counted["peak_bytes"],
            "largest_buffer_bytes": counted["largest"], "device": told["device"],
            "budget_bytes": told["budget"]["device_bytes"], "peak_bytes": told["peak_bytes"],
            "stages": {stage["name"]: {key: stage[key] for key in
                                       ("seconds", "peak_bytes", "longest_launch_seconds",
                                        "uploaded_bytes", "flop")} for stage in told["stages"]},
            "sha256": {name: hashlib.sha256((scratch / name).read_bytes()).hexdigest()
                       for name in outputs}}


def plan(options, *arguments):
    command = [options.program, "plan", "--raw", *arguments, "--model", options.model, "--json"]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          check=False)
    if done.returncode:
        fail(f"plan: {done.stderr.strip()}")
    return json.loads(done.stdout)


# ---- parts ----

def measure_runs(options, scratch, results, save):
    for voxels in options.voxels:
        cases = results.setdefault("runs", {}).setdefault(str(voxels), {})
        floor = plan(options, "--voxels", voxels)["smallest_budget_bytes"]
        memory = {name: name for name in BUDGETS}
        memory |= {"none": None, SMALL_BUFFERS: None, SMALLEST: f"{floor >> 10}K"}
        once = [name for name in (*BUDGETS, SMALL_BUFFERS, SMALLEST) if name not in COMPARED]
        def generate(name):
            limit = ["--memory", memory[name]] if memory[name] else []
            return run(options, scratch, "generate", PICTURE, "--raw", "--seed", 1, "--steps",
                       options.steps, "--voxels", voxels, *limit,
                       max_buffer=32 * MIB if name == SMALL_BUFFERS else None)
        if not any(cases.values()):
            generate("none")  # fills the driver's cache of kernels
        for number, names in enumerate([COMPARED] * options.rounds + [once]):
            for name in names:
                wanted = 1 if name in once else number + 1
                if len(cases.setdefault(name, [])) >= wanted:
                    continue  # taken up from --json
                cases[name].append(generate(name))
                told = cases[name][-1]
                print(f"{voxels} voxels, {name}: {told['seconds']:.0f} s, "
                      f"{told['counted_peak_bytes'] / MIB:.1f} MiB", flush=True)
                save()


def shell(count, resolution):
    """Voxels of a torus' surface, as many as asked for, in raster order."""
    centre = (resolution - 1) / 2
    distances = []
    for x in range(resolution):
        for y in range(resolution):
            for z in range(resolution):
                ring = math.hypot(x - centre, y - centre) - resolution * 0.28
                distances.append((abs(math.hypot(ring, z - centre) - resolution * 0.16), x, y, z))
    return sorted(place[1:] for place in sorted(distances)[:count])


def write_latent(path, count, resolution, channels):
    coords = b"".join(struct.pack("<4i", 0, *place) for place in shell(count, resolution))
    noise = random.Random(count)
    feats = struct.pack(f"<{count * channels}f",
                        *(noise.gauss(0, 1) for _ in range(count * channels)))
    head = json.dumps({
        "coords": {"dtype": "I32", "shape": [count, 4], "data_offsets": [0, len(coords)]},
        "feats": {"dtype": "F32", "shape": [count, channels],
                  "data_offsets": [len(coords), len(coords) + len(feats)]}}).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + coords + feats)


def measure_growth(options, scratch, results, save):
    resolution = 16 if options.tiny else 64
    cases = results.setdefault("growth", {})
    for count in [n for n in GROWTH if n <= resolution ** 3]:
        latent = scratch / f"{count}.safetensors"
        write_latent(latent, count, resolution, 8)
        case = cases.setdefault(str(count), {"runs": []})
        case["smallest_budget_bytes"] = plan(options, latent)["smallest_budget_bytes"]
    for _ in range(options.rounds):
        for count in map(int, cases):
            runs = cases[str(count)]["runs"]
            if len(runs) >= (1 if count > 40000 else options.rounds):
                continue
            runs.append(run(options, scratch, "decode", "--raw", scratch / f"{count}.safetensors",
                            "--memory", "512M", outputs=("a.glb", "a.ply")))
            print(f"decoding {count} voxels: {runs[-1]['seconds']:.0f} s", flush=True)
            save()


def forget(path):
    """Drop a file from the kernel's cache."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def measure_disk(options, scratch, results, save):
    flow = max(Path(options.model).glob("ckpts/ss_flow*.safetensors"))

    def sample():
        told = run(options, scratch, "generate", PICTURE, "--steps", 1, "--voxels", 64,
                   outputs=OUTPUTS[2:])
        return told["stages"]["structure flow"]["seconds"]
    rounds = []
    sample()
    for _ in range(options.rounds):
        warm = sample()
        forget(flow)
        cold = sample()
        forget(flow)
        start = time.monotonic()
        with open(flow, "rb", buffering=0) as file:
            while file.read(1 << 22):
                pass
        rounds.append({"warm": warm, "cold": cold, "read": time.monotonic() - start})
        print(f"cold {cold:.1f} s, warm {warm:.1f} s, reading {rounds[-1]['read']:.1f} s",
              flush=True)
    results["disk"] = rounds
    save()


def measure_many(options, _scratch, results, save):
    command = [Path(options.build) / "bench/requests", ROOT / "demo/model", PICTURE, 20,
               options.steps]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          check=False)
    if done.returncode:
        fail(f"requests: {done.stderr.strip()}")
    results["many"] = [json.loads(line) for line in done.stdout.splitlines()]
    save()


def measure_plan(options, _scratch, results, save):
    for voxels in options.voxels:
        rounds = results.setdefault("plan", {}).setdefault(str(voxels), [])
        for _ in range(5):
            start = time.monotonic()
            plan(options, "--voxels", voxels)
            rounds.append(time.monotonic() - start)
    save()


def fails(options, scratch, kind, number, wanted):
    """One run in which something fails: "went on" or "taken up again"."""
    kept = scratch / f"{kind}-{number}"

    def generate(**more):
        environment = dict(os.environ, LD_PRELOAD=str(options.count), **more)
        environment["TESS_CL_COUNT_REPORT"] = str(scratch / "count.json")
        command = [options.program, "generate", PICTURE, "--steps", 1, "--voxels", 64, "--model",
                   options.model, "-q", "--keep", kept, "--from", kept]
        for name in OUTPUTS:
            command += ["-o", scratch / name]
        done = subprocess.run([str(word) for word in command], env=environment, check=False,
                              capture_output=True, text=True)
        hashes = {name: hashlib.sha256((scratch / name).read_bytes()).hexdigest()
                  for name in OUTPUTS if done.returncode == 0}
        return done, hashes, json.loads((scratch / "count.json").read_text())
    if kind is None:
        done, hashes, counts = generate()
        if done.returncode:
            fail(f"generate: {done.stderr.strip()}")
        return hashes, counts
    done, hashes, counts = generate(**{kind: str(number)})
    if not counts["failures"]:
        fail(f"{kind}={number}: nothing failed")
    what = "went on"
    if done.returncode == 4 and done.stderr.count("tessella: ") == 1:
        what = "ended with status 4, taken up again"
        done, hashes, _ = generate()
    shutil.rmtree(kept, ignore_errors=True)
    if done.returncode or hashes != wanted:
        fail(f"{kind}={number}: exit status {done.returncode}, {hashes}: {done.stderr.strip()}")
    return what


def measure_failing(options, scratch, results, save):
    wanted, counts = fails(options, scratch, None, 0, None)
    numbers = {"TESS_CL_FAIL_ALLOC": counts["allocations"],
               "TESS_CL_FAIL_USE": counts["allocations"],
               "TESS_CL_FAIL_COMMAND": counts["commands"] * 3 // 4}
    cases = results["failing"] = {}
    for kind, last in numbers.items():
        for part in range(FAILING):
            number = 1 + last * part // FAILING
            what = fails(options, scratch, kind, number, wanted)
            cases.setdefault(kind, {}).setdefault(what, []).append(number)
            print(f"{kind}={number}: {what}", flush=True)
            save()


# ---- telling ----

def stage_ratio(cases, name, stages):
    """Medians over rounds of a budget's seconds over those without a limit, the worst stage."""
    worst = (0, "")
    for stage in stages:
        pairs = [(a["stages"][stage]["seconds"], b["stages"][stage]["seconds"])
                 for a, b in zip(cases[name], cases["none"])
                 if stage in a["stages"] and stage in b["stages"]]
        if pairs:
            worst = max(worst, (statistics.median(a / b for a, b in pairs), stage))
    return f"{worst[0]:.2f} ({worst[1]})"


def runs_table(results):
    lines = []
    for voxels, cases in results.get("runs", {}).items():
        cases = {name: cases[name] for name in (*BUDGETS, SMALL_BUFFERS, SMALLEST)
                 if cases.get(name)}
        lines += [f"### {int(voxels):,} voxels, {results['steps']} steps", "",
                  "| budget | peak, counted | largest buffer | seconds | host memory | flows | "
                  "decoders | longest launch | files |",
                  "| --- | ---: | ---: | ---: | ---: | --- | --- | ---: | --- |"]
        wanted = cases["none"][0]["sha256"] if "none" in cases else None
        for name, runs in cases.items():
            one = runs[0]
            same = all(r["sha256"] == wanted for r in runs)
            held = all(r["counted_peak_bytes"] <= r["budget_bytes"] for r in runs)
            host = max(r["anonymous_bytes"] - r["counted_peak_bytes"] for r in runs)
            # Other work on the machine stops a launch, too: the least of the runs.
            longest = min(max(s["longest_launch_seconds"] for s in r["stages"].values())
                          for r in runs)
            what = f"{one['budget_bytes'] / MIB:.1f} MiB, {name}" if name == SMALLEST else name
            lines.append(
                f"| {what} | {one['counted_peak_bytes'] / MIB:.1f} MiB{'' if held else ' (ABOVE)'} "
                f"| {one['largest_buffer_bytes'] / MIB:.1f} MiB "
                f"| {statistics.median(r['seconds'] for r in runs):.0f} | {host / MIB:.0f} MiB "
                f"| {stage_ratio(cases, name, FLOWS)} | {stage_ratio(cases, name, DECODERS)} "
                f"| {1000 * longest:.0f} ms | {'the same' if same else 'OTHERS'} |")
        lines.append("")
    return lines


def other_tables(results):
    lines = []
    growth = results.get("growth", {})
    if growth:
        lines += ["### Growth of decoders", "",
                  "| voxels | seconds | ms a voxel | smallest budget |",
                  "| ---: | ---: | ---: | ---: |"]
        for count, case in growth.items():
            seconds = statistics.median(
                sum(stage["seconds"] for stage in r["stages"].values()) for r in case["runs"])
            lines.append(f"| {int(count):,} | {seconds:.1f} | {1000 * seconds / int(count):.2f} "
                         f"| {case['smallest_budget_bytes'] / MIB:.1f} MiB |")
        lines.append("")
    for one in results.get("disk", []):
        larger = max(one["warm"], one["read"])
        lines += [f"- structure flow, cold cache: {one['cold']:.1f} s; computing "
                  f"{one['warm']:.1f} s, reading {one['read']:.1f} s: "
                  f"{100 * (one['cold'] / larger - 1):+.0f} %"]
    if results.get("many"):
        many = results["many"]
        lines += [f"- {len(many)} generations of the demo's model in one process: anonymous memory "
                  f"{many[1]['anonymous_bytes'] / MIB:.1f} MiB after the second, "
                  f"{many[-1]['anonymous_bytes'] / MIB:.1f} MiB after the last; device peak "
                  f"{many[0]['device_peak_bytes'] / MIB:.1f} and "
                  f"{many[-1]['device_peak_bytes'] / MIB:.1f} MiB"]
    for kind, outcomes in results.get("failing", {}).items():
        told = "; ".join(f"{what}: {', '.join(map(str, numbers))}"
                         for what, numbers in outcomes.items())
        lines.append(f"- {kind}: {told}; the same files")
    for voxels, rounds in results.get("plan", {}).items():
        lines.append(f"- `tessella plan --voxels {voxels}`: {statistics.median(rounds):.2f} s")
    return lines


def draw(results, path):
    import matplotlib  # of Debian: python3-matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(figsize=(8, 5))
    for voxels, cases in results["runs"].items():
        points = sorted((runs[0]["peak_bytes"] / MIB,
                         statistics.median(r["seconds"] for r in runs))
                        for name, runs in cases.items() if name != SMALL_BUFFERS)
        axes.plot(*zip(*points), marker="o", label=f"{int(voxels):,} voxels")
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("device memory used, MiB")
    axes.set_ylabel(f"seconds from picture to .glb and .ply, {results['steps']} steps")
    axes.set_title(results["machine"])
    axes.legend()
    axes.grid(True, alpha=0.3)
    figure.savefig(path, dpi=110, bbox_inches="tight")


def machine():
    name = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            name = line.split(":", 1)[1].strip()
            break
    return f"{name}, {len(os.sched_getaffinity(0))} CPUs"


def main():
    options = parse_options()
    results = {}
    if options.json and Path(options.json).is_file():
        results = json.loads(Path(options.json).read_text())
    if results.get("steps", options.steps) != options.steps:
        fail(f"{options.json} was measured with {results['steps']} steps")
    results |= {"machine": machine(), "steps": options.steps}

    def save():
        if options.json:
            Path(options.json).write_text(json.dumps(results, indent=1) + "\n")
    scratch = Path(tempfile.mkdtemp(prefix="tessella-memory-"))
    try:
        find_model(options, scratch)
        for part in PARTS:
            if part in options.only:
                globals()[f"measure_{part}"](options, scratch, results, save)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    table = "\n".join([f"Measured on {results['machine']}.", "", *runs_table(results),
                       *other_tables(results)]) + "\n"
    print(table)
    if options.table:
        Path(options.table).write_text(table)
    if options.picture:
        draw(results, options.picture)


if __name__ == "__main__":
    main()
