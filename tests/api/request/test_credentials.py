"""Whoever asks is read from one header and nothing else."""

from datetime import timedelta
from typing import Any

import pytest

from api.request.credentials import credentials_in
from api.request.headers import RequestHeaders
from tests.api.guarded import Guarded, forged
from tests.api.serving import ENGAGEMENT, UNIVERSITY


def test_one_key_or_token_is_read_from_headers_and_nothing_else() -> None:
    assert credentials_in(RequestHeaders([(b"host", b"a"), (b"authorization", b"Bearer abc")])) == (b"abc", None)
    assert credentials_in(RequestHeaders([(b"x-api-key", b"gw_abc")])) == (None, b"gw_abc")
    assert credentials_in(RequestHeaders([(b"host", b"a")])) == (None, None)


PREDICT = "/api/v1/university/predict"


def test_a_key_predicts_in_either_header_and_the_log_says_who_asked(guarded: Guarded) -> None:
    key = guarded.keys["teacher"]
    for headers in ({"authorization": f"Bearer {key}"}, {"Authorization": f"bearer  {key}"}, {"X-API-Key": key}):
        said = guarded.server.predict("university", UNIVERSITY, headers=headers)
        with guarded.server.store() as store:
            logged = store.prediction(said["id"])
        assert logged is not None
        assert logged.actor == "key:a-teacher"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("authorization", "")],
        [("authorization", "Bearer")],
        [("authorization", "{key}")],
        [("authorization", "Basic {key}")],
        [("authorization", "Bearer {key}x")],
        [("authorization", "Bearer {key} {key}")],
        [("authorization", "Bearer gw_")],
        [("authorization", "Bearer {key}"), ("authorization", "Bearer {key}")],
        [("authorization", "Bearer gw_other"), ("authorization", "Bearer {key}")],
        [("authorization", "Bearer {key}"), ("x-api-key", "{key}x")],
        [("authorization", "Bearer {key}x"), ("x-api-key", "{key}")],
        [("authorization", "Basic {key}"), ("x-api-key", "{key}")],
        [("authorization", "Bearer {key}"), ("x-api-key", "")],
        [("x-api-key", "{key}"), ("x-api-key", "{key}")],
        [("x-api-key", "Bearer {key}")],
        [("cookie", "key={key}")],
    ],
    ids=str,
)
def test_anything_but_good_keys_in_their_headers_once_is_refused(
    guarded: Guarded, headers: list[tuple[str, str]]
) -> None:
    given = [(name, value.format(key=guarded.keys["admin"])) for name, value in headers]
    answer = guarded.server.client.post(PREDICT, json=UNIVERSITY, headers=given)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert guarded.keys["admin"] not in answer.text


@pytest.mark.parametrize("name", ["api_key", "key", "token", "access_token", "X-API-Key", "authorization"])
def test_a_key_in_an_address_is_no_key(guarded: Guarded, name: str) -> None:
    for path in ("/api/v1/domains", "/api/v1/university/predictions"):
        assert guarded.ask("GET", f"{path}?{name}={guarded.keys['admin']}").status_code == 401


def test_a_key_ends_when_its_time_is_over(guarded: Guarded) -> None:
    key = guarded.key("short-lived", "viewer", lifetime=timedelta(seconds=2))
    guarded.until_known(key)
    assert guarded.until_refused(key).json()["detail"] == "this key has expired"


def test_a_token_and_a_key_in_one_request_must_both_be_good_and_the_narrower_grant_wins(
    guarded: Guarded, anna: str
) -> None:
    """As callers of the oldest of the systems before this one send them. Anna is a teacher."""
    engaged = guarded.key("narrow", "teacher", domains=("engagement",))
    guarded.until_known(engaged)

    def ask(method: str, path: str, bearer: str, key: str, **options: Any) -> int:
        headers = {"authorization": f"Bearer {bearer}", "x-api-key": key}
        return guarded.ask(method, path, headers=headers, **options).status_code

    for bearer, key in ((anna, engaged), (engaged, guarded.keys["admin"]), (guarded.keys["admin"], engaged)):
        assert ask("POST", "/predict", bearer, key, json=ENGAGEMENT) == 200
        assert ask("POST", PREDICT, bearer, key, json=UNIVERSITY) == 403
        assert ask("GET", "/admin/cache/stats", bearer, key) == 403
    assert ask("POST", PREDICT, anna, guarded.keys["admin"], json=UNIVERSITY) == 200
    assert ask("GET", "/admin/cache/stats", anna, guarded.keys["admin"]) == 403
    assert ask("GET", "/admin/cache/stats", guarded.keys["admin"], guarded.keys["admin"]) == 200
    assert ask("POST", "/predict", anna, guarded.keys["viewer"], json=ENGAGEMENT) == 403
    assert ask("POST", "/predict", forged(sub="nobody"), guarded.keys["admin"], json=ENGAGEMENT) == 401
