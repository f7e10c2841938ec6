"""What Results says in sentences: how answers turned out, and how that stands. It draws nothing.

Every sentence is whole, and told of no fewer students than its figure is.
"""

from collections.abc import Iterator
from datetime import date, timedelta

from dashboard.figures.results import MISS_DIGITS, WEEK
from dashboard.palette import State
from drift.impact import ErrorChange
from language import _, ngettext, worded
from language.ending_words import ending_words
from language.format import count, day, interval, number, share
from monitoring.error_timeline import ErrorTimeline, TimelineSpan
from monitoring.error_timeline import Verdict as WeekVerdict
from monitoring.fairness import UNFAIR_SHARE, Fairness, GroupTreatment
from monitoring.performance import ENOUGH_OUTCOMES, FEWEST_TOLD
from monitoring.results import Results


def state_of(found: Results) -> State:
    """How the answers stand, by the gravest that is beyond chance."""
    whole, newest = found.timeline.whole, found.timeline.windows[-1:]
    if whole is None or whole.mae is None:
        return State.OPEN
    if found.whole.verdict == "worse than the plain rule" or (whole.covered and not whole.covered.kept):
        return State.ACT
    worse = any(group.verdict == "credibly worse" for cut in found.fairness.cuts for group in cut.groups)
    if worse or any(week.verdict == "worse than in training" for week in newest):
        return State.LOOK
    if found.whole.verdict == "no better than the plain rule":
        return State.LOOK
    return State.OPEN if found.whole.verdict == "not enough data" else State.GOOD


def state_sentence(found: Results) -> str:
    """The page in a few sentences."""
    whole = found.timeline.whole
    if whole is None or whole.mae is None:
        return " ".join([_too_few(whole), *_waiting(found.timeline)])
    return " ".join([*_promise(found, whole), *_misses(whole, found.timeline.unit), *_waiting(found.timeline)])


def _too_few(whole: TimelineSpan | None) -> str:
    if whole is None:
        return _("No outcome is known yet.")
    return ngettext(
        "The outcome of {n} student is known so far; figures need {fewest}, a verdict {enough}.",
        "The outcomes of {n} students are known so far; figures need {fewest}, a verdict {enough}.",
        whole.students,
    ).format(n=count(whole.students), fewest=count(FEWEST_TOLD), enough=count(ENOUGH_OUTCOMES))


def _promise(found: Results, whole: TimelineSpan) -> Iterator[str]:
    """What became of ranges; of classes how many answers were right."""
    if (held := whole.covered) is not None:
        inside = round(held.share * held.n)
        said = (
            _("Of {n} students who got a range, {inside} ended within it ({share}; {stated} was promised).")
            if whole.n == whole.students
            else _("Of {n} answers with a range, {inside} ended within it ({share}; {stated} was promised).")
        )
        yield said.format(n=count(held.n), inside=count(inside), share=share(held.share), stated=share(held.stated))
    elif (right := found.whole.accuracy) is not None:
        yield _("Of {n} answers, {share} named the right level.").format(n=count(whole.n), share=share(right.value))


def _misses(whole: TimelineSpan, unit: str) -> Iterator[str]:
    if whole.mae is None or whole.naive_mae is None:
        return
    model, rule = number(whole.mae.value, MISS_DIGITS), number(whole.naive_mae.value, MISS_DIGITS)
    yield {
        "levels": _("On average the model missed by {model} levels, the plain rule by {rule}."),
        "": _("On average the model missed by {model}, the plain rule by {rule}."),
    }.get(unit, _("On average the model missed by {model} {unit}, the plain rule by {rule}.")).format(
        model=model, rule=rule, unit=worded(unit)
    )


def _waiting(timeline: ErrorTimeline) -> Iterator[str]:
    if not timeline.waiting:
        return
    if timeline.newest is not None:
        said = _("Of the newest {newest} predictions, {n} still wait for their outcome.")
        yield said.format(newest=count(timeline.newest), n=count(timeline.waiting))
    else:
        yield ngettext(
            "{n} still waits for its outcome.", "{n} still wait for their outcome.", timeline.waiting
        ).format(n=count(timeline.waiting))


def course_title(timeline: ErrorTimeline) -> str:
    """What the picture of misses finds."""
    told = [week for week in timeline.windows if week.mae]
    worse = [week for week in told if week.verdict == "worse than in training"]
    n, unit = sum(week.n for week in told), unit_words(timeline.unit)
    if worse:
        said = _("Mean miss by week{unit}: worse than in training in {worse} of {weeks} weeks ({n} answers)")
        return said.format(unit=unit, worse=count(len(worse)), weeks=count(len(told)), n=count(n))
    if any(week.verdict != "not enough data" for week in told):
        said = _("Mean miss by week{unit}: no week is shown to be worse than in training ({n} answers)")
        return said.format(unit=unit, n=count(n))
    return _("Mean miss by week{unit}: too few answers for a verdict ({n})").format(unit=unit, n=count(n))


def inside_title(timeline: ErrorTimeline) -> str:
    """What the picture of ranges finds."""
    held = [week.covered for week in timeline.windows if week.covered]
    short, n = sum(not one.kept for one in held), sum(one.n for one in held)
    if short:
        said = _("Share inside the promised range by week: too few in {short} of {weeks} weeks ({n} answers)")
        return said.format(short=count(short), weeks=count(len(held)), n=count(n))
    said = _("Share inside the promised range by week: no week is shown to fall short ({n} answers)")
    return said.format(n=count(n))


def change_sentence(change: ErrorChange) -> str:
    """When the mean miss changed, from what to what."""
    said = (
        _("Around {day} the mean miss rose from {before} to {after}{unit} ({n} answers since).")
        if change.rose
        else _("Around {day} the mean miss fell from {before} to {after}{unit} ({n} answers since).")
    )
    return said.format(
        day=day(change.at.date()),
        before=number(change.before, MISS_DIGITS),
        after=number(change.after, MISS_DIGITS),
        unit=f" {worded(change.unit)}" if change.unit else "",
        n=count(change.n_after),
    )


def expected_sentence(timeline: ErrorTimeline) -> str | None:
    """What is to be expected of answers that wait."""
    if (one := timeline.expected) is None:
        return None
    said = _(
        "Of {n} answers that wait, a mean miss of {after}{unit} is to be expected ({range}), if students like these "
        "end as they did; in training it was {before}."
    )
    return said.format(
        n=count(one.n_current),
        after=number(one.after, MISS_DIGITS),
        unit=f" {worded(one.unit)}" if one.unit else "",
        range=interval(one.after_low, one.after_high, MISS_DIGITS),
        before=number(one.before, MISS_DIGITS),
    )


def unit_words(unit: str) -> str:
    """A unit in brackets as it follows a title; nothing where there is none."""
    return f" ({worded(unit)})" if unit else ""


def week_words(label: str) -> str:
    """An ISO week by its calendar days."""
    monday = monday_of(label)
    ends = {"first": day(monday, short=True), "last": day(monday + WEEK - timedelta(days=1), short=True)}
    return _("{first} – {last}").format(**ends)


def monday_of(label: str) -> date:
    """The day on which an ISO week begins.

    >>> monday_of("2026-W47")
    datetime.date(2026, 11, 16)
    """
    year, week = label.split("-W")
    return date.fromisocalendar(int(year), int(week), 1)


def verdict_words(verdict: WeekVerdict) -> str:
    """How a week stands beside training."""
    return {
        "worse than in training": _("worse"),
        "better than in training": _("better"),
        "no change shown": _("as in training"),
        "not enough data": _("too few to tell"),
    }[verdict]


def quadrants_title(found: Fairness) -> str:
    """What the four counts say."""
    counts = found.quadrants
    if counts is None:
        return ""
    failed, warned = counts.warned_failed + counts.unwarned_failed, counts.warned_failed + counts.warned_passed
    return ending_words(event=found.event).counts.format(
        failed=count(failed),
        found=count(counts.warned_failed),
        warned=count(warned),
        wrongly=count(counts.warned_passed),
    )


def fairness_title(found: Fairness, named: dict[tuple[str, str], str]) -> str:
    """Whether a group is served worse. named: (column, group) in words."""
    groups = [(named[cut.by, group.name], group) for cut in found.cuts for group in cut.groups]
    worse = [name for name, group in groups if group.verdict == "credibly worse"]
    if worse:
        return _("Served credibly worse than all others: {names}").format(names=", ".join(worse))
    few = [_few(name, group) for name, group in groups if group.verdict == "not enough data"]
    if len(few) < len(groups):
        return _("No group is served credibly worse")
    return _("Not enough students to tell ({names})").format(names=", ".join(few[:6]))


def _few(name: str, group: GroupTreatment) -> str:
    if group.students is None:
        return _("{name}: under {fewest}").format(name=name, fewest=count(FEWEST_TOLD))
    return _("{name}: {n}").format(name=name, n=count(group.students))


def harm_sentences(found: Fairness, named: dict[tuple[str, str], str]) -> Iterator[str]:
    """Of each group that is served worse, in what, with the interval of the difference."""
    words = ending_words(event=found.event)
    for cut in found.cuts:
        for group in cut.groups:
            for name, sign, said in (
                ("miss", 1, _("{group}: missed by {value}{unit} more than all others ({range}).")),
                ("found", -1, words.fewer_found),
                ("wrongly", 1, words.more_wrongly),
            ):
                figure = getattr(group, name)
                against = figure.against if figure else None
                if against is None or against.p_adjusted > UNFAIR_SHARE or against.value * sign <= 0:
                    continue
                low, high = sorted((sign * against.low, sign * against.high))
                shares = name != "miss"
                yield said.format(
                    group=named[cut.by, group.name],
                    value=share(sign * against.value) if shares else number(sign * against.value, MISS_DIGITS),
                    range=interval(100 * low, 100 * high, 0) if shares else interval(low, high, MISS_DIGITS),
                    unit=f" {worded(found.unit)}" if found.unit else "",
                )
