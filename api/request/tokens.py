"""Access tokens of users: signed words (JWT, HS256) that say who signed in, until when, and under which record.

They say nothing of what the user may do: that is looked up with every request.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from access.records import User
from access.roles import Unauthenticated

ALGORITHM = "HS256"  # the only one that is accepted, whatever a token says of itself
ISSUER = AUDIENCE = "gradewatch"
CLAIMS = ["iss", "aud", "sub", "iat", "exp", "rev"]
LONGEST_LIFE = timedelta(days=1)  # the most that GRADEWATCH_TOKEN_MINUTES allows
LONGEST_TOKEN = 2_000  # characters of a token; ours have about 250


class Claims(msgspec.Struct, frozen=True, gc=False):
    """What a token says. user: name; revision: of the user's record; until: seconds since 1970."""

    user: str
    revision: int
    until: float


class Tokens:
    """Issues tokens and reads them. secret: at least 32 bytes; another one ends all tokens."""

    def __init__(self, secret: bytes, lifetime: timedelta) -> None:
        self._secret = secret
        self.lifetime = lifetime

    def issue(self, user: User, at: datetime) -> str:
        """A token for `user`, from `at` on."""
        import jwt  # only where someone signs in

        says: dict[str, Any] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user.name,
            "iat": at,
            "exp": at + self.lifetime,
            "rev": user.revision,
        }
        return jwt.encode(says, self._secret, algorithm=ALGORITHM)

    def read(self, text: bytes) -> Claims:
        """What a token says, if we signed it and it holds now. Raises Unauthenticated, without the token."""
        import jwt

        if len(text) > LONGEST_TOKEN:
            raise Unauthenticated("this token is too long to be one of ours")
        try:
            says: Mapping[str, Any] = jwt.decode(
                text,
                self._secret,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                options={"require": CLAIMS, "strict_aud": True},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("this token has expired: sign in again") from None
        except (jwt.PyJWTError, ValueError):
            raise Unauthenticated("this is no token of ours") from None
        if not _could_be_ours(says):
            raise Unauthenticated("this is no token of ours")
        return Claims(says["sub"], says["rev"], float(says["exp"]))


def _could_be_ours(says: Mapping[str, Any]) -> bool:
    """Whether it says what `issue` would: a revision, and a life no longer than any that can be set."""
    times = (says["iat"], says["exp"])
    if type(says["rev"]) is not int or not all(type(at) in (int, float) for at in times):
        return False
    return int(says["exp"]) - int(says["iat"]) <= LONGEST_LIFE.total_seconds()
