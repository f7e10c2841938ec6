"""From when on answers can be trusted: what is known later changes nothing before, models know no outcome of the period
that is judged, and weeks are led by."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from database.ingest import add_batch, batch_rows
from database.records import ChampionKey
from jobs.inline import do_here
from jobs.job_settings import JobSettings
from jobs.queue import EARLINESS, JobRequest, ask
from monitoring.earliness import Earliness, keep_earliness, kept_earliness
from preprocessing.schema import DomainSchema, read_schema
from retraining.backtest.earliness import earliness
from retraining.backtest.render import render_earliness
from retraining.backtest.replay import Replay
from retraining.backtest.run import BadBacktest, read_history
from tests.retraining.conftest import open_at

YEARS = """
name = "years"
title = "Marks by year"
period = "year"
moments = ["start", "half"]
[student]
name = "student"
[[context]]
name = "year"
[[features]]
name = "before"
kind = "numeric"
minimum = 0
maximum = 20
[[features]]
name = "hours"
kind = "numeric"
minimum = 0
maximum = 20
[[features]]
name = "midterm"
kind = "numeric"
minimum = 0
maximum = 20
known_at = "half"
[[targets]]
name = "mark"
minimum = 0
maximum = 20
cut_points = [10]
naive = ["midterm", "before"]
"""


def history(draw: np.random.Generator, n: int = 300) -> pl.DataFrame:
    """Marks by what was known before and hours; the midterm mark says nearly all."""
    ability, hours = draw.uniform(4, 16, n), draw.uniform(0, 20, n)
    mark = np.clip(0.6 * ability + 0.4 * hours + draw.normal(0, 1, n), 0, 20).round(2)
    return pl.DataFrame({
        "student": [f"s{place}" for place in range(n)], "year": np.repeat(["2023", "2024", "2025"], n // 3),
        "before": ability.round(1), "hours": hours.round(1),
        "midterm": np.clip(mark + draw.normal(0, 0.5, n), 0, 20).round(1), "mark": mark,
    })  # fmt: skip


def judged(schema: DomainSchema, rows: pl.DataFrame) -> Earliness:
    target = schema.targets[0].name
    replay = Replay(schema, ChampionKey(schema.name, target, schema.moments[-1]))
    return earliness(replay, read_history(rows.write_csv().encode(), schema, name="a.csv").frame)


def test_each_moment_is_answered_by_what_was_known_and_by_who_knew_no_outcome_of_the_period() -> None:
    schema, rows = read_schema(YEARS), history(np.random.default_rng(3))
    found = judged(schema, rows)
    start, half = found.stages
    assert (found.learned_from, found.judged, start.stage, half.stage) == (("2023", "2024"), "2025", "start", "half")
    assert start.n == half.n == 100
    assert half.mae.value < start.mae.value
    assert (start.gain.low > 0, found.trusted_from) in [(True, "start"), (True, None)]
    assert half.precision is not None
    assert half.precision[0] > (half.base or 0)
    last = pl.col("year") == "2025"
    later = rows.with_columns(midterm=pl.when(last).then(pl.col("midterm").reverse()).otherwise(pl.col("midterm")))
    other = judged(schema, later)
    assert other.stages[0] == start, "what is known at half changes nothing at the start"
    assert other.stages[1].mae.value > half.mae.value + 1
    paper = Console(record=True, width=160)
    paper.print(*render_earliness(found))
    assert "start" in paper.export_text()
    with pytest.raises(BadBacktest, match="one period"):
        judged(schema, rows.filter(last))


def test_weeks_are_told_one_by_one_with_how_long_before_its_end_a_failing_student_was_put_first() -> None:
    text = YEARS.replace('moments = ["start", "half"]', "").replace('known_at = "half"\n', "")
    text = (
        text[: text.index("[[targets]]")]
        + """[[targets]]
name = "event"
kind = "ordered_class"
levels = ["soon", "never"]
cut_points = [1]
within = [4]
"""
    )
    schema, draw = read_schema(text.replace('period = "year"', 'period = "year"')), np.random.default_rng(1)
    rows = []
    for year in ("2023-24", "2024-25"):
        for student in range(60):
            event = int(draw.integers(5, 9)) if student % 6 == 0 else None
            for week in range(1, 9):
                soon = event is not None and week < event <= week + 4
                signs = float(np.clip(draw.normal(11 if soon else 5, 3), 0, 20))
                rows.append({"student": f"{year} {student}", "year": f"{year} W{week:02d}", "before": round(signs, 1),
                             "hours": 1.0, "midterm": 2.0, "event": "soon" if soon else "never"})  # fmt: skip
    found = judged(schema, pl.DataFrame(rows))
    assert [one.stage for one in found.stages] == [f"2024-25 W{week:02d}" for week in range(1, 9)]
    assert found.lead is not None
    assert found.lead.failed == 10
    assert found.lead.found >= 8
    assert found.lead.weeks is not None
    assert 0 <= found.lead.weeks <= 4
    assert [one.n for one in found.stages] == [60] * 8


def test_a_job_finds_it_in_stored_records_once_and_it_is_kept(tmp_path: Path) -> None:
    schema, rows = read_schema(YEARS), history(np.random.default_rng(3))
    workspace = open_at(tmp_path, schema)
    assert kept_earliness(workspace.store, schema.name, "mark") is None
    checked = read_history(rows.write_csv().encode(), schema, name="a.csv").frame
    add_batch(workspace.store, schema.name, batch_rows(checked, schema, "labeled"), "labeled", name="a.csv")
    job = ask(workspace.store, JobRequest(EARLINESS, schema.name, "ann"))
    done = do_here(workspace, job.id, JobSettings())
    kept = kept_earliness(workspace.store, schema.name, "mark")
    assert kept is not None
    assert (kept.job, kept.rows, kept.found.judged) == (job.id, 300, "2025")
    assert [one.stage for one in kept.found.stages] == ["start", "half"]
    assert done.result is not None
    assert done.result["trusted_from"] == kept.found.trusted_from
    assert keep_earliness(workspace.store, kept.found, job=job.id, rows=1) == kept, "done again it is the same"
    newer = keep_earliness(workspace.store, kept.found, job="another", rows=2)
    assert kept_earliness(workspace.store, schema.name, "mark") == newer
    workspace.close()
