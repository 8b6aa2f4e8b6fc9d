#!/usr/bin/env python3
"""An object of all 32,768 voxels of the demo model's grid, at the least budget that a run names and
without a limit: the files are the same and the budget holds."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from material import MODEL, Report, folder  # noqa: E402
import voxel_counts  # noqa: E402


def main():
    report = Report()
    with folder() as where:
        voxel_counts.check_counts(report, where, MODEL, (voxel_counts.GRID ** 3,))
    report.finish()


if __name__ == "__main__":
    main()
