"""Students' weeks: what their features cost, and how that grows with students.

`python -m benchmarks.k12 [--quick]` from the project's root. Which models of them are worth having is another
benchmark, `week_models`.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.commands import GRADEWATCH, measured
from benchmarks.result import Figure, print_figures, write_results
from preprocessing.panel.example import write_district
from preprocessing.schema import DomainSchema, load_domains

STUDENTS, MANY_STUDENTS, QUICK_STUDENTS = 10_000, 100_000, 600
CPU_GOAL, MEMORY_GOAL = 4.0, 600.0
LINEAR_GOAL = 1.2  # of the tenfold: what 100,000 students may take for each of them, against 10,000
DOMAIN = "k12"


def main(given: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few students and one seed, to see that it works")
    quick = parser.parse_args(given).quick
    schema = load_domains()[DOMAIN]
    with tempfile.TemporaryDirectory(prefix="gradewatch-k12-") as made:
        figures = [*features(Path(made), schema, quick=quick)]
    print_figures(DOMAIN, figures) if quick else write_results(DOMAIN, figures)


# Features -------------------------------------------------------------------------------------------------------------


def features(folder: Path, schema: DomainSchema, *, quick: bool) -> Iterator[Figure]:
    """CPU and memory of the command, start, reading, checks and writing included, and how it grows with students."""
    few, many = (QUICK_STUDENTS, 2 * QUICK_STUDENTS) if quick else (STUDENTS, MANY_STUDENTS)
    seconds = dict[int, float]()
    for students in (few, many):
        print(f"  features of {students:,} students", flush=True)
        district = folder / f"{students}"
        write_district(district, schema, students=students, seed=1)
        command = (GRADEWATCH, "features", str(district), "-d", schema.name, "-o", str(folder / "rows.parquet"))
        seconds[students], memory = min(measured({}, *command) for _ in range(1 if students == many else 3))
        if students == few:
            how = f"gradewatch features, {few:,} students in 39 weeks from Parquet, with start and checks"
            yield Figure("features of a district", round(seconds[few], 2), "s of CPU", f"≤ {CPU_GOAL:g}",
                         seconds[few] <= CPU_GOAL, f"{how}; best of 3")  # fmt: skip
            yield Figure("memory of that", round(memory), "MB", f"≤ {MEMORY_GOAL:g}", memory <= MEMORY_GOAL, how)
    growth = seconds[many] / seconds[few] / (many / few)
    yield Figure("growth with students", round(growth, 2), "of proportion", f"≤ {LINEAR_GOAL:g}", growth <= LINEAR_GOAL,
                 f"{many:,} students: {seconds[many]:.1f} s of CPU")  # fmt: skip


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
