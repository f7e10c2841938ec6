"""Students who objected: who is in no list and never scored. Every road that answers asks here.

Each is known by a mark, made with the secret, that leads to no student and stays when all else of one is erased. Whose
it is stands beside it only as long as there are answers about the student, so that these are not counted.
"""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256

import msgspec

from clock import now
from database.errors import Conflict
from database.records import Document
from database.store import RecordStore
from database.withdrawal import require_nobody_named
from preprocessing.validation.rules import BadData, Problem

OBJECTION_KIND = "objection"
OBJECTED = "this student has objected to being scored, so there is no answer: leave the row out"
PURPOSE_OF_MARK = b"gradewatch/objection/1\0"  # separates these digests from any other use of the same secret
WHO = "who"
"""Of a document: the pseudonym, in a form that no search for it finds."""


class Objection(msgspec.Struct, frozen=True, kw_only=True):
    """That a student objected: since when, and who recorded it. reason: in words that name nobody."""

    at: datetime
    actor: str
    reason: str = ""


class Objections:
    """Those that a store has, as of the last `refresh`. One thread refreshes, any may ask; where there is none, asking
    costs nothing. students: of those who objected, whom there are answers about."""

    def __init__(self, store: RecordStore, secret: bytes) -> None:
        self._store = store
        self._secret = secret
        self.marks: frozenset[str] = frozenset()
        self.students: frozenset[str] = frozenset()

    def refresh(self) -> None:
        """Read them again. Raises StoreUnavailable."""
        found = self._store.documents(OBJECTION_KIND)
        self.marks = frozenset(one.name for one in found)
        self.students = frozenset(b64decode(one.body[WHO]).decode() for one in found if one.body.get(WHO))

    def add(self, student: str, domains: Iterable[str], *, actor: str, reason: str = "") -> Objection:
        """Record that a student (a pseudonym) objects; the objection that is there stays. domains: in which there may
        be answers. Raises NamesSomebody."""
        require_nobody_named(reason)
        made = Objection(at=now(), actor=actor, reason=reason)
        body = msgspec.to_builtins(made)
        if any(self._store.asked_about(name, [student]) for name in domains):
            body[WHO] = b64encode(student.encode()).decode()
        name = mark_of(student, self._secret)
        try:
            self._store.put_document(Document(kind=OBJECTION_KIND, name=name, revision=1, at=made.at, body=body))
        except Conflict:
            made = self.of(student) or made
        self.refresh()
        return made

    def lift(self, student: str) -> bool:
        """Whether there was one."""
        lifted = self._store.remove_document(OBJECTION_KIND, mark_of(student, self._secret))
        self.refresh()
        return lifted

    def of(self, student: str) -> Objection | None:
        """That of a student, as the store has it now."""
        found = self._store.document(OBJECTION_KIND, mark_of(student, self._secret))
        return msgspec.convert(dict(found.body), Objection) if found else None

    def forget_whose(self, student: str) -> None:
        """Leave the mark of a student who is erased alone. Done again, it does no more."""
        found = self._store.document(OBJECTION_KIND, mark_of(student, self._secret))
        if found is not None and WHO in found.body:
            body = {name: value for name, value in found.body.items() if name != WHO}
            self._store.put_document(msgspec.structs.replace(found, revision=found.revision + 1, body=body))

    def __contains__(self, student: object) -> bool:
        return bool(self.marks) and isinstance(student, str) and mark_of(student, self._secret) in self.marks

    def among(self, students: Iterable[str | None]) -> list[int]:
        """The places of those who objected."""
        return [place for place, one in enumerate(students) if one in self] if self.marks else []

    def require_none(self, students: Iterable[str | None], rows: Sequence[int]) -> None:
        """Raises BadData with a problem for each row about one of them. rows: their numbers as the user counts."""
        if found := self.among(students):
            raise BadData([Problem(file="", row=rows[at], column=None, value=None, rule=OBJECTED) for at in found])


def mark_of(student: str, secret: bytes) -> str:
    """What stands for a student (a pseudonym) who objected."""
    return hmac.new(secret, PURPOSE_OF_MARK + student.encode(), sha256).hexdigest()
