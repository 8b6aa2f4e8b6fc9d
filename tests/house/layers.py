#!/usr/bin/env python3
"""Includes point up the table of docs/design.md only, and only src/rt names OpenCL."""
import re
from common import SOURCE, Report, files

# A layer and the layers that it may include; its own files always, and the standard library.
LAYERS = {
    "base": [],
    "page": [],
    "io": ["base", "page"],
    "rt": ["base"],
    "mem": ["base", "rt"],
    "op": ["base", "rt", "mem"],
    "model": ["base", "io", "mem", "op"],
    "geom": ["base", "io", "mem", "op"],
    "render": ["base", "mem", "op"],
    "pipeline": ["base", "io", "rt", "mem", "op", "model", "geom", "render"],
    "bench": ["base", "io", "rt", "mem", "op", "model", "geom", "render", "pipeline"],
    "cli": [],
}
ONLY_RT = re.compile(r"^(CL/|OpenCL/|clblast)", re.I)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
OPENCL_NAME = re.compile(r"\b(cl_[a-z]\w*|cl[A-Z][a-z]\w*|CL_[A-Z]\w*)\b")


def problems(path, layer):
    text = (SOURCE / path).read_text()
    for match in INCLUDE.finditer(text):
        quote, name = match.groups()
        line = text.count("\n", 0, match.start()) + 1
        target = name.split("/")[0] if "/" in name else None
        if ONLY_RT.match(name):
            if layer != "rt":
                yield f"{path}:{line}: {name}: only src/rt may include it"
        elif quote == "<" or name == "tessella.h":
            continue
        elif ".." in name:
            yield f"{path}:{line}: {name}: write the path from src/"
        elif target in LAYERS:
            if target != layer and target not in LAYERS[layer]:
                yield f"{path}:{line}: {layer} may not include {target} ({name})"
        elif not (SOURCE / path.parent / name).is_file():
            yield f"{path}:{line}: {name}: neither of a layer nor beside this file"


def main():
    report = Report()
    sources = files(".c", ".h")
    for layer in LAYERS:
        members = [p for p in sources if p.parts[:2] == ("src", layer)]
        found = [problem for path in members for problem in problems(path, layer)]
        if members:
            report(f"includes of src/{layer}", not found, "\n".join(found))

    strangers = [str(p) for p in sources if p.parts[0] == "src"
                 and (len(p.parts) < 3 or p.parts[1] not in LAYERS)]
    report("every source is in a layer", not strangers, "\n".join(strangers))

    header = (SOURCE / "include/tessella.h").read_text()
    ours = [name for quote, name in INCLUDE.findall(header) if quote == '"' or "/" in name]
    report("tessella.h includes the standard library only", not ours, "\n".join(ours))

    named = []
    for path in sources:
        if path.parts[0] == "src" and path.parts[1] != "rt":
            text = (SOURCE / path).read_text()
            text = re.sub(r'//[^\n]*|"(?:\\.|[^"\\\n])*"', " ", text)
            named += [f"{path}: {name}" for name in sorted(set(OPENCL_NAME.findall(text)))]
    report("only src/rt names OpenCL", not named, "\n".join(named))
    report.finish()


if __name__ == "__main__":
    main()
