"""The plain rule of flags says the same of a row, of columns and of a frame."""

import msgspec
import pytest

from model.answer_frame import naive_numbers_of
from model.naive import NaiveRule, fit_naive
from model.predictor import Predictor
from preprocessing.schema import Flag, SchemaError, read_schema
from preprocessing.validation.validate import rows_of
from tests.training.making import GRADE, SCHEMA, SCHEMA_TEXT, make_frame

FLAGS = (Flag(column="hours", below=10), Flag(column="before", above=17))


def test_flags_answer_with_the_last_level_that_fails_where_any_holds(taught) -> None:
    target = msgspec.structs.replace(SCHEMA.target_by_name["grade"], flags=FLAGS, cut_points=(2,))
    rule = fit_naive(target, None, ["A", "B", "B"])
    assert rule == NaiveRule(column=None, constant="B", flags=FLAGS, flagged="D")
    assert str(rule) == "D where hours < 10 or before > 17, else B"
    bundle = taught(GRADE).bundle
    manifest = msgspec.structs.replace(bundle.manifest, target=target, naive=rule)
    predictor = Predictor(msgspec.structs.replace(bundle, manifest=manifest), "v")
    frame = make_frame(60, seed=9)
    rows = [row.inputs for row in rows_of(frame, SCHEMA)]
    expected = ["D" if (row["hours"] or 99) < 10 or row["before"] > 17 else "B" for row in rows]
    assert 5 < expected.count("D") < 55
    assert any(row["hours"] is None for row in rows)
    assert [predictor.answer([row], generation=1)[0].naive for row in rows] == expected
    assert [answer.naive for answer in predictor.answer(rows, generation=1)] == expected
    assert naive_numbers_of(manifest, frame).tolist() == [float(target.levels.index(one)) for one in expected]


def test_flags_are_of_a_class_with_a_pass_mark_and_have_one_side() -> None:
    wrong = SCHEMA_TEXT + '\n[[targets.flags]]\ncolumn = "hourz"\nbelow = 1\nabove = 2\n'
    wrong += '[[targets.flags]]\ncolumn = "grade"\nbelow = 1\n'
    with pytest.raises(SchemaError) as refused:
        read_schema(wrong)
    told = str(refused.value)
    assert "'hourz' is named but no such column" in told
    assert "a flag is on 'grade', which is no numeric input from the first moment on" in told
    assert "flags are for an ordered_class with cut_points" in told
    assert "a flag has either below or above" in told
