"""Every call that callers of the systems before this one make, as they make it, against a running service."""

import csv
import io
from contextlib import closing
from typing import Any

import httpx
import pytest

from api.older_addresses import OLDER_ADDRESSES, OlderAddress
from retraining.examples import train_examples
from tests.api.conftest import open_at
from tests.api.guarded import PASSWORD, Guarded, read

MADE = "/api/v1/course/reports"
NAMES = [f"{one.method} {one.path} {one.system} {one.status}" for one in OLDER_ADDRESSES]


@pytest.fixture(scope="module", autouse=True)
def reported(older: Guarded) -> None:
    """A model of courses, and the report that the older system's callers come for; a student of whom too little is
    known."""
    workspace = open_at(older.server.folder)
    with closing(workspace):
        list(train_examples(workspace, workspace.schemas["course"], older.server.folder / "examples", rows=200))
    week = {"kind": "enrolment", "event": "n1", "student": "example-0000001", "at": "2025-09-01",
            "values": {"school": "north"}}  # fmt: skip
    days = [{"kind": "calendar", "event": f"c{day}", "at": f"2025-12-{day:02d}"} for day in range(8, 13)]
    assert older.ask("POST", "/api/v1/k12/events", older.keys["admin"], json={"events": [week, *days]}).is_success
    uploads = [one for one in OLDER_ADDRESSES if one.file]
    assert all(ask(older, one).is_success for one in uploads)
    asked = {"group": "all", "period": "2026-01-12/2026-05-29"}
    assert older.ask("POST", MADE, older.keys["admin"], json=asked).is_success


def ask(older: Guarded, call: OlderAddress, **changes: Any) -> httpx.Response:
    """The call as its caller makes it; with an admin's key where that one shows a session, or nothing."""
    headers = {"x-api-key": older.keys["client" if "X-API-Key" in call.shows else "admin"]} | changes.pop("headers", {})
    if call.shows:
        headers["authorization"] = f"Bearer {older.token('older')}"
    changes |= {"files": {"file": ("students.csv", call.file)}} if call.file else {}
    body = call.body
    if body is not None and "username" in body:
        body, headers = {"username": "older", "password": PASSWORD}, {}
    return older.server.client.request(call.method, call.path, headers=headers, json=body, **changes)


@pytest.mark.parametrize("call", OLDER_ADDRESSES, ids=NAMES)
def test_a_call_is_answered_in_its_own_form(older: Guarded, call: OlderAddress) -> None:
    answer = ask(older, call)
    assert answer.status_code == call.status, answer.text
    if answer.headers["content-type"].startswith("text/csv"):
        head, *rows = csv.reader(io.StringIO(answer.text))
        assert (tuple(head[: len(call.reads)]), len(rows)) == (tuple(call.reads), 2)
    else:
        assert all(read(answer.json(), path) for path in call.reads), answer.text
    if "username" not in (call.body or {}):
        assert older.server.client.request(call.method, call.path, json=call.body).status_code == 401
