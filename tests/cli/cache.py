#!/usr/bin/env python3
"""The program cache: what it holds, what is built when, and that nothing in it can do harm."""
import json
import os
import re
import shutil
from material import (DONE, SOURCE, Report, caches_in, digests, done, expect_same, folder, names, run,
                      small_latent)


def built(result):
    """The programs that a run built, as it says with -vv."""
    return re.findall(r"^building (cl/\S+\.cl.*)$", result.err, re.M)


def is_rates(path):
    """What kernels took, by which plans estimate time: the one entry that is no program."""
    return path.is_file() and path.read_bytes()[40:46] == b"rates "


def programs(cache):
    return [name for name in names(cache) if not is_rates(cache / name)]


def cut(path, end):
    path.write_bytes(path.read_bytes()[:end])


def flip(path, share):
    data = bytearray(path.read_bytes())
    data[min(int(len(data) * share), len(data) - 1)] ^= 0x10
    path.write_bytes(data)


def estimated(latent, home):
    """Seconds that `plan` expects for a latent; 0 where it does not know."""
    plan = json.loads(done("plan", latent, "--json", env={"XDG_CACHE_HOME": str(home)}).out)
    return sum(stage.get("estimated_seconds", 0) for stage in plan["stages"])


def check_pocl(report, where, splats):
    """Neither the program's cache nor PoCL's is there."""
    what, pocl = "PoCL compiles each kernel once", where / "pocl"
    done("render", splats, "-o", where / "r.png", "--size", "64",
         env={"XDG_CACHE_HOME": str(where / "cold"), "POCL_CACHE_DIR": str(pocl)})
    compiled = [path.parent.parent for path in pocl.glob("*/*/*/*/*.so")]
    if compiled:
        report(what, len(set(compiled)) == len(compiled), compiled)
    else:
        report.skip(what, "the device is another driver's")


DAMAGES = [
    lambda path: cut(path, path.stat().st_size // 2),
    lambda path: cut(path, -1),
    lambda path: cut(path, 0),
    lambda path: path.write_bytes(path.read_bytes() + b"x"),
    lambda path: path.write_bytes(bytes(range(256)) * 64),
    lambda path: path.write_bytes(path.read_bytes()[:16] + b"\xff" * 8
                                  + path.read_bytes()[24:]),  # lengths beyond the file
    lambda path: flip(path, 0),
    lambda path: flip(path, 0.01),
    lambda path: flip(path, 0.6),
    lambda path: flip(path, 1),
    lambda path: path.unlink(),
]


def main():
    report = Report()
    with folder() as where:
        latent = small_latent(where / "latent.safetensors", 12)
        home = where / "home"
        cache = home / "tessella"
        out = where / "out"
        out.mkdir()

        def decode(*options, check=True, **environment):
            variables = {**caches_in(home), **environment}
            result = run("decode", latent, *[part for n in ("a.ply", "a.png")
                                             for part in ("-o", out / n)],
                         "--size", "64", "-v", "-v", *options, env=variables)
            assert not check or result.status == DONE, result
            return result

        wanted, entries, first = {}, [], None
        with report.check("a cold run builds, and keeps what it built"):
            first = decode()
            wanted = digests(out)
            entries = programs(cache)
            assert built(first) and len(set(built(first))) == len(built(first)), built(first)
            assert len(entries) == len(built(first)), f"{entries} of {built(first)}"
            assert cache.stat().st_mode & 0o077 == 0, "others may write or read the cache"
        with report.check("a warm run builds nothing"):
            result = decode()
            assert not built(result), built(result)
            expect_same("warm", digests(out), wanted)
            assert programs(cache) == entries

        check_pocl(report, where, out / "a.ply")
        for number in range(2):
            with report.check(f"damaged entries are a miss, round {number + 1}"):
                for index, entry in enumerate(entries):
                    DAMAGES[(index + 5 * number) % len(DAMAGES)](cache / entry)
                result = decode()
                assert sorted(built(result)) == sorted(built(first)), built(result)
                expect_same("damaged", digests(out), wanted)
                assert programs(cache) == entries, programs(cache)
                assert not built(decode()), "not made anew"
        with report.check("damaged rates are none"):
            rates, = [cache / name for name in names(cache) if is_rates(cache / name)]
            sound = rates.read_bytes()
            assert estimated(latent, home) > 0
            for damage in DAMAGES:
                damage(rates)
                assert estimated(latent, home) == 0, damage
                rates.write_bytes(sound)
            assert estimated(latent, home) > 0
        with report.check("an entry under another's name is a miss"):
            a, b = [(cache / entry).read_bytes() for entry in entries[:2]]
            (cache / entries[0]).write_bytes(b)
            (cache / entries[1]).write_bytes(a)
            result = decode()
            assert len(built(result)) == 2, built(result)
            expect_same("swapped", digests(out), wanted)
        with report.check("directories in place of entries"):
            for entry in entries:
                (cache / entry).unlink()
                (cache / entry).mkdir()
            decode()
            expect_same("directories", digests(out), wanted)
            shutil.rmtree(cache)

        with report.check("other kernels are other entries"):
            kernels = where / "kernels"
            shutil.copytree(SOURCE / "cl", kernels)
            decode()
            before = programs(cache)
            path = kernels / "norm.cl"
            path.write_text(path.read_text() + "// another version\n")
            result = decode("--kernel-dir", kernels)
            assert built(result) and all("norm" in b for b in built(result)), built(result)
            after = programs(cache)
            assert set(before) < set(after) and len(after) == len(before) + len(built(result))
            assert not built(decode()), "the first entries are gone"

        with report.check("--cache-dir"):
            decode("--cache-dir", where / "mine/deep/cache")
            assert len(programs(where / "mine/deep/cache")) == len(entries)
            expect_same("--cache-dir", digests(out), wanted)
        with report.check("no cache"):
            shutil.rmtree(home)
            for _ in range(2):
                result = decode("--cache-dir", "")
                assert len(built(result)) == len(entries), built(result)
            assert not cache.exists(), names(home)
            expect_same("no cache", digests(out), wanted)
        with report.check("a cache directory that cannot be is no failure"):
            (where / "file").write_text("")
            for place in ("/proc/none", where / "file", where / "file/below"):
                result = decode("--cache-dir", place)
                expect_same(f"{place}", digests(out), wanted)
            result = decode(XDG_CACHE_HOME=str(where / "file"))
            expect_same("XDG_CACHE_HOME is a file", digests(out), wanted)
        with report.check("neither XDG_CACHE_HOME nor HOME"):
            result = decode(XDG_CACHE_HOME="", HOME="")
            expect_same("no home", digests(out), wanted)
        with report.check("~/.cache without XDG_CACHE_HOME"):
            decode(XDG_CACHE_HOME="", HOME=str(where / "user"))
            assert (where / "user/.cache/tessella").is_dir()
        with report.check("a cache on a full disk"):
            if not os.access("/dev/full", os.W_OK):
                return
            shutil.rmtree(home, ignore_errors=True)
            cache.mkdir(parents=True)
            for entry in entries:
                (cache / entry).symlink_to("/dev/full")
            decode()
            expect_same("full", digests(out), wanted)
    report.finish()


if __name__ == "__main__":
    main()
