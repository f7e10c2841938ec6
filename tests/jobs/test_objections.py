"""Who objected is answered on no road, told in plain words, and stands in no list, whatever else is erased."""

import csv
from pathlib import Path
from typing import Any

import pytest

from database.newest import NewestAnswer
from jobs.erasures import ask_to_erase
from jobs.queue import SCORING, JobFile, JobRequest, ask
from model.objections import OBJECTED
from model.predict_file import predict_file
from model.score_file import score_file
from model.workspace import Workspace
from monitoring.student_list import without_objected
from preprocessing.columns import columns_of
from preprocessing.validation.json_rows import ValidRow
from preprocessing.validation.pii import pseudonym
from preprocessing.validation.rules import BadData
from tests.database.making import NOON, make_prediction
from tests.jobs.test_kinds import do
from tests.training.making import SCHEMA

ROW: dict[str, Any] = {"hours": 10.0, "before": 12.0, "support": "mid", "subject": "art", "sex": "f"}
HERE = SCHEMA.name


@pytest.fixture
def objecting(workspace: Workspace) -> str:
    """The pseudonym of the student "no"."""
    who = pseudonym("no", workspace.secret)
    workspace.objections.add(who, workspace.schemas, actor="ann")
    return who


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "asked.csv"
    with path.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, ["student", *ROW])
        writer.writeheader()
        writer.writerows([{"student": key, **ROW} for key in ("a", "no", "b")])
    return path


def refused(error: BadData) -> list[tuple[int | None, str]]:
    return [(one.row, one.rule) for one in error.problems]


def test_no_road_answers_them_and_each_says_why(workspace: Workspace, objecting: str, file: Path) -> None:
    service, folder = workspace.service, file.parent
    with pytest.raises(BadData) as error:
        service.predict(HERE, [{**ROW, "student": "a"}, {**ROW, "student": "no"}], source="api")
    assert refused(error.value) == [(2, OBJECTED)]
    rows = [ValidRow(row=n, inputs={**ROW}, moment="start", student=who) for n, who in enumerate(["x", objecting], 1)]
    for ask_rows in (rows[1:], rows):
        with pytest.raises(BadData):
            service.score(SCHEMA, ask_rows, source="api")
    with pytest.raises(BadData):
        service.answer_columns(SCHEMA, columns_of(rows, SCHEMA), source="api")
    with pytest.raises(BadData) as error:
        predict_file(service, HERE, file, secret=workspace.secret)
    assert refused(error.value) == [(3, OBJECTED)]
    for log in (True, False):
        with pytest.raises(BadData) as error:
            score_file(workspace, HERE, file, folder / "said.csv", log=log)
        assert refused(error.value) == [(3, OBJECTED)]
    assert workspace.store.predictions(HERE) == []
    scored = score_file(workspace, HERE, file, folder / "said.csv", skip_bad_rows=True)
    assert (scored.rows, scored.skipped) == (2, 1)
    assert len(predict_file(service, HERE, file, secret=workspace.secret, skip_bad_rows=True).predictions) == 2
    given: dict[str, Any] = {"limit": 100, "skip_bad_rows": True}
    ask(workspace.store, JobRequest(SCORING, HERE, "ann", given, files={"file": JobFile("f.csv", file.read_bytes())}))
    ended = do(workspace)
    assert ((ended.result or {})["rows"], (ended.result or {})["problems"][0]["rule"]) == (2, OBJECTED)
    assert objecting not in {one.student for one in workspace.store.predictions(HERE)}
    workspace.objections.lift(objecting)
    assert len(service.predict(HERE, [{**ROW, "student": "no"}], source="api")) == 1


def test_whose_an_objection_is_is_forgotten_with_the_student_and_the_objection_stays(workspace: Workspace) -> None:
    store, who, objections = workspace.store, pseudonym("no", workspace.secret), workspace.objections
    store.add_predictions([make_prediction(NOON, domain=HERE, student=who)])
    objections.add(who, workspace.schemas, actor="ann")
    assert objections.students == {who}
    ask_to_erase(store, HERE, who, reason="asked", actor="ann")
    while store.jobs(states=["waiting"]):
        do(workspace)
    objections.refresh()
    assert (objections.students, who in objections) == (frozenset(), True)
    assert objections.of(who)
    objections.lift(who)
    objections.add(who, workspace.schemas, actor="ann")
    assert objections.students == frozenset(), "nothing leads to a student about whom there is no answer"


def test_they_stand_in_no_list_and_pages_stay_full() -> None:
    ranked = [NewestAnswer(f"s{n}", None, None, f"p{n}", NOON, 1 - n / 10) for n in range(9)]

    def page(before: NewestAnswer | None, limit: int) -> list[NewestAnswer]:
        start = 0 if before is None else ranked.index(before) + 1
        return ranked[start : start + limit]

    objected = {"s0", "s2", "s3", "s8"}
    seen, last = list[NewestAnswer](), None
    while found := without_objected(page, last, 2, objected):
        assert len(found) == 2 or found[-1] == ranked[7]
        seen, last = [*seen, *found], found[-1]
    assert [one.student for one in seen] == ["s1", "s4", "s5", "s6", "s7"]
