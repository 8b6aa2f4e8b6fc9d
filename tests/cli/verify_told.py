#!/usr/bin/env python3
"""`verify`: the golden data passes at every budget, what is perturbed fails, what cannot be used
is named."""
import shutil
import struct
from material import (DEVICE, DONE, FAILED, GOLDEN, INPUT, Report, folder, nothing_live,
                      one_message, read_tensors, run, write_tensors)

# What the golden files hold and this version compares.
TENSORS = {
    "flexicubes_noisy": {"vertices", "faces", "vertex_attrs"},
    "flexicubes_smooth": {"vertices", "faces", "vertex_attrs"},
    "slat_dec_gs": {"xyz", "scaling", "rotation", "opacity", "raw_features_dc"},
    "slat_dec_mesh": {"feats", "vertices", "faces", "vertex_attrs"},
    "slat_dec_rf": {"trivec", "density", "features_dc", "position"},
    "dinov2": {"x_prenorm", "cond"},
    "ss_flow_step": {"y"},
    "ss_sampler": {"samples"},
    "ss_dec": {"logits", "coords"},
    "slat_flow_step": {"y"},
    "slat_sampler": {"samples", "slat"},
}


def lines(result):
    """(pass or FAIL, file, the rest) of each line."""
    return [(line.split(None, 2) + [""])[:3] for line in result.out.splitlines()]


def with_io(where, name, *keep):
    """A copy of the golden directory with some of its files."""
    path = where / name
    shutil.copytree(GOLDEN, path)
    for file in (path / "io").iterdir():
        if file.stem not in keep:
            file.unlink()
    return path


def perturb(path, tensor, at, change):
    """Change one float of a tensor."""
    content, metadata = read_tensors(path)
    dtype, shape, data = content[tensor]
    assert dtype in ("F32", "I32"), dtype
    code = "<f" if dtype == "F32" else "<i"
    value, = struct.unpack_from(code, data, 4 * at)
    data = data[:4 * at] + struct.pack(code, change(value)) + data[4 * at + 4:]
    content[tensor] = (dtype, shape, data)
    write_tensors(path, content, metadata)


def expect_failure(result, file, *parts):
    """Exit 1; the file has a line that says FAIL, with these parts."""
    assert result.status == FAILED, result
    failed = [" ".join(line) for line in lines(result) if line[0] == "FAIL"]
    assert failed, result
    assert any(line.split()[1] == file and all(p in line for p in parts) for line in failed), \
        f"no {parts} of {file} in {failed}"
    one_message(result, f"{len(failed)} of {len(lines(result))} checks failed")


PERTURBED = [
    ("slat_dec_gs", "xyz", 1000, lambda v: v + 0.1, "xyz"),
    ("slat_dec_gs", "opacity", 7, lambda v: v + 0.5, "opacity"),
    ("slat_dec_gs", "slat", 3, lambda v: v + 1, "xyz"),
    ("slat_dec_gs", "rotation", 9, lambda v: float("nan"), "rotation"),
    ("slat_dec_mesh", "vertices", 30, lambda v: v + 1e-3, "vertices"),
    ("slat_dec_mesh", "faces", 12, lambda v: v ^ 1, "faces"),
    ("slat_dec_mesh", "feats", 5, lambda v: v + 1, "feats"),
    ("flexicubes_smooth", "vertex_attrs", 8, lambda v: v + 0.1, "vertex_attrs"),
]


def check_perturbed(report, where):
    for file, tensor, at, change, told in PERTURBED:
        with report.check(f"a changed value of {tensor} in {file}"):
            path = with_io(where, "perturbed", file)
            try:
                perturb(path / f"io/{file}.safetensors", tensor, at, change)
                expect_failure(run("verify", path), file, told)
            finally:
                shutil.rmtree(path)
    with report.check("voxels that are gone from the golden ones: that many differ"):
        path = with_io(where, "voxels", "ss_dec")
        golden = path / "io/ss_dec.safetensors"
        content, metadata = read_tensors(golden)
        dtype, (count, width), data = content["coords"]
        rows = [data[i:i + 4 * width] for i in range(0, len(data), 4 * width)]
        del rows[count // 2], rows[1]
        content["coords"] = (dtype, (count - 2, width), b"".join(rows))
        write_tensors(golden, content, metadata)
        expect_failure(run("verify", path), "ss_dec", "coords", "2.00e+00")
    with report.check("a changed weight"):
        path = with_io(where, "weight", "slat_dec_gs", "flexicubes_smooth")
        weights = path / "model/ckpts/slat_dec_gs.safetensors"
        content, metadata = read_tensors(weights)
        name = next(n for n, (dtype, _, _) in content.items() if dtype == "F32" and "out" in n)
        write_tensors(weights, content, metadata)
        perturb(weights, name, 0, lambda v: v + 1)
        result = run("verify", path)
        expect_failure(result, "slat_dec_gs", "bound")
        assert all(line[0] == "pass" for line in lines(result)
                   if line[1] == "flexicubes_smooth"), result


def check_unusable(report, where):
    path = with_io(where, "unusable", "flexicubes_smooth")
    io = path / "io"
    good = (io / "flexicubes_smooth.safetensors").read_bytes()
    cases = {
        "an unknown file": ("dit_block.safetensors", good, []),
        "an unknown kind of file": ("notes.txt", b"hello", ["safetensors"]),
        "a file cut short": ("flexicubes_cut.safetensors", good[:-100], []),
        "an empty file": ("flexicubes_empty.safetensors", b"", []),
        "no safetensors": ("slat_dec_gs.safetensors", b"x" * 100, []),
        "a network that has no model": ("slat_dec_mesh.safetensors",
                                        (GOLDEN / "io/slat_dec_mesh.safetensors").read_bytes(),
                                        ["slat_dec_mesh.safetensors"]),
        "other tensors than expected": ("slat_dec_gs.safetensors", good, []),
    }
    for name, (file, content, parts) in cases.items():
        with report.check(f"verify names {name}"):
            (io / file).write_bytes(content)
            weights = path / "model/ckpts/slat_dec_mesh.safetensors"
            weights.unlink(missing_ok=True)
            result = run("verify", path)
            (io / file).unlink()
            expect_failure(result, file.replace(".safetensors", ""), *parts)
            # The others are still looked at.
            assert ["pass", "flexicubes_smooth"] in [line[:2] for line in lines(result)], result
            nothing_live(result) if result.counts else None
    with report.check("verify names a directory among the files"):
        (io / "slat_dec_gs.safetensors").mkdir()
        expect_failure(run("verify", path), "slat_dec_gs", "directory")
        (io / "slat_dec_gs.safetensors").rmdir()
    with report.check("nothing to verify"):
        shutil.rmtree(io)
        for prepare in (lambda: None, io.mkdir):
            prepare()
            result = run("verify", path)
            assert result.status == INPUT and not result.out, result
            one_message(result, io)
        result = run("verify", where / "none")
        assert result.status == INPUT, result
        one_message(result, where / "none")


def main():
    report = Report()
    with folder() as where:
        for options in ([], ["--memory", "12M"], ["--max-buffer", "5M"]):
            with report.check(f"the golden data passes {' '.join(options)}"):
                result = run("verify", GOLDEN, *options)
                assert result.status == DONE, result
                nothing_live(result)
                found = {}
                for state, file, rest in lines(result):
                    assert state == "pass", result
                    found.setdefault(file, set()).add(rest.split()[0])
                    assert "bound" in rest and "[" in rest, rest
                assert found == TENSORS, found
        with report.check("too little memory is no mismatch"):
            result = run("verify", GOLDEN, "--memory", "128K")
            assert result.status == DEVICE, result
            one_message(result, "--memory")
        check_perturbed(report, where)
        check_unusable(report, where)
    report.finish()


if __name__ == "__main__":
    main()
