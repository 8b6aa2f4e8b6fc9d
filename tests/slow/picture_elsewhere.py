#!/usr/bin/env python3
"""From a picture alone to a latent on rusticl over llvmpipe, another OpenCL: the same voxels as on
the tests' device, and features within rounding."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from another_opencl import PICTURE, compare_latents  # noqa: E402
from material import MODEL, Report, done, folder, read_tensors  # noqa: E402
import rusticl  # noqa: E402


def generate(path, **environment):
    done("generate", PICTURE, "--model", MODEL, "--steps", "1", "--latent-guidance", "0", "--seed",
         "1", "--memory", "32M", "-o", path, env=environment)
    return read_tensors(path)[0]


def main():
    report = Report()
    reason = rusticl.why_not(sys.argv[1])
    if reason:
        report.skip("a whole generation on rusticl", reason)
    else:
        with folder() as where:
            there = generate(where / "there.safetensors", **rusticl.ENVIRONMENT)
            compare_latents(report, there, generate(where / "here.safetensors"))
    report.finish()


if __name__ == "__main__":
    main()
