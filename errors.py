"""Every error that is an answer: one base, and a category of which each entry point makes its own form of refusal.

The API makes its status of the category (`api.errors`), the command line its exit code (`cli.output`). An error that
says nothing of its category is the caller's to mend, so that a new one is right by default. A fault of ours is none
of these.
"""

from collections.abc import Mapping
from enum import Enum
from typing import ClassVar


class Category(Enum):
    """What kind of refusal an error is.

    INVALID: what was given cannot be used. MALFORMED: it cannot even be read. MISUSED: settings, options or files of
    the installation that cannot be worked with. UNKNOWN: what was asked for is not there. CONFLICT: the present state
    does not allow it. UNAUTHENTICATED: nobody knows who asks. FORBIDDEN: whoever asks may not. TOO_LARGE: more at once
    than is taken. TOO_MANY: more in a while than is allowed. UNAVAILABLE: something does not answer or is busy; the
    same may work later. DAMAGED: what was kept cannot be read.
    """

    INVALID = "invalid"
    MALFORMED = "malformed"
    MISUSED = "misused"
    UNKNOWN = "unknown"
    CONFLICT = "conflict"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    TOO_LARGE = "too large"
    TOO_MANY = "too many"
    UNAVAILABLE = "unavailable"
    DAMAGED = "damaged"


class GradewatchError(Exception):
    """An error whose message is for the user: what is wrong, where, and what to do.

    retry_after: seconds after which trying again makes sense; None: never. headers: that an answer over HTTP carries.
    """

    category: ClassVar[Category] = Category.INVALID
    retry_after: ClassVar[int | None] = None
    headers: Mapping[str, str] = {}


class MissingExtra(GradewatchError, ImportError):
    """A library that the plain installation does without. need: what cannot be done; extra: who would bring it."""

    category = Category.MISUSED

    def __init__(self, need: str, extra: str) -> None:
        super().__init__(
            f"{need} needs the extra {extra!r}, which is not installed: `make {extra}` in the project's folder adds it "
            f"(or pip install --require-hashes -r requirements/{extra}.lock)"
        )
