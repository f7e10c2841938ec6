"""Makes the table that `oulad_risk.toml` describes from the files of OULAD: who is still registered, and what is known.

    python examples/oulad/prepare.py FOLDER oulad.parquet [--day 60] [--marking 14] [--leaky]

FOLDER holds the files of the data set (Kuzilek, Hlosta and Zdrahal 2017), as CSV or Parquet. One row is one student in
one course, as of the cut-off day: clicks until then, assessments due and handed in until then, marks given until then.
Students who left before that day are out; what happened after it is in no column but the outcome. It needs polars and
nothing of Gradewatch: copy it and change it.
"""

import argparse
from pathlib import Path

import polars as pl

COURSE = ["code_module", "code_presentation"]
ENROLMENT = [*COURSE, "id_student"]


def scan(folder: Path, name: str) -> pl.LazyFrame:
    """A file of the data set, read piece by piece when the result is asked for."""
    parquet, csv = folder / f"{name}.parquet", folder / f"{name}.csv"
    if parquet.exists():
        return pl.scan_parquet(parquet)
    if csv.exists():
        return pl.scan_csv(csv, null_values=["", "?"], infer_schema_length=10_000)
    raise SystemExit(f"{folder} holds neither {name}.csv nor {name}.parquet")


def registered(folder: Path, day: int) -> pl.LazyFrame:
    """Everyone who had registered by `day` and had not left by then, with what was known of them at the start.

    Who withdrew on a day that nobody wrote down may have left before: they are out too.
    """
    dates = scan(folder, "studentRegistration").with_columns(pl.col("^date_.*$").cast(pl.Float64, strict=False))
    left = pl.col("date_unregistration")
    unknown = left.is_null() & (pl.col("final_result") == "Withdrawn")
    return (
        scan(folder, "studentInfo")
        .join(dates, on=ENROLMENT)
        .filter((pl.col("date_registration") <= day) | pl.col("date_registration").is_null())
        .filter(((left > day) | left.is_null()) & ~unknown)
        .with_columns(
            pl.when(pl.col("final_result").is_in(["Fail", "Withdrawn"]))
            .then(pl.lit("at risk"))
            .otherwise(pl.lit("on course"))
            .alias("outcome"),
            (-pl.col("date_registration")).alias("days_registered_ahead"),
        )
    )


def clicks(folder: Path, day: int) -> pl.LazyFrame:
    """Clicks of each enrolment: until `day` where the file of all clicks is there, else those before the course."""
    if any((folder / f"studentVle.{ending}").exists() for ending in ("csv", "parquet")):
        known = scan(folder, "studentVle").filter(pl.col("date") <= day)
        before = pl.when(pl.col("date") < 0).then(pl.col("sum_click")).otherwise(0)
        return known.group_by(ENROLMENT).agg(
            before.sum().alias("clicks_before"), pl.col("sum_click").sum().alias("clicks")
        )
    names = {"pre_course_clicks": "clicks_before"}
    return scan(folder, "vle_pre_course_clicks").select(*ENROLMENT, *names).rename(names)


def handed_in(folder: Path, day: int, marking: int) -> pl.LazyFrame:
    """What each enrolment handed in until `day`. A tutor's mark is known `marking` days later, a computer's at once."""
    tests = scan(folder, "assessments").with_columns(pl.col("date").cast(pl.Float64, strict=False))
    works = scan(folder, "studentAssessment").with_columns(pl.col("score").cast(pl.Float64, strict=False))
    fresh = pl.col("is_banked") == 0
    waits = pl.when(pl.col("assessment_type") == "CMA").then(0).otherwise(marking)
    marked = pl.when(fresh & (pl.col("date_submitted") + waits <= day)).then(pl.col("score"))
    return (
        works.filter(pl.col("date_submitted") <= day)
        .join(tests, on="id_assessment")
        .group_by(ENROLMENT)
        .agg(
            (fresh & (pl.col("date") <= day)).sum().alias("handed_in_due"),
            (fresh & (pl.col("date_submitted") > pl.col("date"))).sum().alias("handed_in_late"),
            (fresh & (pl.col("date") > day)).sum().alias("handed_in_early"),
            (pl.col("is_banked") == 1).sum().alias("banked"),
            marked.mean().alias("mean_mark"),
            marked.min().alias("lowest_mark"),
        )
    )


def due(folder: Path, day: int) -> pl.LazyFrame:
    """How many assessments each course had due until `day`, and how much of the whole they weigh."""
    tests = scan(folder, "assessments").with_columns(pl.col("date").cast(pl.Float64, strict=False))
    known = tests.filter((pl.col("date") <= day) & (pl.col("assessment_type") != "Exam"))
    return known.group_by(COURSE).agg(pl.len().alias("due"), pl.col("weight").sum().alias("due_weight"))


def leaky(folder: Path) -> pl.LazyFrame:
    """Columns that hold the future, to see that they are caught: never use them."""
    tests = scan(folder, "assessments")
    works = scan(folder, "studentAssessment").with_columns(pl.col("score").cast(pl.Float64, strict=False))
    weighted = (pl.col("score") * pl.col("weight")).sum() / 100
    ends = works.join(tests, on="id_assessment").group_by(ENROLMENT)
    final = ends.agg(weighted.alias("final_score"), pl.col("date_submitted").max().alias("last_handed_in"))
    return scan(folder, "studentInfo").select(*ENROLMENT).join(final, on=ENROLMENT, how="left")


KNOWN = [
    *("region", "highest_education", "imd_band", "age_band", "gender", "disability", "num_of_prev_attempts"),
    *("studied_credits", "days_registered_ahead"),
]
COUNTS = ["due", "due_weight", "handed_in_due", "handed_in_late", "handed_in_early", "banked"]


def prepare(folder: Path, *, day: int = 60, marking: int = 14, with_leaky: bool = False) -> pl.LazyFrame:
    """The table as of `day`, one row per enrolment, in the order of the periods."""
    seen = clicks(folder, day)
    counted = [name for name in seen.collect_schema().names() if name not in ENROLMENT]
    table = (
        registered(folder, day)
        .join(seen, on=ENROLMENT, how="left")
        .join(due(folder, day), on=COURSE, how="left")
        .join(handed_in(folder, day, marking), on=ENROLMENT, how="left")
        .with_columns(pl.col(*counted, *COUNTS).fill_null(0))
        .with_columns((pl.col("due") - pl.col("handed_in_due")).alias("missed"))
    )
    columns = [*ENROLMENT, *KNOWN, *counted, *COUNTS, "missed", "mean_mark", "lowest_mark"]
    if with_leaky:
        table = table.join(leaky(folder), on=ENROLMENT, how="left")
        columns += ["date_unregistration", "final_score", "last_handed_in"]
    return table.select(*columns, "outcome").sort("code_presentation", "code_module", "id_student")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--day", type=int, default=60, help="of the course, 0 being its first")
    parser.add_argument("--marking", type=int, default=14, help="days until a tutor's mark is known")
    parser.add_argument("--leaky", action="store_true", help="with columns that hold the future, to see them caught")
    told = parser.parse_args()
    table = prepare(told.folder, day=told.day, marking=told.marking, with_leaky=told.leaky)
    rows = table.collect(engine="streaming")
    rows.write_parquet(told.output) if told.output.suffix == ".parquet" else rows.write_csv(told.output)
    print(f"{rows.height:,} enrolments as of day {told.day}; wrote {told.output}")


if __name__ == "__main__":
    main()
