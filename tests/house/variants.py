"""The kernel files and the defines that the program builds them with: the table in docs/design.md,
"Kernels, variants, defines"."""
import itertools
from common import files

# A file and its defines with their values, as a list of whole rows: not all combinations are
# built. Files that are not named take no defines.
VARIANTS = {
    "attention": [(f"-DD={D}",) for D in (16, 40, 64, 80)],
    "attention_amx": [(f"-DD={D}", f"-DQUERIES={queries}", f"-DAMX={amx}", f"-DLEFT_PIECES={pieces}",
                       f"-DRIGHT_PIECES={pieces}", f"-DHEADS={heads}", "-DMEMORY=1114112")
                      for D, queries, amx, pieces, heads in (
                          (16, 512, 1, 3, 1), (64, 1024, 1, 3, 1), (64, 256, 1, 2, 4),
                          (64, 256, 1, 3, 4), (70, 512, 0, 3, 1))],
    "attention_fast": [(f"-DD={D}", "-DUNIT=0") for D in (64, 80)],
    "bench": [(f"-DCHAINS={chains}",) for chains in (2, 4, 8, 12)],
    "matmul": [(f"-DTAPS={taps}", f"-DWEIGHT_F16={half}")
               for taps, half in itertools.product((1, 27), (0, 1))],
    "matmul_amx": [(f"-DTAPS={taps}", f"-DAMX={amx}", f"-DLEFT_PIECES={rows}",
                    f"-DRIGHT_PIECES={weights}", "-DMEMORY=1114112")
                   for taps, amx, rows, weights in ((1, 1, 3, 2), (1, 1, 3, 3), (1, 0, 3, 2),
                                                    (27, 1, 3, 2), (27, 1, 2, 2))],
    "matmul_fast": [(f"-DTAPS={taps}", f"-DWEIGHT_F16={half}", "-DUNIT=0")
                    for taps, half in ((1, 1), (1, 0), (27, 1))],
    "matmul_quantised": [(f"-DTAPS={taps}", f"-DINTEGERS={integers}", "-DMEMORY=589824")
                         for taps, integers in ((1, 1), (27, 1), (1, 2), (1, 3), (1, 0))],
    "matrix_unit": [("-DUNIT=0",)],
    "weight": [(f"-DSOURCE_F16={source}", f"-DTARGET_F16={target}", f"-DTARGET_PIECES={pieces}")
               for source, target, pieces in ((1, 1, 0), (1, 0, 0), (0, 0, 0), (1, 0, 2), (0, 0, 3))],
    "weight_quantised": [(f"-DSOURCE_F16={source}",) for source in (0, 1)],
    "winograd": [(f"-DDOUBLED={doubled}",) for doubled in (0, 1)],
}
CPU_ONLY = ("attention_amx", "matmul_amx", "matmul_quantised", "weight_quantised")


def shape(rows, panels, depth):
    return f"-DROWS={rows}", f"-DPANELS={panels}", f"-DDEPTH={depth}"


# Shapes of tiles (rt/tuning.c) by file and variant: the defaults of families of devices, which come
# with every row above, then others, which come with the last row.
SHAPES = {
    ("attention", 0): ([("-DQUERIES=64", "-DDEPTH=16")],
                       [("-DQUERIES=128", "-DDEPTH=16"), ("-DQUERIES=64", "-DDEPTH=32"),
                        ("-DQUERIES=128", "-DDEPTH=32")]),
    ("attention", 1): ([("-DQUERIES=256", "-DQUANTISED=0"),
                        ("-DQUERIES=256", "-DQUANTISED=1", "-DINTEGERS=1")],
                       [("-DQUERIES=64", "-DQUANTISED=0"), ("-DQUERIES=512", "-DQUANTISED=0"),
                        ("-DQUERIES=512", "-DQUANTISED=1", "-DINTEGERS=0")]),
    ("matmul", 0): ([shape(64, 2, 16), shape(128, 2, 16)], [shape(128, 4, 8), shape(64, 4, 32)]),
    ("matmul", 1): ([shape(64, 4, 128)], [shape(8, 1, 16), shape(128, 8, 256)]),
}


def programs(cpu):
    """(file, defines) of all programs of a variant, `cpu` 0 or 1."""
    made = []
    for path in files(".cl"):
        if path.stem in CPU_ONLY and not cpu:
            continue
        rows = [row for row in VARIANTS.get(path.stem, [()])
                if cpu or not {"-DTARGET_PIECES=2", "-DTARGET_PIECES=3"} & {*row}]
        defaults, others = SHAPES.get((path.stem, cpu), ([()], []))
        made += [(path, (f"-DTESS_CPU={cpu}", *row, *tiles))
                 for row, tiles in [*itertools.product(rows, defaults),
                                    *itertools.product(rows[-1:], others)]]
    return made
