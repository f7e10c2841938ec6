"""A course of the Open University while it runs: reports after weeks 4, 8 and 12, and how what they said turned out.

`python -m benchmarks.oulad [FOLDER]` from the project's root; FOLDER holds the files of OULAD: ../shared/data/oulad, or
what GRADEWATCH_OULAD_DIR names, without one. `examples/oulad/weeks.py` makes the tables; all else are commands, as an
institution would give them: models learn from the courses of 2013, those of 2014 are uploaded as they were known after
each week, each course gets its report, and the answers that stand in it are set beside how students ended. The plain
rule ranks by the score so far, lowest first, and answers with it; where none is known yet, with the mean of 2013.
Intervals are over whole courses.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from benchmarks.commands import SECRET, settings_of
from benchmarks.result import Figure, write_results
from benchmarks.servers import ROOT, clean_environment
from model.scores import Estimate, area, mean_with_interval
from preprocessing.validation.pii import pseudonym
from reports.records import CohortReport

DOMAIN, EXAMPLE = "oulad_course", ROOT / "examples" / "oulad"
COURSE = ("code_presentation", "code_module")
RESULT, GRADE = "final_result", "final_grade"
WEEKS = (4, 8, 12)
BEGINS = {"2014B": date(2014, 2, 1), "2014J": date(2014, 10, 1)}
REPLICATES = 400
FAILED = ("Withdrawn", "Fail")


def main(given: Sequence[str] = ()) -> None:
    there = os.environ.get("GRADEWATCH_OULAD_DIR", ROOT.parent / "shared" / "data" / "oulad")
    data = Path(given[0] if given else there)
    with tempfile.TemporaryDirectory(prefix="gradewatch-oulad-") as made:
        folder, tables = Path(made), Path(made) / "tables"
        subprocess.run([sys.executable, str(EXAMPLE / "weeks.py"), str(data), str(tables)], check=True)
        command(folder, "train", "--data", str(tables / "learned.parquet"))
        mean = pl.read_parquet(tables / "learned.parquet")[GRADE].mean()
        figures: list[Figure] = []
        for week in WEEKS:
            said = pl.DataFrame(list(replayed(folder, tables, week))).with_columns(rule=pl.col("score").fill_null(mean))
            figures += [ranking(week, said), errors(week, said)]
    write_results("oulad", figures)


def command(folder: Path, *words: str) -> None:
    """One command of ours about the domain, in a process of its own."""
    settings = settings_of(folder) | {"GRADEWATCH_DOMAINS_DIR": str(EXAMPLE), "GRADEWATCH_TRAIN_AFTER": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "cli.start", *words, "--domain", DOMAIN],
        env={**clean_environment(), **settings},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{words} ended with {done.returncode}: {done.stderr[-2000:]}")


def replayed(folder: Path, tables: Path, week: int) -> Iterator[Mapping[str, Any]]:
    """What was known after a week is uploaded and each course reported on: what its report says of each student."""
    asked, path = tables / f"week{week}.parquet", folder / "report.json"
    command(folder, "ingest", str(asked), "--kind", "unlabeled")
    rows = pl.read_parquet(asked).join(pl.read_parquet(tables / "ended.parquet"), on=[*COURSE, "id_student"])
    for (period, module), cohort in rows.group_by(COURSE, maintain_order=True):
        due = BEGINS[str(period)] + timedelta(weeks=week)
        named = ("--group", str(module), "--period", str(period), "--due", str(due))
        command(folder, "reports", "make", *named, "--output", str(path))
        report = msgspec.json.decode(path.read_bytes(), type=CohortReport)
        print(f"  after {week} weeks, {module} in {period}: {cohort.height:,} students", flush=True)
        yield from answers(report, cohort, week)


def answers(report: CohortReport, cohort: pl.DataFrame, week: int) -> Iterator[Mapping[str, Any]]:
    """Of whoever was registered: others stand in the report with their row of weeks before. A chance or a grade that
    the models do not tell is missing."""
    said = {one.student: one for one in report.students if one.moment == f"week{week}"}
    for row in cohort.iter_rows(named=True):
        one = said[pseudonym(str(row["id_student"]), SECRET.encode())]
        result, grade = one.answer(RESULT), one.answer(GRADE)
        yield {
            "period": report.period,
            "course": f"{report.period} {report.group}",
            "chance": result.below_pass if result else None,
            "answer": grade.value if grade else None,
            "score": row[f"score_{week}"],
            "failed": row[RESULT] in FAILED,
            "grade": row[GRADE],
        }


def ranking(week: int, said: pl.DataFrame) -> Figure:
    """By the chance of ending below the pass mark, beside the score so far."""
    told = said.drop_nulls("chance").with_columns(rule=-pl.col("rule"))
    ours, rule, gain = _area("chance", told), _area("rule", told), _gain(told)
    parts = [f"{name} {_area('chance', part)}" for (name,), part in told.group_by("period", maintain_order=True)]
    how = f"{_of(said, told)}; plain rule {rule}, gained {gain}; {', '.join(parts)}"
    name = f"after {week} weeks: AUC of failing or leaving {_between(ours)}"
    return Figure(name, round(ours.value, 3), "", "> the plain rule's", gain.low > 0, how)


def errors(week: int, said: pl.DataFrame) -> Figure:
    """Of the final grade."""
    told = said.drop_nulls("answer").with_columns(
        error=(pl.col("answer") - pl.col("grade")).abs(), ruled=(pl.col("rule") - pl.col("grade")).abs()
    )
    told = told.with_columns(gain=pl.col("ruled") - pl.col("error"))
    ours, rule, gain = _mean("error", told), _mean("ruled", told), _mean("gain", told)
    parts = [f"{name} {_mean('error', part)}" for (name,), part in told.group_by("period", maintain_order=True)]
    how = f"{_of(said, told)}; plain rule {rule}, gained {gain}; {', '.join(parts)}"
    name = f"after {week} weeks: MAE of the final grade {_between(ours)}"
    return Figure(name, round(ours.value, 2), "points", "< the plain rule's", gain.low > 0, how)


def _area(column: str, told: pl.DataFrame) -> Estimate:
    courses = told["course"].rank("dense").to_numpy().astype(np.int64)
    found = area(told["failed"].to_numpy(), told[column].to_numpy(), courses)
    assert found is not None, "some end well and some do not"
    return found


def _gain(told: pl.DataFrame) -> Estimate:
    """How much larger the area is than the plain rule's: the middle 95 % of draws of whole courses."""
    courses, draw = told.partition_by("course"), np.random.default_rng(0)
    drawn = (pl.concat([courses[at] for at in draw.integers(0, len(courses), len(courses))]) for _ in range(REPLICATES))
    ends = np.quantile([_larger(one) for one in drawn], (0.025, 0.975))
    return Estimate(_larger(told), *ends.tolist())


def _larger(told: pl.DataFrame) -> float:
    return _area("chance", told).value - _area("rule", told).value


def _mean(column: str, told: pl.DataFrame) -> Estimate:
    return mean_with_interval(told[column].to_numpy(), told["course"].rank("dense").to_numpy().astype(np.int64))


def _of(said: pl.DataFrame, told: pl.DataFrame) -> str:
    known = 1 - told["score"].null_count() / told.height
    silent = f", {said.height - told.height} told nothing" if said.height > told.height else ""
    return f"n {told.height:,} in {told['course'].n_unique()} courses{silent}, a score so far known of {known:.0%}"


def _between(one: Estimate) -> str:
    return f"[{one.low:.3g}, {one.high:.3g}]"


if __name__ == "__main__":
    main(sys.argv[1:])
