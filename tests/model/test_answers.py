"""What an answer says, and what it does not: too little known, unlike the training rows, alone or among others."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from database.pairs import Pair
from database.records import Cell, ChampionKey, Outcome, Prediction
from model.answer_frame import naive_numbers_of
from model.bundle import MissingPattern
from model.predictor import ENOUGH_KNOWN, Predictor
from model.registry import install
from model.service import PredictionService
from model.workspace import Workspace
from monitoring.evidence import columns_of
from monitoring.performance import TargetPerformance, measure_target
from monitoring.row_findings import with_answers
from preprocessing.validation.json_rows import ValidRow
from preprocessing.validation.validate import rows_of
from retraining.first_champions import register
from tests.training.making import GRADE, MARK, SCHEMA, make_frame
from training.train import Training

Row = Mapping[str, Cell]
Taught = Callable[..., Training]
NOON = datetime(2026, 1, 1, tzinfo=UTC)
KEYS = pytest.mark.parametrize("key", [MARK, GRADE], ids=lambda key: key.target)


def predictor_of(
    taught: Taught, key: ChampionKey = MARK, patterns: tuple[MissingPattern, ...] = (), **importance: float
) -> Predictor:
    """A predictor, told that its importance is another where some is given, and how it did without some inputs."""
    bundle = taught(key).bundle
    if importance:
        manifest = msgspec.structs.replace(bundle.manifest, importance=importance, patterns=patterns)
        bundle = msgspec.structs.replace(bundle, manifest=manifest)
    return Predictor(bundle, "v")


def measure_pairs(matched: Sequence[Pair]) -> TargetPerformance:
    target = SCHEMA.target_by_name["mark"]
    return measure_target(target, columns_of(target, matched))


def rows(n: int = 30) -> list[Row]:
    return [row.inputs for row in rows_of(make_frame(n, seed=5), SCHEMA)]


def full() -> Row:
    return {"hours": 20.0, "before": 11.0, "support": "mid", "subject": "art", "sex": "f"}


@KEYS
def test_a_row_that_lacks_most_of_what_the_model_rests_on_gets_no_answer_but_the_naive_one(
    taught: Taught, key: ChampionKey
) -> None:
    predictor = predictor_of(taught, key, hours=3.0, before=1.0, support=1.0)
    (answer,) = predictor.answer([{**full(), "hours": None, "subject": None}], generation=1, explain=5)
    assert answer.value is None
    assert answer.insufficient == ("hours", "subject")
    assert (answer.interval, answer.coverage, answer.probabilities, answer.factors) == (None, None, None, ())
    assert answer.naive == (full()["before"] if key == MARK else None)  # never what is said of any row
    (known,) = predictor.answer([{**full(), "subject": None}], generation=1)
    assert (known.value is None, known.insufficient) == (False, ())


def pattern(verdict: Literal["better", "alike", "worse"], half_width: float | None = 4.0) -> tuple[MissingPattern, ...]:
    return (MissingPattern(missing=("hours",), n=40, mae=1.0, naive_mae=2.0, verdict=verdict, half_width=half_width),)


@KEYS
def test_rows_that_lack_much_are_answered_where_training_shows_that_they_can_be(
    taught: Taught, key: ChampionKey
) -> None:
    """Of what the model rests on hours hold .6, the subject .2: without both, half of what hours leave is known."""
    known = {"hours": 3.0, "before": 1.0, "subject": 1.0}
    lacking = {**full(), "hours": None}
    for verdict in ("better", "alike"):
        predictor = predictor_of(taught, key, pattern(verdict), **known)
        for row in (lacking, {**lacking, "subject": None}):
            (answer,) = predictor.answer([row], generation=1)
            assert (answer.value is None, answer.insufficient) == (False, ())
            assert answer.interval is None or answer.interval[1] - answer.interval[0] == pytest.approx(8.0)
            assert (answer.interval is not None) == (key == MARK)
    for others in ({"hours": 3.0, "before": 0.9, "subject": 1.1}, known):  # too little left; and a rule that is better
        predictor = predictor_of(taught, key, pattern("worse" if others is known else "better"), **others)
        (answer,) = predictor.answer([{**lacking, "subject": None}], generation=1)
        assert answer.insufficient == ("hours", "subject")


@KEYS
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.booleans())
def test_answers_by_column_have_the_very_bits_of_answers_by_row(
    taught: Taught, key: ChampionKey, seed: int, n: int, without_subject: bool
) -> None:
    """Of rows that lack inputs, needed and not, of a frame that lacks a whole column, and of none."""
    predictor, levels = predictor_of(taught, key), key.target == "grade"
    lost = pl.int_range(pl.len()) % 3 == 0
    frame = make_frame(40, seed=seed).head(n).with_columns(before=pl.when(lost).then(None).otherwise(pl.col("before")))
    frame = frame.drop("subject") if without_subject else frame
    complete = [row.inputs for row in rows_of(frame, SCHEMA) if row.inputs["before"] is not None]
    answers = predictor.answer(complete * 2, generation=1)[: len(complete)] if complete else []
    told = frame.drop_nulls("before")
    number = {level: place for place, level in enumerate(predictor.manifest.target.levels)}
    values, naive = [one.value for one in answers], [one.naive for one in answers]
    if complete:
        assert predictor.numbers_of(told).tolist() == [number[v] if levels else v for v in values]
        assert naive_numbers_of(predictor.manifest, told).tolist() == [number[v] if levels else v for v in naive]
        shares = [list((one.probabilities or {}).values()) for one in answers]
        assert predictor.outputs_of_frame(told).tolist() == (shares if levels else [[value] for value in values])
    said = with_answers(predictor, SCHEMA, frame)[f"_prediction:{key.target}"]
    assert said.drop_nulls().to_list() == values
    assert said.is_null().to_list() == frame["before"].is_null().to_list()


def test_exactly_half_of_the_importance_known_is_enough(taught: Taught) -> None:
    assert ENOUGH_KNOWN == 0.5
    row = {**full(), "hours": None}
    assert predictor_of(taught, hours=1.0, before=1.0).answer([row], generation=1)[0].value is not None
    assert predictor_of(taught, hours=1.01, before=1.0).answer([row], generation=1)[0].value is None


def test_a_model_that_rests_on_nothing_in_particular_answers_all_the_same(taught: Taught) -> None:
    bare = dict.fromkeys(full())
    (answer,) = predictor_of(taught, hours=0.0).answer([{**bare, "before": 3.0}], generation=1)
    assert answer.value is not None


@KEYS
def test_a_row_unlike_any_training_row_is_answered_without_a_promise(taught: Taught, key: ChampionKey) -> None:
    predictor = predictor_of(taught, key)
    low, high = predictor.manifest.ranges["hours"]
    for change, named in (
        ({"hours": high + 1e-6}, ("hours",)),
        ({"hours": low - 1.0, "subject": "alchemy"}, ("hours", "subject")),
        ({"subject": "alchemy"}, ("subject",)),
        ({"hours": None, "subject": None}, ()),
        ({"hours": high}, ()),
    ):
        (answer,) = predictor.answer([{**full(), **change}], generation=1)
        assert answer.out_of_range == named
        assert answer.value is not None
        promised = key == MARK and not named
        assert (answer.interval is not None, answer.coverage is not None) == (promised, promised)
        assert (answer.probabilities is not None) == (key == GRADE)


def test_a_level_of_the_schema_that_no_training_row_had_is_outside(taught: Taught) -> None:
    bundle = taught(MARK).bundle
    seen = {**bundle.manifest.reference, "support": (("low", 0.5), ("mid", 0.5))}
    narrow = msgspec.structs.replace(bundle, manifest=msgspec.structs.replace(bundle.manifest, reference=seen))
    one, two = (Predictor(narrow, "v").answer([{**full(), "support": s}] * 2, generation=1) for s in ("high", "low"))
    assert [answer.out_of_range for answer in (*one, *two)] == [("support",), ("support",), (), ()]


cells = st.fixed_dictionaries(
    {
        "hours": st.none() | st.floats(-5, 60),
        "before": st.integers(0, 20).map(float),
        "support": st.sampled_from(["low", "mid", "high"]),
        "subject": st.none() | st.sampled_from(["art", "chess", "alchemy"]),
    }
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=st.lists(cells, min_size=2, max_size=6), proven=st.booleans())
@KEYS
def test_a_row_says_the_same_alone_and_among_others(
    taught: Taught, key: ChampionKey, asked: list[Row], proven: bool
) -> None:
    predictor = predictor_of(taught, key, pattern("better") if proven else (), hours=1.5, before=1.0)
    together = predictor.answer(asked, generation=1)
    for row, answer in zip(asked, together, strict=True):
        (alone,) = predictor.answer([row], generation=1)
        assert (alone.out_of_range, alone.insufficient) == (answer.out_of_range, answer.insufficient)
        assert (alone.value, alone.interval) == (answer.value, answer.interval)
        assert (answer.value is None) == (row["hours"] is None and not proven) == bool(answer.insufficient)


def test_what_was_not_answered_is_counted_apart_and_is_no_error(taught: Taught) -> None:
    predictor = predictor_of(taught, hours=3.0, before=1.0)
    asked = [{**row, "hours": None if place % 3 == 0 else 10.0} for place, row in enumerate(rows(60))]
    matched = [
        Pair(
            Prediction(
                id=str(place), domain="d", moment="start", inputs=row, answers=(answer,), source="test", at=NOON
            ),
            Outcome(domain="d", target="mark", value=10.0, at=NOON, prediction=str(place)),
        )
        for place, (row, answer) in enumerate(zip(asked, predictor.answer(asked, generation=1), strict=True))
    ]
    found = measure_pairs(matched)
    assert (found.n, found.unanswered) == (40, 20)
    assert found.mae is not None
    errors = [abs(float(p.answers[0].value) - 10.0) for p, _, _ in matched if p.answers[0].value is not None]
    assert found.mae.value == pytest.approx(np.mean(errors))
    silent = measure_pairs(matched[::3])
    assert (silent.n, silent.unanswered, silent.verdict) == (0, 20, "not enough data")


def test_no_mean_is_told_of_fewer_than_ten_students_nor_of_a_model_that_answered_fewer(taught: Taught) -> None:
    (answer,) = predictor_of(taught).answer([full()], generation=1)
    elsewhere = msgspec.structs.replace(answer, model="another")

    def performance(students: int, of_another: int) -> TargetPerformance:
        matched = []
        for place in range(2 * students):
            said = elsewhere if place % students < of_another else answer
            asked = Prediction(
                id=str(place), domain="d", moment="start", inputs=full(), answers=(said,), source="test", at=NOON,
                student=f"s{place % students}",
            )  # fmt: skip
            matched.append(Pair(asked, Outcome(domain="d", target="mark", value=float(place), at=NOON)))
        return measure_pairs(matched)

    few = performance(9, 0)
    assert (few.n, few.students, few.verdict) == (18, 9, "not enough data")
    assert {few.mae, few.naive_mae, few.gain, few.bias, few.covered, few.models[0].mae} == {None}
    for students, of_another, told in ((21, 10, [True, True]), (11, 1, [False, False]), (30, 9, [False, False])):
        enough = performance(students, of_another)  # the whole and the other model would tell of few students
        assert enough.mae is not None
        assert [one.mae is not None and one.naive_mae is not None for one in enough.models] == told


def test_an_answer_of_any_kind_comes_back_from_the_log_as_it_was_said(workspace: Workspace, taught: Taught) -> None:
    for key in (MARK, GRADE):
        bundle = taught(key).bundle
        told = msgspec.structs.replace(bundle.manifest, importance={"hours": 3.0, "before": 1.0})
        model = register(workspace.store, workspace.artifacts, msgspec.structs.replace(bundle, manifest=told))
        install(workspace.store, [model], action="promote", actor="test", reason="")
    workspace.champions.refresh()
    service = PredictionService(workspace.schemas, workspace.champions, workspace.store, secret=workspace.secret)
    asked = [full(), {**full(), "hours": None}, {**full(), "subject": "alchemy"}, {**full(), "hours": 99.0}]
    valid = [ValidRow(row=place, inputs=row, moment="start") for place, row in enumerate(asked)]
    for explain in (0, 4):
        for said in service.answer(SCHEMA, valid, source="test", actor="key:x", explain=explain):
            assert workspace.store.prediction(said.id) == said
            assert said.actor == "key:x"
    with pytest.raises(ValueError, match="0 to 20"):
        service.score(SCHEMA, valid, source="test", explain=21)
