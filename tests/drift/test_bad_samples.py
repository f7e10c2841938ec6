"""Every bad sample, by every road in: a stated verdict or a clear error, never NaN, never a crash."""

import json
import math
from contextlib import nullcontext

import numpy as np
import polars as pl
import pytest

from drift import column
from drift.column import ProfileError
from drift.compare import compare
from drift.files import profile_file
from drift.profile import Profile, build_profile
from drift.records import DriftReport, SameSample
from drift.stored import Grids, compacted, pack, unpack
from tests.drift.conftest import schema_of

SCHEMA = schema_of(["x"], ["c"])
SHAPE = {"x": pl.Float64, "c": pl.String}
DRAW = np.random.default_rng(0)
REFERENCE = pl.DataFrame({"x": DRAW.normal(size=20_000), "c": DRAW.choice(["a", "b"], 20_000)}, schema=SHAPE)


def frame(x: list[float | None], c: list[str | None] | None = None) -> pl.DataFrame:
    return pl.DataFrame({"x": x, "c": c or ["a"] * len(x)}, schema=SHAPE)


BAD = {
    "empty": (frame([]), {"undecided"}),
    "one row": (frame([1.0]), {"undecided"}),
    "all missing": (frame([None] * 500, [None] * 500), {"undecided"}),
    "all NaN": (frame([math.nan] * 500), {"undecided"}),
    "all equal": (frame([7.0] * 500), {"drift"}),
    "infinite": (frame([math.inf, -math.inf] * 250), {"drift"}),
    "negative zeros": (frame([-0.0] * 500), {"drift"}),
    "an outlier of 1e300": (frame([*REFERENCE["x"].to_list()[:19_999], 1e300]), {"ok"}),
    "the smallest numbers": (frame([5e-324, -5e-324] * 250), {"drift"}),
    "100,000 levels": (frame([0.0] * 100_000, [f"level {i}" for i in range(100_000)]), {"drift"}),
}


@pytest.fixture(scope="module")
def reference() -> Profile:
    return build_profile(REFERENCE, SCHEMA)


def checked(report: DriftReport) -> DriftReport:
    json.dumps(report.to_document(), allow_nan=False)
    assert report.summary
    return report


@pytest.mark.parametrize("name", BAD)
def test_a_bad_sample_has_a_verdict_by_every_road(name, reference, tmp_path):
    sample, verdicts = BAD[name]
    profile, grids = build_profile(sample, SCHEMA), Grids(reference)
    reports = [compare(reference, profile), compare(reference, profile.on_grid_of(reference))]
    reports.append(compare(reference, unpack(*pack(compacted(profile, grids), grids), grids)))
    for suffix in ("parquet", "csv"):
        path = tmp_path / f"sample.{suffix}"
        getattr(sample, f"write_{suffix}")(path)
        reports.append(compare(reference, path, SCHEMA))
    assert {checked(report).column("x").verdict for report in reports} == verdicts


@pytest.mark.parametrize("name", BAD)
def test_a_bad_reference_has_a_verdict_too(name, reference):
    before = build_profile(BAD[name][0], SCHEMA)
    checked(compare(before, reference))
    checked(compare(before, reference.on_grid_of(before)))
    with pytest.raises(SameSample) if before.rows else nullcontext():
        compare(before, build_profile(BAD[name][0].reverse(), SCHEMA))


def test_negative_and_positive_zero_are_the_same_value():
    found = compare(build_profile(frame([0.0] * 99), SCHEMA), build_profile(frame([-0.0] * 98), SCHEMA)).column("x")
    assert (found.verdict, found.effect) == ("constant", 0)


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_key_is_refused_as_a_category_and_named(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(column, "MOST_LEVELS", 1_000)
    sample, path = frame([0.0] * 1_001, [f"key {i}" for i in range(1_001)]), tmp_path / f"keys.{suffix}"
    getattr(sample, f"write_{suffix}")(path)
    with pytest.raises(ProfileError, match=r"column 'c': more than 1,000 different levels: this is a key"):
        profile_file(path, SCHEMA)


def test_a_stored_profile_that_is_damaged_or_of_another_grid_is_refused(reference):
    grids = Grids(reference)
    text, marks = pack(compacted(build_profile(REFERENCE.head(18_000), SCHEMA), grids), grids)
    assert set(marks) == {"x"}
    for bad in ("", "no base64!", text[:-40], "aGVsbG8="):
        with pytest.raises(ProfileError, match="damaged"):
            unpack(bad, marks, grids)
    other = Grids(build_profile(REFERENCE.with_columns(pl.col("x") * 2), SCHEMA))
    for wrong in (other, Grids(None)):
        with pytest.raises(ProfileError, match="column 'x': counted on the grid of another reference"):
            unpack(text, marks, wrong)
    with pytest.raises(ProfileError, match="column 'x'"):
        pack(build_profile(REFERENCE, SCHEMA).on_grid_of(reference), other)
