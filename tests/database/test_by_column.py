"""Predictions that came by column answer every question as if they had come one by one: the same bits, one order."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import database.blocks
import database.layout
import database.sql
import database.sqlite_log
from clock import new_id, new_ids
from database.answer_columns import AnswerColumn
from database.errors import Damaged
from database.ingest import strays_among
from database.packed import Common, PackedPredictions
from database.store import RecordStore
from preprocessing.columns import Column, Levels, Numbers
from tests.database import strategies
from tests.database.making import after, ask, make_outcome, make_packed, make_prediction, matched

LEVELS = st.sampled_from(["A", "B", "", "ä\t"])
TARGETS = ("G3", "grade", "x")
WHO = st.sampled_from([None, "s1", "s2", "s3"])
WHERE = st.sampled_from([None, "A", "B"])


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of four, written by threes and read by twos, so that a few rows have every border that many have."""
    monkeypatch.setattr(database.blocks, "BLOCK_ROWS", 4)
    monkeypatch.setattr(database.sqlite_log, "ROWS_OF_INSERT", 3)
    monkeypatch.setattr(database.sql, "BLOCKS_AT_ONCE", 2)
    monkeypatch.setattr(database.layout, "PAGE", 5)


# Any batch ----------------------------------------------------------------------------------------------------------


def lists(n: int, cells: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(cells, min_size=n, max_size=n)


def numbers(n: int) -> st.SearchStrategy[Numbers]:
    return lists(n, strategies.numbers).map(Numbers.of)


def columns(n: int) -> st.SearchStrategy[Column]:
    small = st.none() | st.integers(-130, 130).map(float)
    with_gaps = lists(n, small) | lists(n, st.none() | strategies.numbers)
    return with_gaps.map(Numbers.of) | lists(n, st.none() | LEVELS | st.text(max_size=3)).map(Levels.of)


def answer_columns(n: int) -> st.SearchStrategy[AnswerColumn]:
    said = numbers(n) | lists(n, LEVELS).map(Levels.of)
    plain: dict[str, Any] = {
        "target": st.sampled_from(TARGETS),
        "model": strategies.words,
        "generation": st.integers(0, 9),
        "value": said,
        "naive": said,
        "others": st.dictionaries(st.integers(0, n - 1), strategies.answers, max_size=2),
        "below_pass": st.none() | numbers(n),
    } | dict.fromkeys(("low", "high", "coverage", "shares"), st.none())
    interval = {"low": numbers(n), "high": numbers(n), "coverage": st.floats(0, 1)}
    shares = {"shares": st.fixed_dictionaries({"A": numbers(n), "B": numbers(n)})}
    return st.one_of(*[st.builds(AnswerColumn, **plain | beside) for beside in ({}, interval, shares)])


@st.composite
def batches(draw: st.DrawFn, domain: str) -> PackedPredictions:
    n = draw(st.integers(1, 11))
    places = {name: draw(st.none() | lists(n, cells)) for name, cells in (("students", WHO), ("groups", WHERE))}
    at = after(draw(st.integers(0, 2)))
    return PackedPredictions(
        Common(domain, draw(strategies.words), draw(strategies.words), at, draw(strategies.maybe)),
        new_ids(n),
        draw(st.dictionaries(strategies.names, columns(n), min_size=1, max_size=3)),
        draw(st.lists(answer_columns(n), min_size=1, max_size=2)),
        draw(st.lists(answer_columns(n), max_size=1)),
        periods=draw(st.none() | lists(n, strategies.maybe)),
        **places,
    )


# Every question -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Questions:
    """What can be asked about the predictions of one domain. before: the last key in the store before the first."""

    domain: str
    ids: Sequence[str]
    outcomes: Sequence[Any]
    before: str | None

    def answers(self, store: RecordStore) -> bytes:
        return msgspec.json.encode(list(self._asked(store)))

    def _asked(self, store: RecordStore) -> Iterator[Any]:
        yield [store.prediction(key) for key in self.ids]
        yield from self._listings(store)
        yield sorted(store.placings(self.domain, ids=self.ids[::2], students=["s1", "s3"]))
        yield len(strays_among(store, self.outcomes))
        for limit in (None, 1, 6):
            yield store.labeled_records(self.domain, limit=limit)
            for target in TARGETS:
                yield matched(store, self.domain, target, limit=limit)
                yield matched(store, self.domain, target, since=after(1), limit=limit)
        for limit in (3, 1_000):
            yield list(self._pages(store, limit))

    def _listings(self, store: RecordStore) -> Iterator[Any]:
        for since, until in self._spans():
            yield store.count_predictions(self.domain, since=since, until=until)
            for limit in (None, 0, 1, 5):
                yield store.predictions(self.domain, since=since, until=until, limit=limit)
            yield store.predictions(self.domain, since=since, until=until, student="s1")
        yield store.predictions(self.domain, groups=["A", "C"], limit=3)
        yield store.predictions(self.domain, groups=[])

    def _spans(self) -> list[tuple[datetime | None, datetime | None]]:
        return [(None, None), (after(1), None), (None, after(1)), (after(1), after(2)), (after(3), None)]

    def _pages(self, store: RecordStore, limit: int) -> Iterator[list[tuple[str, bytes]]]:
        start = self.before
        while page := store.export("predictions", after=start, limit=limit):
            yield page
            start = page[-1][0]


@pytest.fixture
def writers(store: RecordStore) -> Iterator[list[Callable[..., object]]]:
    """Every way in which predictions are kept."""
    appender = store.open_appender()
    yield [store.add_predictions, *((appender.add_predictions, appender.add_at_once) if appender else ())]
    if appender:
        appender.close()


@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to look for the smallest failure takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
@pytest.mark.usefixtures("small_parts")
def test_every_question_is_answered_as_if_the_rows_had_come_one_by_one(
    store: RecordStore,
    writers: list[Callable[..., object]],
    sqlite_url: str,
    opened: Callable[[str], RecordStore],
    data: st.DataObject,
) -> None:
    reference = opened(sqlite_url + "-one-by-one")
    domain, last = new_id(), [key for key, _ in reference.export("predictions", limit=100_000)][-1:]
    given_ones, write = (
        data.draw(st.lists(batches(domain), min_size=1, max_size=3)),
        data.draw(st.sampled_from(writers)),
    )
    single = make_prediction(after(1), domain=domain, student="s1")
    for batch in given_ones:
        write(batches=[batch])
        reference.add_predictions(list(batch))
        write(batches=[batch])  # the same once more changes nothing
    known = msgspec.structs.replace(given_ones[0][0], actor="eve")  # of an id that is there, and so left as it was
    for log in (store, reference):
        log.add_predictions([single, known])
    ids = [*chain.from_iterable(batch.ids for batch in given_ones), single.id]
    about = [{"prediction": key} for key in ids[::3]] + [{"student": "s1"}, {"student": "s2", "group": "A"}]
    outcomes = [
        make_outcome(float(n), after(n % 4), domain=domain, target=TARGETS[n % 2], **who)
        for n, who in enumerate([*about, {"prediction": "unknown"}])
    ]
    assert store.add_outcomes(outcomes) == reference.add_outcomes(outcomes)
    questions = Questions(domain, [*ids, "unknown"], outcomes, *(last or [None]))
    assert questions.answers(store) == questions.answers(reference)


@pytest.mark.usefixtures("small_parts")
def test_one_student_is_taken_out_of_blocks_by_hand_as_the_reference_says(
    sql_url: str, opened: Callable[[str], RecordStore]
) -> None:
    store = opened(sql_url)
    store.add_predictions(batches=[packed := make_packed(10, students=["leaving", *["staying"] * 9])])
    others = [one for one in store.export("predictions") if one[0] in packed.ids[1:4]]  # of the block of the first
    store.load("predictions", others)
    ask(sql_url, "DELETE FROM predictions WHERE student = 'leaving'")
    reference = Path(__file__).parents[2].joinpath("docs", "reference", "database.md").read_text("utf-8")
    [statement] = re.findall(r"^    (DELETE FROM prediction_blocks .*);$", reference, re.MULTILINE)
    ask(sql_url, statement)
    assert store.predictions("school") == packed[:0:-1]
    assert [key for (key,) in ask(sql_url, "SELECT id FROM prediction_blocks ORDER BY id")] == [
        packed.ids[4],
        packed.ids[8],
    ]


# Damage -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM prediction_blocks WHERE id = '{id}'",
        "UPDATE prediction_blocks SET body = substr(body, 1, 200) WHERE id = '{id}'",
        "UPDATE prediction_blocks SET body = {nothing} WHERE id = '{id}'",
        "UPDATE predictions SET place = 4 WHERE id = '{id}'",
    ],
)
@pytest.mark.usefixtures("small_parts")
def test_a_damaged_block_is_named_by_whatever_reads_it_and_hurts_nothing_else(
    damage: str, sql_url: str, opened: Callable[[str], RecordStore]
) -> None:
    store = opened(sql_url)
    store.add_predictions(batches=[packed := make_packed(5)])  # a block of four, and one
    hurt, whole = packed[0], packed[4]
    ask(sql_url, damage.format(id=hurt.id, nothing="x''" if sql_url.startswith("sqlite") else "''::bytea"))
    for read in (
        lambda: store.prediction(hurt.id),
        lambda: store.predictions("school"),
        lambda: store.export("predictions"),
    ):
        with pytest.raises(Damaged, match=f"block {hurt.id} of predictions"):
            read()
    assert store.prediction(whole.id) == whole
    assert store.predictions("school", limit=1) == [whole]
    assert store.count_predictions("school") == 5
    store.add_predictions(batches=[later := make_packed(5, after(1))])
    assert store.predictions("school", since=after(1)) == later[::-1]


def test_a_damaged_prediction_is_named_by_whatever_reads_it(sql_url: str, opened: Callable[[str], RecordStore]) -> None:
    store = opened(sql_url)
    store.add_predictions([hurt := make_prediction(student="pseudonym"), whole := make_prediction(after(1))])
    ask(sql_url, f"UPDATE predictions SET answers = '[{{' WHERE id = '{hurt.id}'")
    with pytest.raises(Damaged, match=f"Prediction.*{hurt.id}") as raised:
        store.predictions("school")
    assert "pseudonym" not in str(raised.value)
    assert store.predictions("school", since=after(1)) == [whole]
