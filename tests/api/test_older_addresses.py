"""Every call that callers of the systems before this one make, as they make it, against a running service."""

from typing import Any

import httpx
import pytest

from api.older_addresses import OLDER_ADDRESSES, OlderAddress
from tests.api.guarded import PASSWORD, Guarded, read

NAMES = [f"{one.method} {one.path} {one.system} {one.status}" for one in OLDER_ADDRESSES]


def ask(older: Guarded, call: OlderAddress, **changes: Any) -> httpx.Response:
    """The call as its caller makes it; with an admin's key where that one shows a session, or nothing."""
    headers = {"x-api-key": older.keys["client" if "X-API-Key" in call.shows else "admin"]} | changes.pop("headers", {})
    if call.shows:
        headers["authorization"] = f"Bearer {older.token('older')}"
    body = call.body
    if body is not None and "username" in body:
        body, headers = {"username": "older", "password": PASSWORD}, {}
    return older.server.client.request(call.method, call.path, headers=headers, json=body, **changes)


@pytest.mark.parametrize("call", OLDER_ADDRESSES, ids=NAMES)
def test_a_call_is_answered_in_its_own_form(older: Guarded, call: OlderAddress) -> None:
    answer = ask(older, call)
    assert answer.status_code == call.status, answer.text
    for path in call.reads:
        assert read(answer.json(), path), path
    if "username" not in (call.body or {}):
        assert older.server.client.request(call.method, call.path, json=call.body).status_code == 401
