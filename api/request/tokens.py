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
        if type(says["rev"]) is not int:
            raise Unauthenticated("this is no token of ours")
        return Claims(says["sub"], says["rev"], float(says["exp"]))
