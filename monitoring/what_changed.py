"""What changed for students since a time, or would by another model: whose answer moved, by how much, by new data, by
another model; and who is warned of by these and by another warning policy.

Every part is exact, for the models of then and of now are asked again. It changes nothing and logs no answer.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain, pairwise
from statistics import fmean
from typing import NamedTuple

import msgspec

from clock import now
from database.newest import OF_ALL, AskedAbout, NewestAnswer, SilentAnswer, Which, place_of
from database.records import Answer, ChampionKey, ModelVersion, Prediction
from database.store import MOST_IN_PASSING, RecordStore
from model.pauses import RULE_OF, pause_of, pauses
from model.readable import least_move, said_about
from model.workspace import Workspace
from monitoring.moves import BeforeAfter, Move, PastModels, move_of, then_said, with_parts
from monitoring.warning_lists import ANSWERS_A_PAGE, WarningList, cause_of, choose
from monitoring.warning_policy import WarningPolicy, policy_until
from preprocessing.schema import DomainSchema, Target

A_WEEK = timedelta(days=7)


class CrossedBy(msgspec.Struct, frozen=True):
    """Students who came onto the list of those to warn of, or left it, by what."""

    data: int
    model: int
    policy: int


class ChangedStudent(msgspec.Struct, frozen=True, kw_only=True):
    """A student (a pseudonym) whose answer moved. at, moment: of the row of now. warned: before, and now."""

    student: str
    group: str | None
    period: str | None
    at: datetime
    moment: str
    move: Move
    warned: tuple[bool, bool]


class WhatChanged(msgspec.Struct, frozen=True, kw_only=True):
    """What changed about a target since a time.

    version: of the model that would answer, beside the champion of this generation; None: those in use do. students:
    who has a newest answer; new: of these who had none before; silent: who had, or has, no value; compared: all others;
    lost: of these whose model of before is gone, so that their moves are not split. moved: by as much as is told. by:
    the mean move, by_data and by_model its parts. entering, leaving: the list of those to warn of, by threshold and
    capacity, whoever was told already. largest: the largest moves. behind: whether newer answers wait to be looked at,
    so that this is of before.
    """

    domain: str
    target: str
    unit: str
    since: datetime
    version: str | None
    generation: int | None
    students: int
    new: int
    silent: int
    compared: int
    lost: int
    moved: int
    by: float | None
    by_data: float | None
    by_model: float | None
    entering: CrossedBy
    leaving: CrossedBy
    largest: tuple[ChangedStudent, ...]
    behind: bool = False


class _Student(NamedTuple):
    """A newest answer and the one before the time that is asked for. answers: of then; of the model of then about the
    row of now; of now."""

    newest: Prediction
    before: Prediction | None
    answers: tuple[Answer | None, Answer | None, Answer | None]


def what_changed(
    workspace: Workspace,
    schema: DomainSchema,
    target: Target,
    since: datetime,
    which: Which = OF_ALL,
    *,
    most: int = 20,
    model: ModelVersion | None = None,
    serving_then: bool = False,
) -> WhatChanged:
    """What changed since then for students whom the newest answers are about. most: of the largest moves. model: a
    version that would answer at its moment in the place of the one in use: then only that is compared. serving_then:
    what was said is what the models that served at that time say of the row of then, whichever had answered it: so that
    of two times one after the other nothing is told twice."""
    store, models = workspace.store, PastModels(workspace.store, workspace.artifacts)
    present = WarningList(store, schema, target, which, workspace.objections)
    since = now() if model is not None else since
    compared = _Compared(workspace.store, models, schema, target, since, model, serving_then=serving_then)
    students = [one for page in _pages(present) for one in compared.students(page)]
    moves = {
        one.newest.id: move
        for one in students
        if (pair := _pair(one)) and (move := move_of(target, pair, one.answers[1])) is not None
    }
    policies = policy_until(store, schema.name, target.name, since), present.policy
    lists = _lists(target, students, policies)
    told = [one for one in moves.values() if one.by_data is not None and one.by_model is not None]
    new = sum(one.before is None for one in students)
    return WhatChanged(
        domain=schema.name,
        target=target.name,
        unit=target.unit or ("levels" if target.levels else ""),
        since=since,
        version=model.version if model else None,
        generation=generation_of(store, model.key) if model else None,
        students=len(students),
        new=new,
        silent=len(students) - new - len(moves),
        compared=len(moves),
        lost=len(moves) - len(told),
        moved=sum(abs(one.by) >= least_move(target) for one in moves.values()),
        by=fmean(one.by for one in told) if told else None,
        by_data=fmean(one.by_data or 0.0 for one in told) if told else None,
        by_model=fmean(one.by_model or 0.0 for one in told) if told else None,
        entering=_crossed([b - a for a, b in pairwise(lists)]),
        leaving=_crossed([a - b for a, b in pairwise(lists)]),
        largest=tuple(_largest(models, schema, target, students, moves, lists, most)),
        behind=store.newest_behind() > MOST_IN_PASSING,
    )


def _largest(
    models: PastModels,
    schema: DomainSchema,
    target: Target,
    students: Iterable[_Student],
    moves: Mapping[str, Move],
    lists: Sequence[set[str]],
    most: int,
) -> Iterator[ChangedStudent]:
    there = [one for one in students if one.newest.id in moves and moves[one.newest.id].by]
    there.sort(key=lambda one: (-abs(moves[one.newest.id].by), one.newest.student or ""))
    for one in there[:most]:
        newest, pair = one.newest, _pair(one)
        assert pair is not None  # noqa: S101 - it has moved
        yield ChangedStudent(
            student=newest.student or "",
            group=newest.group,
            period=newest.period,
            at=newest.at,
            moment=newest.moment,
            move=with_parts(models, schema, target, pair, moves[newest.id]),
            warned=(newest.id in lists[0], newest.id in lists[-1]),
        )


def _pair(one: _Student) -> BeforeAfter | None:
    said = one.answers[2]
    return None if one.before is None or said is None else BeforeAfter(one.before, one.newest, said)


# Who is compared with what --------------------------------------------------------------------------------------------


def _pages(present: WarningList) -> Iterator[list[NewestAnswer | SilentAnswer]]:
    waiting: list[NewestAnswer | SilentAnswer] = []
    for one in chain[NewestAnswer | SilentAnswer](present.answers(), present.silent()):
        waiting.append(one)
        if len(waiting) == ANSWERS_A_PAGE:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


class _Compared:
    """Answers of then and of now, about one target."""

    def __init__(
        self,
        store: RecordStore,
        models: PastModels,
        schema: DomainSchema,
        target: Target,
        since: datetime,
        model: ModelVersion | None,
        *,
        serving_then: bool,
    ) -> None:
        self._store, self._models, self._schema, self._target, self._since = store, models, schema, target, since
        self._serving = _serving(store, schema, target)
        self._before = _served(store, schema, target, since) if serving_then else None
        self._instead = None if model is None else self._serving | {model.moment: model.version}

    def students(self, places: Sequence[NewestAnswer | SilentAnswer]) -> Iterator[_Student]:
        """The students of some newest answers."""
        newest, earlier = self._read(places)
        said = self._answers(newest, self._serving)
        if self._instead is not None:
            earlier = {
                one.id: one if answer is None else msgspec.structs.replace(one, answers=(answer,))
                for one, answer in zip(newest, said, strict=True)
            }
            said = self._answers(newest, self._instead)
        elif self._before is not None:
            earlier = self._as_served(earlier, self._before)
        known = [
            BeforeAfter(earlier[one.id], one, answer)
            for one, answer in zip(newest, said, strict=True)
            if one.id in earlier and answer is not None
        ]
        middles = then_said(self._models, self._schema, self._target, known)
        between = {pair.after.id: middle for pair, middle in zip(known, middles, strict=True)}
        for one, answer in zip(newest, said, strict=True):
            before = earlier.get(one.id)
            then = said_about(before, self._target) if before else None
            yield _Student(one, before, (then, between.get(one.id, answer), answer))

    def _as_served(self, earlier: Mapping[str, Prediction], serving: Mapping[str, str]) -> dict[str, Prediction]:
        """Predictions as those who served at the time would have answered them."""
        rows = list(earlier.values())
        then = dict(zip((one.id for one in rows), self._answers(rows, serving), strict=True))
        return {
            newest: msgspec.structs.replace(one, at=self._since, answers=(answer,))
            for newest, one in earlier.items()
            if (answer := then[one.id]) is not None
        } | {newest: one for newest, one in earlier.items() if then[one.id] is None}

    def _read(self, places: Sequence[NewestAnswer | SilentAnswer]) -> tuple[list[Prediction], dict[str, Prediction]]:
        """The newest predictions, and by their ids the last ones from before that time: the same, where they are
        older."""
        asked: dict[tuple[str, str], list[AskedAbout]] = defaultdict(list)
        for one in self._store.asked_about(self._schema.name, sorted({place.student for place in places})):
            if one.at < self._since:
                asked[one.about].append(one)
        last = {about: max(there, key=lambda one: one.age).prediction for about, there in asked.items()}
        before = {one.prediction: last.get((one.student, place_of(one.group, one.period))) for one in places}
        wanted = dict.fromkeys([*before, *(one for one in before.values() if one)])
        known = {one.id: one for one in self._store.predictions_of(list(wanted))}
        newest = [known[one] for one in before if one in known]
        return newest, {one.id: known[old] for one in newest if (old := before[one.id]) is not None and old in known}

    def _answers(self, rows: Sequence[Prediction], serving: Mapping[str, str]) -> list[Answer | None]:
        """What is said of rows by whoever is `serving` at their moments: as it was logged, or asked again."""
        found = [said_about(one, self._target) for one in rows]
        again: dict[str, list[int]] = defaultdict(list)
        for place, one in enumerate(rows):
            version, logged = serving.get(one.moment), found[place]
            if version is not None and (logged is None or logged.model != version):
                again[version].append(place)
        for version, places in again.items():
            answers = self._models.answer(version, [rows[place].inputs for place in places])
            for place, answer in zip(places, answers or (), strict=answers is not None):
                found[place] = answer
        return found


def _serving(store: RecordStore, schema: DomainSchema, target: Target) -> dict[str, str]:
    """Who answers at each moment; while paused the plain rule of it."""
    paused = pause_of(pauses(store), schema.name)
    begin = RULE_OF if paused is not None and paused.answers == "plain rule" else ""
    about = schema.name, target.name
    return {one.moment: f"{begin}{one.version}" for one in store.champions() if (one.domain, one.target) == about}


def _served(store: RecordStore, schema: DomainSchema, target: Target, at: datetime) -> dict[str, str]:
    """Who answered at each moment at a time, while nothing was paused."""
    found = {}
    for moment in schema.moments:
        history = store.successions(ChampionKey(schema.name, target.name, moment))
        if before := [one.version for one in history if one.at <= at]:
            found[moment] = before[-1]
    return found


# Who is warned of by what ---------------------------------------------------------------------------------------------


def _lists(
    target: Target, students: Sequence[_Student], policies: tuple[WarningPolicy, WarningPolicy]
) -> list[set[str]]:
    """Whom is warned of, by their newest predictions: then; with the data of now; with the models of now; and by the
    policy of now. Whoever was told already is asked of none."""
    found = []
    for policy, place in ((policies[0], 0), (policies[0], 1), (policies[0], 2), (policies[1], 2)):
        causes = [cause_of(one.newest, one.answers[place], target, policy) for one in students]
        found.append({one.prediction for one in choose(policy, [one for one in causes if one is not None], {})})
    return found


def _steps(lists: Sequence[set[str]]) -> Iterator[tuple[set[str], set[str]]]:
    yield from pairwise(lists)


def _crossed(crossed: Sequence[set[str]]) -> CrossedBy:
    return CrossedBy(*(len(one) for one in crossed))


def generation_of(store: RecordStore, key: ChampionKey) -> int:
    """Of the champion that a model would take the place of; 0 for none."""
    return next((one.generation for one in store.champions() if one.key == key), 0)
