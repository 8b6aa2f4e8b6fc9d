"""rusticl over llvmpipe, an OpenCL independent of the tests' own: how it is chosen, and whether it
works here."""
import os
from pathlib import Path
from common import run

VENDOR = Path("/etc/OpenCL/vendors/rusticl.icd")
ENVIRONMENT = {"OCL_ICD_VENDORS": str(VENDOR), "RUSTICL_ENABLE": "llvmpipe",
               "TESSELLA_DEVICE": "llvmpipe"}


def why_not(probe):
    """Why tests cannot run there, or None; `probe` is tests/opencl_probe.c."""
    if not VENDOR.is_file():
        return "no rusticl (mesa-opencl-icd)"
    tried = run([probe, "ca64", "ka", "wa"], env={**os.environ, **ENVIRONMENT})
    if tried.returncode or "ka 0" not in tried.stdout:
        lines = (tried.stdout + tried.stderr).strip().splitlines() or [""]
        return f"its device does not work here: {lines[0]}"
    return None
