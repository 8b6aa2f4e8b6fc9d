#!/usr/bin/env python3
"""Tables of shapes: found by `bench --tune`, stored, read again, damaged; and they change no result."""
import json
import re
from material import (DONE, FAILED, INPUT, USAGE, Report, caches_in, digests, done, errors, expect_same, folder,
                      names, one_message, run, small_latent)

HEAD = "Tessella tuning 1"
# Of the kernels for CPUs: what each parameter may be.
VALUES = {"element.columns": [8, 16, 32, 64, 128, 256],
          "product.rows": [8, 16, 32, 64, 128], "product.panels": [1, 2, 4, 8],
          "product.depth": [16, 32, 64, 128, 256],
          "convolution.rows": [8, 16, 32, 64, 128], "convolution.panels": [1, 2, 4, 8],
          "convolution.depth": [16, 32, 64, 128, 256],
          "attention.queries": [64, 128, 256, 512]}


def read_table(text):
    """{name: value} of a table."""
    lines = text.splitlines()
    assert lines[0] == HEAD, text
    found = {}
    for line in filter(None, lines[1:]):
        name, value = line.split(None, 1)
        assert name not in found, text
        found[name] = value.split("#")[0].strip() if name in VALUES else value
    return found


def write_table(path, table):
    path.write_text("\n".join([HEAD, *(f"{name} {value}" for name, value in table.items())]) + "\n")
    return path


def changed(table, **changes):
    """A copy with other values; None takes a line out."""
    copy = {**table, **{name.replace("__", "."): value for name, value in changes.items()}}
    return {name: value for name, value in copy.items() if value is not None}


# What is wrong with a table, and what the message names.
DAMAGES = [
    ({"product__rows": 63}, "product.rows", "8, 16, 32, 64 or 128"),
    ({"product__rows": "64x"}, "product.rows", "64x"),
    ({"product__rows": ""}, "product.rows", "expected"),
    ({"convolution__depth": -16}, "convolution.depth", "expected"),
    ({"element__columns": None}, "element.columns", "missing"),
    ({"driver": None}, "driver", "missing"),
    ({"product__size": 64}, "product.size", "expected"),
    ({"attention__depth": 16}, "attention.depth", "expected"),
    ({"variant": "gpu"}, "variant", "'cpu'"),
]
# Of the stored table only.
FOREIGN = [({"device": "another device"}, "device", "another device"),
           ({"driver": "0.0"}, "driver", "0.0")]


def check_damages(report, where, table, decode):
    path = where / "bad.tuning"
    with report.check("a damaged table that was given: status 3, file and field named"):
        for changes, *parts in DAMAGES:
            write_table(path, changed(table, **changes))
            result = run("decode", where / "latent.safetensors", "-o", where / "none.ply",
                         "--tuning", path, count=False)
            assert result.status == INPUT, result
            one_message(result, path, *parts)
        for text in ("", "Tessella tuning 2\n", HEAD, "\0" * 100, HEAD + "\n" + "a b\n" * 20000):
            path.write_text(text)
            result = run("verify", where, "--tuning", path, count=False)
            assert result.status == INPUT, result
            one_message(result, path)
        result = run("verify", where, "--tuning", where / "nowhere", count=False)
        assert result.status == INPUT, result
        one_message(result, where / "nowhere")
        path.unlink()
    with report.check("a stored table that is damaged or foreign: a warning, and the program's own"):
        stored, = (where / "home/tessella").glob("*.tuning")
        sound = stored.read_text()
        for changes, *parts in DAMAGES + FOREIGN:
            write_table(stored, changed(table, **changes))
            result = decode("own")
            warnings = [line for line in result.err.splitlines() if "warning" in line]
            assert len(warnings) == 1 and not errors(result), result
            for part in (stored, *parts, "ignored"):
                assert str(part) in warnings[0], warnings
        listed = json.loads(done("devices", "--json", env={"XDG_CACHE_HOME": str(where / "home")}).out)
        assert all(device["tuning"] == "own" for device in listed), listed
        stored.write_text(sound)


def main():
    report = Report()
    with folder() as where:
        latent = small_latent(where / "latent.safetensors", 12)
        home = caches_in(where / "home")
        table = {}

        def decode(source, *options, outputs=("a.ply",), out="out", **environment):
            """A run that has to use the table of this source; its files go into where / out."""
            (where / out).mkdir(exist_ok=True)
            result = run("decode", latent, *[part for name in outputs
                                             for part in ("-o", where / out / name)],
                         "--report", where / "report.json", *options, env={**home, **environment})
            assert result.status == DONE, result
            told = json.loads((where / "report.json").read_text())
            assert told["device"]["tuning"] == source, told["device"]
            assert told["peak_bytes"] == result.counts["peak_bytes"], result
            return result

        with report.check("--tune: a table of all parameters, printed, written and stored"):
            decode("own")
            told = done("bench", "--tune", "--tiny", "--samples", "1", "-o", where / "t.tuning",
                        env=home)
            table = read_table(told.out)
            assert read_table((where / "t.tuning").read_text()) == table
            stored, = [name for name in names(where / "home/tessella") if name.endswith(".tuning")]
            assert read_table((where / "home/tessella" / stored).read_text()) == table
            assert set(table) == {"device", "platform", "version", "driver", "variant", *VALUES}, table
            assert all(int(table[name]) in values for name, values in VALUES.items()), table
            for name in ("group norm, SiLU", "matrix product", "sparse convolution", "attention"):
                assert re.search(rf"# {name}: [\d.]+ \S+/s; program's own table: ", told.out), told.out
        with report.check("it is used from then on, unless it is not to be"):
            decode("stored")
            decode("own", "--tuning", "none")
            decode("own", TESSELLA_TUNING="none")
            decode("given", TESSELLA_TUNING=str(where / "t.tuning"))
            decode("own", "--tuning", "none", TESSELLA_TUNING=str(where / "t.tuning"))
            decode("own", "--cache-dir", "")
            assert stored in done("devices", env=home).out
        check_damages(report, where, table, decode)
        with report.check("the least and the most of everything: the same files and memory"):
            outputs = ("a.ply", "a.glb")
            wanted, peaks = None, set()
            for name, pick in (("own", None), ("least", 0), ("most", -1)):
                options = ("--tuning", "none")
                if pick is not None:
                    options = ("--tuning", write_table(where / "x.tuning", {
                        **table, **{key: values[pick] for key, values in VALUES.items()}}))
                result = decode("own" if pick is None else "given", *options, outputs=outputs,
                                out=name)
                peaks.add(result.counts["peak_bytes"])
                made = digests(where / name)
                wanted = wanted or made
                expect_same(name, made, wanted)
                plan = json.loads(done("plan", latent, "--json", *options).out)
                assert plan["peak_bytes"] == result.counts["peak_bytes"], (plan, result.counts)
            assert len(peaks) == 1, peaks
        with report.check("what does not go together"):
            for options in (("--tune", "--json", "a"), ("--tune", "--compare", latent),
                            ("-o", where / "t.tuning"), ("--tune", "--samples", "33")):
                assert run("bench", *options, count=False).status == USAGE, options
            result = run("bench", "--tune", "--tiny", "--samples", "1", count=False,
                         env=caches_in(latent))
            assert result.status == FAILED, result
    report.finish()


if __name__ == "__main__":
    main()
