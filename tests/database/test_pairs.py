"""Which pairs are evidence: answers given before the outcome was known, by models that had not learned it, once."""

from collections import Counter
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from database.pairs import LearnedRows, Pair, content_id, evidence
from database.records import Prediction, record_id
from tests.database.making import NOON, after, make_answer, make_outcome, make_prediction

MODELS = {"fresh": LearnedRows(), "taught": LearnedRows({record_id("school", "ann", None, None, {})})}


def asked(student: str | None, x: float, model: str, at: datetime = NOON) -> Prediction:
    return make_prediction(at, student=student, inputs={"x": x}, answers=(make_answer(model),))


pairs = st.lists(
    st.builds(
        lambda student, x, model, before, at: Pair(
            asked(student, x, model, after(at)), make_outcome(student="s"), before
        ),
        st.sampled_from(["ann", "ben", None]),
        st.sampled_from([1.0, 2.0]),
        st.sampled_from(["fresh", "taught", "gone"]),
        st.booleans(),
        st.integers(0, 9),
    ),
    max_size=12,
)


def models(prediction: Prediction) -> list[str]:
    return [answer.target for answer in prediction.answers]


@given(found=pairs)
def test_every_pair_counts_or_is_left_out_for_one_reason(found: list[Pair]) -> None:
    found = sorted(found, key=lambda pair: pair.prediction.at, reverse=True)
    kept, left_out = evidence(found, models, MODELS.get)
    assert kept == [pair for pair in found if pair in kept]
    assert left_out.afterwards == sum(not pair.before for pair in found)
    for pair in kept:
        (model,) = models(pair.prediction)
        assert pair.before
        assert model == "fresh" or (model == "taught" and pair.prediction.student != "ann")
    asked_of = Counter((pair.prediction.student, pair.prediction.inputs["x"]) for pair in kept)
    assert all(times == 1 for (student, _), times in asked_of.items() if student is not None)
    assert len(kept) + sum(getattr(left_out, reason) for reason in left_out.__struct_fields__) == len(found)
    first = {
        (p.prediction.student, p.prediction.inputs["x"]): p
        for p in found
        if p.before and "fresh" in models(p.prediction)
    }
    assert all(any(one.prediction.at <= pair.prediction.at for one in kept) for pair in first.values())


def test_a_row_without_a_student_is_known_again_at_an_earlier_moment() -> None:
    whole = {"G1": 11.0, "G2": 12.0, "job": None}
    learned = LearnedRows(contents={content_id("A", None, "G1", {"G1": 11.0}), content_id("A", None, "G2", whole)})
    earlier = make_prediction(moment="G1", inputs={"G1": 11.0, "job": None}, group="A")
    assert learned.knows(earlier)
    assert learned.knows(make_prediction(moment="G2", inputs=whole, group="A"))
    assert not learned.knows(make_prediction(moment="G1", inputs={"G1": 11.0}, group="B"))
    assert not learned.knows(make_prediction(moment="G1", inputs={"G1": 11.5, "job": None}, group="A"))


@pytest.mark.parametrize(("rows", "distinct", "moments"), [(40, 40, 2), (40, 30, 0)])
def test_what_a_moment_sees_tells_rows_apart_or_proves_nothing(rows: int, distinct: int, moments: int) -> None:
    import polars as pl

    from preprocessing.schema import DomainSchema, Feature, Target
    from training.train import contents_of

    features = (Feature(name="a", kind="numeric"), Feature(name="b", kind="numeric", known_at="later"))
    schema = DomainSchema(
        name="d", title="", features=features, targets=(Target(name="mark"),), moments=("now", "later")
    )
    values = [float(row % distinct) for row in range(rows)]
    nobody = pl.Series("_student", [None] * rows, dtype=pl.String)
    frame = pl.DataFrame({"a": values, "b": values, "_row": range(rows), "_moment": ["later"] * rows, "mark": values})
    frame = frame.with_columns(nobody, nobody.alias("_group"), nobody.alias("_period"))
    found = contents_of(frame, schema)
    assert len(found) == moments * rows
    assert (content_id(None, None, "now", {"a": 1.0}) in found) is bool(moments)
    assert contents_of(frame.with_columns(pl.lit("s").alias("_student")), schema) == frozenset()
