"""What a benchmark reports, and where: benchmarks/results/NAME.json, docs/benchmarks.md and a table on the terminal."""

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
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
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


def read_results(name: str) -> Results | None:
    """The figures of one benchmark that are kept."""
    path = RESULTS / f"{name}.json"
    return msgspec.json.decode(path.read_bytes(), type=Results) if path.exists() else None


def write_results(name: str, figures: Sequence[Figure]) -> None:
    """Keep the figures of one benchmark, and on what they were measured, and print them."""
    _keep(name, Results(this_machine(), tuple(figures)))
    print_figures(name, figures)


def _keep(name: str, results: Results) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
    PAGE.write_text(page(), encoding="utf-8")


def replace_results(name: str, figures: Sequence[Figure]) -> None:
    """Keep figures in the place of those that are called so; measured on another machine than these, they say on
    which."""
    known, machine = read_results(name), this_machine()
    if known is None:
        write_results(name, figures)
        return
    if known.machine != machine:
        where = f"on {machine.processor}, {machine.cores} cores, {machine.vectors}"
        figures = [msgspec.structs.replace(one, how=f"{one.how}; {where}") for one in figures]
    new = {one.figure: one for one in figures}
    kept = Results(known.machine, (*(new.pop(one.figure, one) for one in known.figures), *new.values()))
    _keep(name, kept)
    print_figures(name, figures)


def print_figures(title: str, figures: Sequence[Figure]) -> None:
    table = Table("figure", "value", "goal", "holds", "how", title=title, caption=str(this_machine()))
    for figure in figures:
        cells = (figure.figure, f"{figure.value:g} {figure.unit}", figure.goal, "yes" if figure.holds else "NO")
        table.add_row(*cells, figure.how)
    Console().print(table)


def page() -> str:
    """docs/benchmarks.md, made from every benchmarks/results/<name>.json."""
    lines = [
        "# Benchmarks",
        "",
        "Made by `make bench` from `benchmarks/results/`; `make bench BENCH=name` runs one.",
        "",
    ]
    for path in sorted(RESULTS.glob("*.json")):
        results = msgspec.json.decode(path.read_bytes(), type=Results)
        where = f"On {results.machine}." if results.machine else "On a machine that was not noted."
        lines += [f"## {path.stem}", "", where, "", "| figure | value | goal | holds | how |", "|---|---|---|---|---|"]
        for figure in results.figures:
            holds = "yes" if figure.holds else "**no**"
            cells = (figure.figure, f"{figure.value:g} {figure.unit}", figure.goal, holds, figure.how)
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines)


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
