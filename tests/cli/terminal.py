#!/usr/bin/env python3
"""Standard error and standard output: progress on a terminal only, colours, -q, -v, and kernels
from a directory, whose errors name file and line."""
import os
import pty
import re
import shutil
import subprocess
import threading
from material import (DEVICE, DONE, INPUT, MODEL, SOURCE, Report, digest, done, expect_files,
                      folder, one_message, program, run, small_latent)


def on_terminal(*arguments, out=subprocess.DEVNULL, **environment):
    """Exit status and what was written to standard error, a terminal."""
    main_end, other = pty.openpty()
    chunks = []

    def collect():
        while True:
            try:
                data = os.read(main_end, 65536)
            except OSError:  # the other end was closed
                return
            if not data:
                return
            chunks.append(data)

    variables = {**os.environ, "TESSELLA_MODEL": str(MODEL), "TERM": "xterm", **environment}
    variables = {key: value for key, value in variables.items() if value is not None}
    process = subprocess.Popen([str(program()), *map(str, arguments)], env=variables, stdout=out,
                               stderr=other, stdin=subprocess.DEVNULL)
    os.close(other)
    reader = threading.Thread(target=collect)
    reader.start()
    status = process.wait(timeout=300)
    reader.join(timeout=10)
    os.close(main_end)
    return status, b"".join(chunks).decode(errors="replace")


def check_progress(report, where, decode):
    with report.check("no progress where standard error is no terminal"):
        result = done(*decode)
        assert result.err == "", result
        for part in ("device", "memory", "budget", "mesh decoder", "gaussian decoder",
                     "mesh drawing", str(where / "a.glb"), str(where / "a.png")):
            assert part in result.out, f"no {part!r} in {result}"
    with report.check("progress on a terminal"):
        status, text = on_terminal(*decode, NO_COLOR=None)
        assert status == DONE, text
        for stage in ("gaussian decoder", "mesh decoder"):
            assert re.search(rf"\r\x1b\[K{stage} +\[", text), text[-300:]
        shares = [int(share) for share in re.findall(r"(\d+) %", text)]
        assert re.search(r"%  \d+:\d\d, \d+:\d\d left", text), text[-300:]
        assert shares and max(shares) == 100 and min(shares) < 100, shares
        assert "\x1b[32m" in text, "no colour"
        assert text.endswith("\r\x1b[K"), f"the bar is left behind: {text[-80:]!r}"
    with report.check("NO_COLOR"):
        status, text = on_terminal(*decode, NO_COLOR="1")
        assert status == DONE and "%" in text, text
        assert not re.search(r"\x1b\[\d*m", text), text[:200]
    with report.check("a terminal without colours"):
        status, text = on_terminal(*decode, NO_COLOR=None, TERM="dumb")
        assert status == DONE and not re.search(r"\x1b\[\d*m", text), text[:200]
    with report.check("-q on a terminal"):
        status, text = on_terminal(*decode, "-q")
        assert status == DONE and text == "", text
    with report.check("a failure clears the bar first"):
        status, text = on_terminal("decode", decode[1], "--raw", "-o", where / "none/a.glb")
        assert status == 1, text
        # Terminals add a carriage return to the end of a line.
        assert re.search(r"left\r\x1b\[Ktessella: cannot write [^\r]*none/a\.glb[^\r]*\r\n$", text), \
            repr(text[-200:])
    with report.check("-q: nothing but errors"):
        result = done(*decode, "-q")
        assert result.out == "" and result.err == "", result
        result = run("decode", "/nonexistent", "-q", "-o", where / "x.glb")
        assert result.status == INPUT, result
        one_message(result, "/nonexistent")
    with report.check("-v: a line per stage, -vv: all"):
        once, twice = done(*decode, "-v"), done(*decode, "-v", "-v")
        for stage in ("gaussian decoder", "mesh decoder", "mesh extraction", "mesh drawing"):
            assert len([line for line in once.err.splitlines()
                        if line.startswith(f"{stage}: ")]) == 1, once
        assert len(twice.err.splitlines()) > len(once.err.splitlines()), twice
        assert "device" in twice.err, twice
    with report.check("a reader that goes away"):
        reader, writer = os.pipe()
        os.close(reader)
        process = subprocess.Popen([str(program()), "model", str(MODEL)], stdout=writer,
                                   stderr=subprocess.DEVNULL)
        os.close(writer)
        assert process.wait(timeout=60) != 0


def check_kernels(report, where, decode):
    kernels = where / "kernels"
    shutil.copytree(SOURCE / "cl", kernels)
    into = where / "broken"
    into.mkdir()
    broken = ["decode", decode[1], "-o", into / "a.glb", "-o", into / "a.ply", "-q",
              "--kernel-dir", kernels, "--cache-dir", ""]
    wanted = digest(where / "a.glb")
    with report.check("the same kernels from a directory"):
        # Their cache entries are those of the kernels that were built in.
        done(*decode, "--kernel-dir", kernels)
        assert digest(where / "a.glb") == wanted
    # A matrix unit that cannot be built is not used; here the others' kernels are meant.
    plain = {"env": {"TESSELLA_MATRIX_UNIT": "none"}}
    for name in ("matmul.cl", "attention.cl"):
        with report.check(f"a syntax error in {name}"):
            path = kernels / name
            lines = path.read_text().splitlines()
            lines.insert(20, "    this is no C;")
            path.write_text("\n".join(lines) + "\n")
            result = run(*broken, **plain)
            shutil.copy(SOURCE / "cl" / name, path)
            assert result.status == DEVICE, result
            assert f"cl/{name}:21" in result.err, result
            assert "\ntessella: " in "\n" + result.err, result  # PoCL's compiler prints too
            expect_files(into)
    with report.check("a syntax error in an included file"):
        path = kernels / "common.clh"
        good = path.read_text()
        path.write_text("int broken(;\n" + good)
        result = run(*broken, **plain)
        path.write_text(good)
        assert result.status == DEVICE, result
        assert f"cl/{path.name}:1" in result.err, result
    with report.check("a kernel that is not there"):
        path = kernels / "matmul.cl"
        path.unlink()
        result = run(*broken, **plain)
        assert result.status in (INPUT, DEVICE), result
        one_message(result, path)
        expect_files(into)
    with report.check("a directory that is not there"):
        result = run(*broken[:-3], where / "nokernels", "--cache-dir", "")
        assert result.status in (INPUT, DEVICE), result
        one_message(result, where / "nokernels")


def main():
    report = Report()
    with folder() as where:
        latent = small_latent(where / "latent.safetensors", 150)
        decode = ["decode", latent, "--raw", *[part for n in ("a.glb", "a.ply", "a.png")
                                      for part in ("-o", where / n)]]
        check_progress(report, where, decode)
        check_kernels(report, where, decode)
    report.finish()


if __name__ == "__main__":
    main()
