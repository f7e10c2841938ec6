"""What is said of the students whom warnings are for: they end below a pass mark and so fail, or an event comes to them
and nobody fails. Pages, reports and the command line take these words from here; how many, they say themselves.
"""

from typing import NamedTuple

from language.speech import _, ngettext


class EndingWords(NamedTuple):
    """Words with places to fill. likeliest: who is warned of first. ended: the head of a column that says yes or no,
    or a share. cells: of the four counts, warned before not warned, ended so before not. counts: these in a sentence.
    found, wrongly: titles of their shares by group; fewer_found, more_wrongly: a group that is worse served.
    by_stage, first_ones: of those put first; its_axis: of a share. gained, in_contest: of a challenger, by group;
    moved, likely: what would change. mark, chance: of one student. below and what follows: of reports on a class.
    """

    likeliest: str
    ended: str
    ended_share: str
    warned_of_others: str
    cells: tuple[str, str, str, str]
    counts: str
    found: str
    wrongly: str
    fewer_found: str
    more_wrongly: str
    by_stage: str
    first_ones: str
    its_axis: str
    gained: str
    in_contest: str
    moved: str
    likely: str
    least_chance: str
    alternative: str
    mark: str
    chance: str
    below: str
    chance_below: str
    first: str
    below_key: str
    above_key: str
    red: str


def ending_words(*, event: bool) -> EndingWords:
    """Of a target that says whether an event comes, or of one with a pass mark."""
    return _of_events() if event else _of_marks()


def _of_marks() -> EndingWords:
    return EndingWords(
        likeliest=_("the likeliest to fail"),
        ended=_("failed"),
        ended_share=_("Failed (%)"),
        warned_of_others=_("Warned of those who passed (%)"),
        cells=(
            _("Warned and failed"),
            _("Warned and passed"),
            _("Not warned and failed"),
            _("Not warned and passed"),
        ),
        counts=_(
            "Of {failed} who failed, {found} had been warned of; of {warned} warnings, {wrongly} were false alarms"
        ),
        found=_("Of those who failed, share that was found ({n} failed)"),
        wrongly=_("Of those warned of, share that passed ({n} warnings)"),
        fewer_found=_("{group}: of those who failed, {value} fewer were found ({range})."),
        more_wrongly=_("{group}: of those warned of, {value} more passed ({range})."),
        by_stage=_(
            "At each moment, or week, of the last period: how far models of the periods before miss, beside the "
            "plain rule, and how many of those whom they put first fail."
        ),
        first_ones=_("Of the {share} put first, the share that failed ({n} answers)"),
        its_axis=_("share that failed"),
        gained=_("of those who failed, share that is warned of with {who}, less the share before"),
        in_contest=_(
            "{who}: of those who failed, {mean} warned of by the challenger, at least {low} ({level} bound, {n} rows)"
        ),
        moved=_("{title}; {up} rise above the pass mark, {down} fall below it"),
        likely=_("likely to fail{how}"),
        least_chance=_("Least chance of ending below the mark (%)"),
        alternative=_(
            "Answers against outcomes: on the dotted line both agree; dashed, the pass mark. The larger a dot, the "
            "more answers."
        ),
        mark=_("pass mark"),
        chance=_("chance below it"),
        below=_("below {mark}"),
        chance_below=_("chance of ending below {mark}"),
        first=_("Those likeliest to end below {mark} first."),
        below_key=_("below the pass mark of {mark}"),
        above_key=_("at or above it"),
        red=_("Red: below the pass mark of {mark}."),
    )


def _of_events() -> EndingWords:
    return EndingWords(
        likeliest=_("the likeliest to come to an event"),
        ended=_("came to an event"),
        ended_share=_("Came to an event (%)"),
        warned_of_others=_("Warned of those without an event (%)"),
        cells=(
            _("Warned, event came"),
            _("Warned, none came"),
            _("Not warned, event came"),
            _("Not warned, none came"),
        ),
        counts=_("Of {failed} events, {found} had been warned of; of {warned} warnings, {wrongly} were false alarms"),
        found=_("Of those who came to an event, share that was found ({n} events)"),
        wrongly=_("Of those warned of, share without an event ({n} warnings)"),
        fewer_found=_("{group}: of those who came to an event, {value} fewer were found ({range})."),
        more_wrongly=_("{group}: of those warned of, {value} more came to no event ({range})."),
        by_stage=_(
            "At each moment, or week, of the last period: how far models of the periods before miss, beside the "
            "plain rule, and how many of those whom they put first come to an event."
        ),
        first_ones=_("Of the {share} put first, the share that came to an event ({n} answers)"),
        its_axis=_("share that came to an event"),
        gained=_("of those who came to an event, share that is warned of with {who}, less the share before"),
        in_contest=_(
            "{who}: of those who came to an event, {mean} warned of by the challenger, at least {low} ({level} bound, "
            "{n} rows)"
        ),
        moved=_("{title}; for {down} an event is expected that was not, for {up} no longer"),
        likely=_("likely to come to an event{how}"),
        least_chance=_("Least chance of an event (%)"),
        alternative=_(
            "Answers against outcomes: on the dotted line both agree; dashed, where no event comes any more. The "
            "larger a dot, the more answers."
        ),
        mark=_("no event from"),
        chance=_("chance of an event"),
        below=_("chance of an event"),
        chance_below=_("chance of an event"),
        first=_("Those likeliest to come to an event first."),
        below_key=_("an event comes"),
        above_key=_("none comes"),
        red=_("Red: an event comes."),
    )


def lead_words(n: int, *, event: bool) -> str:
    """Of n students who ended so, how many somebody put first in time."""
    if event:
        return ngettext(
            "Of {n} student who came to an event, {who} put {found} first in time.",
            "Of {n} students who came to an event, {who} put {found} first in time.",
            n,
        )
    return ngettext(
        "Of {n} student who failed, {who} put {found} first in time.",
        "Of {n} students who failed, {who} put {found} first in time.",
        n,
    )


def likelier_words(n: int, *, event: bool) -> str:
    """Of a class, that n are likelier than not to end so."""
    if event:
        return ngettext(
            "{likelier} of {n} students with a chance is likelier than not to come to an event; the chances add up to "
            "{expected}.",
            "{likelier} of {n} students with a chance are likelier than not to come to an event; the chances add up to "
            "{expected}.",
            n,
        )
    return ngettext(
        "{likelier} of {n} students with a chance is likelier than not to end below {mark}; the chances add up to "
        "{expected}.",
        "{likelier} of {n} students with a chance are likelier than not to end below {mark}; the chances add up to "
        "{expected}.",
        n,
    )


def became_words(n: int, *, event: bool) -> str:
    """Of a class, that n became so since the last report."""
    if event:
        return ngettext(
            "{n} student became likelier than not to come to an event; no longer so: {better}.",
            "{n} students became likelier than not to come to an event; no longer so: {better}.",
            n,
        )
    return ngettext(
        "{n} student became likelier than not to end below {mark}; no longer so: {better}.",
        "{n} students became likelier than not to end below {mark}; no longer so: {better}.",
        n,
    )


class PlainEndingWords(NamedTuple):
    """The same for commands and records, which are English. who: ended so; others: did not."""

    who: str
    others: str
    ended: str
    likeliest: str
    likely: str
    expected: str
    counts: str
    more_wrongly: str


PLAIN_MARKS = PlainEndingWords(
    who="who failed",
    others="who passed",
    ended="failed",
    likeliest="likeliest to fail",
    likely="likely to fail",
    expected="below the pass mark",
    counts="{0:,} were warned of and failed, {1:,} failed without a warning; {2:,} were warned of and passed, {3:,} "
    "passed without one.",
    more_wrongly="{value:.0%} more of who was warned of passed [{low:.0%} to {high:.0%}]",
)
PLAIN_EVENTS = PlainEndingWords(
    who="who came to an event",
    others="who came to none",
    ended="came to an event",
    likeliest="likeliest to come to an event",
    likely="likely to come to an event",
    expected="at an event",
    counts="{0:,} were warned of and came to an event, {1:,} came to one without a warning; {2:,} were warned of and "
    "came to none, {3:,} were not and came to none.",
    more_wrongly="{value:.0%} more of who was warned of came to no event [{low:.0%} to {high:.0%}]",
)


def plain_ending_words(*, event: bool) -> PlainEndingWords:
    """Of a target that says whether an event comes, or of one with a pass mark."""
    return PLAIN_EVENTS if event else PLAIN_MARKS
