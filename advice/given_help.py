"""Help as a school's system exports it, as steps of cases: with its kind, first and last day and dose, where an answer
about the student stood before it began.

What is no step of a case is told by its reason; it stays what was observed of the student (`database.observing`).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from advice.advise import NothingKnown
from advice.case_steps import BadStep, CaseStep, HelpGiven, NewStep
from advice.cases import Writer, case_of, keep_steps, make_step
from clock import now
from database.store import RecordStore
from errors import GradewatchError
from preprocessing.schema import DomainSchema, fold

GIVEN_STATES = frozenset({"active", "done", "stopped"})
"""Of help that began; planned help may never, and declined help did not."""


class ExportedHelp(NamedTuple):
    """Help of a student (a pseudonym). kind: the source's word for it; doses: how many were planned, and given."""

    student: str
    kind: str
    begin: date
    end: date | None
    planned: float | None
    delivered: float | None
    state: str | None


class HelpInCases(NamedTuple):
    """new, known: how many became steps of cases, and were before. left: by reason how many are none."""

    new: int
    known: int
    left: Mapping[str, int]

    @property
    def told(self) -> str:
        """In words.

        >>> HelpInCases(2, 1, {"nobody was answered about the student before it began": 3}).told
        'interventions: 2 are new in cases, 1 were known; kept as observations alone: 3 (nobody was answered about the \
student before it began)'
        """
        left = "; ".join(f"{count:,} ({reason})" for reason, count in sorted(self.left.items()))
        kept = f"; kept as observations alone: {left}" if left else ""
        return f"interventions: {self.new:,} are new in cases, {self.known:,} were known{kept}"


def take_help(
    store: RecordStore, schema: DomainSchema, given: Iterable[ExportedHelp], by: Writer, *, dry: bool = False
) -> HelpInCases:
    """Keep what began as steps of cases; the same again changes nothing, and what is told otherwise later, such as its
    end, is a step behind the first. dry: only count."""
    kinds = {fold(kind): kind for kind in by.kinds}
    new, known, left = 0, 0, Counter[str]()
    for one in given:
        try:
            step = _step(store, schema, one, by, kinds)
        except NothingKnown:
            left["nobody was answered about the student before it began"] += 1
        except GradewatchError as error:
            left[str(error)] += 1
        else:
            new, known = new + (step is not None), known + (step is None)
            if step is not None and not dry:
                keep_steps(store, schema.name, one.student, [step])
    return HelpInCases(new, known, left)


def _step(
    store: RecordStore, schema: DomainSchema, one: ExportedHelp, by: Writer, kinds: Mapping[str, str]
) -> CaseStep | None:
    """The step that says it; None where one does."""
    if one.state not in GIVEN_STATES:
        raise BadStep(f"it is {one.state or 'in no state'}, so that nothing has begun")
    if fold(one.kind) not in kinds:
        raise BadStep(f"the catalogue has no kind of help {one.kind!r:.80}")
    if one.begin > now().date():
        raise BadStep("it begins later")
    help_ = HelpGiven(kind=kinds[fold(one.kind)], start=one.begin, end=one.end, dose=_dose(one))
    text = "stopped" if one.state == "stopped" else ""
    told = [
        step for step in case_of(store, schema.name, one.student).steps
        if step.help and (step.help.kind, step.help.start) == (help_.kind, help_.start)
    ]  # fmt: skip
    if told and (told[0].help, told[0].text) == (help_, text):
        return None
    first = datetime.combine(one.begin, datetime.max.time().replace(microsecond=0), tzinfo=UTC)
    at = max([first, *(step.at + timedelta(seconds=1) for step in told)])
    return make_step(store, schema, one.student, NewStep("helped", text, None, None, help_, at), by)


def _dose(one: ExportedHelp) -> str:
    """How much of it.

    >>> _dose(ExportedHelp("a", "tutoring", date(2026, 9, 21), None, 8.0, 5.0, "active"))
    '5 of 8 given'
    """
    if one.delivered is None:
        return "" if one.planned is None else f"{one.planned:g} planned"
    return f"{one.delivered:g} given" if one.planned is None else f"{one.delivered:g} of {one.planned:g} given"
