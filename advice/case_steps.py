"""The steps of a case and how they follow one another: a warning is accepted, or not; help begins, is looked back on,
and the case is closed. Pure; what is kept of it, `advice.cases` knows.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Literal, NamedTuple, get_args

import msgspec

from advice.positions import Place
from database.newest import place_of
from database.withdrawal import NamesSomebody
from errors import Category, GradewatchError
from preprocessing.validation.pii import names_somebody

Done = Literal["talked", "accepted", "not_applicable", "wrong", "helped", "reviewed", "closed", "note"]
"""What a step says. Somebody talked to the student; the warning is accepted, does not apply (help is there already) or
is wrong; help of a kind begins, or is known of; it was looked back on; the case is closed; or only what the text says.
"""

DONE: tuple[Done, ...] = get_args(Done)

Stage = Literal["noted", "accepted", "helping", "review_due", "reviewed", "closed"]
"""Where a case stands: nothing decided; accepted; help goes on; its end has passed and nobody has looked back; somebody
has; closed, as it also is where a warning did not apply or was wrong."""

CASE_STAGES: tuple[Stage, ...] = get_args(Stage)

STAGE_AFTER: dict[Done, Stage] = {
    "accepted": "accepted",
    "not_applicable": "closed",
    "wrong": "closed",
    "helped": "helping",
    "reviewed": "reviewed",
    "closed": "closed",
}

NEEDS_TEXT: dict[Done, str] = {
    "note": "a note needs a text",
    "not_applicable": "a warning that does not apply needs a reason, as a text",
    "wrong": "a wrong warning needs a reason, as a text",
    "reviewed": "a review needs what came of the help, as a text",
}

LONGEST_NOTE = 1_000
"""Letters: a note is no file on somebody."""

LONGEST_OF_HELP = 60
"""Letters of a dose or an owner."""


class BadStep(GradewatchError):
    """A step that says nothing, too much, or what does not follow from the steps before."""

    category = Category.INVALID


class HelpGiven(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Help of a kind. kind: an entry of the catalogue. start, end: the first and last day; the end may be open. dose:
    how much of it ("2 x 45 minutes a week"). owner: who sees to it, as a role or an account."""

    kind: str
    start: date
    end: date | None = None
    dose: str = ""
    owner: str = ""


class CaseAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What had been answered about the student when somebody acted: under which id, when, about which target, the
    chance of ending below its pass mark, and by which model."""

    prediction: str
    at: datetime
    target: str
    value: float | str | None
    below_pass: float | None
    model: str


class CaseStep(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was done, or a note. text: in words that name nobody. group, period: where; to whoever is confined
    to groups it is shown there alone. answer: None where the newest prediction answered nothing. help: of a step
    "helped" of which more is known."""

    id: str
    at: datetime
    actor: str
    done: Done
    text: str = ""
    group: str | None = None
    period: str | None = None
    answer: CaseAnswer | None = None
    help: HelpGiven | None = None

    @property
    def place(self) -> str:
        """Of which case it is: one of a student in a group and period; of school weeks all are one."""
        return place_of(self.group, self.period)

    @property
    def began(self) -> date:
        """The day from which on it may have changed something."""
        return self.help.start if self.help else self.at.date()


class NewStep(NamedTuple):
    """What somebody wants to be kept. target: whose answer it follows; the first with a pass mark if none. place: the
    student's group and period; that of the newest answer if none. at: when it was, where it is told later."""

    done: Done
    text: str = ""
    target: str | None = None
    place: Place | None = None
    help: HelpGiven | None = None
    at: datetime | None = None


def checked_text(step: NewStep, kinds: Iterable[str] = ()) -> str:
    """The text as it is kept. kinds: of help, of the catalogue. Raises BadStep, NamesSomebody."""
    text = " ".join(step.text.split())
    if step.done in NEEDS_TEXT and not text:
        raise BadStep(NEEDS_TEXT[step.done])
    if len(text) > LONGEST_NOTE:
        raise BadStep(f"the note has {len(text):,} letters; at most {LONGEST_NOTE:,} are kept")
    _require_nobody(text)
    if step.help is not None:
        _check_help(step.done, step.help, kinds)
    return text


def _check_help(done: Done, given: HelpGiven, kinds: Iterable[str]) -> None:
    if done != "helped":
        raise BadStep(f"help of a kind is of a step 'helped', not of {done!r}")
    if given.kind not in (known := tuple(kinds)):
        raise BadStep(f"the catalogue has no kind of help {given.kind!r:.80}; it has {', '.join(known)}")
    if given.end is not None and given.end < given.start:
        raise BadStep(f"the help ends on {given.end}, before it begins on {given.start}")
    for name in ("dose", "owner"):
        words = getattr(given, name)
        if len(words) > LONGEST_OF_HELP:
            raise BadStep(f"{name} has {len(words):,} letters; at most {LONGEST_OF_HELP} are kept")
        _require_nobody(words)


def _require_nobody(text: str) -> None:
    if found := names_somebody(text):
        raise NamesSomebody(f"the note holds {found}: say it without; it stands beside the student's pseudonym")


def check_follows(step: CaseStep, known: Iterable[CaseStep]) -> None:
    """Raises BadStep where a step does not follow from the others in its place, of which any may be later."""
    before = [one for one in known if one.place == step.place and one.at <= step.at]
    stage = stage_of(before, step.at.date())
    if step.done == "reviewed" and not any(one.done == "helped" for one in before):
        raise BadStep("there is no help to look back on")
    if step.done == "closed" and stage in ("noted", "closed"):
        raise BadStep("there is no open case to close")
    if step.done == "accepted" and stage not in ("noted", "closed"):
        raise BadStep("the warning is accepted already")


def stage_of(steps: Iterable[CaseStep], today: date) -> Stage:
    """Where a case stands by its steps in one place, in any order."""
    stage: Stage = "noted"
    last: CaseStep | None = None
    for one in sorted(steps, key=_when):
        if one.done in STAGE_AFTER:
            stage, last = STAGE_AFTER[one.done], one
    ended = last is not None and last.help is not None and last.help.end is not None and last.help.end < today
    return "review_due" if stage == "helping" and ended else stage


def newest_first(steps: Iterable[CaseStep]) -> tuple[CaseStep, ...]:
    """By when they were done."""
    return tuple(sorted(steps, key=_when, reverse=True))


def _when(step: CaseStep) -> tuple[datetime, str]:
    return step.at, step.id


HELP: tuple[Done, ...] = ("talked", "helped")
"""Steps that are help."""


def helps(step: CaseStep) -> bool:
    """Whether a step is help."""
    return step.done in HELP


class CaseState(msgspec.Struct, frozen=True, kw_only=True):
    """Where the case of a student in a group and period stands since its newest step; of school weeks all are one case,
    told by that of the newest step. help: the newest."""

    group: str | None
    period: str | None
    stage: Stage
    since: datetime
    help: HelpGiven | None = None


def states_of(steps: Sequence[CaseStep], today: date) -> tuple[CaseState, ...]:
    """Of each group and period, the one with the newest step first."""
    by_place: dict[str, list[CaseStep]] = {}
    for one in newest_first(steps):
        by_place.setdefault(one.place, []).append(one)
    return tuple(
        CaseState(
            group=there[0].group,
            period=there[0].period,
            stage=stage_of(there, today),
            since=there[0].at,
            help=next((one.help for one in there if one.help), None),
        )
        for there in by_place.values()
    )
