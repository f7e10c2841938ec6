"""Files in, profiles and reports out: the same as from a frame, in bounded memory, whatever the file is cut into."""

import numpy as np
import polars as pl
import pytest

from drift import files, profile, univariate
from drift.column import BinnedColumn, ProfileError
from drift.compare import compare
from drift.files import profile_file
from drift.profile import build_profile, column_digest
from drift.records import SameSample


@pytest.fixture
def schema(make_schema):
    return make_schema(["mark", "time", "sparse"], ["level"])


def sample(seed: int, rows: int = 3_000) -> pl.DataFrame:
    generator = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "mark": generator.integers(0, 21, rows),
            "time": generator.normal(seed / 10, 1, rows),
            "sparse": pl.Series(
                np.where(generator.random(rows) < 0.1, np.nan, generator.random(rows)), nan_to_null=True
            ),
            "level": generator.choice(["a", "b", "c"], rows),
            "unknown": generator.random(rows),
        }
    )


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_file_has_the_profile_of_its_rows(schema, tmp_path, suffix):
    frame, path = sample(1), tmp_path / f"rows.{suffix}"
    getattr(frame, f"write_{suffix}")(path)
    assert profile_file(path, schema) == build_profile(frame, schema)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_csv_file_may_be_cut_anywhere(schema, tmp_path, separator, monkeypatch):
    monkeypatch.setattr(files, "BATCH", 100)
    path = tmp_path / "rows.csv"
    sample(1).write_csv(path, separator=separator, include_bom=True)
    assert profile_file(path, schema) == build_profile(sample(1), schema)


@pytest.mark.parametrize("rows", [5_000, 1_000])
def test_a_parquet_file_may_be_cut_anywhere(schema, tmp_path, rows, monkeypatch):
    """Whole columns fit into one array, or several of them are filled."""
    for name, value in (("BATCH", 130), ("WHOLE_UP_TO", rows), ("BLOCK", 700), ("STRINGS", 900)):
        monkeypatch.setattr(files, name, value)
    path, frame = tmp_path / "rows.parquet", sample(1).with_columns(mark=pl.col("mark").cast(pl.Int8))
    frame.write_parquet(path, row_group_size=450)
    found, expected = profile_file(path, schema), build_profile(frame, schema)
    for name in ("mark", "level") if rows < frame.height else ("mark", "level", "time", "sparse"):
        assert column_digest(found.columns[name]) == column_digest(expected.columns[name])
    assert {name: (c.present, c.missing) for name, c in found.columns.items()} == {
        name: (c.present, c.missing) for name, c in expected.columns.items()
    }


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
@pytest.mark.parametrize(("rows", "block"), [(3_000, files.BLOCK), (9_000, files.BLOCK), (9_000, 700)])
def test_the_report_on_a_file_is_the_report_on_its_rows(schema, tmp_path, suffix, rows, block, monkeypatch):
    monkeypatch.setattr(files, "BLOCK", block)
    monkeypatch.setattr(files, "WHOLE_UP_TO", 1_000 if block < rows else files.WHOLE_UP_TO)
    for module in (profile, univariate):
        monkeypatch.setattr(module, "SORTED_UP_TO", 4_096)
    reference, path = build_profile(sample(1, rows), schema), tmp_path / f"rows.{suffix}"
    getattr(sample(2, rows), f"write_{suffix}")(path)
    of_profile = compare(reference, build_profile(sample(2, rows), schema), schema)
    assert compare(reference, path, schema) == compare(reference, sample(2, rows), schema) == of_profile


def test_a_column_too_long_to_keep_is_counted_on_the_reference_s_grid(schema, tmp_path):
    reference, path = build_profile(sample(1), schema), tmp_path / "rows.parquet"
    sample(2).write_parquet(path)
    profile = profile_file(path, schema, reference=reference, exact_up_to=1_000)
    assert isinstance(profile.columns["time"], BinnedColumn)
    found, exact = compare(reference, profile), compare(reference, build_profile(sample(2), schema))
    assert found.column("time").statistic <= exact.column("time").statistic <= found.column("time").statistic_high
    assert found.column("mark") == exact.column("mark")


def test_the_reference_s_own_file_is_refused(schema, tmp_path):
    path = tmp_path / "rows.parquet"
    sample(1).write_parquet(path)
    with pytest.raises(SameSample):
        compare(profile_file(path, schema), path, schema)


def test_files_that_cannot_be_read_are_named(schema, tmp_path):
    for name, content, word in (
        ("a.xlsx", b"", "expected a .parquet or .csv"),
        ("a.parquet", b"not parquet at all", "not a Parquet file"),
        ("a.csv", b"", "empty"),
        ("a.csv", b"mark,time\n1,2\nx,3\n", "column 'mark'.*'x'"),
        ("a.csv", b"mark,time\n1,2,3,4\n", "cannot be read as CSV"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(ProfileError, match=word):
            profile_file(path, schema)
    with pytest.raises(FileNotFoundError):
        profile_file(tmp_path / "none.parquet", schema)


def test_columns_that_are_asked_for_but_absent_are_named(schema, tmp_path):
    path = tmp_path / "rows.parquet"
    sample(1).drop("time").write_parquet(path)
    with pytest.raises(ProfileError, match=r"\['time'\] are not there"):
        profile_file(path, schema, columns=["mark", "time"])
