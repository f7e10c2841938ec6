"""Weeks of an invented district as training takes them, with columns that look back."""

from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from preprocessing.panel.example import write_district
from preprocessing.schema import DomainSchema, load_domains, looking_back

K12 = load_domains()["k12"]
KEPT = ("att_rate_w", "att_rate_4w", "pct_w", "inc_w", "failing_subjects_8w", "removal_days_20w", "gpa_ytd")


def looking() -> DomainSchema:
    """A domain of few columns that looks back eight weeks."""
    weekly = {"attendance": ("att_rate_w",), "grades": ("pct_w",), "incidents": ("inc_w",)}
    panel = msgspec.structs.replace(K12.panel, window=8, weekly=weekly, summed=("att_rate_w", "pct_w"))
    features = tuple(one for one in K12.features if one.name in KEPT)
    return looking_back(msgspec.structs.replace(K12, features=features, panel=panel))


def labelled_weeks(folder: Path, *, students: int) -> pl.DataFrame:
    """The weeks of two years whose outcome is known."""
    write_district(folder, looking(), students=students, seed=6, years=2)
    made = pl.read_parquet(folder / "labelled.parquet").with_row_index("_record")
    return made.with_columns(
        pl.col("_record").cast(pl.String).str.zfill(32), _group="school", _period="week", _student="student_id"
    )


def told_by(column: str, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of 30 students with an outcome that one column tells, but for some noise."""
    rows, target = rows.filter(pl.col("_student").rank("dense") <= 30).drop_nulls(column), K12.targets[0]
    values = rows[column].to_numpy()
    noise = np.random.default_rng(1).normal(size=rows.height) * values.std() * 0.22
    rank = pl.Series(values + noise).rank("ordinal") * len(target.levels) // (rows.height + 1)
    return rows.with_columns(rank.replace_strict(dict(enumerate(target.levels))).alias(target.name))
