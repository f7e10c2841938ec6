"""Rows that are scored, kept and said by column get what they get one by one, to the last bit."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from api.fast.json_columns import write_lines, write_many
from api.fast.predict import prediction_response
from api.schemas import PredictionsResponse, encoder
from database.packed import PackedPredictions
from database.records import Prediction
from model.service import Remarks
from model.workspace import Workspace
from preprocessing.columns import ColumnRows, Levels, Numbers
from preprocessing.schema import load_domains
from preprocessing.synthetic import generate
from preprocessing.validation.json_rows import ValidRow
from tests.api.serving import Server

SCHEMAS = load_domains()


def in_order(tables: Sequence[ColumnRows]) -> list[ValidRow]:
    """The rows of a request in the order in which they stand in it."""
    return sorted((row for table in tables for row in table), key=lambda row: row.row)


DOMAINS = ["engagement", "school", "university"]


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


REMARKS = Remarks(warning='of "examples"\n', naive_rules={"0": "the last mark: ä"}, band_rules={"1": "bands"})


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
            band_rules=REMARKS.band_rules,
            note="a note",
        )
        assert write_many(found, REMARKS, "a note") == encoder.encode(said)
        lines = [prediction_response(one, REMARKS, None) for one in flat(found)]
        assert write_lines(found, REMARKS, None) == encoder.encode_lines(lines)


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
