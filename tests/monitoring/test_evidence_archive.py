"""What is kept of days is what the pairs give, whatever comes in, is corrected or is withdrawn in between."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clock import new_id
from database.pairs import LearnedRows, Pair, evidence
from database.records import Answer, Outcome, Prediction, record_id
from database.store import RecordStore
from monitoring.evidence import EvidenceColumns, columns_of, evidence_among, hash_text
from monitoring.evidence_archive import EvidenceArchive, Selection
from preprocessing.schema import DomainSchema, Feature, Target
from tests.database.making import NOON, make_event, make_outcome, make_prediction

MARK = Target(name="mark")
GRADE = Target(name="grade", kind="ordered_class", levels=("fail", "pass"))

SEX = Feature(name="sex", kind="categorical", levels=("F", "M"), protected=True, optional=True)

students = st.sampled_from(["ann", "ben", "eve", None])
places = st.tuples(st.sampled_from(["A", "A", "B", None]), st.sampled_from(["1", "1", None]))
instants = st.integers(0, 5).map(lambda number: NOON + timedelta(hours=9 * number))
inputs = st.fixed_dictionaries({"x": st.sampled_from([1.0, 2.0])}, optional={"sex": st.sampled_from(["F", "M", None])})
models = st.sampled_from(["fresh", "taught", "gone", "gone"])


def said(draw: st.DrawFn) -> tuple[Answer, ...]:
    mark = Answer(target="mark", value=draw(st.sampled_from([None, 9.5, 12.0])), naive=11.0, model=draw(models),
                  generation=1, interval=draw(st.sampled_from([None, (8.0, 14.5)])), coverage=0.9,
                  below_pass=draw(st.sampled_from([None, 0.25])))  # fmt: skip
    grade = Answer(target="grade", value=draw(st.sampled_from(["fail", "pass"])), naive="pass", model="fresh",
                   generation=1, probabilities=draw(st.sampled_from([None, {"fail": 0.25, "pass": 0.75}])))  # fmt: skip
    return draw(st.sampled_from([(mark, grade), (mark,), (grade,)]))


@st.composite
def steps(draw: st.DrawFn) -> list[tuple[str, Any]]:
    """What happens to a store: few students, places and instants, so that much collides."""
    domain, predictions, outcomes = new_id(), list[Prediction](), list[Outcome]()
    found = list[tuple[str, Any]]()
    for _ in range(draw(st.integers(1, 12))):
        step = draw(st.sampled_from(["ask", "ask", "ask", "tell", "tell", "unask", "untell", "look"]))
        group, period = draw(places)
        if step == "ask":
            predictions.append(
                make_prediction(
                    draw(instants), domain=domain, moment=draw(st.sampled_from(["now", "then"])), group=group,
                    period=period, student=draw(students), inputs=draw(inputs),
                    answers=said(draw),
                )
            )  # fmt: skip
            found.append((step, [predictions[-1]]))
        elif step == "tell":
            about: dict[str, Any] = {"student": draw(students), "group": group, "period": period}
            if predictions and (about["student"] is None or draw(st.booleans())):
                about["prediction"] = draw(st.sampled_from(predictions)).id
            if about["student"] or about.get("prediction"):
                target, value = draw(st.sampled_from([("mark", 10.0), ("mark", 12.0), ("grade", "fail")]))
                outcomes.append(
                    make_outcome(value, domain=domain, target=target, happened_at=draw(st.none() | instants), **about)
                )
                found.append((step, [outcomes[-1]]))
        elif step == "unask" and predictions:
            found.append((step, [draw(st.sampled_from(predictions)).id]))
        elif step == "untell" and outcomes:
            found.append((step, [draw(st.sampled_from(outcomes))]))
        elif step == "look":
            found.append((step, []))
    return [("in", domain), *found]


def learned(gone: set[str], version: str) -> LearnedRows | None:
    if version in gone:
        return None
    return LearnedRows({record_id("d", "ann", "A", "1", {})} if version == "taught" else set())


def same(one: EvidenceColumns, other: EvidenceColumns) -> bool:
    """Whether both hold the same, however they number places and kinds."""
    numbered = {"place": "places", "kind": "kinds", "trait": "traits"}
    named = [
        [[getattr(each, names)[n] for n in getattr(each, of)] for of, names in numbered.items()]
        for each in (one, other)
    ]
    rest = [name for name in EvidenceColumns._fields if name not in {*numbered, *numbered.values()}]
    equal = (np.array_equal(getattr(one, name), getattr(other, name), equal_nan=name not in ("at", "reason"))
             for name in rest)  # fmt: skip
    return named[0] == named[1] and all(equal)


def check_in_passing(archive: EvidenceArchive, target: Target, pairs: Sequence[Pair], most: int) -> None:
    """Days that may not be made now are missing whole, and counted."""
    seen = archive.seen(target, Selection(), most)
    there = {*seen.found.own}
    days = {pair.prediction.at.date() for pair in pairs if hash_text(pair.prediction.id) not in there}
    assert [one for one in ids_of(pairs[::-1]) if one in there] == [*seen.found.own]
    assert not days & {pair.prediction.at.date() for pair in pairs if hash_text(pair.prediction.id) in there}
    assert len(days) <= seen.behind
    assert archive.seen(target, Selection(), most).behind <= seen.behind


def check(store: RecordStore, schema: DomainSchema, gone: set[str]) -> EvidenceArchive:
    archive = EvidenceArchive(store, schema, partial(learned, gone))
    for target in schema.targets:
        pairs = store.pairs(schema.name, target.name)
        check_in_passing(archive, target, pairs, 0)
        check_in_passing(archive, target, pairs, 2)
        assert archive.seen(target, Selection(), 99).behind == 0
        found = archive.matched(target)
        assert same(found, columns_of(target, pairs, partial(learned, gone), ["sex"]))
        counted, left_out = evidence(pairs, partial(models_of, target.name), partial(learned, gone))
        shown, left = evidence_among(found)
        assert ([*shown.own], left) == (ids_of(counted[::-1]), left_out)
    return archive


def check_selections(store: RecordStore, schema: DomainSchema, archive: EvidenceArchive) -> None:
    for target in schema.targets:
        for asked in (Selection(since=NOON + timedelta(hours=9)), Selection(limit=2), Selection(groups=("B", "C")),
                      Selection(NOON + timedelta(hours=10), 1, ("A",)),
                      Selection(until=NOON + timedelta(hours=20))):  # fmt: skip
            some = store.pairs(schema.name, target.name, **asked._asdict())
            assert [*archive.matched(target, asked).own] == ids_of(some[::-1])


def models_of(target: str, asked: Prediction) -> list[str]:
    return [answer.model for answer in asked.answers if answer.target == target]


def ids_of(pairs: Sequence[Pair]) -> list[int]:
    return [hash_text(pair.prediction.id) for pair in pairs]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=steps(), gone=st.sampled_from([set(), {"gone"}]))
def test_any_history_gives_what_its_pairs_give(
    store: RecordStore, history: list[tuple[str, Any]], gone: set[str]
) -> None:
    schema = DomainSchema(name=history[0][1], title="", targets=(MARK, GRADE),
                          features=(Feature(name="x", kind="numeric"), SEX), moments=("now", "then"))  # fmt: skip
    archive = EvidenceArchive(store, schema, partial(learned, {"gone"}))
    for step, given_ in history[1:]:
        for target in schema.targets:  # so that what is kept is older than the step
            archive.matched(target)
        if step == "ask":
            store.add_predictions(given_)
        elif step == "tell":
            store.add_outcomes(given_)
        elif step == "unask":
            store.remove_predictions(schema.name, given_, make_event())
        elif step == "untell":
            store.remove_outcomes(schema.name, given_, make_event())
        else:
            check(store, schema, {"gone"})
    check_selections(store, schema, check(store, schema, gone))
