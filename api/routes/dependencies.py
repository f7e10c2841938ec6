"""Finds what a request names: a domain's schema, its champions, one record. Raises when there is no such thing."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Request
from pydantic import BeforeValidator

from access.journal import Action, note
from api.fast.parameters import BadQuestion, moment_of
from api.needs import principal_of
from api.state import Running
from database.records import ChampionKey
from errors import Category, GradewatchError
from preprocessing.schema import DomainSchema

PSEUDONYM_LENGTH = 64
WRITTEN_OUT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
MIDDLE = 5000  # a year between them


class NotFound(GradewatchError):
    """No record of that id."""

    category = Category.UNKNOWN


def running(request: Request) -> Running:
    """The open parts of the service, as a FastAPI dependency."""
    found: Running = request.app.state.service.running
    return found


def noted(request: Request, action: Action, domain: str | None = None, **details: Any) -> None:
    """Record that whoever asks does this, before it is done or answered. Waits for the database; raises
    StoreUnavailable."""
    note(running(request).workspace.store, principal_of(request).name, action, domain, **details)


def schema_of(service: Running, domain: str) -> DomainSchema:
    """The schema of `domain`. Raises UnknownDomain."""
    return service.predictions.schema(domain)


def keys_of(schema: DomainSchema, target: str | None, moment: str | None) -> list[ChampionKey]:
    """The champions that a request means: one, those of a target or a moment, or all. Raises BadQuestion."""
    moment_of(schema, moment)
    if target is not None and target not in schema.target_by_name:
        raise BadQuestion(f"target {target!r:.80} is none of {', '.join(schema.target_by_name)}")
    targets = [target] if target else list(schema.target_by_name)
    return [ChampionKey(schema.name, name, at) for name in targets for at in ([moment] if moment else schema.moments)]


def _written_out(value: str) -> str:
    if not WRITTEN_OUT.match(value):
        raise ValueError("must be a date and time: 2026-02-01T08:00:00Z")  # a number would be taken as seconds
    return value


Instant = Annotated[datetime, BeforeValidator(_written_out)]
"""A time in an address."""


def at_utc(at: datetime | None) -> datetime | None:
    """`at` in UTC; one without a zone is meant as local to the server. Outside the years that there are: the nearest
    time within."""
    if at is None:
        return None
    try:
        return at.astimezone(UTC)
    except (OverflowError, ValueError):
        return FIRST if at.year < MIDDLE else LAST


def pseudonym_of(student: str | None) -> str | None:
    """`student`, if it is a pseudonym as answers give it. Raises BadQuestion: a raw key must not stand in an address,
    where every log on the way keeps it."""
    if student is None:
        return None
    if len(student) != PSEUDONYM_LENGTH or not all(digit in "0123456789abcdef" for digit in student):
        raise BadQuestion("student must be the pseudonym of an answer; to search by a student key, POST it to …/find")
    return student
