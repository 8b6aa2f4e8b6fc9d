#!/usr/bin/env python3
"""The counting library counts, fails and reports as it should: cl_count.py PROBE

Every other check of memory leans on it, so it is held against sums that one can do in one's head.
"""
import os
import sys
from common import Report, Skip, counted_environment, folder, read_counts, run

FAILURE = -4  # CL_MEM_OBJECT_ALLOCATION_FAILURE
OUT_OF_RESOURCES = -5
INVALID_GROUP = -54  # CL_INVALID_WORK_GROUP_SIZE
INVALID_GRID = -63  # CL_INVALID_GLOBAL_WORK_SIZE
INVALID_SIZE = -61  # CL_INVALID_BUFFER_SIZE


def probe(*steps, **limits):
    """Statuses by step ("write", "read", "max", "local" and "group" too), and the counts."""
    with folder() as where:
        variables = {**os.environ, **counted_environment(where / "counts.json", **limits)}
        done = run([sys.argv[1], *steps], env=variables)
        if done.returncode == 77:
            raise Skip(done.stdout.strip())
        assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}{done.stderr}"
        counts = read_counts(where / "counts.json")
        assert counts is not None, "no report"
    lines = [line.rsplit(" ", 1) for line in done.stdout.splitlines()]
    return {name: int(value) for name, value in lines}, counts


def expect(what, got, wanted):
    wrong = {key: got.get(key) for key in wanted if got.get(key) != wanted[key]}
    assert not wrong, f"{what}: {wrong}, expected {wanted}"


def main():
    report = Report()
    with report.check("a balanced run leaves nothing"):
        status, counts = probe("ca4096", "cb100", "ka", "wb", "xa", "cc8192", "xb", "xc")
        expect("statuses", status, {"ca": 0, "cb": 0, "ka": 0, "write": 0, "read": 0, "wb": 0})
        expect("counts", counts, {"peak_bytes": 8292, "live_bytes": 0, "live_objects": 0,
                                  "allocations": 3, "largest": 8192, "failures": 0})
    with report.check("a leak is seen"):
        _, counts = probe("ca4096", "cb100", "xa")
        expect("counts", counts, {"peak_bytes": 4196, "live_bytes": 100, "live_objects": 1})
    with report.check("references are counted"):
        _, counts = probe("ca64", "ra", "ra", "xa", "xa")
        expect("two of three released", counts, {"live_bytes": 64, "live_objects": 1})
        _, counts = probe("ca64", "ra", "xa", "xa")
        expect("two of two released", counts, {"live_bytes": 0, "live_objects": 0})
    with report.check("a view keeps its buffer alive and has no bytes of its own"):
        status, counts = probe("ca4096", "vb", "xa")
        expect("statuses", status, {"vb": 0})
        expect("view left", counts, {"peak_bytes": 4096, "live_bytes": 4096, "live_objects": 2,
                                     "allocations": 1})
        _, counts = probe("ca4096", "vb", "xa", "xb")
        expect("view released", counts, {"live_bytes": 0, "live_objects": 0})
    with report.check("the n-th allocation fails, and only that"):
        status, counts = probe("ca64", "cb64", "cc64", "xa", "xc", fail_alloc=2)
        expect("statuses", status, {"ca": 0, "cb": FAILURE, "cc": 0})
        expect("counts", counts, {"peak_bytes": 128, "live_bytes": 0, "allocations": 3,
                                  "failures": 1})
    with report.check("every use of the n-th buffer fails, and no other's"):
        status, counts = probe("ca64", "cb64", "wb", "kb", "p", "ka", "xa", "xb", fail_use=2)
        expect("statuses", status, {"cb": 0, "write": FAILURE, "read": FAILURE, "wb": FAILURE,
                                    "kb": FAILURE, "p": FAILURE, "ka": 0})
        expect("counts", counts, {"live_bytes": 0, "failures": 5})
    with report.check("a view of an unusable buffer is unusable"):
        status, _ = probe("ca4096", "vb", "kb", fail_use=1)
        expect("statuses", status, {"vb": 0, "kb": FAILURE})
    with report.check("a kernel recovers when its argument is replaced"):
        status, _ = probe("ca64", "cb64", "ka", "kb", "ka", fail_use=2)
        expect("statuses", status, {"kb": FAILURE, "ka": 0})
    with report.check("the largest buffer is limited"):
        status, counts = probe("m", "ca4096", "cb4097", "xa", max_alloc=4096)
        expect("statuses", status, {"max": 4096, "ca": 0, "cb": INVALID_SIZE})
        expect("counts", counts, {"peak_bytes": 4096, "live_bytes": 0, "failures": 1})
    with report.check("the n-th command fails, and only that"):
        status, counts = probe("ca64", "wa", "ka", fail_command=2)
        expect("statuses", status, {"write": 0, "read": OUT_OF_RESOURCES, "wa": 0, "ka": 0})
        expect("counts", counts, {"commands": 4, "failures": 1})
    with report.check("no more memory is there than is said"):
        status, counts = probe("ca64", "cb64", "cc1", "xa", "cd64", "xb", "xd", memory=128)
        expect("statuses", status, {"ca": 0, "cb": 0, "cc": FAILURE, "cd": 0})
        expect("counts", counts, {"peak_bytes": 128, "live_bytes": 0, "failures": 1})
    with report.check("groups and local memory are limited"):
        status, counts = probe("l", "g", "ca64", "ka", "ga", "xa", local_memory=100, group=7)
        expect("statuses", status, {"local": 100, "group": 7, "ka": 0, "ga": INVALID_GROUP})
        expect("counts", counts, {"commands": 1, "failures": 1})
    with report.check("grids are limited as CUDA's are"):
        status, counts = probe("ca64", "ya", "xa")
        expect("statuses", status, {"ya": INVALID_GRID})
        expect("counts", counts, {"failures": 1})
    report.finish()


if __name__ == "__main__":
    main()
