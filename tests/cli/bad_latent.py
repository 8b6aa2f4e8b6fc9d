#!/usr/bin/env python3
"""Latents and safetensors files that are damaged or lie: exit 3, one message that names the file
and what is wrong in it, no output."""
import json
import os
import struct
from material import (INPUT, SMALLEST, Report, expect_files, folder, header_of, one_message,
                      read_tensors, run, small_latent, write_raw, write_tensors)


def expect_refused(where, path, *parts):
    into = where / "out"
    into.mkdir(exist_ok=True)
    result = run("decode", path, "-o", into / "a.glb", "-o", into / "a.ply", "-o", into / "a.png",
                 count=False)
    assert result.status == INPUT, result
    one_message(result, path, *parts)
    assert not result.out, result
    expect_files(into)


def floats(*values):
    return struct.pack(f"<{len(values)}f", *values)


def ints(*values):
    return struct.pack(f"<{len(values)}i", *values)


# ---- headers: functions of the good header and data, to what is written ----

def header_cases(header, body):
    text = json.dumps(header).encode()
    whole = struct.pack("<Q", len(text)) + text + body
    size = len(body)

    def edited(name, **fields):
        return {**header, name: {**header[name], **fields}}, body

    def without(name, field):
        return {**header, name: {k: v for k, v in header[name].items() if k != field}}, body

    first, second = header["coords"]["data_offsets"], header["feats"]["data_offsets"]
    rows = header["coords"]["shape"][0]
    huge = 1 << 62
    return {
        "empty file": (b"", ["0 bytes"]),
        "seven bytes": (whole[:7], ["7 bytes"]),
        "cut in the header": (whole[:40], ["header"]),
        "cut in the data": (whole[:-5], ["feats", "data_offsets"]),
        "cut after the header": (whole[:8 + len(text)], ["data_offsets"]),
        "bytes after the end": (whole + b"\0\0\0", ["3 bytes after"]),
        "a header longer than the file": (struct.pack("<Q", len(whole)) + whole[8:], ["header"]),
        "a header of 2^63 bytes": (struct.pack("<Q", 1 << 63) + whole[8:], ["header"]),
        "a header of -1 bytes": (b"\xff" * 8 + whole[8:], ["header"]),
        "a header of 0 bytes": (struct.pack("<Q", 0) + body, []),
        "a header that is no JSON": ((b"{\"coords\": ", body), []),
        "a header that is an array": ((b"[1, 2]", body), ["object"]),
        "a header of zeros": ((b"\0" * 64, body), []),
        "a header nested a million times": ((b"[" * 1000000, body), []),
        "text": (b"This is no tensor file, and it is long enough.\n", []),
        "tensors that overlap": (edited("feats", data_offsets=[first[1] - 64, second[1] - 64]),
                                 ["overlap"]),
        "the same bytes for both": (({**header, "feats": {**header["feats"], "dtype": "I32",
                                                          "shape": [rows, 4],
                                                          "data_offsets": first}}, body),
                                    ["overlap"]),
        "a gap between tensors": (({**header, "feats": {**header["feats"], "data_offsets":
                                                        [second[0] + 16, second[1] + 16]}},
                                   body + b"\0" * 16), ["16 bytes between"]),
        "offsets beyond the end": (edited("feats", data_offsets=[second[0] + 64, second[1] + 64]),
                                   ["feats", "data_offsets"]),
        "offsets backwards": (edited("feats", data_offsets=second[::-1]),
                              ["feats", "data_offsets"]),
        "negative offsets": (edited("coords", data_offsets=[-16, first[1] - 16]),
                             ["coords", "data_offsets"]),
        "offsets of 2^64": (edited("coords", data_offsets=[0, 1 << 64]),
                            ["coords", "data_offsets"]),
        "fractional offsets": (edited("coords", data_offsets=[0.5, first[1]]),
                               ["coords", "data_offsets"]),
        "one offset": (edited("coords", data_offsets=[0]), ["coords", "data_offsets"]),
        "offsets that are text": (edited("coords", data_offsets=["0", "16"]),
                                  ["coords", "data_offsets"]),
        "no offsets": (without("feats", "data_offsets"), ["feats", "data_offsets"]),
        "no dtype": (without("feats", "dtype"), ["feats", "dtype"]),
        "no shape": (without("coords", "shape"), ["coords", "shape"]),
        "unknown dtype": (edited("feats", dtype="F13"), ["feats", "dtype"]),
        "dtype that is a number": (edited("feats", dtype=32), ["feats", "dtype"]),
        "negative shape": (edited("coords", shape=[-rows, 4]), ["coords", "shape"]),
        "shape that is text": (edited("coords", shape="all"), ["coords", "shape"]),
        "shape of thirty axes": (edited("coords", shape=[1] * 30), ["coords", "shape"]),
        "shape that overflows": (edited("coords", shape=[huge, huge]), ["coords"]),
        "shape that overflows to the right size": (edited("coords", shape=[huge, 4]), ["coords"]),
        "more rows than data": (edited("coords", shape=[rows + 1, 4]), ["coords", "bytes"]),
        "fewer rows than data": (edited("coords", shape=[rows - 1, 4]), ["coords", "bytes"]),
        "a tensor that is a number": (({**header, "feats": 7}, body), ["feats"]),
        "metadata that is no object": (({"__metadata__": [1], **header}, body), ["__metadata__"]),
        "metadata that is not text": (({"__metadata__": {"seed": 1}, **header}, body),
                                      ["__metadata__"]),
        "a name with control characters": (({**header, "a\u0007b": {
            "dtype": "U8", "shape": [0], "data_offsets": [size, size]}}, body), ["name"]),
        "a tensor twice": ((text[:-1] + b", \"coords\": {\"dtype\": \"I32\", \"shape\": [0, 4], "
                            b"\"data_offsets\": [0, 0]}}", body), ["coords"]),
    }


# ---- tensors: functions of the good ones ----

def tensor_cases(tensors):
    (_, (rows, _), coords), (_, (_, channels), feats) = tensors["coords"], tensors["feats"]
    # Row 5 of the coordinates, row 3 column 2 of the features are what is changed.
    at, spot = 5 * 16, (3 * channels + 2) * 4

    def with_row(*row):
        return {**tensors, "coords": ("I32", [rows, 4],
                                      coords[:at] + ints(*row) + coords[at + 16:])}

    def with_value(value):
        return {**tensors, "feats": ("F32", [rows, channels],
                                     feats[:spot] + floats(value) + feats[spot + 4:])}

    def cut(coord_rows, feat_rows):
        return {"coords": ("I32", [coord_rows, 4], coords[:coord_rows * 16]),
                "feats": ("F32", [feat_rows, channels], feats[:feat_rows * channels * 4])}

    wide = struct.pack(f"<{rows * 4}q", *struct.unpack(f"<{rows * 4}i", coords))
    half = struct.pack(f"<{rows * channels}e", *struct.unpack(f"<{rows * channels}f", feats))
    row2 = struct.unpack("<4i", coords[32:48])
    return {
        "no voxel": (cut(0, 0), ["coords"]),
        "no tensors": ({}, ["coords"]),
        "no coords": ({"feats": tensors["feats"]}, ["tensor coords"]),
        "no feats": ({"coords": tensors["coords"]}, ["tensor feats"]),
        "a tensor too many": ({**tensors, "extra": ("F32", [1], floats(1))}, ["extra"]),
        "coords I64": ({**tensors, "coords": ("I64", [rows, 4], wide)}, ["coords", "I64", "I32"]),
        "coords F32": ({**tensors, "coords": ("F32", [rows, 4], coords)},
                       ["coords", "F32", "I32"]),
        "feats F16": ({**tensors, "feats": ("F16", [rows, channels], half)},
                      ["feats", "F16", "F32"]),
        "coords of 3 columns": ({**tensors, "coords": ("I32", [rows // 3 * 4, 3],
                                                       coords[:rows // 3 * 48])},
                                ["coords", ",3]", ",4]"]),
        "coords flat": ({**tensors, "coords": ("I32", [rows * 4], coords)}, ["coords"]),
        "feats flat": ({**tensors, "feats": ("F32", [rows * channels], feats)}, ["feats"]),
        "fewer feats than coords": (cut(rows, rows - 1), ["feats", f"[{rows}"]),
        "more feats than coords": (cut(rows - 1, rows), ["feats", f"[{rows - 1}"]),
        "feats without channels": ({**tensors, "feats": ("F32", [rows, 0], b"")}, ["feats"]),
        "feats of other channels": ({**tensors, "feats": ("F32", [rows, 4], feats[:rows * 16])},
                                    ["feats", "expected 8"]),
        "coordinate -1": (with_row(0, 3, -1, 3), ["coords", "row 5"]),
        "coordinate = resolution": (with_row(0, 3, 3, 32), ["coords", "row 5", "0..31"]),
        "coordinate 2^31 - 1": (with_row(0, 2**31 - 1, 3, 3), ["coords", "row 5"]),
        "coordinate -2^31": (with_row(0, 3, 3, -2**31), ["coords", "row 5"]),
        "batch 1": (with_row(1, 3, 3, 3), ["coords", "row 5", "batch"]),
        "batch -1": (with_row(-1, 3, 3, 3), ["coords", "row 5"]),
        "a voxel twice": (with_row(*row2), ["coords", "rows 2 and 5"]),
        "NaN": (with_value(float("nan")), ["feats", "row 3", "column 2", "nan"]),
        "infinity": (with_value(float("inf")), ["feats", "row 3", "column 2", "inf"]),
        "minus infinity": (with_value(float("-inf")), ["feats", "row 3", "column 2", "-inf"]),
    }


def main():
    report = Report()
    with folder() as where:
        good = small_latent(where / "good.safetensors", 40)
        tensors, _ = read_tensors(good)
        path = where / "bad.safetensors"
        for name, (content, parts) in header_cases(*header_of(tensors)).items():
            with report.check(f"header: {name}"):
                if isinstance(content, bytes):
                    path.write_bytes(content)
                else:
                    write_raw(path, *content)
                expect_refused(where, path, *parts)
        for name, (content, parts) in tensor_cases(tensors).items():
            with report.check(f"latent: {name}"):
                write_tensors(path, content)
                expect_refused(where, path, *parts)

        with report.check("no such file"):
            expect_refused(where, where / "none.safetensors", "No such file")
        with report.check("a directory"):
            expect_refused(where, where, "directory")
        with report.check("a pipe"):
            os.mkfifo(where / "pipe")
            expect_refused(where, where / "pipe", "not a regular file")
        with report.check("the empty name"):
            result = run("decode", "", "-o", where / "a.glb", count=False)
            assert result.status == INPUT, result
            one_message(result)
        with report.check("a file of a gigabyte of nothing"):
            with open(path, "wb") as file:
                file.truncate(1 << 30)
            expect_refused(where, path)
        with report.check("plan refuses the same"):
            write_tensors(path, {"coords": tensors["coords"]})
            result = run("plan", path, count=False)
            assert result.status == INPUT and not result.out, result
            one_message(result, path, "tensor feats")
        with report.check("the good one is taken"):
            for latent in (good, SMALLEST):
                assert run("plan", latent).status == 0
    report.finish()


if __name__ == "__main__":
    main()
