"""A token is good as long as we signed it, it holds now and its user is as it says."""

import time
from collections.abc import Callable

import jwt
import pytest

from access.records import Grant
from access.users import disable_user, set_grant
from tests.api.guarded import TOKEN_SECRET, Guarded, claims, forged
from tests.api.serving import UNIVERSITY

PREDICT = "/api/v1/university/predict"


def test_a_token_made_with_the_right_secret_is_good_which_the_next_test_rests_on(guarded: Guarded, anna: str) -> None:
    assert anna
    assert guarded.ask("POST", PREDICT, forged(), json=UNIVERSITY).status_code == 200


OLD = int(time.time()) - 3600


BAD_TOKENS: dict[str, Callable[[], str]] = {
    "expired": lambda: forged(iat=OLD, exp=OLD + 60),
    "of another secret": lambda: forged(secret="another secret that is long enough, too"),
    "alg none": lambda: jwt.encode(claims(), None, algorithm="none"),
    "alg none with a signature": lambda: jwt.encode(claims(), None, algorithm="none") + forged().rpartition(".")[2],
    "HS512": lambda: forged(secret=TOKEN_SECRET * 2, algorithm="HS512"),
    "HS384 with our secret": lambda: jwt.encode(claims(), TOKEN_SECRET + "=" * 16, algorithm="HS384"),
    "another audience": lambda: forged(aud="elsewhere"),
    "more than one audience": lambda: forged(aud=["gradewatch", "elsewhere"]),
    "another issuer": lambda: forged(iss="elsewhere"),
    "from the future": lambda: forged(iat=int(time.time()) + 3600, exp=int(time.time()) + 7200),
    "of two days": lambda: forged(exp=int(time.time()) + 2 * 86_400),
    "of an age": lambda: forged(exp=10**12),
    "without end": lambda: forged(exp=10**400),
    "until infinity": lambda: forged(exp=float("inf")),
    "until no number": lambda: forged(exp=float("nan")),
    "from no number": lambda: forged(iat=float("nan")),
    "until a text": lambda: forged(exp="2099"),
    "from the dark": lambda: forged(iat=-(10**400)),
    "of nobody": lambda: forged(sub="nobody"),
    "of a key": lambda: forged(sub="key:a-admin"),
    "of another revision": lambda: forged(rev=2),
    "revision as text": lambda: forged(rev="1"),
    "revision as truth": lambda: forged(rev=True),
    "no exp": lambda: forged(exp=None),
    "no aud": lambda: forged(aud=None),
    "no iss": lambda: forged(iss=None),
    "no sub": lambda: forged(sub=None),
    "no rev": lambda: forged(rev=None),
    "no iat": lambda: forged(iat=None),
    "cut off": lambda: forged()[:-5],
    "changed": lambda: ".".join([forged().split(".")[0], forged(sub="root").split(".")[1], forged().split(".")[2]]),
    "noise": lambda: "a.b.c",
    "not ASCII": lambda: "ä.ö.ü",
    "endless": lambda: "a" * 5_000 + ".b.c",
}


@pytest.mark.parametrize("token", BAD_TOKENS.values(), ids=BAD_TOKENS.keys())
def test_a_token_that_is_not_ours_or_not_of_now_is_refused(
    guarded: Guarded, anna: str, token: Callable[[], str]
) -> None:
    text = token()
    assert guarded.ask("POST", PREDICT, anna, json=UNIVERSITY).status_code == 200
    answer = guarded.server.client.post(
        PREDICT, json=UNIVERSITY, headers=[(b"authorization", b"Bearer " + text.encode())]
    )
    assert answer.status_code == 401, answer.text
    assert text[:10] not in answer.text


def test_what_a_token_claims_about_its_role_changes_nothing(guarded: Guarded, anna: str) -> None:
    assert anna
    token = forged(role="admin", permissions=["audit"], scope="admin", scopes=["admin"])
    assert guarded.ask("GET", "/api/v1/domains", token).status_code == 200
    assert guarded.ask("GET", "/api/v1/accesses", token).status_code == 403


@pytest.mark.parametrize("change", ["disabled", "other role"])
def test_a_token_ends_when_its_user_changes(guarded: Guarded, change: str) -> None:
    name = f"ben-{change.split(maxsplit=1)[0]}"
    guarded.user(name, "admin")
    token = guarded.token(name)
    assert guarded.ask("GET", "/api/v1/accesses", token).status_code == 200
    with guarded.server.store() as store:
        if change == "disabled":
            disable_user(store, name, actor="test")
        else:
            set_grant(store, name, Grant(role="viewer"), domains=[], actor="test")
    guarded.until_refused(token)
    if change == "disabled":
        assert guarded.sign_in(name).status_code == 401
    else:
        assert guarded.ask("GET", "/api/v1/accesses", guarded.token(name)).status_code == 403
