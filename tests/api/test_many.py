"""Rows that are read, scored, kept and said by column get what they get one by one, to the last bit."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from api.fast.json_columns import write_lines, write_many
from api.fast.predict import prediction_response
from api.schemas import PredictionsResponse, encoder
from database.packed import PackedPredictions
from database.records import Prediction
from model.service import Remarks
from model.workspace import Workspace
from preprocessing.columns import ColumnRows, Levels, Numbers
from preprocessing.synthetic import generate
from preprocessing.validation.row_type import example_row
from preprocessing.validation.rules import BadData
from tests.api.serving import Server
from tests.api.test_hot_road import READERS, SCHEMAS, by_rules, in_order, rows

DOMAINS = ["engagement", "school", "university"]


@pytest.mark.parametrize("name", ["engagement", "school", "university", "course", "odd"])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_many_rows_are_accepted_and_refused_as_the_rules_do(name: str, data: st.DataObject) -> None:
    schema, reader = SCHEMAS[name], READERS[name]
    given_rows = data.draw(st.lists(rows(schema), min_size=1, max_size=3))
    good = data.draw(st.booleans())
    body = msgspec.json.encode((given_rows + [example_row(schema)] * good) * 51)
    expected, problems = by_rules(schema, body, many=True)
    if problems:
        with pytest.raises(BadData) as refused:
            reader.many(body, limit=1_000)
        assert refused.value.problems == problems
    else:
        found = in_order(reader.many(body, limit=1_000))
        assert found == expected
        assert not any(isinstance(cell, int) for row in found for cell in row.inputs.values())
        few = in_order(reader.many(msgspec.json.encode(given_rows), limit=10))
        assert not any(isinstance(cell, int) for row in few for cell in row.inputs.values())


@pytest.mark.parametrize("name", ["engagement", "school", "university"])
def test_rows_are_read_by_column_those_of_each_moment_apart(name: str) -> None:
    schema, reader = SCHEMAS[name], READERS[name]
    whole = example_row(schema)
    [read] = reader.many(msgspec.json.encode([whole] * 60), limit=100)
    assert (read.moment, list(read.places)) == (schema.moments[-1], list(range(60)))
    known = {feature.name for feature in schema.features_at(schema.moments[0])}
    early = {key: value for key, value in whole.items() if key in {*known, *schema.context_names}}
    for rows_asked in (3, 30):
        mixed = reader.many(msgspec.json.encode([whole, early] * rows_asked), limit=100)
        assert [table.moment for table in mixed] == list(dict.fromkeys([schema.moments[-1], schema.moments[0]]))
        assert sorted(place for table in mixed for place in table.places) == list(range(2 * rows_asked))


def test_a_key_given_twice_among_many_rows_is_refused() -> None:
    row = msgspec.json.encode(example_row(SCHEMAS["engagement"]))
    twice = row.replace(b"{", b'{"focus": 3, ')
    with pytest.raises(BadData) as refused:
        READERS["engagement"].many(b"[" + b",".join([row] * 60 + [twice]) + b"]", limit=100)
    assert [(problem.row, problem.column) for problem in refused.value.problems] == [(61, "focus")]


def table(schema: Any, moment: str, n: int = 150, seed: int = 5) -> ColumnRows:
    """Rows with gaps where they may be, and values that no training row had."""
    features = schema.features_at(moment)
    frame = generate(schema, rows=n, seed=seed)
    numbers = {feature.name for feature in features if feature.kind == "numeric"}
    inputs: dict[str, list[Any]] = {
        feature.name: [float(cell) if feature.name in numbers else cell for cell in frame[feature.name]]
        for feature in features
    }
    for place, feature in enumerate(features):
        if feature.optional:
            inputs[feature.name][place::7] = [None] * len(inputs[feature.name][place::7])
        if feature.open:
            inputs[feature.name][1] = "Botany"
        if feature.kind == "numeric" and feature.maximum is not None:
            inputs[feature.name][2 + place] = float(feature.maximum)
    students = [None if place % 3 else f"{place:032x}" for place in range(n)]
    columns = {name: Numbers.of(cells) if name in numbers else Levels.of(cells) for name, cells in inputs.items()}
    return ColumnRows(moment, columns, students=students)


def same(found: Sequence[Prediction], expected: Sequence[Prediction]) -> bool:
    """Whether they say the same but for their ids and times."""
    first = expected[0]
    return [replace(one, id="", at=first.at) for one in found] == [replace(one, id="", at=first.at) for one in expected]


def flat(batches: Sequence[PackedPredictions]) -> list[Prediction]:
    """Predictions in the order of the rows asked."""
    return sorted((one for batch in batches for one in batch), key=lambda one: one.id)


def tables(schema: Any, moments: Sequence[str], n: int = 150) -> list[ColumnRows]:
    """Rows of these moments in turn."""
    made = [table(schema, moment, n) for moment in moments]
    return [
        ColumnRows(one.moment, one.inputs, students=one.students, places=range(place, n * len(made), len(made)))
        for place, one in enumerate(made)
    ]


@pytest.mark.parametrize("explain", [0, 3])
@pytest.mark.parametrize("domain", DOMAINS)
def test_answers_to_columns_are_those_to_rows_to_the_last_bit(workspace: Workspace, domain: str, explain: int) -> None:
    schema, score = workspace.schemas[domain], workspace.service.score
    moments = sorted({key.moment for key in workspace.champions.loaded if key.domain == domain})
    asked = tables(schema, moments, 150 if not explain else 45)
    found = flat(workspace.service.score_columns(schema, asked, source="test", actor="key:x", explain=explain))
    rows_asked = in_order(asked)
    alone = [score(schema, [row], source="test", actor="key:x", explain=explain)[0] for row in rows_asked]
    assert same(found, alone)
    assert same(found, score(schema, rows_asked, source="test", actor="key:x", explain=explain))
    assert any(answer.out_of_range for one in found for answer in one.answers)


REMARKS = Remarks(warning='of "examples"\n', naive_rules={"0": "the last mark: ä"})


@pytest.mark.parametrize("domain", DOMAINS)
def test_answers_are_written_from_columns_as_from_records(workspace: Workspace, domain: str) -> None:
    schema = workspace.schemas[domain]
    moments = sorted({key.moment for key in workspace.champions.loaded if key.domain == domain})
    named = table(schema, moments[0])
    [packed] = workspace.service.score_columns(schema, [named], source="test")
    last = max(packed.answers[0].others)  # a row about which there is more to say
    ends_with_it = {name: column.take(slice(0, last + 1)) for name, column in named.inputs.items()}
    for asked in ([named], [ColumnRows(named.moment, ends_with_it)], tables(schema, moments)):
        found = workspace.service.score_columns(schema, asked, source="test")
        said = PredictionsResponse(
            count=sum(map(len, asked)),
            predictions=[prediction_response(one, Remarks()) for one in flat(found)],
            warning=REMARKS.warning,
            naive_rules=REMARKS.naive_rules,
            note="a note",
        )
        assert write_many(found, REMARKS, "a note") == encoder.encode(said)
        lines = [prediction_response(one, REMARKS, None) for one in flat(found)]
        assert write_lines(found, REMARKS, None) == encoder.encode_lines(lines)


def test_what_is_packed_is_kept_as_what_is_not(workspace: Workspace) -> None:
    schema = workspace.schemas["school"]
    [found] = workspace.service.score_columns(schema, [table(schema, "G2", n=230)], source="test")
    appender = workspace.store.open_appender()
    assert appender is not None
    appender.add_predictions(batches=[found])
    appender.add_predictions(found[:120])  # what is there stays as it is
    assert [workspace.store.prediction(one.id) for one in found] == list(found)
    assert workspace.store.count_predictions("school") == 230
    again = workspace.service.score_columns(schema, tables(schema, ["G1", "G2"]), source="test")
    workspace.store.add_predictions(batches=again)
    assert [workspace.store.prediction(one.id) for one in flat(again)] == flat(again)


def test_a_batch_of_a_thousand_is_answered_and_kept_as_its_rows_are(serve: Callable[..., Server]) -> None:
    server = serve()
    given_rows = generate(SCHEMAS["school"], rows=1_000, seed=3).select(
        [feature.name for feature in SCHEMAS["school"].features]
    )
    asked = [row | {"student_id": f"s-{place}"} for place, row in enumerate(given_rows.to_dicts())]
    answer = server.client.post("/api/v1/school/predict/batch", json=asked)
    said = answer.json()["predictions"]
    assert [len(said), len({one["id"] for one in said}), len({one["student"] for one in said})] == [1_000] * 3
    for place in (0, 500, 999):
        alone = server.predict("school", asked[place])
        assert [said[place][name] for name in ("answers", "student", "moment")] == [
            alone[name] for name in ("answers", "student", "moment")
        ]
        kept = server.client.get(f"/api/v1/school/predictions/{said[place]['id']}").json()
        assert kept["answers"] == said[place]["answers"]
        assert kept["inputs"] == given_rows.to_dicts()[place]
