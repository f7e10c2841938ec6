"""Students who objected: who is in no list and never scored. Every road that answers asks here.

Each is known by a mark, made with the secret, that leads to no student and stays when all else of one is erased.
"""

import hmac
from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256

import msgspec

from clock import now
from database.errors import Conflict
from database.records import Document
from database.store import Documents
from database.withdrawal import require_nobody_named
from preprocessing.validation.rules import BadData, Problem

OBJECTION_KIND = "objection"
OBJECTED = "this student has objected to being scored, so there is no answer: leave the row out"
PURPOSE_OF_MARK = b"gradewatch/objection/1\0"  # separates these digests from any other use of the same secret


class Objection(msgspec.Struct, frozen=True, kw_only=True):
    """That a student objected: since when, and who recorded it. reason: in words that name nobody."""

    at: datetime
    actor: str
    reason: str = ""


def mark_of(student: str, secret: bytes) -> str:
    """What stands for a student (a pseudonym) who objected."""
    return hmac.new(secret, PURPOSE_OF_MARK + student.encode(), sha256).hexdigest()


def object_for(store: Documents, mark: str, *, actor: str, reason: str = "") -> Objection:
    """Record an objection; the one that is there stays. Raises NamesSomebody."""
    require_nobody_named(reason)
    made = Objection(at=now(), actor=actor, reason=reason)
    document = Document(kind=OBJECTION_KIND, name=mark, revision=1, at=made.at, body=msgspec.to_builtins(made))
    try:
        store.put_document(document)
    except Conflict:
        return objection_of(store, mark) or made
    return made


def lift_objection(store: Documents, mark: str) -> bool:
    """Whether there was one."""
    return store.remove_document(OBJECTION_KIND, mark)


def objection_of(store: Documents, mark: str) -> Objection | None:
    """The objection under a mark."""
    found = store.document(OBJECTION_KIND, mark)
    return msgspec.convert(dict(found.body), Objection) if found else None


class Objections:
    """The marks that a store has, as of the last `refresh`. One thread refreshes, any may ask; where there is none,
    asking costs nothing."""

    def __init__(self, store: Documents, secret: bytes) -> None:
        self._store = store
        self._secret = secret
        self.marks: frozenset[str] = frozenset()

    def refresh(self) -> None:
        """Read them again. Raises StoreUnavailable."""
        self.marks = frozenset(one.name for one in self._store.documents(OBJECTION_KIND))

    def __contains__(self, student: object) -> bool:
        return bool(self.marks) and isinstance(student, str) and mark_of(student, self._secret) in self.marks

    def among(self, students: Iterable[str | None]) -> list[int]:
        """The places of those who objected."""
        return [place for place, one in enumerate(students) if one in self] if self.marks else []

    def require_none(self, students: Iterable[str | None], rows: Sequence[int]) -> None:
        """Raises BadData with a problem for each row about one of them. rows: their numbers as the user counts."""
        if found := self.among(students):
            raise BadData([Problem(file="", row=rows[at], column=None, value=None, rule=OBJECTED) for at in found])
