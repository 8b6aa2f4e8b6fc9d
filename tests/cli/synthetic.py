#!/usr/bin/env python3
"""`bench --synthetic`: a model that the other commands take, the same bytes each time, whole or not
at all, and nothing of anybody's is replaced. The tensors are checked in tests/test_synthetic.c."""
import resource
import signal
import subprocess
from material import (DONE, FAILED, SOURCE, USAGE, Report, digests, done, folder, names,
                      nothing_live, one_message, program, read_tensors, run)

DUCK = SOURCE / "demo/images/duck.png"
NETWORKS = ["dinov2_vitl14_reg4_pretrain", "slat_dec_gs_swin8_B_64l8gs32_fp16",
            "slat_dec_mesh_swin8_B_64l8m256c_fp16", "slat_dec_rf_swin8_B_64l8r16_fp16",
            "slat_flow_img_dit_L_64l8p2_fp16", "ss_dec_conv3d_16l8_fp16",
            "ss_flow_img_dit_L_16l8_fp16"]


def synthetic(path, *options):
    return run("bench", "--synthetic", path, *options, count=False)


def small_files():
    """What a file may be long before writing fails."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))


def refuses(path, *parts):
    result = synthetic(path, "--tiny")
    assert result.status == FAILED, result
    one_message(result, path, *parts)


def check_model(report, where):
    model = where / "model"
    with report.check("a tiny model"):
        result = synthetic(model, "--tiny")
        assert result.status == DONE and str(model) in result.out and not result.err, result
        assert names(model) == ["ckpts", "pipeline.json"], names(model)
        weights = [name[:-len(".safetensors")] for name in names(model / "ckpts")
                   if name.endswith(".safetensors")]
        assert weights == NETWORKS, weights
    with report.check("all of its parts are ready"):
        text = done("model", model, count=False, env={"HOME": "/nowhere"}).out
        assert text.count(": ready\n") >= 6 and "missing" not in text and "bad" not in text, text
    with report.check("it makes an object of a picture"):
        result = done("generate", DUCK, "--model", model, "--steps", "2", "-o", where / "a.glb",
                      "-o", where / "a.ply", "-o", where / "a.safetensors", "-o",
                      where / "a.rf.safetensors")
        nothing_live(result)
        voxels = read_tensors(where / "a.safetensors")[0]["coords"]
        assert read_tensors(where / "a.rf.safetensors")[0]["coords"] == voxels
        assert read_tensors(where / "a.safetensors")[0]["feats"][1][1] == 8
    with report.check("the same bytes each time, into a directory that is there too"):
        again = where / "again"
        again.mkdir()
        (again / "note").write_text("mine")
        assert synthetic(again, "--tiny", "-q").status == DONE
        assert digests(again / "ckpts") == digests(model / "ckpts"), "other bytes"
        assert (again / "note").read_text() == "mine"


def check_refusals(report, where):
    with report.check("a model that is there stays"):
        before = digests(where / "model/ckpts")
        refuses(where / "model", "a model is there")
        assert digests(where / "model/ckpts") == before
    with report.check("no folder to write into"):
        refuses(where / "none/model", "No such file")
    with report.check("a file in the way"):
        (where / "file").write_text("mine")
        refuses(where / "file")
        assert (where / "file").read_text() == "mine"
    with report.check("a disk that takes no more: nothing is left"):
        result = subprocess.run([program(), "bench", "--tiny", "--synthetic", where / "full"],
                                capture_output=True, text=True, preexec_fn=small_files)
        assert result.returncode == FAILED and "File too large" in result.stderr, result
        assert not (where / "full").exists()
    with report.check("no directory named"):
        assert run("bench", "--synthetic", "", count=False).status == USAGE


def main():
    report = Report()
    with folder() as where:
        check_model(report, where)
        check_refusals(report, where)
    report.finish()


if __name__ == "__main__":
    main()
