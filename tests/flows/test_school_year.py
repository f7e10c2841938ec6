"""A school year of an invented district lived through by the commands that its people use, day by day: what was learned
of the year before answers each week; a feed that dies, kinder marks and a new school are told; a year later a recurrent
network competes with the trees, and the models change only for reasons that are said.
"""

import json
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from cli.main import app
from clock import living_by
from preprocessing.panel.district import Shares, invent_district
from preprocessing.panel.folder import write_folder
from preprocessing.panel.kinds import DAY_OF
from preprocessing.panel.observations import Observations, of_kinds
from preprocessing.panel.weekly_files import write_weekly_rows
from preprocessing.schema import load_domains

STUDENTS, SHARES, SEED, FIRST_YEAR = 1_500, Shares(event=0.5), 3, 2023
LOOKS_BACK = """[panel]
window = 8
weekly = { attendance = ["att_rate_w"], grades = ["pct_w"], incidents = ["inc_w"] }
summed = ["att_rate_w", "pct_w"]
"""
POLICY = '[training]\ntemporal = "small"\n'
EVENT = {"grades": ["student", "subject", "posted_at", "due"], "incidents": ["event_id"]}

DEAD, NEW = "school-002", "school-new"
BEGIN, KINDER_FROM, DEAD_FROM = date(2024, 8, 26), date(2024, 12, 2), date(2025, 1, 27)
LATE, END = date(2025, 2, 19), date(2025, 6, 16)
MONDAYS = [date(2024, 9, 30), date(2024, 11, 25), date(2024, 12, 23), date(2025, 1, 20), date(2025, 2, 17)]
"""On which the weeks 4, 12, 16, 20 and 24 are closed."""
EVERY = 4
"""Of the weeks that teach: a student's neighbouring ones say nearly the same."""


class School:
    """An installation whose commands are typed at times of its own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.at = folder, datetime(2024, 7, 1, 8, tzinfo=UTC)
        monkeypatch.setenv("GRADEWATCH_DATA_DIR", str(folder / "data"))
        monkeypatch.setenv("GRADEWATCH_DOMAINS_DIR", str(folder / "domains"))
        monkeypatch.setenv("GRADEWATCH_TRAIN_AFTER", "0")
        monkeypatch.setenv("COLUMNS", "200")

    def wake(self, day: date) -> None:
        """It is the morning of that day."""
        self.at = datetime(day.year, day.month, day.day, 8, tzinfo=UTC)

    def now(self) -> datetime:
        self.at += timedelta(milliseconds=1)
        return self.at

    def type(self, words: str, *more: str, code: int = 0) -> str:
        """What `gradewatch WORDS` says, to either stream."""
        with living_by(self.now):
            done = CliRunner().invoke(app, [*words.split(), *more])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == code, (words, done.stdout, done.stderr)
        return f"{done.stdout}{done.stderr}"

    def told(self, words: str) -> Any:
        return json.loads(self.type(f"{words} --json"))


def domain_text() -> str:
    """The shipped domain, which looks back week by week."""
    text = (Path(__file__).parents[2] / "preprocessing" / "domains" / "k12.toml").read_text()
    return text.replace('"k12"', '"year"', 1).replace("[panel]\n", LOOKS_BACK).replace("window = 20\n", "")


def lived(observations: Observations) -> Observations:
    """The same, but that marks are kinder from a day on, and some of a school's students have a new one."""
    moved = (pl.col("begin") >= BEGIN) & (pl.col("school") == DEAD) & pl.col("student").str.ends_with("1")
    enrolment = observations.enrolment.with_columns(school=pl.when(moved).then(pl.lit(NEW)).otherwise("school"))
    kinder = pl.col("points").is_not_null() & (pl.col("posted_at") >= KINDER_FROM)
    raised = pl.min_horizontal(pl.col("points") + 0.25 * pl.col("max_points"), "max_points")
    grades = observations.grades.with_columns(points=pl.when(kinder).then(raised).otherwise("points"))
    return of_kinds(dict(observations.frames()) | {"enrolment": enrolment, "grades": grades})


def delivery(observations: Observations, folder: Path, begin: date, end: date, attendance: pl.Expr) -> str:
    """Writes what came in from a day up to another as CSV files, of attendance some; the command that takes them."""
    folder.mkdir()
    lines = ['source = "sis"']
    for kind, frame in observations.frames():
        some = frame.filter(pl.col(DAY_OF[kind]).is_between(begin, end, "left"))
        if kind == "calendar":
            schools = observations.enrolment.select(pl.col("school").unique())
            some = frame.filter(pl.col("day") >= BEGIN).drop("school").join(schools, how="cross")
        if kind == "attendance":
            some = some.filter(attendance)
        if some.height:
            some.write_csv(folder / f"{kind}.csv")
            columns = ", ".join(f'{name} = "{name}"' for name in frame.columns if name != "event_id")
            lines += ["[[files]]", f'kind = "{kind}"', f'file = ["{kind}.csv"]', f"columns = {{ {columns} }}"]
            lines += [f"event = {json.dumps(EVENT[kind])}"] if kind in EVENT else []
    (folder / "columns.toml").write_text("\n".join(lines))
    return f"observations ingest {folder} --domain year --mapping {folder}/columns.toml"


def answered(said: str) -> float:
    """The share of students who were answered at a close."""
    [(some, of)] = re.findall(r"([\d,]+) of ([\d,]+) students? answered", said)
    return int(some.replace(",", "")) / int(of.replace(",", ""))


@pytest.mark.timeout(1500)
def test_a_year_is_lived_through_week_by_week_and_nothing_in_it_goes_unsaid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="needs `make torch`")
    made = invent_district(STUDENTS, seed=SEED, years=2, first_year=FIRST_YEAR, shares=SHARES)
    observations = lived(made.observations)
    write_folder(observations, tmp_path)
    made.demographics.write_parquet(tmp_path / "demographics.parquet")
    made.events.write_parquet(tmp_path / "at_risk_event.parquet")
    (tmp_path / "domains").mkdir()
    (tmp_path / "domains" / "year.toml").write_text(domain_text())
    write_weekly_rows(tmp_path, load_domains(tmp_path / "domains")["year"], tmp_path / "rows.parquet", labelled=True)
    told = pl.read_parquet(tmp_path / "rows.parquet").filter(pl.col("school_week").cast(pl.Int32) % EVERY == 0)
    for year, rows in told.group_by(pl.col("week").str.head(7)):
        rows.write_parquet(tmp_path / f"{year[0]}.parquet")
    school = School(tmp_path, monkeypatch)

    assert "now serves: first champion" in school.type(f"train --domain year --data {tmp_path}/2023-24.parquet")

    silent = observations.enrolment.filter((pl.col("begin") >= BEGIN) & (pl.col("school") == DEAD))["student"].unique()
    comes = ~(pl.col("student").is_in(silent.to_list()) & (pl.col("day") >= DEAD_FROM))
    closes, begin = list[str](), BEGIN
    for monday in MONDAYS:
        school.wake(monday)
        school.type(delivery(observations, tmp_path / f"{monday}", begin, monday, comes))
        closes.append(school.type("weeks close -d year"))
        begin = monday
    *usual, without = closes
    assert min(map(answered, usual)) > 0.95
    assert answered(without) < 0.8
    assert f"{DEAD}: no attendance since 2025-01-24" in without
    assert DEAD in school.type("conditions list")

    school.wake(LATE)
    late = school.type(delivery(observations, tmp_path / "late", DEAD_FROM, MONDAYS[-1], ~comes))
    refreshed = school.type("weeks refresh -d year")
    assert int(re.findall(r"([\d,]+) (?:is|are) answered anew", refreshed)[0].replace(",", "")) > STUDENTS / 5
    assert "new" in late

    school.wake(END)
    truth = pl.read_parquet(tmp_path / "2024-25.parquet")
    truth.select("student_id", "school", "week", "at_risk_event").write_csv(tmp_path / "outcomes.csv")
    school.type(f"outcomes {tmp_path}/outcomes.csv -d year")
    figures = {one["name"]: one for one in school.told("performance -d year --within 18")[0]["weekly"]["weeks"]}
    before, after = figures["2024-25 W12"], figures["2024-25 W20"]
    assert before["verdict"] != "too low"
    assert after["verdict"] == "too low", "kinder marks make every chance smaller"

    school.type(f"ingest {tmp_path}/2024-25.parquet -d year --kind labeled")
    (tmp_path / "policy.toml").write_text(POLICY)
    decided = school.type(f"retrain -d year --policy {tmp_path}/policy.toml")
    trained = school.type("models show v2 -d year")
    assert "gru_small" in trained, "it competes with the trees, and what came of it is said"
    changed = "now serves" in decided or "promoted" in decided
    assert changed or "because the gain" in decided
    served = school.type("models list -d year")
    assert ("generation 2" in served) is changed
