"""A file whose rows cannot all be answered: each such row is named, and nothing is logged before that is known."""

from pathlib import Path

import pytest

from model.predict_file import AnsweredFile, predict_file
from model.registry import NoChampion
from model.score_file import score_file
from model.workspace import Workspace
from preprocessing.validation.rules import BadData
from tests.model.registry_making import put

ROWS = ("k1,3,10,low,f,", "k2,4,12,mid,m,11", "k3,5,9,high,f,")


def ask(workspace: Workspace, *rows: str, skip: bool = False) -> AnsweredFile:
    text = "\n".join(["student,hours,before,support,sex,midterm", *rows]).encode()
    workspace.champions.refresh()
    secret = workspace.secret
    return predict_file(workspace.service, "invented", text, secret=secret, name="new.csv", skip_bad_rows=skip)


def test_a_row_at_a_moment_without_a_champion_is_a_problem_of_that_row(workspace: Workspace) -> None:
    put(workspace.store, workspace.artifacts, 7.0)
    with pytest.raises(BadData) as refused:
        ask(workspace, *ROWS)
    assert [(one.row, "no champion for invented at moment 'half'" in one.rule) for one in refused.value.problems] == [
        (3, True)
    ]
    assert workspace.store.count_predictions("invented") == 0
    answered = ask(workspace, *ROWS, skip=True)
    assert (answered.rows, answered.skipped, len(answered.problems)) == ([2, 4], 1, 1)
    with pytest.raises(NoChampion, match="there are some at start"):
        ask(workspace, ROWS[1], skip=True)


@pytest.mark.parametrize("log", [True, False], ids=["logged", "not logged"])
def test_a_long_file_is_answered_where_somebody_answers(workspace: Workspace, tmp_path: Path, log: bool) -> None:
    put(workspace.store, workspace.artifacts, 7.0)
    workspace.champions.refresh()
    file, answers = tmp_path / "new.csv", tmp_path / "answers.csv"
    file.write_text("\n".join(["student,hours,before,support,sex,midterm", *ROWS, ROWS[0]]))
    with pytest.raises(BadData) as refused:
        score_file(workspace, "invented", file, answers, log=log)
    assert [one.row for one in refused.value.problems] == [3]
    assert workspace.store.count_predictions("invented") == 0
    scored = score_file(workspace, "invented", file, answers, log=log, skip_bad_rows=True)
    assert (scored.rows, scored.skipped) == (2, 1)
    assert "row 5 says again what an earlier row says: one is kept" in scored.remarks
    assert [line.split(",")[0] for line in answers.read_text().split()[1:]] == ["2", "4"]
    file.write_text("\n".join(["student,hours,before,support,sex,midterm", ROWS[1]]))
    with pytest.raises(NoChampion, match="there are some at start"):
        score_file(workspace, "invented", file, answers, log=log, skip_bad_rows=True)
