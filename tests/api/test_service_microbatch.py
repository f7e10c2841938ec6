"""Rows that are scored together: each gets what it gets alone, and one's trouble is nobody else's."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing

import msgspec
import pytest

from database.errors import StoreUnavailable
from database.group_commit import GroupCommitLog
from database.records import Prediction
from model.microbatch import Answered, Microbatch
from model.registry import NoChampion
from model.service import PredictionService
from model.workspace import Workspace
from preprocessing.validation.json_rows import ValidRow, validate_rows
from preprocessing.validation.row_type import example_row
from tests.api.serving import ENGAGEMENT


class Noted:
    """A log that notes what it is given in one call, or refuses it."""

    def __init__(self, *, refusing: bool = False) -> None:
        self.calls: list[list[Prediction]] = []
        self.refusing = refusing

    def add_predictions(self, predictions: Sequence[Prediction] = (), batches: object = ()) -> None:
        assert not batches
        self.calls.append(list(predictions))
        if self.refusing:
            raise StoreUnavailable("gone")


Parts = tuple[Workspace, PredictionService, GroupCommitLog, Noted]


@pytest.fixture
def parts(workspace: Workspace) -> Iterator[Parts]:
    noted = Noted()
    with closing(GroupCommitLog(noted)) as log:
        yield (
            workspace,
            PredictionService(workspace.schemas, workspace.champions, log, secret=workspace.secret),
            log,
            noted,
        )


def asked(parts: Parts, rows: Sequence[tuple[str, ValidRow, str]]) -> list[Answered | BaseException]:
    """What becomes of (domain, row, actor) that are asked in one turn of an event loop."""
    workspace, service, log, _ = parts

    async def ask_all() -> list[Answered | BaseException]:
        microbatch = Microbatch(service, log)
        calls = [microbatch.answer(workspace.schemas[domain], row, actor) for domain, row, actor in rows]
        return await asyncio.gather(*calls, return_exceptions=True)

    return asyncio.run(ask_all())


def valid(workspace: Workspace, domain: str, row: dict[str, object]) -> ValidRow:
    [found] = validate_rows([row], workspace.schemas[domain], secret=workspace.secret).require_clean().rows
    return found


def test_each_row_gets_the_very_answer_that_it_gets_alone_under_its_own_actor(parts: Parts) -> None:
    workspace, service, _, noted = parts
    rows = [
        ("engagement", valid(workspace, "engagement", ENGAGEMENT | {"attention": n}), f"a{n % 2}") for n in range(20)
    ]
    school = example_row(workspace.schemas["school"])
    rows += [("school", valid(workspace, "school", {**school, "absences": n}), "a0") for n in range(5)]
    answers = asked(parts, rows)
    for (domain, row, actor), answered in zip(rows, answers, strict=True):
        assert isinstance(answered, Answered)
        [alone] = service.score(workspace.schemas[domain], [row], source="api", actor=actor)
        same = {"id": answered.prediction.id, "at": answered.prediction.at}
        assert msgspec.structs.replace(alone, **same) == answered.prediction
    assert sorted(len(call) for call in noted.calls) in ([25], [5, 20], [5, 10, 10], [10, 15])


def test_a_row_that_nobody_can_answer_is_its_callers_trouble_only(parts: Parts) -> None:
    workspace, *_ = parts
    good = valid(workspace, "school", example_row(workspace.schemas["school"]))
    bad = msgspec.structs.replace(good, moment="never")
    first, second, third = asked(parts, [("school", good, "a"), ("school", bad, "a"), ("school", good, "a")])
    assert isinstance(second, NoChampion | KeyError | ValueError)
    assert isinstance(first, Answered)
    assert isinstance(third, Answered)


def test_when_the_database_takes_nothing_all_are_told_and_it_is_asked_once(parts: Parts) -> None:
    workspace, _, _, noted = parts
    noted.refusing = True
    row = valid(workspace, "engagement", ENGAGEMENT)
    answers = asked(parts, [("engagement", row, "a")] * 5)
    assert [type(answer) for answer in answers] == [StoreUnavailable] * 5
    assert len(noted.calls) == 1
