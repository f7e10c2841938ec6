"""What a benchmark reports, and where: benchmarks/results/<name>.json and a table on the terminal."""

import resource
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"


class Figure(msgspec.Struct, frozen=True):
    """One measured figure: what, how much, against which goal, whether it holds, and how it was measured."""

    figure: str
    value: float
    unit: str
    goal: str
    holds: bool
    how: str


def write_results(name: str, figures: Sequence[Figure]) -> Path:
    """Keep the figures of one benchmark and print them."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(list(figures)), indent=1) + b"\n")
    table = Table("figure", "value", "goal", "holds", "how", title=name)
    for figure in figures:
        cells = (figure.figure, f"{figure.value:g} {figure.unit}", figure.goal, "yes" if figure.holds else "NO")
        table.add_row(*cells, figure.how)
    Console().print(table)
    return path


class Stopwatch:
    """CPU seconds of this process and its finished children; filled when its block ends."""

    seconds: float = 0.0


@contextmanager
def cpu_seconds() -> Iterator[Stopwatch]:
    """CPU seconds, user and system, all threads, spent in the block."""
    watch, start = Stopwatch(), _spent()
    yield watch
    watch.seconds = _spent() - start


def _spent() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
