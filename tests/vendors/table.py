#!/usr/bin/env python3
"""Tables of what the tests in this folder found: table.py FOLDER --json FILE --table FILE

FOLDER holds the VENDOR.json that they wrote. The JSON file has all of them, the table is Markdown.
"""
import argparse
import json
import sys
from pathlib import Path

NAMES = {"intel": "Intel", "amd": "AMD", "nvidia": "NVIDIA"}
HEAD = """# Kernels on devices that are not here

What compilers for GPUs make of every kernel, in the GPU variant with every set of defines. Made by
`./bootstrap vendors`, which fails if a kernel spills registers or uses scratch memory and is not
excused below. Group: work-items. Local: bytes of local memory, of a group. A device's cell: registers,
work-items that run in step, occupancy.
"""


def label(use):
    defines = use["defines"].replace("-D", "")
    return f"`{use['kernel']}` {defines}".strip()


def cell(use):
    registers = "-" if use["registers"] is None else use["registers"]
    share = "-" if use["occupancy"] is None else f"{100 * use['occupancy']:.0f} %"
    lost = [f"{use[key]} B {word}" for key, word in
            (("spilled_bytes", "spilled"), ("scratch_bytes", "scratch")) if use[key]]
    return ", ".join([f"{registers}", f"{use['width']}", share, *(f"**{text}**" for text in lost)])


def rows(found):
    """[kernel, group, local memory, a cell for each device], in the order of the kernels."""
    lines = {}
    for use in found["kernels"]:
        line = lines.setdefault((use["file"], label(use)), {"uses": {}})
        line["uses"][use["device"]] = use
    for (_, name), line in lines.items():
        uses = line["uses"].values()
        yield [name, str(next(iter(uses))["group"]), str(max(use["local_bytes"] for use in uses)),
               *(cell(line["uses"][device]) if device in line["uses"] else "-"
                 for device in found["devices"])]


def reasons(found):
    """Why kernels spill: a line for each reason with the kernels."""
    named = {}
    for use in found["kernels"]:
        if use["spilled_bytes"] or use["scratch_bytes"]:
            reason = use["reason"] or "not excused"
            named.setdefault(reason, {})[f"`{use['kernel']}`"] = None
    return [f"- {', '.join(kernels)}: {reason}." for reason, kernels in named.items()]


def markdown(everything):
    lines = [HEAD]
    for found in everything:
        lines += [f"## {NAMES.get(found['vendor'], found['vendor'])}", "",
                  "; ".join(found["compilers"]) + ". " + found["note"], ""]
        titles = ["kernel", "group", "local", *found["devices"]]
        lines += ["| " + " | ".join(titles) + " |",
                  "| --- | ---: | ---: |" + " --- |" * len(found["devices"])]
        lines += ["| " + " | ".join(row) + " |" for row in rows(found)]
        excused = reasons(found)
        lines += ["", "What spills:", "", *excused, ""] if excused else ["", "Nothing spills.", ""]
    return "\n".join(lines).rstrip() + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--table", type=Path, required=True)
    options = parser.parse_args()
    everything = [json.loads(path.read_text()) for name in NAMES
                  for path in [options.folder / f"{name}.json"] if path.is_file()]
    if not everything:
        sys.exit(f"table.py: no results in {options.folder}")
    options.json.write_text(json.dumps(everything, indent=1) + "\n")
    options.table.write_text(markdown(everything))


if __name__ == "__main__":
    main()
