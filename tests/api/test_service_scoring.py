"""Files of any length: answered as the service answers the same rows, whole or not at all, and logged once."""

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
import pytest

from database.errors import StoreUnavailable
from database.packed import PackedPredictions
from model import score_file as scoring
from model.answer_frame import frame_of_batches, frame_of_predictions
from model.registry import NoChampion
from model.score_file import Scored, UnusableOutput, score_file
from model.workspace import Workspace
from preprocessing.columns import tables_of
from preprocessing.reading import chunks
from preprocessing.schema import DomainSchema, load_domains
from preprocessing.synthetic import generate
from preprocessing.validation import rules
from preprocessing.validation.json_rows import ValidRow
from preprocessing.validation.rules import BadData
from preprocessing.validation.tables import frame_of_records
from tests.api.serving import SECRET, Server
from tests.command import GRADEWATCH, environment_of

DOMAINS = ("engagement", "university", "school")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces and commits of a few rows."""
    monkeypatch.setattr(chunks, "ROWS_A_CHUNK", 40)
    monkeypatch.setattr(chunks, "STEP", 3000)
    monkeypatch.setattr(scoring, "LOGGED_AT_ONCE", 30)


def students(schema: DomainSchema, rows: int = 150) -> pl.DataFrame:
    """Invented rows without outcomes; every third lacks what the last moment adds, so that moments are mixed."""
    frame = generate(schema, rows=rows, seed=7).drop(schema.target_by_name)
    last = [f.name for f in schema.features if rules.moment_index(schema, f) == len(schema.moments) - 1]
    if len(schema.moments) > 1:
        third = pl.int_range(pl.len()) % 3 == 0
        frame = frame.with_columns(pl.when(third).then(None).otherwise(pl.col(name)).alias(name) for name in last)
    return frame


def read(path: Path) -> pl.DataFrame:
    return pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path)


def said_by_the_service(server: Server, domain: str, frame: pl.DataFrame) -> list[dict[str, object]]:
    rows = [{name: value for name, value in row.items() if value is not None} for row in frame.to_dicts()]
    answer = server.post(f"/api/v1/{domain}/predict/batch", rows)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["predictions"])


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("log", [True, False], ids=["logged", "not logged"])
def test_a_file_is_answered_as_the_service_answers_its_rows(
    shared: Server, workspace: Workspace, tmp_path: Path, domain: str, log: bool
) -> None:
    frame = students(workspace.schemas[domain])
    frame.write_parquet(tmp_path / "in.parquet")
    score_file(workspace, domain, tmp_path / "in.parquet", tmp_path / "out.parquet", log=log)
    found = read(tmp_path / "out.parquet").to_dicts()
    expected = said_by_the_service(shared, domain, frame)
    assert [row["row"] for row in found] == list(range(1, len(frame) + 1))
    for row, said in zip(found, expected, strict=True):
        assert (row["moment"], row["student"]) == (said["moment"], said["student"])
        for answer in said["answers"]:  # type: ignore[attr-defined]
            name = answer["target"]
            assert [row[name], row[f"{name}_naive"], row[f"{name}_model"]] == [
                answer["value"],
                answer["naive"],
                answer["model"],
            ]
            if answer["interval"]:
                assert [row[f"{name}_low"], row[f"{name}_high"]] == answer["interval"]
            for level, share in (answer["probabilities"] or {}).items():
                assert row[f"{name}_p_{level}"] == share
            assert row[f"{name}_below_pass"] == answer["below_pass"]
            assert row[f"{name}_out_of_range"] == "; ".join(answer["out_of_range"])
    alone = shared.predict(domain, {k: v for k, v in frame.to_dicts()[5].items() if v is not None})
    assert [answer["value"] for answer in alone["answers"]] == [a["value"] for a in expected[5]["answers"]]  # type: ignore[attr-defined]


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_table_of_answers_by_column_is_that_of_answers_by_row(workspace: Workspace, domain: str) -> None:
    schema, moment = workspace.schemas[domain], workspace.schemas[domain].moments[-1]
    invented = generate(schema, rows=60, seed=7).select(feature.name for feature in schema.features)
    cells = invented.with_columns(pl.selectors.numeric().cast(pl.Float64)).to_dicts()
    rows = [ValidRow(row=number, inputs=one, moment=moment) for number, one in enumerate(cells, 1)]
    frame = frame_of_records(rows, schema).with_columns(pl.lit(moment).alias("_moment"))
    predictions = workspace.service.score(schema, rows, source="test")
    by_row = frame_of_predictions([row.row for row in rows], predictions, schema.targets, logged=False)
    batches = workspace.service.score_columns(schema, tables_of(frame, schema), source="test")
    assert frame_of_batches(batches, [list(range(1, 61))], schema.targets, logged=False).equals(by_row)


def count(workspace: Workspace) -> int:
    return workspace.store.count_predictions("engagement")


def test_every_answer_is_in_the_store_under_the_id_that_is_written(workspace: Workspace, tmp_path: Path) -> None:
    students(workspace.schemas["engagement"]).write_csv(tmp_path / "in.csv")
    scored = score_file(workspace, "engagement", tmp_path / "in.csv", tmp_path / "out.csv", keep=["student_id"])
    assert (scored.rows, scored.known, count(workspace)) == (150, False, 150)
    for row, own in zip(read(tmp_path / "out.csv").to_dicts(), read(tmp_path / "in.csv")["student_id"], strict=True):
        prediction = workspace.store.prediction(row["prediction_id"])
        assert prediction is not None
        assert (prediction.student, row["student_id"]) == (row["student"], own)
        assert round(float(prediction.answers[0].value), 1) == row["assignment_score"]
    assert read(tmp_path / "out.csv")["row"].to_list() == list(range(2, 152)), "a header is row 1"


def test_a_file_scored_twice_is_logged_once(workspace: Workspace, tmp_path: Path) -> None:
    students(workspace.schemas["engagement"]).write_csv(tmp_path / "in.csv")
    score_file(workspace, "engagement", tmp_path / "in.csv", tmp_path / "out.csv")
    again = score_file(workspace, "engagement", tmp_path / "in.csv", tmp_path / "again.csv")
    assert again.known
    assert "nothing was logged twice" in again.remarks[-1]
    assert count(workspace) == 150
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "again.csv").read_bytes()


def with_bad_rows(workspace: Workspace, path: Path) -> Path:
    """Row 12 out of range, row 149 of the student of row 3."""
    rows = students(workspace.schemas["engagement"]).to_dicts()
    rows[10]["focus"] = 500.0
    rows[147]["student_id"], rows[147]["assignment"] = rows[1]["student_id"], rows[1]["assignment"]
    pl.DataFrame(rows).write_csv(path)
    return path


either_way = pytest.mark.parametrize("log", [True, False], ids=["logged", "not logged"])


@either_way
def test_bad_rows_refuse_the_file_with_all_problems_and_nothing_is_logged_or_written(
    workspace: Workspace, tmp_path: Path, log: bool
) -> None:
    path = with_bad_rows(workspace, tmp_path / "in.csv")
    with pytest.raises(BadData) as refused:
        score_file(workspace, "engagement", path, tmp_path / "out" / "answers.csv", log=log)
    assert refused.value.total == 3
    assert [problem.row for problem in refused.value.problems] == [3, 12, 149]
    assert "rows 3 and 149 are the same student" in refused.value.problems[0].rule
    assert count(workspace) == 0
    assert list((tmp_path / "out").iterdir()) == []


@either_way
def test_bad_rows_can_be_left_out(workspace: Workspace, tmp_path: Path, log: bool) -> None:
    path = with_bad_rows(workspace, tmp_path / "in.csv")
    scored = score_file(workspace, "engagement", path, tmp_path / "out.csv", skip_bad_rows=True, log=log)
    assert (scored.rows, scored.skipped, scored.problem_count, count(workspace)) == (147, 3, 3, 147 if log else 0)
    assert {3, 12, 149}.isdisjoint(read(tmp_path / "out.csv")["row"])


@either_way
def test_a_file_of_bad_rows_only_is_refused_even_so(workspace: Workspace, tmp_path: Path, log: bool) -> None:
    (tmp_path / "in.csv").write_text("comprehension,attention,focus,retention,engagement_time\n1,2,3,4,999\n")
    with pytest.raises(BadData):
        score_file(workspace, "engagement", tmp_path / "in.csv", tmp_path / "out.csv", skip_bad_rows=True, log=log)


def test_a_store_that_fails_halfway_leaves_no_output(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    students(workspace.schemas["engagement"]).write_csv(tmp_path / "in.csv")
    add, calls = workspace.store.add_predictions, iter(range(10))

    def fail_later(batches: Sequence[PackedPredictions]) -> None:
        if next(calls) == 3:
            raise StoreUnavailable("gone")
        add(batches=batches)

    monkeypatch.setattr(workspace.store, "add_predictions", fail_later)
    with pytest.raises(StoreUnavailable):
        score_file(workspace, "engagement", tmp_path / "in.csv", tmp_path / "out.csv")
    assert sorted(path.name for path in tmp_path.glob("*out*")) == []
    monkeypatch.undo()
    assert score_file(workspace, "engagement", tmp_path / "in.csv", tmp_path / "out.csv").rows == 150
    assert count(workspace) == 150, "what the first run had logged is not logged twice"


@pytest.mark.parametrize(
    ("output", "said"),
    [("in.csv", "the file to score itself"), ("out.doc", r"\.doc' is none"), ("folder", "is a folder")],
)
def test_an_output_that_cannot_be_written_is_refused_first(
    workspace: Workspace, tmp_path: Path, output: str, said: str
) -> None:
    (tmp_path / "folder").mkdir()
    students(workspace.schemas["engagement"]).write_csv(tmp_path / "in.csv")
    with pytest.raises(UnusableOutput, match=said):
        score_file(workspace, "engagement", tmp_path / "in.csv", tmp_path / output)


@either_way
def test_a_moment_without_a_champion_refuses_before_anything_is_logged(
    workspace: Workspace, tmp_path: Path, log: bool
) -> None:
    students(workspace.schemas["course"]).write_csv(tmp_path / "in.csv")
    with pytest.raises(NoChampion):
        score_file(workspace, "course", tmp_path / "in.csv", tmp_path / "out.csv", log=log)
    assert workspace.store.count_predictions("course") == 0
    assert not (tmp_path / "out.csv").exists()


def command(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*GRADEWATCH, "score", "-d", "engagement", *arguments],
        env=environment_of(folder, GRADEWATCH_PSEUDONYM_SECRET=SECRET),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_ended_leaves_nothing_that_looks_complete(installation: Path, how: signal.Signals) -> None:
    generate(load_domains()["engagement"], rows=30_000, seed=1).drop("assignment_score").write_csv(
        installation / "in.csv"
    )
    run = command(installation, "in.csv", "-o", "out.csv")
    until(lambda: list(installation.glob(".out.csv.*/answers-*")) or run.poll() is not None)
    run.send_signal(how)
    run.communicate()
    assert run.returncode != 0
    assert not (installation / "out.csv").exists()
    assert bool(list(installation.glob(".out.csv.*"))) == (how == signal.SIGKILL), "only a killed run cannot clean up"
    again = command(installation, "in.csv", "-o", "out.csv")
    assert "30,000 rows answered, logged" in again.communicate()[1]
    assert list(installation.glob(".out.csv.*")) == [], "what a killed run left is swept away"
    assert read(installation / "out.csv")["prediction_id"].n_unique() == 30_000


def test_the_command_writes_problems_and_says_what_to_do(installation: Path, workspace: Workspace) -> None:
    with_bad_rows(workspace, installation / "in.csv")
    refused = command(installation, "in.csv", "-o", "out.csv", "--problems", "problems.csv")
    said = refused.communicate()[1]
    assert refused.returncode == 1
    assert "leave out bad rows with --skip-bad-rows" in said
    assert (installation / "problems.csv").read_text().count("\n") == 4
    done = command(installation, "in.csv", "-o", "out.parquet", "--skip-bad-rows", "--no-log")
    said = done.communicate()[1]
    assert done.returncode == 0, said
    assert "3 bad rows left out" in said
    assert "147 rows answered, not logged" in said
    assert "prediction_id" not in read(installation / "out.parquet").columns
    assert read(installation / "out.parquet")["row"].to_list()[:2] == [2, 4]


def test_remarks_say_nothing_where_there_is_nothing_to_say() -> None:
    plain = Scored(rows=1, skipped=0, problems=(), problem_count=0, ignored_columns=(), notes=(), known=False)
    assert plain.remarks == []
