"""ID tokens of a provider's keys, over HTTP: what holds and what does not."""

import http.server
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from access.roles import Unauthenticated
from access.sign_on import GrantRule, SignOn
from api.request.id_tokens import IdTokens, NoProvider

OWN, OTHER = (rsa.generate_private_key(65537, 2048) for _ in range(2))
PUBLIC = OWN.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """A server that publishes one key as providers do; below /other it says that it is another one."""

    class Publishes(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            here = f"http://127.0.0.1:{self.server.server_port}"  # type: ignore[attr-defined]
            key = {**RSAAlgorithm.to_jwk(OWN.public_key(), as_dict=True), "kid": "1", "use": "sig", "alg": "RS256"}
            known = {
                "/.well-known/openid-configuration": {"issuer": here, "jwks_uri": f"{here}/jwks"},
                "/other/.well-known/openid-configuration": {"issuer": here, "jwks_uri": f"{here}/jwks"},
                "/files/.well-known/openid-configuration": {"issuer": f"{here}/files", "jwks_uri": "file:///etc/hosts"},
                "/jwks": {"keys": [key]},
            }
            self.send_response(200 if self.path in known else 404)
            self.end_headers()
            self.wfile.write(json.dumps(known.get(self.path, {})).encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Publishes)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def tokens_of(issuer: str) -> IdTokens:
    rules = (GrantRule(claim="groups", value="staff", role="viewer"),)
    return IdTokens(SignOn(issuer=issuer, client_id="gradewatch", rules=rules))


def signed(issuer: str, key: Any = OWN, algorithm: str = "RS256", kid: str = "1", **changes: Any) -> str:
    at = int(time.time())
    says = {"iss": issuer, "sub": "1", "aud": "gradewatch", "iat": at, "exp": at + 300} | changes
    return jwt.encode({k: v for k, v in says.items() if v is not None}, key, algorithm=algorithm, headers={"kid": kid})


def test_a_token_of_the_provider_for_this_installation_holds(issuer: str) -> None:
    tokens = tokens_of(issuer)
    assert tokens.claims(signed(issuer, groups=["staff"]))["groups"] == ["staff"]
    assert tokens.claims(signed(issuer, aud=["gradewatch", "lms"], azp="gradewatch"))["sub"] == "1"


def test_no_other_token_holds(issuer: str) -> None:
    tokens, at = tokens_of(issuer), int(time.time())
    head, body, _ = signed(issuer).split(".")
    forged = [
        signed(issuer, OTHER),
        signed(issuer, OTHER, kid="2"),
        signed(issuer, aud="lms"),
        signed(issuer, aud=["gradewatch", "lms"], azp="lms"),
        signed(issuer, aud=["gradewatch", "lms"]),
        signed(f"{issuer}/other"),
        signed(issuer, exp=at - 120, iat=at - 400),
        signed(issuer, iat=at + 300),
        signed(issuer, nbf=at + 300),
        *(signed(issuer, **{name: None}) for name in ("iss", "sub", "aud", "iat", "exp")),
        jwt.encode({"sub": "1"}, "", algorithm="none", headers={"kid": "1"}),
        f"{head}.{body}.",
        f"{head}.{body}",
        "",
        "a.b.c",
        "x" * 20_000,
    ]
    for one in forged:
        with pytest.raises(Unauthenticated) as refused:
            tokens.claims(one)
        assert body not in str(refused.value)


def test_a_token_signed_with_the_public_key_as_a_password_does_not_hold(issuer: str) -> None:
    import base64
    import hashlib
    import hmac

    head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": "1", "typ": "JWT"}).encode()).rstrip(b"=")
    said = head + b"." + signed(issuer).split(".")[1].encode()
    sign = base64.urlsafe_b64encode(hmac.new(PUBLIC, said, hashlib.sha256).digest()).rstrip(b"=")
    with pytest.raises(Unauthenticated):
        tokens_of(issuer).claims((said + b"." + sign).decode())


@pytest.mark.parametrize("place", ["/other", "/files", "/none", None])
def test_a_provider_that_is_away_or_another_one_is_named(issuer: str, place: str | None) -> None:
    asked = "http://127.0.0.1:9" if place is None else f"{issuer}{place}"
    with pytest.raises(NoProvider, match="http://127"):
        tokens_of(asked).claims(signed(asked))
