#!/usr/bin/env python3
"""What holds for the files of the repository: format, length, names of places, size."""
import re
import shutil
from common import SOURCE, Report, files, run

CODE = (".c", ".h", ".cl", ".clh")
FORMAT_VERSION = 14  # of .clang-format: other versions decide otherwise
LINES_MAX = 800
BYTES_MAX = 60 << 20
# Home folders and the like: what is built elsewhere must not name where it was written.
PLACE = re.compile(r"(?<![\w.$}<>~-])/(?:home|root|Users|work|tmp/[\w.-]+)/[\w.-]+")
# "Long because ..." in the first comment of a file excuses it from LINES_MAX.
REASON = re.compile(r"\blong because\b", re.I)


def clang_format():
    for name in (f"clang-format-{FORMAT_VERSION}", "clang-format"):
        if shutil.which(name):
            version = re.search(r"version (\d+)", run([name, "--version"]).stdout)
            if version and int(version.group(1)) == FORMAT_VERSION:
                return name
    return None


def head_comment(text):
    """The comment that a file starts with, as one line."""
    match = re.match(r"(?:#![^\n]*\n)?\s*((?:(?://|#)[^\n]*\n)+|/\*.*?\*/|\"\"\".*?\"\"\")", text, re.S)
    return " ".join(re.sub(r"(?m)^\s*(//|#|\*)", "", match.group(1)).split()) if match else ""


def check_format(report, code):
    formatter = clang_format()
    if not formatter:
        for path in code:
            report.skip(f"format of {path}", f"no clang-format {FORMAT_VERSION}")
        return
    done = run([formatter, "--dry-run", "-Werror", "--style=file", *(SOURCE / path for path in code)])
    told = [line.replace(f"{SOURCE}/", "") for line in done.stderr.splitlines() if ": error:" in line]
    for path in code:
        complaints = [line for line in told if line.startswith(f"{path}:")]
        report(f"format of {path}", not complaints, "\n".join(complaints[:2]))
    report("nothing else is wrong with formats", (done.returncode != 0) == bool(told), done.stderr)


def main():
    report = Report()
    everything = files()
    check_format(report, [path for path in everything if path.suffix in CODE])

    texts = {}
    for path in everything:
        data = (SOURCE / path).read_bytes()
        if b"\0" not in data[:8192]:
            texts[path] = data.decode("utf-8", errors="replace")

    long = []
    for path, text in texts.items():
        lines = text.count("\n")
        if path.suffix in CODE + (".py",) and lines > LINES_MAX:
            if not REASON.search(head_comment(text)):
                long.append(f"{path}: {lines} lines; cut it, or say 'Long because ...' at its head")
    report(f"no file is over {LINES_MAX} lines without a reason", not long, "\n".join(long))

    places = [f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {match.group(0)}"
              for path, text in texts.items() for match in PLACE.finditer(text)]
    report("no file names a place on somebody's machine", not places, "\n".join(places))

    marks = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b")
    marked = [f"{path}:{text.count(chr(10), 0, match.start()) + 1}"
              for path, text in texts.items() for match in marks.finditer(text)
              if path.suffix in CODE + (".py", ".build", "") and "#" not in
              text[match.end():match.end() + 12]]
    report("what is left to do has an issue's number", not marked, "\n".join(marked))

    registered = (SOURCE / "tests/meson.build").read_text()
    unknown = [str(path) for path in everything if path.match("tests/test_*.c")
               and f"'{path.stem}'" not in registered]
    report("every tests/test_*.c is in tests/meson.build", not unknown, "\n".join(unknown))

    sizes = sorted(((SOURCE / path).stat().st_size, str(path)) for path in everything)
    total = sum(size for size, _ in sizes)
    report(f"the repository is below {BYTES_MAX >> 20} MiB", total < BYTES_MAX,
           f"{total >> 20} MiB; the largest:\n"
           + "\n".join(f"{path} {size}" for size, path in sizes[-5:]))
    report.finish()


if __name__ == "__main__":
    main()
