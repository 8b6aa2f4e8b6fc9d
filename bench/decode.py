#!/usr/bin/env python3
"""Time `tessella decode` on a demo object: seconds per stage, with cold and with warm program
caches, and what a small memory budget costs.

    bench/decode.py [--object NAME | FILE] [--runs N] [--memory 48M,16M] [--device D] [--json FILE]

Cold: the program's cache and the driver's are empty directories. Warm: both hold what the cold
runs left. All kinds of runs take turns, so that other work on the machine touches all alike, and
medians are shown. Stage times are the program's own (--report); the process is timed from outside,
with its start, its reading and writing: what it takes beside its kernels is held against what they
take. CPU seconds are of all its threads: on a busy machine they say more than the clock. The files
of all runs are compared.
"""
import argparse
import hashlib
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ("build/tessella", "build/src/cli/tessella")
SUFFIXES = ("glb", "ply", "png")
# Where drivers keep what they compiled: PoCL, NVIDIA, Mesa, Intel, AMD.
DRIVER_CACHES = ("POCL_CACHE_DIR", "CUDA_CACHE_PATH", "MESA_SHADER_CACHE_DIR", "NEO_CACHE_DIR",
                 "AMD_COMGR_CACHE_DIR")


def fail(text):
    sys.exit(f"bench/decode.py: {text}")


def find_program():
    for name in PROGRAMS:
        if (ROOT / name).is_file():
            return ROOT / name
    return fail("no program in build/; run ./bootstrap build, or name it with --program")


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--object", default="teapot", help="demo object or latent file (teapot)")
    parser.add_argument("--runs", type=int, default=5, help="warm runs of each kind (5)")
    parser.add_argument("--cold-runs", type=int, default=1, help="cold runs (1)")
    parser.add_argument("--memory", default="48M", help="budgets to compare with none (48M)")
    parser.add_argument("--device", help="as the program's own")
    parser.add_argument("--model", default=str(ROOT / "demo/model"), help="model directory")
    parser.add_argument("--program", help="path of tessella (the one in build/)")
    parser.add_argument("--json", metavar="FILE", help="write all measurements there")
    options = parser.parse_args()
    if options.runs < 1 or options.cold_runs < 1:
        parser.error("runs are counted from 1")
    options.program = options.program or str(find_program())
    options.latent = options.object
    if not os.path.isfile(options.latent):
        options.latent = str(ROOT / f"demo/latents/{options.object}.safetensors")
    if not os.path.isfile(options.latent):
        parser.error(f"no latent {options.object}")
    options.budgets = [None] + [word for word in options.memory.split(",") if word]
    return options


def run(options, caches, scratch, memory):
    """One run of the program: its report, seconds of the process, a hash of each output."""
    environment = dict(os.environ, XDG_CACHE_HOME=str(caches / "xdg"))
    for name in DRIVER_CACHES:
        environment[name] = str(caches / "driver")
    for folder in ("xdg", "driver"):
        (caches / folder).mkdir(parents=True, exist_ok=True)
    report = scratch / "report.json"
    outputs = [scratch / f"out.{suffix}" for suffix in SUFFIXES]
    command = [options.program, "decode", options.latent, "--model", options.model, "-q",
               "--raw", "--report", str(report)]
    for path in outputs:
        command += ["-o", str(path)]
    if options.device:
        command += ["--device", options.device]
    if memory:
        command += ["--memory", memory]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, check=False)
    seconds = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        fail(f"{' '.join(command)}\nexit status {done.returncode}: {done.stderr.strip()}")
    result = json.loads(report.read_text())
    result["process_seconds"] = seconds
    result["cpu_seconds"] = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    result["sha256"] = {path.suffix[1:]: hashlib.sha256(path.read_bytes()).hexdigest()
                        for path in outputs}
    return result


def median(runs, read):
    return statistics.median(read(one) for one in runs)


def total(one):
    return sum(stage["seconds"] for stage in one["stages"])


def inside(one):
    """Seconds of all kernels, by the device's clock."""
    return sum(stage["kernel_seconds"] for stage in one["stages"])


def outside(one):
    """What the process takes beside them: the driver's start, reading, planning, the host's work,
    waiting, writing."""
    return one["process_seconds"] - inside(one)


def machine():
    facts = {"system": f"{platform.system()} {platform.release()}, {platform.machine()}",
             "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity")
             else os.cpu_count()}
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                facts["cpu"] = line.split(":", 1)[1].strip()
                break
        facts["load"] = os.getloadavg()[0]
    except OSError:
        pass
    return facts


def print_head(options, one, facts):
    device, budget = one["device"], one["budget"]
    print(f"device   {device['name']}, {device['platform']}, driver {device['driver']}")
    print(f"budget   {budget['device_bytes'] / 2**20:.0f} MiB where none is given, "
          f"{device['memory_bytes'] / 2**20:.0f} MiB of memory")
    print(f"machine  {facts.get('cpu', 'unknown CPU')}, {facts['cpus']} CPUs, {facts['system']}, "
          f"load {facts.get('load', 0):.1f} before the first run")
    print(f"object   {options.latent}, model {options.model}")
    print(f"runs     {options.cold_runs} cold, {options.runs} warm of each kind, medians\n")


def print_stages(cold, warm):
    print(f"{'stage':20}{'cold s':>9}{'warm s':>9}{'kernels':>9}{'GFLOP/s':>9}{'MiB peak':>10}")
    for i, stage in enumerate(warm[0]["stages"]):
        def of(runs, key, index=i):
            return median(runs, lambda one: one["stages"][index][key])
        seconds = of(warm, "seconds")
        kernels = f"{100 * of(warm, 'kernel_seconds') / seconds:.0f} %" if stage["launches"] else "-"
        speed = f"{1e-9 * stage['flop'] / seconds:.1f}" if stage["flop"] else "-"
        peak = f"{stage['peak_bytes'] / 2**20:.1f}" if stage["peak_bytes"] else "-"
        print(f"{stage['name']:20}{of(cold, 'seconds'):9.3f}{seconds:9.3f}{kernels:>9}{speed:>9}"
              f"{peak:>10}")
    peak = max(one["peak_bytes"] for one in warm) / 2**20
    print(f"{'all stages':20}{median(cold, total):9.3f}{median(warm, total):9.3f}{'':18}{peak:10.1f}")
    for label, read in (("the whole process", lambda one: one["process_seconds"]),
                        ("  in kernels", inside), ("  outside of them", outside),
                        ("its CPU seconds", lambda one: one["cpu_seconds"])):
        print(f"{label:20}" + "".join(f"{median(runs, read):9.3f}" for runs in (cold, warm)))
    ratio = median(warm, lambda one: outside(one) / inside(one))
    print(f"outside of kernels, warm: {ratio:.2f} of what is in them, median of {len(warm)} runs\n")


def print_budgets(results):
    """What each budget takes, and the median ratio to the run without one that came before it."""
    kinds = (("stages s", total), ("process s", lambda one: one["process_seconds"]),
             ("CPU s", lambda one: one["cpu_seconds"]))
    print(f"{'--memory':10}{'MiB peak':>10}" + "".join(f"{name:>11}{'ratio':>7}" for name, _ in kinds))
    free = results[None]
    for memory, runs in results.items():
        line = f"{memory or 'none':10}{runs[0]['peak_bytes'] / 2**20:10.1f}"
        for _, read in kinds:
            ratio = statistics.median(read(a) / read(b) for a, b in zip(runs, free))
            line += f"{median(runs, read):11.3f}{ratio:7.2f}"
        print(line)
    print()


def main():
    options = parse_options()
    facts = machine()
    scratch = Path(tempfile.mkdtemp(prefix="tessella-bench-"))
    try:
        cold = []
        for i in range(options.cold_runs):
            cold.append(run(options, scratch / f"caches-{i}", scratch, None))
        warm_caches = scratch / f"caches-{options.cold_runs - 1}"
        for memory in options.budgets[1:]:  # what only small budgets need is compiled here
            run(options, warm_caches, scratch, memory)
        results = {memory: [] for memory in options.budgets}
        for _ in range(options.runs):
            for memory in options.budgets:
                results[memory].append(run(options, warm_caches, scratch, memory))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print_head(options, cold[0], facts)
    print_stages(cold, results[None])
    if len(options.budgets) > 1:
        print_budgets(results)
    everything = cold + [one for runs in results.values() for one in runs]
    same = all(one["sha256"] == cold[0]["sha256"] for one in everything)
    print(f"files    {', '.join(SUFFIXES)}: "
          + ("the same bytes in all runs" if same else "NOT the same bytes in all runs"))
    if options.json:
        Path(options.json).write_text(json.dumps(
            {"machine": facts, "object": options.latent, "cold": cold,
             "warm": {memory or "none": runs for memory, runs in results.items()},
             "same_bytes": same}, indent=1) + "\n")
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
