"""No address, text or body makes the service fail, slow or large."""

import io
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import polars as pl
import pytest

from access.roles import PERMISSIONS, WHOLE_WORKSPACE, Permission, Principal
from preprocessing.schema import load_domains
from preprocessing.validation.json_bodies import RowReader
from preprocessing.validation.rules import BadData, TooManyRows
from tests.api.conftest import start
from tests.api.serving import ENGAGEMENT, SECRET, Server, begin_worker

ONE, MANY = "/api/v1/engagement/predict", "/api/v1/engagement/predict/batch"


READER = RowReader(load_domains()["school"], SECRET.encode())


FILE = {"content-type": "application/octet-stream"}


@pytest.fixture(params=["sqlite", "postgres", "mongo"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A service without champions and its worker, on each database in turn."""
    with ExitStack() as stack:
        url = str(request.getfixturevalue(f"{request.param}_url"))
        server = start(stack, tmp_path, {"GRADEWATCH_DATABASE_URL": url, "GRADEWATCH_RATE_LIMIT": "off"})
        if request.param != "sqlite":
            stack.callback(begin_worker(server))
        yield server


TIMES = ["0001-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59.999999Z"]


def test_no_time_and_no_sign_in_an_address_makes_any_database_fail(empty: Server) -> None:
    for time in TIMES:
        for path in ("/api/v1/school/predictions", "/api/v1/school/performance", "/api/v1/accesses"):
            assert empty.client.get(path, params={"since": time}).status_code == 200, (path, time)
        assert empty.client.get("/api/v1/school/predictions", params={"until": time}).status_code == 200, time
    assert empty.client.get("/api/v1/school/predictions", params={"since": "0.5"}).status_code == 422
    for odd in ("%00", "%f0%9f%92%a9", "%ed%a0%80", "$where", "'--", "a" * 3000):
        for path in ("predictions/", "drift/", "trials/", "retrain/"):
            assert empty.client.get(f"/api/v1/school/{path}{odd}").status_code in (404, 422), (path, odd)
        accesses = empty.client.get(f"/api/v1/accesses?actor={odd}&action={odd}&domain={odd}")
        assert accesses.status_code in (200, 422), odd
    assert "request failed" not in empty.words()


def test_no_text_in_a_command_makes_any_database_fail(empty: Server) -> None:
    for odd in ("\0", "a\0b", "😀" * 300, "$set", "\x1b[31m"):
        version = {"version": odd, "reason": odd}
        said = [
            empty.post("/api/v1/models/activate", version | {"domain": "school"}),
            empty.post("/api/v1/models/activate", version | {"domain": odd}),
            empty.post("/api/v1/models/rollback", {"domain": "school", "reason": odd}),
            empty.post("/api/v1/school/trials", version | {"mode": "shadow"}),
            empty.client.delete("/api/v1/school/trials/none", params={"reason": odd}),
            empty.post("/api/v1/school/retrain", {"target": odd}),
        ]
        assert all(400 <= answer.status_code < 500 for answer in said), [answer.text for answer in said]
        assert empty.post("/api/v1/school/predictions/find", {"student": odd}).status_code == 200
    window = {"since": "2026-01-01", "by": "a\0b", "moment": "a\0b"}
    assert empty.post("/api/v1/school/drift/window", window).status_code in (409, 422)
    outcomes = [{"prediction_id": "a\0b", "G3": 10}]
    assert empty.post("/api/v1/school/outcomes", outcomes).status_code in (200, 422)
    named = {"file": ("a\0b.csv", b"x,y\n1,2\n")}
    assert empty.client.post("/api/v1/school/batches?kind=labeled", files=named).status_code in (400, 422)
    assert "request failed" not in empty.words()


@pytest.mark.parametrize("permission", sorted(WHOLE_WORKSPACE))
def test_naming_the_own_domain_leads_one_confined_to_it_to_nothing_that_is_about_all(permission: Permission) -> None:
    confined = Principal(name="key:a", permissions=PERMISSIONS["admin"], domains=frozenset({"school"}))
    assert not confined.may(permission, "school")


@pytest.mark.parametrize(
    "row",
    [
        pytest.param({"age": "@" + "a" * 1_000_000}, id="a text that could be an address"),
        pytest.param({"age": "a@" * 300_000}, id="many such texts"),
        pytest.param({f"{number:x}": 1 for number in range(300_000)}, id="fields that nobody knows"),
        pytest.param({"a" * 1_000_000: 1}, id="a long name"),
        pytest.param({"sex": "F" * 1_000_000}, id="a long level"),
    ],
)
def test_what_is_wrong_is_said_in_time_that_grows_with_the_body(row: dict[str, object]) -> None:
    body = json.dumps(row).encode()
    for text in (body, body[:-1] + b', "a": 1, "a": 2}'):  # else this test would not end
        with pytest.raises(BadData):
            READER.one(text)


@pytest.mark.parametrize("body", [b"[" + b"{}," * 5_000 + b"{}]", b"[" + b"[]," * 5_000 + b"[]]",
                                  b'[{"a":[' + b"1," * 500_000 + b"1]}]"])  # fmt: skip
def test_a_body_that_unfolds_in_memory_is_refused_unread(body: bytes) -> None:
    with pytest.raises(TooManyRows, match="at most 1,000 are allowed"):
        READER.many(body, limit=1000)


def test_commas_and_brackets_in_texts_are_no_rows() -> None:
    row = json.dumps([{"age": '{[,"\\' * 100_000}]).encode()
    with pytest.raises(BadData):
        READER.many(row, limit=10)


def test_lines_without_end_are_refused_unread() -> None:
    for line in (b"{}\n", b"\n"):
        with pytest.raises(TooManyRows):
            READER.lines(line * 5_000, limit=1000)


def test_one_row_may_not_be_as_long_as_a_file(serve: Callable[..., Server]) -> None:
    answer = serve().client.post(ONE, content=b" " * 1_000_001)
    assert (answer.status_code, answer.json()["title"]) == (413, "BodyTooLarge")


def parquet(frame: pl.DataFrame) -> bytes:
    held = io.BytesIO()
    frame.write_parquet(held)
    return held.getvalue()


def test_a_small_file_that_unfolds_to_a_huge_table_is_refused(shared: Server) -> None:
    bomb = parquet(pl.select(pl.lit("a" * 2_000_000).repeat_by(1_000).alias("attention")).explode("attention"))
    assert len(bomb) < 10_000
    answer = shared.client.post(MANY, content=bomb, headers=FILE)
    assert answer.status_code == 422, answer.text
    assert "unfold to 2,000,000,000" in answer.json()["detail"]


def test_a_file_with_very_many_columns_is_refused(shared: Server) -> None:
    names = ",".join(f"c{number}" for number in range(20_000))
    answer = shared.client.post(
        MANY, content=f"{names}\n{','.join('1' * 20_000)}\n", headers={"content-type": "text/csv"}
    )
    assert answer.status_code == 422, answer.text
    assert "at most 5,000" in answer.json()["detail"]


def test_five_hundred_callers_who_never_finish_hold_nobody_else_up(shared: Server) -> None:
    port = int(shared.url.rpartition(":")[2])
    begun = f"POST {ONE} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n".encode()
    parts = (b"", b"POST /api", begun, begun + b'Content-Length: 100\r\n\r\n{"attention": 5')
    with ExitStack() as slow:
        for number in range(500):
            caller = slow.enter_context(socket.create_connection(("127.0.0.1", port), timeout=120))
            caller.sendall(parts[number % len(parts)])
        with httpx.Client(base_url=shared.url, timeout=120) as newcomer:
            for _ in range(20):
                assert newcomer.post(ONE, json=ENGAGEMENT).status_code == 200
        assert shared.get("/ready")["ready"]
