"""A cohort report as one HTML page that needs nothing else: for a phone and a wide screen, light and dark, and paper.

Only drawing happens here; every sentence is `reports.sentences`', every figure `reports.figures`'.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from language import _, retold, worded
from language.ending_words import ending_words
from language.format import count, number
from language.paper import paper_colours
from language.speech import current
from model.readable import number_of
from preprocessing.schema import Target
from reports.figures import LIKELIER_BELOW, Picture, picture_of, ranked
from reports.records import CohortReport, ReportedStudent
from reports.sentences import (
    about_words,
    advice_words,
    chance_words,
    change_words,
    class_words,
    completeness_words,
    edition_words,
    health_words,
    limits,
    mark_words,
    model_words,
    picture_words,
    range_words,
    reasons_of,
    silence_words,
    student_change_words,
    target_words,
    value_words,
)
from reports.tables import NO_CLASS_LIST, Named

PSEUDONYM_SHOWN = 12  # letters of a pseudonym on paper and screens
WIDE, HIGH = 720, 240  # of the picture, in its own units
PICTURE_SIDE, PICTURE_TOP, PICTURE_FOOT = 20, 22, 54  # what its bars leave free
BAR_WIDE, BAR_HIGH = 120, 14  # of a student's bar
PRINTED_LABEL = 12  # letters under a bar


class StudentLine(NamedTuple):
    """A student as the page shows it. name: a key from a class list, or a pseudonym; others: about further targets."""

    name: str
    named: bool
    answer: str
    interval: str
    others: Sequence[str]
    bar: Any
    below: str
    likely: bool
    reasons: Sequence[str]
    advice: Sequence[str]
    change: str
    remark: str


def page_of(report: CohortReport, keys: Named = NO_CLASS_LIST) -> str:
    """The report as a page."""
    target, picture = report.target, picture_of(report)
    page: str = _template().render(
        style=paper_colours(),
        report=report,
        spoken=current().language,
        title=worded(report.title),
        target=target_words(target),
        mark=mark_words(target) if target.pass_mark is not None else "",
        words=ending_words(event=target.is_event),
        about=about_words(report),
        notes=[edition_words(report), *(note_words(one) for one in report.notes)],
        lead=class_words(report),
        changes=change_words(report),
        picture=picture,
        drawing=_drawing(picture, target),
        told=picture_words(picture, target),
        students=[student_line(one, report, keys) for one in ranked(report)],
        completeness=completeness_words(report),
        models=[model_words(one, report) for one in report.models],
        health=health_words(report),
        limits=limits(),
        keyed=bool(keys),
        advised=any(one.advice for one in report.students),
    )
    return page


def note_words(note: str) -> str:
    """What a reader should know first, as a sentence."""
    said = retold(note)
    return f"{said[:1].upper()}{said[1:]}."


@cache
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.globals["_"] = _
    return environment.from_string((Path(__file__).parent / "page.html").read_text(encoding="utf-8"))


def student_line(one: ReportedStudent, report: CohortReport, keys: Named = NO_CLASS_LIST) -> StudentLine:
    """What is shown of a student."""
    target, answer = report.target, one.answer(report.target.name)
    below = answer.below_pass if answer else None
    others = [
        _("{column}: {value}").format(column=target_words(each), value=value_words(said.value, each))
        for each in report.targets[1:]
        if (said := one.answer(each.name)) is not None and said.value is not None
    ]
    key = keys.get(one.student)
    return StudentLine(
        name=key or one.student[:PSEUDONYM_SHOWN],
        named=key is not None,
        answer=value_words(answer.value if answer else None, target),
        interval=range_words(answer, target),
        others=others,
        bar=_bar(one, target),
        below=chance_words(below),
        likely=below is not None and below >= LIKELIER_BELOW,
        reasons=[reason.words for reason in reasons_of(answer, target, report.columns)],
        advice=advice_words(one),
        change=student_change_words(one, report),
        remark=silence_words(one, report),
    )


class OnBar(NamedTuple):
    """Where things stand on a student's bar, as shares of its length; None for what there is not."""

    at: float
    low: float | None
    high: float | None
    mark: float | None


def place_on_bar(one: ReportedStudent, target: Target) -> OnBar | None:
    """The answer, its interval and the pass mark on the target's range; None without an answer or a range."""
    answer, ends = one.answer(target.name), _ends(target)
    number = number_of(answer, target)
    if answer is None or number is None or ends is None:
        return None
    low, high = ends

    def share(value: float | None) -> float | None:
        return None if value is None else round((min(max(value, low), high) - low) / ((high - low) or 1.0), 4)

    start, end = answer.interval or (None, None)
    mark = target.pass_mark if not target.levels or target.pass_mark is None else target.pass_mark - 0.5
    return OnBar(share(number) or 0.0, share(start), share(end), share(mark))


def _bar(one: ReportedStudent, target: Target) -> Any:
    """The answer and its interval beside the pass mark, small: a figure for the eye, whose numbers stand beside it."""
    from markupsafe import Markup

    found = place_on_bar(one, target)
    if found is None:
        return ""

    def at(share: float) -> float:
        return round(4 + share * (BAR_WIDE - 8), 1)

    parts = [f'<path class="t" d="M4 7h{BAR_WIDE - 8}"/>']
    if found.low is not None and found.high is not None:
        parts.append(f'<path class="i" d="M{at(found.low)} 7H{at(found.high)}"/>')
    if found.mark is not None:
        parts.append(f'<path class="m" d="M{at(found.mark)} 1v12"/>')
    parts.append(f'<circle cx="{at(found.at)}" cy="7" r="3.5"/>')
    view = f'viewBox="0 0 {BAR_WIDE} {BAR_HIGH}" aria-hidden="true"'
    return Markup(f'<svg class="bar" {view}>{"".join(parts)}</svg>')  # noqa: S704 (numbers of ours)


def _ends(target: Target) -> tuple[float, float] | None:
    if target.levels:
        return 0.0, len(target.levels) - 1.0
    if target.minimum is None or target.maximum is None:
        return None
    return target.minimum, target.maximum


def _drawing(picture: Picture, target: Target) -> Any:
    """The class: a bar for each band, those below the pass mark in another colour and hatched."""
    from markupsafe import Markup, escape

    if not picture.bands:
        return ""
    most = max(1, *(band.students for band in picture.bands))
    step = (WIDE - 2 * PICTURE_SIDE) / len(picture.bands)
    parts = [f'<path class="a" d="M{PICTURE_SIDE} {HIGH - PICTURE_FOOT}H{WIDE - PICTURE_SIDE}"/>']
    for place, band in enumerate(picture.bands):
        high, x = (
            round(band.students / most * (HIGH - PICTURE_FOOT - PICTURE_TOP), 1),
            round(PICTURE_SIDE + place * step + step * 0.1, 1),
        )
        middle, style = round(PICTURE_SIDE + (place + 0.5) * step, 1), "f" if band.fails else "p"
        if band.students:
            told = count(band.students)
            size = f'width="{step * 0.8:.1f}" height="{high}"'
            parts.append(f'<rect class="{style}" x="{x}" y="{HIGH - PICTURE_FOOT - high}" {size}/>')
            parts.append(f'<text x="{middle}" y="{HIGH - PICTURE_FOOT - high - 5}" text-anchor="middle">{told}</text>')
    parts += _labels(picture, target, step) + _mark_line(picture, target, step)
    told = escape(picture_words(picture, target))
    body = "".join(parts)
    return Markup(f'<svg viewBox="0 0 {WIDE} {HIGH}" role="img" aria-label="{told}">{body}</svg>')  # noqa: S704 (escaped)


def _labels(picture: Picture, target: Target, step: float) -> list[str]:
    """Under the bars: levels in their middle, values where one band ends and the next begins."""
    from markupsafe import escape

    places = [(place + 0.5, band.label) for place, band in enumerate(picture.bands)]
    if not target.levels:
        ends = [*(band.low for band in picture.bands), picture.bands[-1].high]
        places = [(float(place), number(end, 3)) for place, end in enumerate(ends)]
    found = []
    for place, label in places:
        shown = escape(label if len(label) <= PRINTED_LABEL else label[: PRINTED_LABEL - 1] + "…")
        x = round(PICTURE_SIDE + place * step, 1)
        found.append(f'<text class="l" x="{x}" y="{HIGH - PICTURE_FOOT + 20}" text-anchor="middle">{shown}</text>')
    return found


def _mark_line(picture: Picture, target: Target, step: float) -> list[str]:
    from markupsafe import escape

    failing = sum(bool(band.fails) for band in picture.bands)
    if target.pass_mark is None or target.is_event or not 0 < failing < len(picture.bands):
        return []
    x, words = round(PICTURE_SIDE + failing * step, 1), escape(_("pass mark {mark}").format(mark=mark_words(target)))
    return [
        f'<path class="m" d="M{x} {PICTURE_TOP - 12}V{HIGH - PICTURE_FOOT + 4}"/>',
        f'<text class="k" x="{x}" y="{HIGH - 6}" text-anchor="middle">{words}</text>',
    ]
