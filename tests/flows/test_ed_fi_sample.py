"""A public sample of Ed-Fi's records by commands: looked at, taken in, and computed week by week."""

from pathlib import Path

import polars as pl
import pytest

from preprocessing.panel.computed import GRADE_FEATURES
from tests.command import run_command

SAMPLE = Path(__file__).parents[3] / "shared" / "data" / "edfi"


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="the Ed-Fi sample is not beside the project")
def test_it_is_looked_at_taken_in_once_and_computed_week_by_week(tmp_path: Path) -> None:
    ingest = ("observations", "ingest", str(SAMPLE), "-d", "k12", "--infer-days")
    looked = run_command(tmp_path, *ingest, "--dry-run")
    assert looked.returncode == 0, looked.stderr
    said = " ".join(looked.stdout.split())
    assert "you can predict from school week 4 on; it tells of 37 of 37" in said
    assert "without grades: 15 features of marks are empty" in said
    assert "flags 4 weeks later with an AUC of 0." in said
    assert "without attendance 0." in said
    assert "271 problems" in looked.stderr
    assert run_command(tmp_path, *ingest).returncode == 1, "marks without a day are no marks"
    taken = run_command(tmp_path, *ingest, "--skip-bad-rows")
    assert taken.returncode == 0, taken.stderr
    assert "and 251 more" in taken.stderr
    exported = run_command(tmp_path, "observations", "export", "out", "-d", "k12")
    assert "enrolment: 227 rows" in exported.stdout, exported.stderr
    computed = run_command(tmp_path, "features", "out", "-d", "k12", "-o", "rows.parquet")
    assert "of 227 students" in computed.stdout, computed.stderr
    rows = pl.read_parquet(tmp_path / "rows.parquet")
    assert rows["student_id"].n_unique() == 227
    assert rows["att_rate_ytd"].is_between(0, 1).all()
    assert rows["att_rate_ytd"].null_count() == 0
    assert rows.select(pl.col(GRADE_FEATURES).is_null().all()).row(0) == (True,) * len(GRADE_FEATURES)
