"""What the tests in this folder share: inputs, damaged inputs, and readers of the outputs.

Runs of the program and TAP output come from tests/house/common.py.
"""
import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "house"))
from common import BUILD, SOURCE, Report, Skip, folder, program, tessella  # noqa: E402,F401

MODEL = SOURCE / "demo/model"
LATENTS = SOURCE / "demo/latents"
SMALLEST = LATENTS / "wuson.safetensors"  # of the demo's objects
GOLDEN = Path(os.environ.get("TESS_TEST_DATA") or SOURCE / "tests/data") / "trellis-tiny"

# Exit statuses, as the help text tells them.
DONE, FAILED, USAGE, INPUT, DEVICE = range(5)


CLEANING = {"--clean", "--raw", "--simplify", "--keep-seams", "--keep-winding", "--keep-hidden",
            "--views", "--view-size", "--max-hole-area", "--specks", "--keep-holes",
            "--max-hole-edges", "--keep-touching"}


def run(*arguments, **options):
    """A run of the program with the demo model. Meshes are not cleaned unless an option says so:
    the default's thousand views take seconds each time, and most tests are about decoders."""
    if arguments[:1] in (("decode",), ("generate",), ("plan",)) and not CLEANING.intersection(
            word for word in arguments if isinstance(word, str)):
        arguments = (arguments[0], "--raw", *arguments[1:])
    options["env"] = {"TESSELLA_MODEL": str(MODEL), **(options.get("env") or {})}
    return tessella(*arguments, **options)


def done(*arguments, **options):
    """A run that has to succeed."""
    result = run(*arguments, **options)
    assert result.status == DONE, result
    return result


def started(*arguments, **environment):
    """The program under way with the demo model, for signals; in a group of its own, without which
    an interrupt at the terminal would reach this test. Standard error waits to be read."""
    variables = {**os.environ, "TESSELLA_MODEL": str(MODEL), **environment}
    return subprocess.Popen([str(program()), *map(str, arguments)], env=variables,
                            start_new_session=True, stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def caches_in(where):
    """Variables that put the user's caches into `where`, but for PoCL's, which stays warm."""
    pocl = os.environ.get("POCL_CACHE_DIR") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "pocl/kcache")
    return {"XDG_CACHE_HOME": str(where), "POCL_CACHE_DIR": pocl}


# ---- what a run left ----

def names(path):
    return sorted(p.name for p in Path(path).iterdir())


def expect_files(path, *expected):
    """Nothing but these files: no output that should not be, no temporary one."""
    assert names(path) == sorted(expected), f"{names(path)} in the folder, expected {expected}"


def digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def digests(path):
    """The contents of a folder's files, by name."""
    return {p.name: digest(p) for p in sorted(Path(path).iterdir())}


def expect_same(what, got, wanted):
    other = [name for name in sorted({*got, *wanted}) if got.get(name) != wanted.get(name)]
    assert not other, f"{what}: other bytes in {', '.join(other)}"


def errors(result):
    """The lines of standard error that are messages, warnings left out."""
    return [line for line in result.err.splitlines()
            if not line.startswith("tessella: warning: ")]


def one_message(result, *parts):
    """The one line of standard error that says what failed, with all of `parts` in it."""
    lines = errors(result)
    assert len(lines) == 1 and lines[0].startswith("tessella: "), f"not one message: {result}"
    for part in parts:
        assert str(part) in lines[0], f"no {part!r} in: {lines[0]}"
    return lines[0]


def nothing_live(result):
    counts = result.counts
    assert counts, f"no counts: {result}"
    assert counts["live_bytes"] == 0 and counts["live_objects"] == 0, result


def smallest_budget(result):
    """What the message of a run with too small a budget proposes, in KiB."""
    found = re.search(r"--memory (\d+)K\b", one_message(result))
    assert found, f"names no budget that works: {result}"
    return int(found.group(1))


# ---- safetensors ----

def read_tensors(path):
    """{name: (dtype, shape, bytes)} and the metadata, or None."""
    data = Path(path).read_bytes()
    length, = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + length])
    metadata = header.pop("__metadata__", None)
    body = data[8 + length:]
    return {name: (entry["dtype"], entry["shape"], body[slice(*entry["data_offsets"])])
            for name, entry in header.items()}, metadata


def header_of(tensors, metadata=None):
    """The header object and the data of a file with these tensors."""
    header, body = {}, b""
    if metadata is not None:
        header["__metadata__"] = metadata
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(shape),
                        "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    return header, body


def write_raw(path, header, body):
    """A file of a header (an object, or bytes as they are) and data, right or wrong."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    Path(path).write_bytes(struct.pack("<Q", len(text)) + text + body)
    return path


def write_tensors(path, tensors, metadata=None):
    return write_raw(path, *header_of(tensors, metadata))


def with_rows(tensors, rows):
    """The first rows of each tensor."""
    return {name: (dtype, [rows, *shape[1:]], data[:len(data) // shape[0] * rows])
            for name, (dtype, shape, data) in tensors.items()}


def small_latent(path, voxels, source=SMALLEST):
    """The first voxels of an object: a run with some takes a quarter of a second."""
    tensors, _ = read_tensors(source)
    return write_tensors(path, with_rows({name: tensors[name] for name in ("coords", "feats")},
                                         voxels))


def copy_model(path, source=MODEL):
    """A copy of a model whose files can be changed."""
    shutil.copytree(source, path)
    return Path(path)


def edit_json(path, change):
    """Read, change(object) in place or by its result, write."""
    value = json.loads(path.read_text())
    changed = change(value)
    path.write_text(json.dumps(value if changed is None else changed))


# ---- pictures and assets ----

def read_png(path):
    """Width, height, colour type, and the rows of an 8-bit picture as bytes."""
    data = Path(path).read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", f"{path}: not a PNG"
    at, packed, head = 8, b"", None
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        chunk = data[at + 8:at + 8 + length]
        crc, = struct.unpack_from(">I", data, at + 8 + length)
        assert crc == zlib.crc32(kind + chunk), f"{path}: chunk {kind} is damaged"
        if kind == b"IHDR":
            head = struct.unpack(">IIBBBBB", chunk)
        elif kind == b"IDAT":
            packed += chunk
        at += 12 + length
    width, height, depth, colour = head[:4]
    assert depth == 8 and head[6] == 0, f"{path}: {depth} bits, interlace {head[6]}"
    step = {2: 3, 6: 4}[colour]
    return width, height, colour, unfilter(zlib.decompress(packed), width * step, height, step)


def unfilter(data, stride, height, step):
    rows, above = [], bytearray(stride)
    for y in range(height):
        kind = data[y * (stride + 1)]
        row = bytearray(data[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for i in range(stride if kind else 0):
            left = row[i - step] if i >= step else 0
            up = above[i]
            if kind == 1:
                guess = left
            elif kind == 2:
                guess = up
            elif kind == 3:
                guess = (left + up) // 2
            else:
                corner = above[i - step] if i >= step else 0
                a, b, c = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
                guess = left if a <= b and a <= c else up if b <= c else corner
            row[i] = (row[i] + guess) & 255
        rows.append(bytes(row))
        above = row
    return rows


def read_glb(path):
    """The JSON object and the binary chunk."""
    data = Path(path).read_bytes()
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data)), f"{path}: not a GLB"
    size, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON"
    tree = json.loads(data[20:20 + size])
    bytes_, kind = struct.unpack_from("<I4s", data, 20 + size)
    assert kind == b"BIN\0"
    return tree, data[28 + size:28 + size + bytes_]


def write_glb(path, tree, body):
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    body += b"\0" * (-len(body) % 4)
    Path(path).write_bytes(struct.pack("<4sIIII4s", b"glTF", 2, 28 + len(text) + len(body),
                                       len(text), 0x4E4F534A, b"")[:16]
                           + b"JSON" + text + struct.pack("<I", len(body)) + b"BIN\0" + body)
    return path


def ply_head(path):
    """The header's text, and where the data begins."""
    data = Path(path).read_bytes()
    end = data.index(b"end_header\n") + len(b"end_header\n")
    return data[:end].decode(), end
