#!/usr/bin/env python3
"""What is installed is enough for a program of somebody else's, in C and in C++, by pkg-config."""
import os
import shutil
from common import BUILD, SOURCE, Report, folder, run

PROGRAM = """
#include <stdio.h>
#include <tessella.h>

int main(void)
{
    puts(tess_version());
    return tess_status_name(TESS_OK) == NULL;
}
"""


def main():
    report = Report()
    with folder() as where:
        done = run(["meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", where])
        if not report("meson install", done.returncode == 0, done.stdout + done.stderr):
            report.finish()
        found = {path.name: path for path in where.rglob("*") if path.is_file()}
        variables = {**os.environ, "PKG_CONFIG_SYSROOT_DIR": str(where)}
        if "tessella.pc" in found:
            path = [str(found["tessella.pc"].parent), os.environ.get("PKG_CONFIG_PATH", "")]
            variables["PKG_CONFIG_PATH"] = ":".join(part for part in path if part)
        asked = run(["pkg-config", "--cflags", "--libs", "tessella"], env=variables)
        report("pkg-config knows tessella", asked.returncode == 0, asked.stderr)
        version = run(["pkg-config", "--modversion", "tessella"], env=variables).stdout.strip()

        for language, compiler in (("c", os.environ.get("TESS_CC", "cc")), ("c++", "c++")):
            title = f"a {language} program builds and runs"
            if not shutil.which(compiler.split()[0]):
                report.skip(title, f"no {compiler}")
                continue
            with report.check(title):
                unit = where / "unit"
                unit.write_text(PROGRAM)
                built = run([*compiler.split(), "-x", language, unit, "-x", "none", "-o",
                             where / "program", *asked.stdout.split()])
                assert built.returncode == 0, built.stderr
                ran = run([where / "program"],
                          env={**os.environ,
                               "LD_LIBRARY_PATH": str(found["libtessella.so"].parent)})
                assert ran.returncode == 0, f"exit {ran.returncode}: {ran.stderr}"
                assert ran.stdout.strip() == version, f"{ran.stdout!r}, pkg-config: {version}"

        headers = [str(p.relative_to(where)) for p in where.rglob("*.h")]
        report("one header is installed", [h.split("/")[-1] for h in headers] == ["tessella.h"],
               "\n".join(headers))
        static = [str(p.relative_to(where)) for p in where.rglob("*.a")]
        report("no internal library is installed", not static, "\n".join(static))
        missing = [str(p.relative_to(SOURCE)) for p in (SOURCE / "demo/model").rglob("*")
                   if p.is_file() and p.name not in found]
        report("the demo model is installed", not missing, "\n".join(missing))
        with report.check("the installed program runs and finds its library"):
            ran = run([found["tessella"], "--version"],
                      env={k: v for k, v in os.environ.items() if k != "LD_LIBRARY_PATH"})
            assert ran.returncode == 0 and version in ran.stdout, ran.stdout + ran.stderr
    report.finish()


if __name__ == "__main__":
    main()
