"""Makes the tables that `oulad_course.toml` describes from the files of OULAD: a course while it runs, week by week.

    python examples/oulad/weeks.py FOLDER OUTPUT

FOLDER holds the files of the data set (Kuzilek, Hlosta and Zdrahal 2017), as CSV or Parquet. Written are, as Parquet:
`learned` (the courses of 2013 with how they ended), `week4`, `week8` and `week12` (those of 2014 as they were known on
days 28, 56 and 84, of whoever was registered then), and `ended` (how those of 2014 ended). What became known after a
day is in no column of its table. It needs polars and nothing of Gradewatch: copy it and change it.
"""

import argparse
from pathlib import Path

import polars as pl
from prepare import COURSE, ENROLMENT, clicks, registered, scan

WEEKS = (4, 8, 12)
MARKING = 14
"""Days until a tutor's mark is known; a computer's is at once."""

KNOWN = [
    *("highest_education", "imd_band", "age_band", "gender", "disability", "num_of_prev_attempts", "studied_credits"),
    *("days_registered_ahead", "clicks_before"),
]


def coursework(folder: Path) -> pl.LazyFrame:
    """Every piece of coursework of each enrolment, handed in or not. share: of it in the mark, equal within a course
    whose pieces all weigh nothing."""
    pieces = scan(folder, "assessments").with_columns(pl.col("date").cast(pl.Float64, strict=False))
    pieces = pieces.filter(pl.col("assessment_type") != "Exam", pl.col("date").is_not_null())
    weighed = pl.col("weight").sum().over(COURSE)
    pieces = pieces.with_columns(pl.when(weighed > 0).then(pl.col("weight")).otherwise(1.0).alias("share"))
    works = scan(folder, "studentAssessment").with_columns(pl.col("score").cast(pl.Float64, strict=False))
    enrolled = scan(folder, "studentInfo").select(ENROLMENT)
    return enrolled.join(pieces, on=COURSE).join(works, on=["id_assessment", "id_student"], how="left")


def as_of(works: pl.LazyFrame, week: int, before: int) -> pl.LazyFrame:
    """What is known of each enrolment's coursework at the end of a week: the score so far, in which what is due and was
    not handed in counts 0, and what was due, missed and late since the end of the week `before`."""
    day, since = 7 * week, 7 * before
    handed = pl.col("date_submitted") <= day
    waits = pl.when((pl.col("assessment_type") == "CMA") | (pl.col("is_banked") == 1)).then(0).otherwise(MARKING)
    marked = (handed & (pl.col("date_submitted") + waits <= day)).fill_null(False)
    due, missed = pl.col("date") <= day, ~handed.fill_null(False)
    counts = due & (marked | missed)
    got = pl.when(marked).then(pl.col("score").fill_null(0.0)).otherwise(0.0)
    lately = due & (pl.col("date") > since)
    late = handed & (pl.col("date_submitted") > since) & (pl.col("date_submitted") > pl.col("date"))
    share = pl.col("share")
    return works.group_by(ENROLMENT).agg(
        ((got * share).filter(counts).sum() / share.filter(counts).sum()).fill_nan(None).alias(f"score_{week}"),
        lately.sum().cast(pl.Int64).alias(f"due_{week}"),
        (lately & missed).sum().cast(pl.Int64).alias(f"missed_{week}"),
        late.fill_null(False).sum().cast(pl.Int64).alias(f"late_{week}"),
    )


def ended(folder: Path, works: pl.LazyFrame) -> pl.LazyFrame:
    """How each enrolment ended. final_grade: of all coursework, in which what was not handed in counts 0."""
    share = pl.col("share")
    grade = (pl.col("score").fill_null(0.0) * share).sum() / share.sum()
    graded = works.group_by(ENROLMENT).agg(grade.alias("final_grade"))
    return scan(folder, "studentInfo").select(*ENROLMENT, "final_result").join(graded, on=ENROLMENT)


def table(folder: Path, works: pl.LazyFrame, week: int) -> pl.LazyFrame:
    """Whoever was registered at the end of a week, as known then."""
    found = registered(folder, 7 * week).join(clicks(folder, -1), on=ENROLMENT, how="left")
    found = found.with_columns(pl.col("clicks_before").fill_null(0)).select(*ENROLMENT, *KNOWN)
    for number, before in zip(WEEKS, (0, *WEEKS), strict=False):
        if number <= week:
            found = found.join(as_of(works, number, before), on=ENROLMENT)
    return found


def tables(folder: Path) -> dict[str, pl.LazyFrame]:
    """By name. In `learned` columns of a week are empty of whoever had left by then."""
    works = coursework(folder)
    of_2013 = pl.col("code_presentation").str.starts_with("2013")
    by_week = {week: table(folder, works, week) for week in WEEKS}
    first, *later = WEEKS
    learned = by_week[first]
    for week in later:
        columns = [f"{name}_{week}" for name in ("score", "due", "missed", "late")]
        learned = learned.join(by_week[week].select(*ENROLMENT, *columns), on=ENROLMENT, how="left")
    how = ended(folder, works)
    found = {"learned": learned.filter(of_2013).join(how, on=ENROLMENT), "ended": how.filter(~of_2013)}
    return found | {f"week{week}": by_week[week].filter(~of_2013) for week in WEEKS}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    told = parser.parse_args()
    told.output.mkdir(parents=True, exist_ok=True)
    for name, frame in tables(told.folder).items():
        rows = frame.sort("code_presentation", "code_module", "id_student").collect()
        rows.write_parquet(told.output / f"{name}.parquet")
        print(f"{name}: {rows.height:,} enrolments")


if __name__ == "__main__":
    main()
