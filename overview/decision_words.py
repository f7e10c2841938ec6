"""What a decision on a challenger asked, in sentences with what was found: for the feed and the page alike. It decides
nothing.
"""

from collections.abc import Mapping, Sequence

from language import _, worded
from language.format import count, number
from model.decision import Condition, ConditionName, PromotionDecision, SliceGain

CONDITION_MARKS = {True: "✓", False: "✗", None: "?"}
"""Whether a condition holds; the last: it was not looked at."""


def told_unit(unit: str) -> str:
    """A unit of errors as it is said."""
    return _("levels") if unit == "levels" else worded(unit)


def condition_lines(decision: PromotionDecision) -> Sequence[str]:
    """Every condition that was asked, in the order in which it was, behind its mark."""
    told = condition_words(decision)
    return [f"{CONDITION_MARKS[one.met]} {told[one.name]}" for one in decision.conditions]


def condition_words(decision: PromotionDecision) -> Mapping[ConditionName, str]:
    """Each condition of a decision as a sentence with what was found."""
    by_name: Mapping[ConditionName, Condition] = {one.name: one for one in decision.conditions}

    def found(name: ConditionName, digits: int = 2, *, signed: bool = False) -> dict[str, str]:
        one = by_name.get(name)
        known = {"found": one.found, "asked": one.asked} if one else {"found": None, "asked": None}
        told = {key: "?" if value is None else number(value, digits) for key, value in known.items()}
        return told | ({"found": number(known["found"] or 0.0, digits, signed=True)} if signed else {})

    worse = ", ".join(dict.fromkeys(told_slice(part) for part in decision.slices if part.worse))
    unit = f" {told_unit(decision.unit)}" if decision.unit else ""
    groups = _("No group of students is surely worse off ({n} looked at)").format(
        n=count(len({(part.column, part.value) for part in decision.slices}))
    )
    groups = _("No group of students is surely worse off: {who}").format(who=worse) if worse else groups
    return {
        "made": _("The challenger could be trained"),
        "size": _("Small enough: {found} of {asked} MB").format(**_megabytes(found("size", 1))),
        "rows": _("Enough new students: {found} of {asked}").format(**found("rows", 0)),
        "clusters": _("From more than one group or student: {found}").format(**found("clusters", 0)),
        "outcomes differ": _("Their outcomes are not all the same: {found} different ones").format(
            **found("outcomes differ", 0)
        ),
        "outcomes agree": _("Their outcomes do not run against the answers of the model in use"),
        "differences vary": _("The gain is not the very same for everybody"),
        "gain": _("Nearer by more than {asked}{unit}: {found}").format(**found("gain", 3, signed=True), unit=unit),
        "not luck": _("Not luck: the gain is above 0 at its lower bound ({found})").format(
            **found("not luck", 3, signed=True)
        ),
        "no slice worse": groups,
        "follows outcomes": _("Its answers go along with the outcomes"),
        "plain rule": _("The plain rule is not surely nearer"),
        "same champion": _("Nobody else had taken over meanwhile"),
    }


def _megabytes(told: Mapping[str, str]) -> dict[str, str]:
    """The same, but never nought for what takes some room."""
    return {**told, "found": f"<{number(0.1)}" if told["found"] == "0" else told["found"]}


def told_slice(part: SliceGain) -> str:
    """A slice of students by its column and value."""
    return f"{part.column.lstrip('_')} {part.value}"
