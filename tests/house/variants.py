"""The kernel files and the defines that the program builds them with: the table in docs/design.md,
"Kernels, variants, defines"."""
import itertools
from common import files

# A file and its defines with their values, as a list of whole rows: not all combinations are
# built. Files that are not named take no defines.
VARIANTS = {
    "attention": [(f"-DD={D}",) for D in (16, 40, 64, 80)],
    "bench": [(f"-DCHAINS={chains}",) for chains in (2, 4, 8, 12)],
    "matmul": [(f"-DTAPS={taps}", f"-DWEIGHT_F16={half}")
               for taps, half in itertools.product((1, 8, 27), (0, 1))
               if not (taps == 8 and half)],
    "weight": [("-DSOURCE_F16=1", "-DTARGET_F16=1"), ("-DSOURCE_F16=1", "-DTARGET_F16=0"),
               ("-DSOURCE_F16=0", "-DTARGET_F16=0")],
}


def programs(cpu):
    """(file, defines) of all programs of a variant, `cpu` 0 or 1."""
    return [(path, (f"-DTESS_CPU={cpu}", *defines)) for path in files(".cl")
            for defines in VARIANTS.get(path.stem, [()])]
