"""The newest answer of each student, on SQL: how it is kept and asked for, on a connection that `database.sql` lends.

PostgreSQL keeps it as predictions come. SQLite, where that would cost a commit as much as all else, afterwards: a few
when they are asked for, many when a job has them looked at. Its rows are numbered in the order of their commits, and it
remembers the last one that it has looked at, with what is found there or after it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from clock import new_id
from database.layout import instant, keyed, micros, parts, unpack_answers, unpack_chances
from database.newest import (
    NEWER_BY,
    NOWHERE,
    Chance,
    NewestAnswer,
    NewestCounts,
    NewestRow,
    Reason,
    SilentAnswer,
    Which,
    chance_of,
    chances_of,
    in_order,
    newest_of,
    place_of,
    row_of,
    rows_of,
)
from database.records import Prediction
from database.tables import IS_AMONG, NEWEST, NEWEST_UNTIL, PREDICTION_BLOCKS, PREDICTIONS
from heap import give_back_memory, no_collections

NEWEST_COLUMNS = ", ".join(f'"{name}"' for name in NewestRow._fields)
GIVEN_AGE, KEPT_AGE = (", ".join(f'{one}."{name}"' for name in NEWER_BY) for one in ("excluded", "newest"))
UPDATE = f"""
    ON CONFLICT ("domain", "student", "target", "place") DO UPDATE
    SET "group" = excluded."group", "period" = excluded."period", "at" = excluded."at",
        "prediction" = excluded."prediction", "below" = excluded."below", "why" = excluded."why"
    WHERE ({GIVEN_AGE}) > ({KEPT_AGE})
"""
ON_SQLITE = f"INSERT INTO newest ({NEWEST_COLUMNS}) VALUES ({', '.join('?' * len(NewestRow._fields))}) {UPDATE}"
WHERE_THERE = f"""
    INSERT INTO newest ({NEWEST_COLUMNS}) SELECT {", ".join("?" * len(NewestRow._fields))}
    WHERE EXISTS (SELECT 1 FROM predictions WHERE "id" = ?) {UPDATE}
"""
ON_POSTGRES = f"""
    INSERT INTO newest ({NEWEST_COLUMNS})
    SELECT {", ".join(f'given."{name}"' for name in NewestRow._fields)}
    FROM json_to_recordset(CAST(:rows AS json)) AS given("domain" text, "student" text, "target" text, "place" text,
        "group" text, "period" text, "at" bigint, "prediction" text, "below" double precision, "why" text)
    JOIN predictions AS kept ON kept.id = given."prediction" AND kept."at" = given."at"
    ORDER BY {", ".join(f'given."{column.name}" COLLATE "C"' for column in NEWEST.primary_key)} {UPDATE}
"""
"""In the order of keys whatever the plan is: who locks many rows locks them as all others do, and none waits in a
circle."""

UNTIL, REMOVAL = "until", "removal"
"""Names in `newest_until`: of the last prediction that was looked at, and of what changes whenever one is removed."""

COMMIT_NUMBER = sa.literal_column("predictions.rowid", sa.Integer).label("number")
MOST_FOUND = 100_000
"""Students in a place whose newest answers are held in memory until they are written, each once and by student: 100 MB,
in the process of a job. Students come in no order: of fewer, every part would change pages all over the table."""
Lent = Callable[[], AbstractContextManager[sa.Connection]]
"""Lends a connection for a while."""
OF_PREDICTIONS = tuple(
    PREDICTIONS.c[name] for name in ("id", "domain", "student", "group", "period", "at", "answers", "block", "place")
)


def keep(connection: sa.Connection, rows: Iterable[NewestRow], at_once: int) -> None:
    """Each where it is newer than what is kept of its key, or the first."""
    for part in parts(newest_of(rows), at_once):
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(ON_SQLITE, list(part))
            continue
        listed = [row._asdict() for row in part if "\0" not in row.target]  # which no text holds there, and no name has
        document = msgspec.json.encode(listed).decode()
        connection.execute(sa.text(ON_POSTGRES), {"rows": document})


class _Place(NamedTuple):
    """A row of predictions on SQLite: its number, 0 for before the first, and its id. removal: the newest one when it
    was looked up."""

    number: int
    prediction: str
    removal: str


def behind(connection: sa.Connection) -> int:
    """How many predictions came on SQLite since the last that was looked at, or more where some of them are gone."""
    newest = connection.execute(sa.select(sa.func.max(COMMIT_NUMBER)).select_from(PREDICTIONS)).scalar() or 0
    return max(0, int(newest) - _looked_at(connection).number)


def catch_up(reading: Lent, writing: Lent, at_once: int, heard: Callable[[int], object] = lambda _: None) -> int:
    """Look at what came on SQLite since somebody did, some thousand rows at a time: others write meanwhile. How many it
    were. heard: told so, again and again.

    Killed anywhere, it is done again from the last place that is remembered: what is written twice stays as it is.
    """
    looked, ended = 0, False
    while not ended:
        with reading() as connection:
            begun = last = _looked_at(connection)
        found: _Found = {}
        with no_collections():
            while not ended and len(found) < MOST_FOUND:
                with reading() as connection:
                    rows = _plain(connection.execute(_behind(last.number, at_once)))
                    _add_said(found, connection, rows)
                if rows:
                    last = last._replace(number=rows[-1][-1], prediction=rows[-1][0])
                ended, looked = len(rows) < at_once, looked + len(rows)
                heard(looked)
            if last == begun:
                break
            waiting = list(parts(newest_of(_rows_found(found)), at_once)) or [[]]
            for part in waiting:
                with writing() as connection:
                    _write(connection, part, begun)
                    if part is waiting[-1]:
                        _looked_on(connection, begun, last)
        if len(found) >= at_once:
            del found, waiting
            give_back_memory()
    return looked


def _write(connection: sa.Connection, rows: Sequence[NewestRow], begun: _Place) -> None:
    """What was found from a place on; of predictions that are gone by now, nothing."""
    if not rows:
        return
    if _named(connection, REMOVAL) == begun.removal:
        connection.exec_driver_sql(ON_SQLITE, list(rows))
    else:
        connection.exec_driver_sql(WHERE_THERE, [(*row, row.prediction) for row in rows])


def _named(connection: sa.Connection, name: str) -> str:
    which = sa.select(NEWEST_UNTIL.c.prediction).where(NEWEST_UNTIL.c.name == name)
    return connection.execute(which).scalar() or ""


def _looked_at(connection: sa.Connection) -> _Place:
    """The last row that was looked at; before the first where that row is gone, for numbers may have changed then."""
    until = _named(connection, UNTIL)
    number = connection.execute(sa.select(COMMIT_NUMBER).where(PREDICTIONS.c.id == until)).scalar() or 0
    return _Place(number, until, _named(connection, REMOVAL))


def _put(connection: sa.Connection, name: str, prediction: str) -> None:
    connection.execute(NEWEST_UNTIL.delete().where(NEWEST_UNTIL.c.name == name))
    connection.execute(NEWEST_UNTIL.insert().values(name=name, prediction=prediction))


def _behind(number: int, limit: int) -> sa.Select[Any]:
    return sa.select(*OF_PREDICTIONS, COMMIT_NUMBER).where(number < COMMIT_NUMBER).order_by(COMMIT_NUMBER).limit(limit)


def _looked_on(connection: sa.Connection, begun: _Place, last: _Place) -> None:
    """Remember the last row, unless somebody has looked further, or something was removed meanwhile: then numbers may
    have been given again."""
    present = _looked_at(connection)
    if present.removal == begun.removal and present.number < last.number:
        _put(connection, UNTIL, last.prediction)


_Said = tuple[str, int, str, str | None, tuple[Chance, ...]]
"""What one prediction said about a student: period, at and id of the prediction, by which it is newer than others, its
group, and the chance about each target."""

_Found = dict[tuple[str, str, str, tuple[str, ...]], _Said]
"""The newest that was said by domain, student, place, and targets that it was said about."""


def _plain(result: sa.CursorResult[Any]) -> list[tuple[Any, ...]]:
    """Rows as the driver has them: to wrap a million costs more than to read them."""
    rows: list[tuple[Any, ...]] = [] if result.cursor is None else result.cursor.fetchall()  # type: ignore[assignment]
    result.close()
    return rows


def _add_said(found: _Found, connection: sa.Connection, rows: Sequence[Any]) -> None:
    """Put what rows of predictions (`OF_PREDICTIONS`) say among what was `found`; those in blocks by block, of which
    only chances are read."""
    held: dict[str, tuple[list[int], list[tuple[Any, ...]]]] = {}
    for prediction, domain, student, group, period, at, answers, block, place, *_ in rows:
        if student is None:
            continue
        about = domain, student, place_of(group, period)
        when = period or NOWHERE, at, prediction, group
        if block is None:
            said = unpack_answers(prediction, answers)
            key = (*about, tuple([one.target for one in said]))
            _add_newer(found, key, (*when, tuple([chance_of(one) for one in said])))
            continue
        places, members = held.setdefault(block, ([], []))
        places.append(place)
        members.append((about, when))
    for block, (places, members) in held.items():
        body = connection.execute(sa.select(PREDICTION_BLOCKS.c.body).where(PREDICTION_BLOCKS.c.id == block)).scalar()
        columns = unpack_chances(block, body, places)
        targets = (tuple([column.target for column in columns]),)
        by_row = zip(*[chances_of(column, len(places)) for column in columns], strict=True)
        for (about, when), chances in zip(members, by_row, strict=False):
            _add_newer(found, about + targets, (*when, chances))


def _add_newer(found: _Found, key: tuple[Any, ...], said: _Said) -> None:
    known = found.get(key)
    if known is None or said > known:
        found[key] = said


def _rows_found(found: _Found) -> Iterator[NewestRow]:
    for (domain, student, _, targets), (period, at, prediction, group, chances) in found.items():
        placed = domain, student, group, period, at, prediction
        yield from (row_of(placed, target, chance) for target, chance in zip(targets, chances, strict=True))


def look_again(connection: sa.Connection, predictions: Iterable[Prediction], at_once: int) -> None:
    """At predictions that came from elsewhere; SQLite at all that are there."""
    if connection.dialect.name == "sqlite":
        _put(connection, UNTIL, "")
        _put(connection, REMOVAL, new_id())
    else:
        keep(connection, rows_of(predictions), at_once)


def step_back(connection: sa.Connection, ids: Sequence[str]) -> None:
    """Before predictions are removed on SQLite: where the last that was looked at is among them, the one before is."""
    _put(connection, REMOVAL, new_id())
    begun = _looked_at(connection)
    if begun.prediction not in ids:
        return
    before = sa.select(PREDICTIONS.c.id).where(begun.number > COMMIT_NUMBER, PREDICTIONS.c.id.not_in(ids))
    found = connection.execute(before.order_by(COMMIT_NUMBER.desc()).limit(1)).scalar()
    _put(connection, UNTIL, found or "")


def forget(connection: sa.Connection, domain: str, students: Sequence[str], at_once: int) -> None:
    """Take the answers about these students, in order, from what is left of their predictions. What comes meanwhile
    keeps its own; of those that were there all are locked first, in the order in which they are written."""
    for part in parts(students):
        mine = NEWEST.c.domain == domain, NEWEST.c.student.in_(part)
        locked = sa.select(*NEWEST.primary_key).where(*mine).order_by(*NEWEST.primary_key).with_for_update()
        known = {tuple(row) for row in connection.execute(locked)}
        for some in parts(sorted(known)):
            connection.execute(NEWEST.delete().where(*mine, sa.tuple_(*NEWEST.primary_key).in_(some)))
        left = sa.select(*OF_PREDICTIONS).where(PREDICTIONS.c.domain == domain, IS_AMONG[PREDICTIONS.c.student])
        found: _Found = {}
        _add_said(found, connection, connection.execute(left, keyed(part)).all())
        keep(connection, (row for row in _rows_found(found) if in_order(row) in known), at_once)


def forget_until(connection: sa.Connection, first: str, end: str) -> None:
    """Take away answers that are the newest and go with a part of the log, ids from first to before end: nothing that
    is younger is there about these students, and what is older goes, too."""
    connection.execute(NEWEST.delete().where(NEWEST.c.prediction >= first, NEWEST.c.prediction < end))


def asked(domain: str, target: str, which: Which) -> list[sa.ColumnElement[bool]]:
    """The answers that a question is about."""
    wanted = [NEWEST.c.domain == domain, NEWEST.c.target == target]
    wanted += [] if which.groups is None else [NEWEST.c.group.in_(which.groups)]
    wanted += [] if which.period is None else [NEWEST.c.period == which.period]
    wanted += [] if which.from_week is None else [NEWEST.c.period >= which.from_week]
    return wanted if which.since is None else [*wanted, NEWEST.c.at >= micros(which.since)]


def page(
    wanted: Sequence[sa.ColumnElement[bool]], before: NewestAnswer | None, least: float, limit: int
) -> sa.Select[Any]:
    """The likeliest to end below the pass mark first."""
    order = [NEWEST.c[name] for name in ("below", "student", "group", "period")]
    statement = sa.select(*order, NEWEST.c.prediction, NEWEST.c.at).where(*wanted, NEWEST.c.below >= least)
    if before is not None:
        last = before.below, before.student, before.group or NOWHERE, before.period or NOWHERE
        statement = statement.where(sa.tuple_(*order) < sa.tuple_(*map(sa.literal, last)))
    return statement.order_by(*(column.desc() for column in order)).limit(limit)


def answer_of(row: Any) -> NewestAnswer:
    """A row of `page`."""
    return NewestAnswer(row.student, row.group or None, row.period or None, row.prediction, instant(row.at), row.below)


def silent(
    wanted: Sequence[sa.ColumnElement[bool]], why: Reason | None, after: SilentAnswer | None, limit: int
) -> sa.Select[Any]:
    """Those without a chance, by student. The chance is among what they are ordered by, for the index has it first."""
    order = [NEWEST.c[name] for name in ("student", "group", "period")]
    statement = sa.select(*order, NEWEST.c.prediction, NEWEST.c.at, NEWEST.c.why).where(*wanted)
    statement = statement.where(NEWEST.c.below.is_(None))
    if why is not None:
        statement = statement.where(NEWEST.c.why == why)
    if after is not None:
        last = after.student, after.group or NOWHERE, after.period or NOWHERE
        statement = statement.where(sa.tuple_(*order) > sa.tuple_(*map(sa.literal, last)))
    return statement.order_by(NEWEST.c.below, *order).limit(limit)


def silent_answer_of(row: Any) -> SilentAnswer:
    """A row of `silent`."""
    return SilentAnswer(row.student, row.group or None, row.period or None, row.prediction, instant(row.at), row.why)


def counts(
    connection: sa.Connection, wanted: Sequence[sa.ColumnElement[bool]], least: float, but: Iterable[str]
) -> NewestCounts:
    """How many say so large a chance, and how many none, by reason; `but` those about some students, whose answers are
    read by their key."""
    said = sa.select(NEWEST.c.below, NEWEST.c.why).where(*wanted)
    left = (row for part in parts(but) for row in connection.execute(said.where(NEWEST.c.student.in_(part))))
    leaving = [(row.below, row.why) for row in left]
    number = sa.select(sa.func.count()).where(*wanted, NEWEST.c.below >= least)
    reasons = sa.select(NEWEST.c.why, sa.func.count()).where(*wanted, NEWEST.c.below.is_(None)).group_by(NEWEST.c.why)
    without = {row[0]: row[1] for row in connection.execute(reasons)}
    return NewestCounts(int(connection.execute(number).scalar_one()), without).less(leaving, least)
