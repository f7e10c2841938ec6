"""Recognises whoever asks by the key or token in a request's headers, in memory.

What a principal may do is `access.roles`'; how often it may ask, `api.request.rate_limits`'.
"""

import hashlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from access.directory import Directory, KnownKey, KnownUser
from access.keys import PREFIX, digest_of
from access.roles import ANONYMOUS, Principal, Unauthenticated
from api.request.headers import RequestHeaders
from api.request.id_tokens import IdTokens
from api.request.tokens import Claims, Tokens

REMEMBERED_TOKENS = 10_000  # tokens that were verified, each about 200 bytes
HASHED_AT_ONCE = 2  # passwords of people who sign in: each takes a core and 19 MiB
KEY_PREFIX = PREFIX.encode()
CARRIERS = frozenset({b"authorization", b"x-api-key"})


class Credentials:
    """Recognises keys by the directory, and tokens by their signature and the directory.

    hashing: the threads in which passwords are checked: each keeps the 19 MB that this takes. id_tokens: of the
    provider by which people sign on; None where they have passwords alone.
    """

    def __init__(
        self,
        directory: Directory,
        tokens: Tokens,
        *,
        id_tokens: IdTokens | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.directory = directory
        self.tokens = tokens
        self.id_tokens = id_tokens
        self.hashing = ThreadPoolExecutor(HASHED_AT_ONCE, "password")
        self._clock = clock
        self._verified: dict[bytes, Claims] = {}  # by the token's SHA-256: a token in memory is a token to steal

    def principal(self, headers: RequestHeaders) -> Principal:
        """Whoever sent these headers; ANONYMOUS where they name nobody. Of a key and a token (or two keys) both must be
        good, and may do what both may. Raises Unauthenticated, Stale."""
        token, key = credentials_in(headers)
        if key is None:
            return ANONYMOUS if token is None else self._of_either(token)
        return self._of_key(key) if token is None else self._of_either(token).within(self._of_key(key))

    def _of_either(self, text: bytes) -> Principal:
        digest = hashlib.sha256(text).digest()
        known = self.directory.key(digest)
        if known is not None or text.startswith(KEY_PREFIX):
            return self._good(known)
        return self._of_token(text, digest)

    def _of_key(self, text: bytes) -> Principal:
        return self._good(self.directory.key(digest_of(text)))

    def _good(self, known: KnownKey | None) -> Principal:
        if known is None:
            raise Unauthenticated("there is no such key")
        if known.revoked:
            raise Unauthenticated("this key was revoked", known.principal.name)
        if known.until <= self._clock():
            raise Unauthenticated("this key has expired", known.principal.name)
        return known.principal

    def _of_token(self, text: bytes, digest: bytes) -> Principal:
        claims = self._verified.get(digest)
        if claims is None:
            claims = self.tokens.read(text)
            self._remember(digest, claims)
        elif claims.until <= self._clock():
            self._verified.pop(digest, None)
            raise Unauthenticated("this token has expired: sign in again")
        return self._present(claims).principal

    def _present(self, claims: Claims) -> KnownUser:
        """The user of a token, as of now: a record that changed since has another revision."""
        known = self.directory.user(claims.user)
        if known is None:
            raise Unauthenticated("this token is of no user that there is")
        if known.user.disabled is not None:
            raise Unauthenticated("this user is disabled", known.principal.name)
        if known.user.revision != claims.revision:
            raise Unauthenticated("this user has changed since the token was made: sign in again", known.principal.name)
        return known

    def _remember(self, digest: bytes, claims: Claims) -> None:
        if len(self._verified) >= REMEMBERED_TOKENS:
            self._verified.pop(next(iter(self._verified)), None)
        self._verified[digest] = claims


def credentials_in(headers: RequestHeaders) -> tuple[bytes | None, bytes | None]:
    """What stands in a request's headers: a key or token in Authorization, and a key in X-API-Key; None where there is
    none. Raises Unauthenticated where it is unclear which one is meant. They are taken from nowhere else: an address is
    kept by every log on its way."""
    authorization, key = headers.given.get(b"authorization"), headers.given.get(b"x-api-key")
    if authorization is None and key is None:
        return None, None
    if not headers.again.isdisjoint(CARRIERS):
        raise Unauthenticated("send each header once")
    if key is not None:
        key = key.strip()
        if not key:
            raise Unauthenticated("the header X-API-Key holds no key")
    if authorization is None:
        return None, key
    scheme, _, given = authorization.partition(b" ")
    given = given.strip()
    if scheme.lower() != b"bearer" or not given:
        raise Unauthenticated("the header Authorization must be: Bearer, a blank, a key or token")
    return given, key
