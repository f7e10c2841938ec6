"""The students of a list by their newest answers: the likeliest to end below the pass mark first, then whoever has no
chance told, by name; each with the answer before and with what is missing in its row.

It reads what was answered, page by page, answers nobody anew and knows no name.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property, partial
from itertools import islice
from statistics import median, mode
from typing import Literal, NamedTuple, TypeVar

from database.newest import OF_ALL, AskedAbout, NewestAnswer, Reason, SilentAnswer, Which, chance_of, place_of
from database.records import Answer, Cell, Prediction
from database.store import RecordStore
from model.objections import Objections
from model.pauses import Pause
from model.readable import least_move, number_of, said_about
from monitoring.warning_lists import Warned, WarningCause, WarningList, came_before, in_order_of_need, of_present
from monitoring.warning_policy import LIKELIER_THAN_NOT, WarningPolicy
from preprocessing.schema import DomainSchema, Target

FEWEST_OTHERS = 10
"""Students beside one from whom it may be told what is usual."""

Shown = Literal["all", "warned", "guess", "unanswered"]
"""Who is in a list: all, those whom the policy in use warns of, those about whom an answer was a guess, those without
one."""

SILENT_OF: dict[Shown, Reason] = {"guess": "out_of_range", "unanswered": "insufficient"}

P = TypeVar("P", NewestAnswer, SilentAnswer)

ListPlace = NewestAnswer | SilentAnswer | WarningCause
"""Where a page of a list ends, and the next one begins."""


class ListedStudent(NamedTuple):
    """A student (a pseudonym) in a group and period. said: the newest prediction. silent: why it tells no chance.

    earlier: the prediction before. fresh: whether the student gives cause to warn, and did not before the time that was
    asked for; False where no time was. warned: whether the policy in use warns of the student; level: of urgency, where
    it parts any.
    """

    student: str
    group: str | None
    period: str | None
    said: Prediction
    answer: Answer
    silent: Reason | None = None
    earlier: Prediction | None = None
    fresh: bool = False
    warned: bool = False
    level: str | None = None

    def change(self, target: Target) -> float | None:
        """How far the answer moved since the one before, in target units or levels; None where one of both is none."""
        now, before = number_of(self.answer, target), self.earlier and said_about(self.earlier, target)
        then = number_of(before or None, target)
        return None if now is None or then is None else now - then

    def moved(self, target: Target) -> bool:
        """Whether the answer moved so far that it is told."""
        change = self.change(target)
        return change is not None and abs(change) >= least_move(target) - 1e-9


class ListPage(NamedTuple):
    """Students in the order of the list. next: where the next page begins; None on the last one."""

    students: list[ListedStudent]
    next: ListPlace | None


class ListCounts(NamedTuple):
    """Of how many students the newest answer says what. likely: of `ranked`, which have a chance, those who are
    likelier than not to end below the pass mark. unranked: those without one, by reason. warned: whom the policy in use
    warns of. paused: that the plain rule, or nobody, answers meanwhile."""

    likely: int
    ranked: int
    unranked: dict[Reason, int]
    warned: int
    policy: WarningPolicy
    paused: Pause | None

    @property
    def students(self) -> int:
        """All of them."""
        return self.ranked + sum(self.unranked.values())


class StudentLists:
    """The lists of students about one target. which: whose answers. objected: who is in no list, and not counted."""

    def __init__(
        self,
        store: RecordStore,
        schema: DomainSchema,
        target: Target,
        which: Which = OF_ALL,
        objected: Objections | None = None,
    ) -> None:
        self._log = store
        self._target = target
        self._about = (schema.name, target.name, of_present(store, schema, which))
        self._objected = objected
        self.warnings = WarningList(store, schema, target, which, objected or ())

    @cached_property
    def _warned(self) -> dict[str, Warned] | None:
        """By prediction, in their order; None where a large enough chance is all that is asked."""
        if self.warnings.by_chance_alone:
            return None
        return {one.cause.prediction: one for one in self.warnings.warned()}

    def counts(self) -> ListCounts:
        """How many students there are."""
        count = partial(self._log.count_newest, *self._about, but=self._objected.students if self._objected else ())
        known, likely = count(), count(least=LIKELIER_THAN_NOT).known
        warned = count(least=self.warnings.policy.threshold).known if self._warned is None else len(self._warned)
        how = self.warnings.policy, self.warnings.paused
        return ListCounts(likely, known.known, dict(known.without), warned, *how)

    def page(
        self, shown: Shown = "all", *, after: ListPlace | None = None, limit: int = 100, since: datetime | None = None
    ) -> ListPage:
        """So many students of a list. since: from when on somebody is new among those who give cause to warn."""
        found: list[ListPlace] = []
        if shown == "warned":
            found += self._warned_of(after if isinstance(after, WarningCause) else None, limit)
        elif shown == "all" and not isinstance(after, SilentAnswer):
            found += self._ranked(0.0, after if isinstance(after, NewestAnswer) else None, limit)
        if shown != "warned" and len(found) < limit:
            silent = partial(self._log.silent_answers, *self._about, why=SILENT_OF.get(shown))
            behind = after if isinstance(after, SilentAnswer) else None
            found += without_objected(
                lambda behind, few: silent(after=behind, limit=few), behind, limit - len(found), self._objected or ()
            )
        return ListPage(self._listed(found, since), found[-1] if len(found) == limit else None)

    def ranked(self, least: float, after: NewestAnswer | None, limit: int) -> ListPage:
        """So many students with a chance of `least` or more of ending below the pass mark."""
        found = self._ranked(least, after, limit)
        return ListPage(self._listed(found, None), found[-1] if len(found) == limit else None)

    def _ranked(self, least: float, after: NewestAnswer | None, limit: int) -> list[NewestAnswer]:
        ask = partial(self._log.newest_answers, *self._about, least=least)
        return without_objected(lambda before, few: ask(before=before, limit=few), after, limit, self._objected or ())

    def _warned_of(self, after: WarningCause | None, limit: int) -> list[WarningCause]:
        if self._warned is None:
            behind = None if after is None or after.below is None else NewestAnswer(*after[:5], after.below)
            return [WarningCause(*one) for one in self._ranked(self.warnings.policy.threshold, behind, limit)]
        causes = (one.cause for one in self._warned.values())
        left = (one for one in causes if after is None or in_order_of_need(one) > in_order_of_need(after))
        return list(islice(left, limit))

    def _listed(self, found: Sequence[ListPlace], since: datetime | None) -> list[ListedStudent]:
        """The students with their predictions: the newest, the one before, the last one from before `since`."""
        asked: dict[tuple[str, str], list[AskedAbout]] = {}
        students = sorted({one.student for one in found})
        for one in self._log.asked_about(self._about[0], students) if found else ():
            asked.setdefault(one.about, []).append(one)
        wanted = []
        for place in found:
            others = asked.get((place.student, place_of(place.group, place.period)), [])
            new = since is not None and place.at >= since
            old = _last(one for one in others if since is not None and new and one.at < since)
            before = _last(one for one in others if came_before(one, place))
            wanted.append((place, before, new, old))
        ids = dict.fromkeys(one for place, before, _, old in wanted for one in (place.prediction, before, old) if one)
        known = {one.id: one for one in self._log.predictions_of(list(ids))}
        made = (self._student(place, known, before, new, old) for place, before, new, old in wanted)
        return [one for one in made if one is not None]

    def _student(
        self, place: ListPlace, known: Mapping[str, Prediction], before: str | None, new: bool, old: str | None
    ) -> ListedStudent | None:
        """None where the newest prediction was taken back meanwhile."""
        said = known.get(place.prediction)
        answer = said_about(said, self._target) if said else None
        if said is None or answer is None:
            return None
        then, cause = known.get(old or ""), self.warnings.cause_in(said)
        gave_cause = then is not None and self.warnings.cause_in(then) is not None
        warned = (
            self._warned.get(said.id) if self._warned is not None else self.warnings.warning(cause) if cause else None
        )
        return ListedStudent(
            *place[:3],
            said,
            answer,
            silent=place.why if isinstance(place, SilentAnswer) else _why_silent(answer),
            earlier=known.get(before or ""),
            fresh=new and cause is not None and not gave_cause,
            warned=warned is not None,
            level=warned.level if warned else None,
        )


def _why_silent(answer: Answer) -> Reason | None:
    return chance_of(answer)[1] or None


def missing_of(one: ListedStudent, schema: DomainSchema) -> tuple[tuple[str, ...], int]:
    """The columns that a model may see at that moment and this row does not have, and how many there are in all."""
    columns = schema.inputs_at(one.said.moment)
    return tuple(column.name for column in columns if one.said.inputs.get(column.name) is None), len(columns)


def without_objected(
    ask: Callable[[P | None, int], list[P]], last: P | None, limit: int, objected: Container[str]
) -> list[P]:
    """So many answers behind the last one, of students who did not object. ask: for so many behind one."""
    found: list[P] = []
    while (wanted := limit - len(found)) > 0:
        page = ask(last, wanted)
        found += [one for one in page if one.student not in objected]
        if len(page) < wanted:
            break
        last = page[-1]
    return found


def _last(others: Iterable[AskedAbout]) -> str | None:
    """The newest of predictions about the same."""
    newest = max(others, key=lambda one: one.age, default=None)
    return newest and newest.prediction


def middles_of(students: Sequence[ListedStudent], schema: DomainSchema) -> dict[str | None, dict[str, Cell]]:
    """By group, what is usual there: of each column the middle number, or the commonest level, among the rows of these
    students. Only of groups, and columns, of which so many are known that it tells of no single one."""
    found: dict[str | None, dict[str, Cell]] = {}
    for group in {one.group for one in students}:
        rows = [one.said.inputs for one in students if one.group == group]
        middles: dict[str, Cell] = {}
        for feature in schema.features:
            known = [value for row in rows if (value := row.get(feature.name)) is not None]
            if len(known) > FEWEST_OTHERS:
                numbers = [float(one) for one in known if not isinstance(one, str)]
                middles[feature.name] = median(numbers) if numbers else mode(known)
        found[group] = middles
    return found
