"""A body means the same in every form, and nothing in one makes the service fail."""

import json
import socket
from collections.abc import Callable, Iterable
from typing import Any

import httpx
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from preprocessing.schema import load_domains
from preprocessing.validation.row_type import example_row
from tests.api.serving import ENGAGEMENT, Server

PREDICT = "/api/v1/engagement/predict"


MANY = f"{PREDICT}/batch"


ROWS = [ENGAGEMENT | {"attention": value, "student_id": f"s-{value}"} for value in (10.5, 90.0, 50.25)]


LINES = b"\n".join(json.dumps(row).encode() for row in ROWS)


def written(write: Callable[[pl.DataFrame], Callable[[Any], Any]], rows: Iterable[dict[str, Any]]) -> bytes:
    import io

    out = io.BytesIO()
    write(pl.DataFrame(list(rows)))(out)
    return out.getvalue()


FORMS: dict[str, tuple[str, Callable[[list[dict[str, Any]]], bytes]]] = {
    "list": ("application/json", lambda rows: json.dumps(rows).encode()),
    "students": ("application/json; charset=utf-8", lambda rows: json.dumps({"students": rows}).encode()),
    "lines": ("application/x-ndjson", lambda rows: b"\n".join(json.dumps(row).encode() for row in rows) + b"\n\n"),
    "csv": ("text/csv", lambda rows: written(lambda f: f.write_csv, rows)),
    "parquet": ("application/vnd.apache.parquet", lambda rows: written(lambda f: f.write_parquet, rows)),
    "arrow": ("application/vnd.apache.arrow.file", lambda rows: written(lambda f: f.write_ipc, rows)),
    "arrow stream": (
        "application/vnd.apache.arrow.stream",
        lambda rows: written(lambda f: f.write_ipc_stream, rows),
    ),
    "excel": ("application/octet-stream", lambda rows: written(lambda f: f.write_excel, rows)),
}


def ask(server: Server, form: str, rows: list[dict[str, Any]], *, as_form: bool = False) -> httpx.Response:
    kind, write = FORMS[form]
    if as_form:
        return server.client.post(MANY, files={"file": ("rows", write(rows), kind)})
    return server.client.post(MANY, content=write(rows), headers={"content-type": kind})


@pytest.mark.parametrize(("form", "as_form"), [*((one, False) for one in FORMS), ("csv", True), ("excel", True)])
def test_the_same_rows_get_the_same_answers_in_every_form(shared: Server, form: str, as_form: bool) -> None:
    said = ask(shared, form, ROWS, as_form=as_form).json()
    expected = [shared.predict("engagement", row) for row in ROWS]
    assert said["count"] == len(ROWS)
    assert [one["answers"] for one in said["predictions"]] == [one["answers"] for one in expected]
    assert [one["student"] for one in said["predictions"]] == [one["student"] for one in expected]


@pytest.mark.parametrize("form", FORMS)
def test_the_same_rows_have_the_same_problems_in_every_form(shared: Server, form: str) -> None:
    bad = [ROWS[0], ROWS[1] | {"attention": 200.0}, ROWS[2] | {"focus": None}]
    answer = ask(shared, form, bad)
    assert answer.status_code == 422
    problems = answer.json()["problems"]
    first = min(one["row"] for one in problems) - 2  # files count their header's row
    assert {(one["row"] - first, one["column"]) for one in problems} == {(2, "attention"), (3, "focus")}


def test_answers_to_many_can_be_asked_for_as_json_lines(shared: Server) -> None:
    for content, kind in ((LINES, "application/x-ndjson"), (FORMS["csv"][1](ROWS), "text/csv")):
        headers = {"content-type": kind, "accept": "application/x-ndjson"}
        answer = shared.client.post(MANY, content=content, headers=headers)
        assert answer.headers["content-type"] == "application/x-ndjson"
        said = [json.loads(line) for line in answer.text.splitlines()]
        assert [one["answers"] for one in said] == [shared.predict("engagement", row)["answers"] for row in ROWS]
        assert all("generated examples" in one["warning"] for one in said)


def test_a_bad_line_is_named(shared: Server) -> None:
    answer = shared.client.post(MANY, content=LINES + b"\n\n{oh", headers={"content-type": "application/x-ndjson"})
    assert (answer.status_code, answer.json()["detail"][:8]) == (400, "line 5: ")


GOOD = json.dumps(ENGAGEMENT)


def changed(old: str, new: str) -> bytes:
    assert old in GOOD
    return GOOD.replace(old, new).encode("utf-8", "surrogatepass")


REFUSED: dict[str, tuple[bytes, int, str]] = {
    "byte order mark": (b"\xef\xbb\xbf" + GOOD.encode(), 400, "byte order mark"),
    "utf-16": (GOOD.encode("utf-16"), 400, "UTF-16"),
    "utf-16 without a mark": (GOOD.encode("utf-16-le"), 400, "UTF-16"),
    "latin-1": (changed("{", '{"student_id": "José", ').decode().encode("latin-1"), 400, "byte 19 of the body"),
    "NaN": (changed("75.5", "NaN"), 400, "NaN at byte"),
    "Infinity": (changed("75.5", "-Infinity"), 400, "Infinity at byte"),
    "a number beyond all numbers": (changed("75.5", "1e400"), 400, "too large"),
    "a number with 5,000 digits": (changed("75.5", "9" * 5000), 400, "out of range"),
    "lists within lists": (b'{"attention": ' + b"[" * 100_000, 400, "too deeply"),
    "records within records": (b'{"attention": ' * 50_000, 400, "too deeply"),
    "half a body": (GOOD[: len(GOOD) // 2].encode(), 400, "truncated"),
    "two bodies": ((GOOD + GOOD).encode(), 400, "trailing"),
    "a key given twice": (changed("{", '{"focus": 3, '), 422, "given more than once"),
    "a key given twice, once as nothing": (changed("{", '{"focus": null, '), 422, "given more than once"),
    "a key given twice beside a colon in a text": (
        changed("{", '{"focus": 3, "student_id": "a:b", '),
        422,
        "given more than once",
    ),
    "half a character": (changed("{", '{"student_id": "\\ud83d", '), 400, "half a character"),
    "half a character in bytes": (changed("{", '{"student_id": "\ud83d", '), 400, "no UTF-8"),
    "a NUL in a key": (changed("{", '{"student_id": "a\\u0000b", '), 422, "student_id"),
    "a line break in a key": (changed("{", '{"student_id": "a\\nb", '), 422, "student_id"),
    "a very long key": (changed("{", '{"student_id": "' + "x" * 50_000 + '", '), 422, "student_id"),
    "a field from right to left": (changed("{", '{"\u202eattention": 1, '), 422, "attention"),
    "text for a number": (changed("75.5", '"75.5"'), 422, "not text"),
    "truth for a number": (changed("75.5", "true"), 422, "not true or false"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_a_row_is_refused_alone_and_among_others_with_what_and_where(shared: Server, name: str) -> None:
    body, status, words = REFUSED[name]
    for path, content, kind in (
        (PREDICT, body, "application/json"),
        (MANY, b"[" + body + b"]" if status == 422 else body, "application/json"),
        (MANY, body, "application/x-ndjson"),
    ):
        answer = shared.client.post(path, content=content, headers={"content-type": kind})
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
        assert words in answer.text


def test_a_key_given_twice_around_the_rows_is_refused_too(shared: Server) -> None:
    answer = shared.client.post(MANY, content=f'{{"students": [], "students": [{GOOD}]}}')
    assert (answer.status_code, answer.json()["problems"][0]["column"]) == (422, "students")


def test_a_colon_in_a_text_is_no_key(shared: Server) -> None:
    row = ENGAGEMENT | {"student_id": "12:34"}
    assert shared.predict("engagement", row)["student"] is not None
    assert shared.post(MANY, [row, row]).json()["count"] == 2


@pytest.mark.parametrize(
    ("path", "headers", "status", "words"),
    [
        (PREDICT, {"content-type": "text/csv"}, 415, "application/json"),
        (PREDICT, {"content-type": "application/x-ndjson"}, 415, "application/json"),
        (PREDICT, {"content-type": "application/json; charset=utf-16"}, 415, "UTF-8"),
        (PREDICT, {"content-encoding": "gzip"}, 415, "uncompressed"),
        (MANY, {"content-encoding": "br"}, 415, "uncompressed"),
        (MANY, {"content-type": "text/csv", "content-encoding": "deflate"}, 415, "uncompressed"),
        ("/api/v1/engagement/outcomes", {"content-encoding": "zstd"}, 415, "uncompressed"),
        ("/api/v1/engagement/%2e%2e/predict", {}, 404, ""),
        ("/api/v1//engagement/predict", {}, 404, ""),
        ("/api/v1/engagement/predict%00", {}, 404, ""),
        ("/api/v1/engagement/predict?moment=now&moment=now", {}, 422, "once"),
        ("/api/v1/engagement/predict?%ff=1", {}, 422, "there is: moment, explain"),
    ],
)
def test_forms_and_addresses_that_are_not_taken_are_named(
    shared: Server, path: str, headers: dict[str, str], status: int, words: str
) -> None:
    answer = shared.client.post(path, content=GOOD, headers=headers)
    assert answer.status_code == status, answer.text
    assert words in answer.text


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_other_methods_are_told_which_one_is_taken(shared: Server, method: str) -> None:
    for path in (PREDICT, MANY):
        answer = shared.client.request(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_limits_are_said_with_what_came_and_what_to_do(shared: Server) -> None:
    rows = json.dumps([ENGAGEMENT] * 1001)
    lines = b"\n".join([json.dumps(ENGAGEMENT).encode()] * 1001)
    csv = FORMS["csv"][1]([ENGAGEMENT] * 1001)
    for content, kind in ((rows, "application/json"), (lines, "application/x-ndjson"), (csv, "text/csv")):
        answer = shared.client.post(MANY, content=content, headers={"content-type": kind})
        assert answer.status_code == 413
        assert answer.json()["detail"] == "1,001 rows in one request; at most 1,000 are allowed: send them in parts"
    parts = shared.client.post(PREDICT, content=(b" " * 100_000 for _ in range(15)))  # whose length nobody says
    assert (parts.status_code, parts.json()["title"]) == (413, "BodyTooLarge")
    for path, kind in ((PREDICT, "application/json"), (MANY, "application/json"), (MANY, "text/csv")):
        answer = shared.client.post(path, content=b" " * 1_500_000, headers={"content-type": kind})
        assert answer.status_code == 413
        assert answer.json()["detail"] == "the body has 1.5 MB: at most 1 MB are taken here; send it in parts"


def test_a_body_that_says_it_is_too_long_is_refused_before_it_comes(shared: Server) -> None:
    with said_by_hand(shared, b"Content-Length: 99999999999\r\n") as answer:
        assert b" 413 " in answer


def test_what_a_caller_has_sent_before_it_left_is_not_answered_nor_logged(shared: Server) -> None:
    with shared.store() as store:
        before = store.count_predictions("engagement")
    whole = LINES + b"\n"
    head = b"Content-Type: application/x-ndjson\r\nContent-Length: %d\r\n" % (len(whole) + 10)
    with said_by_hand(shared, head, whole, leave=True):
        shared.until(lambda: '"route":"/api/v1/{domain}/predict/batch","status":400' in shared.words())
    with shared.store() as store:
        assert store.count_predictions("engagement") == before


class said_by_hand:  # noqa: N801 (reads as a verb where it is used)
    """A request that no client library would send; within it, the first bytes of the answer."""

    def __init__(self, server: Server, head: bytes, body: bytes = b"", *, leave: bool = False) -> None:
        port = int(server.url.rpartition(":")[2])
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self._socket.sendall(f"POST {MANY} HTTP/1.1\r\nHost: 127.0.0.1\r\n".encode() + head + b"\r\n" + body)
        if leave:
            self._socket.close()
        self._leave = leave

    def __enter__(self) -> bytes:
        return b"" if self._leave else self._socket.recv(1000)

    def __exit__(self, *_: object) -> None:
        self._socket.close()


SCHOOL = example_row(load_domains()["school"]) | {"student_id": "s-1"}


SEEDS = [GOOD.encode(), json.dumps(SCHOOL).encode(), json.dumps([SCHOOL, SCHOOL]).encode(), LINES]


SPICE = [b"\0", b"\xff", b"\xef\xbb\xbf", b'"', b"{", b"[", b"]", b"}", b":", b",", b"null", b"NaN", b"1e999", b"-0",
         b"\\u0000", b"\\ud800", b"\r\n", "é\u202e\U0001f600".encode()]  # fmt: skip


@st.composite
def nearly_good(draw: st.DrawFn) -> bytes:
    """A good body with a few bytes put in, taken out or doubled; or any bytes at all."""
    body = draw(st.sampled_from(SEEDS) | st.binary(max_size=60))
    for _ in range(draw(st.integers(1, 4))):
        at, length = draw(st.integers(0, len(body))), draw(st.integers(0, 12))
        middle = draw(st.sampled_from(SPICE) | st.binary(max_size=4) | st.just(body[at : at + length] * 2))
        body = body[:at] + middle + body[at + length :]
    return body


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=nearly_good(),
    path=st.sampled_from(["/api/v1/engagement/predict", "/api/v1/school/predict"]),
    form=st.sampled_from(["", "application/json", "application/x-ndjson"]),
)
def test_no_bytes_make_the_service_fail(shared: Server, body: bytes, path: str, form: str) -> None:
    for address in (path, f"{path}/batch"):
        answer = shared.client.post(address, content=body, headers={"content-type": form})
        assert answer.status_code in (200, 400, 409, 413, 415, 422), (answer.text, body)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=nearly_good(), form=st.sampled_from(["text/csv", "application/octet-stream", "multipart/form-data"]))
def test_no_bytes_of_a_file_make_the_service_fail(shared: Server, body: bytes, form: str) -> None:
    answer = shared.client.post(MANY, content=body, headers={"content-type": form})
    assert answer.status_code in (200, 400, 413, 415, 422), (answer.text, body)
