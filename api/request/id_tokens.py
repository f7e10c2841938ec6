"""Checks ID tokens of an OpenID provider: signed by its keys, made for this installation, and not over.

The keys are the provider's own, found by its address (OpenID Connect Discovery 1.0) and asked for when first needed.
What the claims are worth here is `access.sign_on`'s.
"""

import json
import threading
import urllib.request
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from access.roles import Unauthenticated
from access.sign_on import SignOn
from errors import Category, GradewatchError

if TYPE_CHECKING:
    from jwt import PyJWKClient

ASYMMETRIC = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures that are taken: none for which the client's secret would be the key, and never "none"."""

NEEDED_CLAIMS = ["iss", "sub", "aud", "iat", "exp"]
CLOCKS_SECONDS = 60  # by which the provider's clock may differ
ASKED_SECONDS = 5.0  # that a provider may take to answer
KEYS_SECONDS = 300.0  # for which its keys are believed; one that is unknown has them asked for at once
LONGEST_ID_TOKEN = 16_000
LARGEST_ANSWER = 1_000_000  # bytes of what a provider says of itself


class NoProvider(GradewatchError):
    """The provider does not answer, or not as one does."""

    category = Category.UNAVAILABLE
    retry_after = 5


class IdTokens:
    """The tokens of the provider by which people sign on. Any thread may ask, and waits where the provider must be
    asked."""

    def __init__(self, sign_on: SignOn) -> None:
        self.sign_on = sign_on
        self._issuer = sign_on.issuer
        self._client = sign_on.client_id
        self._lock = threading.Lock()
        self._keys: PyJWKClient | None = None

    def claims(self, text: str) -> Mapping[str, Any]:
        """What the token says, if it holds. Raises Unauthenticated, without the token; NoProvider."""
        import jwt

        if len(text) > LONGEST_ID_TOKEN:
            raise Unauthenticated("this is too long for an ID token")
        try:
            jwt.get_unverified_header(text)  # what is no token at all needs nobody's keys
            key = self._provider().get_signing_key_from_jwt(text)
            says: Mapping[str, Any] = jwt.decode(
                text,
                key,
                algorithms=ASYMMETRIC,
                audience=self._client,
                issuer=self._issuer,
                leeway=CLOCKS_SECONDS,
                options={"require": NEEDED_CLAIMS},
            )
        except jwt.PyJWKClientConnectionError:
            raise NoProvider(f"{self._issuer} does not answer: its keys are needed to check who signs on") from None
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("this ID token has expired: sign on again") from None
        except (jwt.PyJWTError, ValueError):
            raise Unauthenticated(f"this is no ID token of {self._issuer} for {self._client}") from None
        if isinstance(says["aud"], list) and len(says["aud"]) > 1 and says.get("azp") != self._client:
            raise Unauthenticated("this ID token was made for another client")
        return says

    def _provider(self) -> "PyJWKClient":
        from jwt import PyJWKClient

        with self._lock:
            if self._keys is None:
                self._keys = PyJWKClient(self._address_of_keys(), lifespan=KEYS_SECONDS, timeout=ASKED_SECONDS)
            return self._keys

    def _address_of_keys(self) -> str:
        address = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
        try:
            with urllib.request.urlopen(address, timeout=ASKED_SECONDS) as answer:  # noqa: S310 (https, or this machine)
                told = json.loads(answer.read(LARGEST_ANSWER))
            found, issuer = told["jwks_uri"], told["issuer"]
        except (OSError, ValueError, TypeError, KeyError):
            raise NoProvider(f"{address} does not answer as an OpenID provider does") from None
        if issuer != self._issuer:
            raise NoProvider(f"{address} is of another issuer: {issuer!r:.200}")
        if urlsplit(found).scheme not in ("https", urlsplit(issuer).scheme):  # http on this machine alone
            raise NoProvider(f"{address} offers its keys where anybody could change them: {found!r:.200}")
        return str(found)
