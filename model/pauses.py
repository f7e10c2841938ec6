"""Pausing answers: all of a domain's, or of every one, become the plain rule's, or none, with a reason, until resumed.

A pause is a document. Whoever serves notices it as it notices promotions, and every road that answers goes by it, for
it changes who answers (`model.registry.Champions`, `model.service`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from clock import new_id, now
from database.answer_columns import AnswerColumn
from database.errors import Conflict
from database.records import Answer, Document, Event
from database.store import RecordStore
from database.withdrawal import require_nobody_named
from errors import Category, GradewatchError
from model.predictor import Columns, Predictor, Row

PAUSE_KIND = "pause"
EVERY_DOMAIN = "*"
"""The name under which a pause of all domains is kept; no domain is called so."""

PAUSED_EVENT, RESUMED_EVENT = "answers_paused", "answers_resumed"
RULE_OF = "rule-"
"""Begins the version that answers name which are the plain rule's, in the place of the model's that paused."""

InPlace = Literal["plain rule", "none"]


class NotPaused(GradewatchError):
    """There is nothing to resume."""

    category = Category.CONFLICT


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """That a domain's models do not answer. domain: EVERY_DOMAIN for all. answers: what is given in their place.
    reason: in words that name nobody."""

    domain: str
    answers: InPlace
    reason: str
    actor: str
    at: datetime

    def __str__(self) -> str:
        given = "the plain rule answers instead of the model" if self.answers == "plain rule" else "nothing is answered"
        return f"paused since {self.at:%Y-%m-%d %H:%M} UTC: {given}. {self.reason}".rstrip()


def pause(store: RecordStore, domain: str, answers: InPlace, *, reason: str, actor: str) -> Pause:
    """Pause a domain, in place of what was said of it before. Raises NamesSomebody."""
    require_nobody_named(reason)
    made = Pause(domain=domain, answers=answers, reason=reason, actor=actor, at=now())
    while True:
        present = store.document(PAUSE_KIND, domain)
        revision = present.revision + 1 if present else 1
        body = msgspec.to_builtins(made)
        try:
            store.put_document(Document(kind=PAUSE_KIND, name=domain, revision=revision, at=made.at, body=body))
        except Conflict:
            continue
        _tell(store, PAUSED_EVENT, domain, actor=actor, reason=reason, answers=answers)
        return made


def resume(store: RecordStore, domain: str, *, reason: str, actor: str) -> None:
    """The models answer again. Raises NotPaused, NamesSomebody."""
    require_nobody_named(reason)
    if not store.remove_document(PAUSE_KIND, domain):
        what = "all domains" if domain == EVERY_DOMAIN else domain
        raise NotPaused(f"{what}: not paused; gradewatch pause list says what is")
    _tell(store, RESUMED_EVENT, domain, actor=actor, reason=reason)


def _tell(store: RecordStore, kind: str, domain: str, **details: str) -> None:
    known = None if domain == EVERY_DOMAIN else domain
    store.add_event(Event(id=new_id(), kind=kind, at=now(), domain=known, details=details))


def pauses(store: RecordStore) -> dict[str, Pause]:
    """Those that hold now, by domain."""
    return {one.name: msgspec.convert(dict(one.body), Pause) for one in store.documents(PAUSE_KIND)}


def pause_of(known: Mapping[str, Pause], domain: str) -> Pause | None:
    """The one that a domain goes by: where both there are, the one that gives less."""
    found = [one for one in (known.get(domain), known.get(EVERY_DOMAIN)) if one]
    return min(found, key=lambda one: one.answers != "none") if found else None


class PlainRule:
    """The plain rule of a model in its place: it says what stands beside the model's answers, no range, no chance."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self.version = f"{RULE_OF}{predictor.version}"

    def answer(self, rows: Sequence[Row], *, generation: int, explain: int = 0) -> list[Answer]:  # noqa: ARG002 (as a model is asked; nothing explains a rule)
        """As `Predictor.answer`."""
        said = self._predictor.answer(rows, generation=generation)
        return [plain_answer(one, self.version) for one in said]

    def answer_columns(self, columns: Columns, *, generation: int, explain: int = 0) -> AnswerColumn:  # noqa: ARG002 (as above)
        """As `Predictor.answer_columns`."""
        said = self._predictor.answer_columns(columns, generation=generation)
        others = {place: plain_answer(one, self.version) for place, one in said.others.items()}
        return AnswerColumn(said.target, self.version, generation, said.naive, said.naive, others=others)


def plain_answer(said: Answer, version: str) -> Answer:
    """What the plain rule says in the place of an answer, under a version: no range, no chance."""
    return Answer(
        target=said.target,
        value=said.naive,
        naive=said.naive,
        model=version,
        generation=said.generation,
        insufficient=said.insufficient if said.naive is None else (),
    )
