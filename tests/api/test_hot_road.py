"""The worker that serves JSON stays light, and its short road accepts and refuses exactly what the rules do."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from database.records import Answer
from model.predictor import Predictor
from model.registry import load_bundle
from model.workspace import Workspace
from preprocessing.columns import ColumnRows
from preprocessing.encode import CategoricalPart, Encoding, NumericPart, RowEncoder, encode_rows
from preprocessing.schema import DomainSchema, Feature, load_domains, read_schema
from preprocessing.validation import rules
from preprocessing.validation.json_bodies import MalformedBody, RowReader
from preprocessing.validation.json_rows import ValidRow, validate_rows
from preprocessing.validation.row_type import example_row
from preprocessing.validation.rules import BadData, Problem
from tests.api.serving import ENGAGEMENT, ROOT, SECRET, Server

ODD = """
name = "odd"
title = "Names that are no Python names, groups and periods, an open column, nothing that every moment knows"
moments = ["autumn", "spring"]
group = ["Class room", "subject"]
period = "Year"
[student]
name = "pupil-id"
aliases = ["id"]
[[context]]
name = "Class room"
[[context]]
name = "Year"
[[features]]
name = "1st mark"
kind = "numeric"
minimum = 0
maximum = 20
[[features]]
name = "subject"
kind = "categorical"
levels = ["Art", "Music"]
open = true
optional = true
[[features]]
name = "visits"
kind = "numeric"
integer = true
optional = true
[[features]]
name = "2nd mark"
kind = "numeric"
minimum = 0
maximum = 20
known_at = "spring"
[[targets]]
name = "final"
minimum = 0
maximum = 20
"""
SCHEMAS = {**load_domains(), "odd": read_schema(ODD)}
READERS = {name: RowReader(schema, SECRET.encode()) for name, schema in SCHEMAS.items()}

WORKER = """
import asyncio, json, sys, threading, time
import httpx, uvicorn
server = uvicorn.Server(uvicorn.Config("api.app:app", port=int(sys.argv[1]), log_level="error"))
thread = threading.Thread(target=server.run)
thread.start()
while not server.started:
    time.sleep(0.02)
with httpx.Client(base_url=f"http://127.0.0.1:{sys.argv[1]}") as client:
    row = json.loads(sys.argv[2])
    for path, body in (("predict", row), ("predict/batch", [row] * 200), ("predict", {"attention": "x"})):
        client.post(f"/api/v1/engagement/{path}", json=body)
    for path in ("/health", "/ready"):
        assert client.get(path).status_code == 200, path
    early = {"fastapi", "typer", "alembic"} & sys.modules.keys()
    assert not early, early
    for path in ("/api/v1/domains", "/api/v1/models", "/api/v1/engagement/predictions",
                 "/api/v1/engagement/performance", "/openapi.json"):
        assert client.get(path).status_code == 200, path
server.should_exit = True
thread.join()
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_a_worker_that_serves_json_imports_no_table_or_training_library(serve: Callable[..., Server]) -> None:
    server = serve()
    server.stop()
    worker = subprocess.run(
        [sys.executable, "-c", WORKER, server.url.rpartition(":")[2], json.dumps(ENGAGEMENT)],
        env=server.environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert worker.returncode == 0, worker.stderr
    imported = set(json.loads(worker.stdout))
    assert {"onnxruntime", "msgspec", "fastapi"} <= imported
    assert imported & {"pandas", "polars", "sklearn", "scipy", "skl2onnx", "onnx", "pyarrow", "streamlit"} == set()


SEEN = """
import asyncio, json, sys
from api.app import create_app

row = json.loads(sys.argv[1])

async def main():
    app, said, seen = create_app(), asyncio.Queue(), set()
    events = asyncio.Queue()
    await events.put({"type": "lifespan.startup"})
    life = asyncio.create_task(app({"type": "lifespan"}, events.get, said.put))
    await said.get()

    async def ask(path, body):
        async def receive():
            return {"type": "http.request", "body": json.dumps(body).encode()}
        scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "scheme": "http",
                 "headers": [(b"host", b"127.0.0.1")], "client": ("127.0.0.1", 1)}
        await app(scope, receive, said.put)
        assert (await said.get())["status"] == 200
        await said.get()

    def note(frame, event, argument):
        seen.add(frame.f_globals.get("__name__", "").partition(".")[0])
    sys.setprofile(note)
    await ask("/api/v1/engagement/predict", row)
    await ask("/api/v1/engagement/predict/batch", [row, row])
    sys.setprofile(None)
    await events.put({"type": "lifespan.shutdown"})
    await life
    print(json.dumps(sorted(seen)))

asyncio.run(main())
"""


def test_neither_pydantic_nor_the_framework_runs_on_the_hot_road(serve: Callable[..., Server]) -> None:
    server = serve()
    server.stop()
    command = [sys.executable, "-c", SEEN, json.dumps(ENGAGEMENT)]
    done = subprocess.run(command, env=server.environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen = set(json.loads(done.stdout))
    assert {"api", "preprocessing", "model", "database"} <= seen
    assert seen & {"pydantic", "fastapi", "sqlalchemy"} == set()


def test_importing_the_service_opens_nothing_and_reads_no_setting(tmp_path: Path) -> None:
    script = "import api.app; api.app.app; api.app.app.framework().openapi()"
    environment = {"PYTHONPATH": str(ROOT), "GRADEWATCH_WINDOW": "no number"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr, list(tmp_path.iterdir())) == (0, "", [])


def by_rules(schema: DomainSchema, body: bytes, many: bool) -> tuple[list[ValidRow], tuple[Problem, ...]]:
    decoded = msgspec.json.decode(body)
    found = validate_rows(decoded if many else [decoded], schema, secret=SECRET.encode(), with_targets="refused")
    return ([] if found.problems else list(found.rows)), found.problems


def in_order(tables: Sequence[ColumnRows]) -> list[ValidRow]:
    """The rows of a body in the order in which they stand in it."""
    return sorted((row for table in tables for row in table), key=lambda row: row.row)


def by_reader(reader: RowReader, body: bytes, many: bool) -> tuple[list[ValidRow], tuple[Problem, ...]]:
    try:
        return (in_order(reader.many(body, limit=100)) if many else [reader.one(body)]), ()
    except BadData as error:
        return [], error.problems


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["", " ", "NA", "ana@example.org", "Ana Sousa", "x" * 101, "a\nb", -0.0, 0.5, 2**70, 1e31, [], {}]),
)


def value_of(feature: Feature) -> st.SearchStrategy[Any]:
    if feature.kind == "categorical":
        return st.one_of(
            st.sampled_from([*feature.levels, feature.levels[0].lower(), feature.levels[0] + " "]), ANYTHING
        )
    low, high = (max(rules.bounds(feature)[0], -1e6), min(rules.bounds(feature)[1], 1e6))
    inside = st.one_of(st.integers(int(low), int(high)), st.floats(low, high), st.sampled_from([low, high, high + 1]))
    return st.one_of(inside, inside, inside, ANYTHING)


@st.composite
def rows(draw: st.DrawFn, schema: DomainSchema) -> dict[str, Any]:
    """A good row with a few fields changed, left out, renamed or added."""
    row: dict[str, Any] = example_row(schema)
    for feature in draw(st.lists(st.sampled_from(schema.features), max_size=3)):
        row[feature.name] = draw(value_of(feature))
    for name in draw(st.lists(st.sampled_from([f.name for f in schema.features]), max_size=2)):
        row.pop(name, None)
    names = [*schema.context_names, *schema.target_by_name, "id", "unknown", schema.features[0].name.upper()]
    for name in draw(st.lists(st.sampled_from(names), max_size=2)):
        row[name] = draw(st.one_of(ANYTHING, st.sampled_from(["7b", "s-1", 12, 2026])))
    return row


@pytest.mark.parametrize("name", ["engagement", "school", "university", "course", "odd"])
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_one_many_and_the_rules_accept_and_refuse_exactly_the_same_rows(name: str, data: st.DataObject) -> None:
    schema, reader = SCHEMAS[name], READERS[name]
    given_rows = data.draw(st.lists(rows(schema), min_size=1, max_size=3))
    batch = msgspec.json.encode(given_rows)
    assert by_reader(reader, batch, many=True) == by_rules(schema, batch, many=True)
    singles = [by_reader(reader, msgspec.json.encode(row), many=False) for row in given_rows]
    for row, single in zip(given_rows, singles, strict=True):
        assert single == by_rules(schema, msgspec.json.encode(row), many=False)
    refused = any(problems for _, problems in singles)
    assert bool(by_reader(reader, batch, many=True)[1]) == refused


@settings(max_examples=50, deadline=None)
@given(
    body=st.binary(max_size=40) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(msgspec.json.encode)
)
def test_a_body_that_is_no_row_is_named_as_such_and_never_an_error_of_ours(body: bytes) -> None:
    for read in (READERS["engagement"].one, lambda b: READERS["engagement"].many(b, limit=1000)):
        with pytest.raises((MalformedBody, BadData)):
            read(body)


PARTS = Encoding(
    numeric=(
        NumericPart(name="mark", fill=9.7, center=10.3, scale=3.1, flag_missing=True),
        NumericPart(name="age", fill=16.0, center=0.0, scale=1.0, flag_missing=False),
    ),
    categorical=(CategoricalPart(name="school", levels=("GP", "MS")), CategoricalPart(name="job", levels=("x",))),
)
ROW = st.fixed_dictionaries(
    {
        "mark": st.none() | st.floats(-1e6, 1e6),
        "age": st.none() | st.integers(0, 99).map(float),
        "school": st.sampled_from(["GP", "MS", "unknown", None]),
        "job": st.sampled_from(["x", "y", None]),
    }
)


@given(rows=st.lists(ROW, min_size=1, max_size=4))
def test_a_few_rows_are_encoded_to_the_very_bytes_that_they_have_among_many(rows: list[dict[str, Any]]) -> None:
    assert RowEncoder(PARTS)(rows).tobytes() == encode_rows(PARTS, rows).tobytes()


def test_every_champion_answers_a_row_alone_as_it_does_among_others(workspace: Workspace) -> None:
    for champion in workspace.store.champions():
        schema = SCHEMAS[champion.domain]
        predictor = Predictor(load_bundle(workspace.artifacts, champion.version), champion.version)
        names = [feature.name for feature in schema.features_at(champion.moment)]
        row = {name: value for name, value in example_row(schema).items() if name in names}
        others = [row | {names[-1]: value} for value in (0.0, 1.0, 2.0)]
        alone = [predictor.answer([one], generation=1)[0] for one in (row, *others)]
        among = predictor.answer([row, *others], generation=1)
        assert [facts(answer) for answer in alone] == [facts(answer) for answer in among]
        assert [numbers(a) for a in alone] == [pytest.approx(numbers(b), rel=1e-5) for b in among]  # float32 sums


def facts(answer: Answer) -> list[Any]:
    return [answer.target, answer.naive, answer.model, answer.coverage, answer.out_of_range]


def numbers(answer: Answer) -> list[float]:
    shares = list((answer.probabilities or {}).values())
    return [*(answer.interval or ()), *shares, *([] if isinstance(answer.value, str) else [answer.value])]
