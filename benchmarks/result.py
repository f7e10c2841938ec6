"""What a benchmark reports, and where: benchmarks/results/<name>.json and a table on the terminal."""

import os
import platform
import resource
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"
NOTED_LIBRARIES = ("numpy", "polars", "scipy", "scikit-learn", "onnxruntime", "uvicorn", "SQLAlchemy")


class Figure(msgspec.Struct, frozen=True):
    """One measured figure: what, how much, against which goal, whether it holds, and how it was measured."""

    figure: str
    value: float
    unit: str
    goal: str
    holds: bool
    how: str


class Machine(msgspec.Struct, frozen=True):
    """On what figures were measured. vectors: the widest instructions of the processor that NumPy uses."""

    processor: str
    cores: int
    vectors: str
    python: str
    libraries: Mapping[str, str]

    def __str__(self) -> str:
        libraries = ", ".join(f"{name} {number}" for name, number in self.libraries.items())
        return f"{self.processor}, {self.cores} cores, {self.vectors}; Python {self.python}, {libraries}"


class Results(msgspec.Struct, frozen=True):
    """The figures of one benchmark. machine: None of those measured before it was noted."""

    machine: Machine | None
    figures: tuple[Figure, ...]


def this_machine() -> Machine:
    import numpy as np

    found = np.show_config(mode="dicts") or {}
    vectors = found.get("SIMD Extensions", {}).get("found", [])
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 0,
        vectors=vectors[-1] if vectors else "no vectors",
        python=platform.python_version(),
        libraries={name: number for name in NOTED_LIBRARIES if (number := _version(name))},
    )


def _processor() -> str:
    """What the processor calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model"))]
    return names[0] if names else platform.processor() or platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def write_results(name: str, figures: Sequence[Figure]) -> Path:
    """Keep the figures of one benchmark, and on what they were measured, and print them."""
    RESULTS.mkdir(exist_ok=True)
    path, machine = RESULTS / f"{name}.json", this_machine()
    results = Results(machine, tuple(figures))
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
    table = Table("figure", "value", "goal", "holds", "how", title=name, caption=str(machine))
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
