#!/usr/bin/env python3
"""The same networks in PyTorch on the CPU, beside Tessella, in turns.

    bench/pytorch.py [--model DIR] [--voxels N] [--rounds N] [--only PARTS] [--json FILE]

Needs a Python with torch (Debian: python3-torch) and numpy. Without --model a model of random
weights of the published size is written to a temporary folder first (4.2 GB; --tiny: 22 MB).
What is compared, in fp32, on as many threads as there are CPUs:

  structure flow    one evaluation with a condition of 1,374 tokens, all blocks
  gaussian decoder  blocks of windowed attention, the output layer
  mesh decoder      the same, and two blocks that subdivide, with sparse convolutions

PyTorch computes what the original network does, with products of whole matrices: attention over
blocks of queries, windows one after the other, a convolution as a gather, a product and a sum for
each tap, indices made beforehand. Weights are random, each block has the same ones, and none is
read or converted in the time that counts; Tessella's seconds are of the whole stage, with
streaming and packing. FLOP are PyTorch's.
"""
import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy
import torch
from torch.nn import functional

from memory import find_model, shell, write_latent

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "demo/images/duck.png"
PARTS = ("structure flow", "gaussian decoder", "mesh decoder")
CONDITION_TOKENS = 1374  # of a picture of 518 x 518
QUERIES = 1024  # that PyTorch takes at a time


def fail(text):
    sys.exit(f"bench/pytorch.py: {text}")


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="model directory (else one of random weights is made)")
    parser.add_argument("--tiny", action="store_true", help="a narrow model of random weights")
    parser.add_argument("--voxels", type=int, default=10240, help="of the decoders (10240)")
    parser.add_argument("--rounds", type=int, default=3, help="of each, in turns (3)")
    parser.add_argument("--only", default=",".join(PARTS), help=f"of: {', '.join(PARTS)}")
    parser.add_argument("--precision", default="full", help="as the program's own (full)")
    parser.add_argument("--build", default=str(ROOT / "build"), help="folder of the build")
    parser.add_argument("--json", metavar="FILE", help="write measurements")
    options = parser.parse_args()
    options.only = options.only.split(",")
    unknown = set(options.only) - set(PARTS)
    if unknown:
        parser.error(f"--only: expected some of {', '.join(PARTS)}, not {', '.join(unknown)}")
    options.program = Path(options.build) / "src/cli/tessella"
    if not options.program.is_file():
        fail(f"{options.program} is missing; ./bootstrap build makes it")
    return options


def config(options, pattern):
    """Arguments of the one network whose name starts so."""
    found = sorted(Path(options.model).glob(f"ckpts/{pattern}*.json"))
    if len(found) != 1:
        fail(f"{options.model}/ckpts: expected one {pattern}*.json, found {len(found)}")
    return json.loads(found[0].read_text())["args"]


def weights(*shape):
    return torch.randn(*shape) / math.sqrt(shape[-1])


class Flop:
    """Products counted while they are made."""

    def __init__(self):
        self.count = 0

    def linear(self, x, weight):
        self.count += 2 * x.shape[0] * weight.numel()
        return functional.linear(x, weight)

    def attention(self, q, k, v):
        """q [H][Tq][D], k and v [H][Tk][D] -> [Tq][H D]"""
        self.count += 4 * q.shape[0] * q.shape[1] * k.shape[1] * q.shape[2]
        scale = 1 / math.sqrt(q.shape[2])
        out = [torch.softmax(torch.bmm(part, k.transpose(1, 2)) * scale, -1) @ v
               for part in q.split(QUERIES, 1)]
        return torch.cat(out, 1).transpose(0, 1).flatten(1)


def heads_of(x, count, heads):
    """[T][count H D] -> count of [H][T][D]"""
    return x.view(x.shape[0], count, heads, -1).permute(1, 2, 0, 3).contiguous()


# ---- networks ----

def flow_part(options, flop):
    """One block of the structure's flow, to be run as often as there are blocks."""
    args = config(options, "ss_flow")
    tokens, C, heads = args["resolution"] ** 3, args["model_channels"], args["num_heads"]
    x, condition = torch.randn(tokens, C), torch.randn(CONDITION_TOKENS, args["cond_channels"])
    qkv, out, q, out2 = weights(3 * C, C), weights(C, C), weights(C, C), weights(C, C)
    kv = functional.linear(condition, weights(2 * C, args["cond_channels"]))  # once a stage
    k2, v2 = heads_of(kv, 2, heads)
    up, down = weights(args["mlp_ratio"] * C, C), weights(C, args["mlp_ratio"] * C)
    shift, scale, gate, gamma = torch.randn(C), torch.randn(C), torch.randn(C), torch.ones(C)

    def unit(x):
        return functional.normalize(x, dim=-1) * math.sqrt(x.shape[-1])

    def block(x):
        h = functional.layer_norm(x, (C,), eps=1e-6) * (1 + scale) + shift
        q1, k1, v1 = heads_of(flop.linear(h, qkv), 3, heads)
        x = x + gate * flop.linear(flop.attention(unit(q1), unit(k1), v1), out)
        h = functional.layer_norm(x, (C,), gamma, shift, 1e-6)
        h = heads_of(flop.linear(h, q), 1, heads)[0]
        x = x + flop.linear(flop.attention(h, k2, v2), out2)
        h = functional.layer_norm(x, (C,), eps=1e-6) * (1 + scale) + shift
        h = functional.gelu(flop.linear(h, up), approximate="tanh")
        return x + gate * flop.linear(h, down)

    def run():
        h = x
        for _ in range(args["num_blocks"]):
            h = block(h)
    return run


def windows_of(coords, size, shift):
    """Rows of each window that has any."""
    key = torch.div(coords + shift, size, rounding_mode="floor")
    key = (key[:, 0] * 1024 + key[:, 1]) * 1024 + key[:, 2]
    order = torch.argsort(key, stable=True)
    counts = torch.unique_consecutive(key[order], return_counts=True)[1]
    return order.split(counts.tolist())


def torso(args, coords, flop):
    C, heads = args["model_channels"], args["num_heads"]
    latent = torch.randn(coords.shape[0], args["latent_channels"])
    first, qkv, out = weights(C, args["latent_channels"]), weights(3 * C, C), weights(C, C)
    up, down = weights(args["mlp_ratio"] * C, C), weights(C, args["mlp_ratio"] * C)
    windows = [windows_of(coords, args["window_size"], shift)
               for shift in (0, args["window_size"] // 2)]

    def run():
        x = flop.linear(latent, first)
        for i in range(args["num_blocks"]):
            h = flop.linear(functional.layer_norm(x, (C,), eps=1e-6), qkv)
            a = torch.empty_like(x)
            for rows in windows[i % 2]:
                a[rows] = flop.attention(*heads_of(h[rows], 3, heads))
            x = x + flop.linear(a, out)
            h = flop.linear(functional.layer_norm(x, (C,), eps=1e-6), up)
            x = x + flop.linear(functional.gelu(h, approximate="tanh"), down)
        return x
    return run


def gaussian_part(options, flop, coords):
    args = config(options, "slat_dec_gs")
    run_torso = torso(args, coords, flop)
    out = weights(14 * args["representation_config"]["num_gaussians"], args["model_channels"])
    return lambda: flop.linear(functional.layer_norm(h := run_torso(), h.shape[1:]), out)


def neighbours_of(coords, resolution):
    """For each tap rows of outputs and of the inputs that they see."""
    side = resolution + 2
    grid = torch.full((side ** 3,), -1, dtype=torch.int32)
    place = ((coords[:, 0] + 1) * side + coords[:, 1] + 1) * side + coords[:, 2] + 1
    grid[place] = torch.arange(len(coords), dtype=torch.int32)
    pairs = []
    for tap in range(27):
        offset = ((tap // 9 - 1) * side + tap // 3 % 3 - 1) * side + tap % 3 - 1
        seen = grid[place + offset].long()
        rows = torch.nonzero(seen >= 0)[:, 0]
        pairs.append((rows, seen[rows]))
    return pairs


def subdivide(coords):
    child = torch.tensor([[i >> 2, i >> 1 & 1, i & 1] for i in range(8)])
    return (coords[:, None] * 2 + child).flatten(0, 1)


def mesh_part(options, flop, coords):
    args = config(options, "slat_dec_mesh")
    run_torso = torso(args, coords, flop)
    resolution, C = args["resolution"], args["model_channels"]
    levels = []
    for width in (C // 4, C // 8):
        coords, resolution = subdivide(coords), resolution * 2
        levels.append((neighbours_of(coords, resolution), weights(27, width, C),
                       weights(27, width, width), weights(width, C)))
        C = width
    out = weights(101, C)

    def group_norm(x):
        return functional.silu(functional.group_norm(x.T[None], 32)[0].T)

    def convolve(x, pairs, taps):
        y = torch.zeros(x.shape[0], taps.shape[1])
        for (rows, seen), weight in zip(pairs, taps):
            y.index_add_(0, rows, flop.linear(x[seen], weight))
        return y

    def run():
        h = run_torso()
        for pairs, first, second, skip in levels:
            a = convolve(group_norm(h).repeat_interleave(8, 0), pairs, first)
            a = convolve(group_norm(a), pairs, second)
            h = a + flop.linear(h.repeat_interleave(8, 0), skip)
        return flop.linear(h, out)
    return run


# ---- measuring ----

def tessella(options, scratch, *arguments):
    """Seconds of each stage of a run."""
    report = scratch / "report.json"
    command = [options.program, *arguments, "--model", options.model, "--precision",
               options.precision, "-q", "--report", report]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          check=False)
    if done.returncode:
        fail(f"{' '.join(map(str, command))}\n{done.stderr.strip()}")
    return {stage["name"]: stage["seconds"] for stage in json.loads(report.read_text())["stages"]}


def timed(run):
    start = time.monotonic()
    run()
    return time.monotonic() - start


def measure(options, scratch):
    flop, results = Flop(), {}
    resolution = config(options, "slat_dec_mesh")["resolution"]
    coords = torch.tensor(numpy.array(shell(options.voxels, resolution)))
    latent = scratch / "latent.safetensors"
    write_latent(latent, options.voxels, resolution, config(options, "slat_dec_gs")
                 ["latent_channels"])
    # Where t is not in the interval there is one evaluation, with the condition.
    commands = {
        "structure flow": ("generate", PICTURE, "--steps", 1, "--guidance-interval", "0,0",
                           "--voxels", 1, "-o", scratch / "a.safetensors"),
        "gaussian decoder": ("decode", latent, "-o", scratch / "a.ply"),
        "mesh decoder": ("decode", latent, "--raw", "-o", scratch / "a.glb")}
    make = {"structure flow": lambda: flow_part(options, flop),
            "gaussian decoder": lambda: gaussian_part(options, flop, coords),
            "mesh decoder": lambda: mesh_part(options, flop, coords)}
    with torch.inference_mode():
        for part in options.only:
            run = make[part]()
            ours, theirs = [], []
            for _ in range(options.rounds):
                ours.append(tessella(options, scratch, *commands[part])[part])
                flop.count = 0
                theirs.append(timed(run))
            ratio = statistics.median(a / b for a, b in zip(ours, theirs))
            results[part] = {"tessella": ours, "pytorch": theirs, "flop": flop.count,
                             "ratio": ratio}
            seconds = statistics.median(theirs)
            print(f"{part}: Tessella {statistics.median(ours):.2f} s, PyTorch {seconds:.2f} s "
                  f"({flop.count / seconds / 1e9:.0f} GFLOP/s), ratio {ratio:.2f}", flush=True)
    return results


def main():
    options = parse_options()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    scratch = Path(tempfile.mkdtemp(prefix="tessella-pytorch-"))
    try:
        find_model(options, scratch)
        results = measure(options, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if options.json:
        Path(options.json).write_text(json.dumps(
            {"torch": torch.__version__, "voxels": options.voxels, "parts": results}, indent=1)
            + "\n")


if __name__ == "__main__":
    main()
