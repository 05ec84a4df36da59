"""The rows of the table: the program behind each, and its bar, the most that Hartline may need."""
import dataclasses

import userland


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    bar: float = None         # times as long as the same program takes natively, or seconds
    program: str = ""         # of tests/bench; its own name where empty
    arguments: tuple = ()     # after the scale
    seconds: str = ""         # "cpu" or "wall" where the bar is in seconds: the rows without a native run
    total: bool = False       # the sum of other rows, which no mean counts again


BOOT = Row("boot", 1.5, seconds="wall")
LEAN = Row("lean", 0.3, seconds="cpu")

PROGRAMS = [
    Row("mixed", 3), Row("records", 4), Row("lists"), Row("sort", 2.2), Row("sha256", 2.5), Row("lz", 2.5),
    Row("bytecode", 2), Row("calls", 3), Row("icall", 2.5), Row("xpage", 1.5),
    Row("nbody", 2), Row("spectral", 3), Row("mandelbrot", 3), Row("linpack", 4),
    Row("triad", 10), Row("triad-alias", 10, "triad", ("0",)), Row("copy", 2.5),
    Row("chase-16k", 2.5, "chase", ("16",)), Row("chase-1024k", 1.15, "chase", ("1024",)),
    Row("chase-32768k", 1.4, "chase", ("32768",)),
    Row("syscall", 4), Row("clock", 3), Row("signal", 3), Row("pipe", 7), Row("fork", 2.5),
    Row("mmap", 2.5), Row("segv", 6), Row("cow", 3), Row("amo", 1.5), Row("smc", 40),
]
USERLAND = [*(Row(name) for name in userland.parts()), Row(userland.TOTAL, total=True)]
BENCHES = {row.name: (row.program or row.name, list(row.arguments)) for row in PROGRAMS}
ROWS = {row.name: row for row in [BOOT, LEAN, *PROGRAMS, *USERLAND]}
