"""What was decided about a challenger: records, and how they are read back from the store.

Nothing is decided here (that is `retraining.policy`'s), and nothing is drawn.
"""

import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal

import msgspec

from database.records import DecisionRecord
from language.ending_words import plain_ending_words
from model.scores import Estimate, PairedGain

Verdict = Literal["promote", "shadow", "keep"]
Winner = Literal["challenger", "plain rule"]
ConditionName = Literal[
    "made", "size", "rows", "clusters", "outcomes differ", "outcomes agree", "differences vary",
    "gain", "not luck", "no slice worse", "follows outcomes", "plain rule", "same champion",
]  # fmt: skip

COMPARED: Mapping[ConditionName, Callable[[float, float], bool]] = {
    "size": operator.le,
    "rows": operator.ge,
    "clusters": operator.ge,
    "outcomes differ": operator.ge,
    "outcomes agree": operator.le,
    "gain": operator.gt,
    "not luck": operator.gt,
    "no slice worse": operator.le,
    "follows outcomes": operator.gt,
    "plain rule": operator.le,
}
"""How what was found has to stand to what is asked; the other conditions compare no two figures."""


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a promotion asks. met: None where it was not looked at, since one before it had decided.

    found, asked: what was compared: the graph's megabytes; rows that count, clusters, or different outcomes; the lower
    bound of how far outcomes run against the champion's answers; the gain, and its lower bound; slices that get worse;
    the lower bound of how far the answers follow the outcomes; that of how much nearer the plain rule is.
    """

    name: ConditionName
    met: bool | None = None
    found: float | None = None
    asked: float | None = None


def compared(name: ConditionName, found: float, asked: float) -> Condition:
    """A condition about two figures.

    >>> compared("gain", 0.19, 0.01).met
    True
    """
    return Condition(name=name, met=bool(COMPARED[name](found, asked)), found=float(found), asked=float(asked))


class SliceGain(msgspec.Struct, frozen=True, kw_only=True):
    """The gain within one slice of students; worse: credibly so, by more than the policy allows.

    about: "miss", of all rows of the slice how much smaller the error is; "found", of those whose outcome failed how
    much larger a share is answered with less than the pass mark, and so warned of.
    """

    column: str
    value: str
    gain: PairedGain
    worse: bool
    about: Literal["miss", "found"] = "miss"


def told_of_slice(part: SliceGain, *, event: bool) -> str:
    """A slice that would get worse, in words. event: whether one comes to students, where others fail."""
    who = f"{part.column.lstrip('_')} = {part.value}"
    if part.about == "found":
        who = f"{who} {plain_ending_words(event=event).who}"
        return f"of the students with {who}, {-part.gain.mean:.0%} fewer would be warned of ({part.gain.n} rows)"
    return f"students with {who} would get worse by {-part.gain.mean:.4g} ({part.gain.n} rows)"


GROUP_SLICE = "_group"
"""The column of slices that are groups of students."""


def own_slices(slices: Sequence[SliceGain], groups: Collection[str] | None) -> tuple[SliceGain, ...]:
    """Those that somebody may see who is confined to `groups`; all where that is None."""
    return tuple(one for one in slices if groups is None or one.column != GROUP_SLICE or one.value in groups)


def confined(record: DecisionRecord, groups: Collection[str] | None) -> DecisionRecord:
    """A stored decision as such a one may see it: nothing in it names another group."""
    if groups is None:
        return record
    slices = decision_of(record).slices
    own = own_slices(slices, groups)
    hidden = {told_of_slice(one, event=event) for one in slices if one not in own for event in (False, True)}
    reasons = [one for one in record.document.get("reasons", ()) if one not in hidden]
    document = {**record.document, "slices": msgspec.to_builtins(own), "reasons": reasons}
    return msgspec.structs.replace(record, document=document)


class AnswerShift(msgspec.Struct, frozen=True, kw_only=True):
    """How the answers of who would take the champion's place differ from the champion's on the same rows: counts only.

    low, step: of the bins; a bin's number times step plus low is where it begins (a level's number, for classes).
    cells: (champion's bin, the other's bin, rows). mean, largest: of the distances, in target units or levels. mark:
    what passes; rising, falling: rows whose answer is moved over it, None without such a mark.
    """

    low: float
    step: float
    cells: tuple[tuple[int, int, int], ...]
    mean: float
    largest: float
    mark: float | None = None
    rising: int | None = None
    falling: int | None = None


class PromotionDecision(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided and why. Errors are mean absolute errors in target units, with 95 % intervals, over n rows.

    left_out: unseen rows that could not judge, by reason. winner: who is promoted, where anybody is; gain, slices and
    conditions are then about them. conditions: all that was asked, in this order; none of a decision that needed no
    comparison, nor in older records. min_gain: how large a gain counts, in `unit`. shift: None in older records.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    n: int
    clusters: int
    champion_mae: Estimate | None
    challenger_mae: Estimate | None
    naive_mae: Estimate | None
    gain: PairedGain | None
    slices: tuple[SliceGain, ...] = ()
    left_out: Mapping[str, int] = {}
    winner: Winner = "challenger"
    conditions: tuple[Condition, ...] = ()
    min_gain: float | None = None
    unit: str = ""
    shift: AnswerShift | None = None

    @property
    def winner_mae(self) -> Estimate | None:
        """Of who would take the champion's place."""
        return self.naive_mae if self.winner == "plain rule" else self.challenger_mae


def decision_of(record: DecisionRecord) -> PromotionDecision:
    """A stored decision as it was made."""
    return msgspec.convert(_with_bounds(record.document), PromotionDecision)


def _with_bounds(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with those lower bounds that JSON has no word for: of a slice with too few rows, minus infinity."""
    slices = [
        {**part, "gain": {**part["gain"], "lower": float("-inf")}} if part["gain"]["lower"] is None else part
        for part in document.get("slices", ())
    ]
    return {**document, "slices": slices}
