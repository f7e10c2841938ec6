"""A drift report as one self-contained page: what happened first, pictures of what moved, all numbers folded below.

It is made of the report alone, as it was stored, so that it can be made of any report at any time.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from drift.drawing import curve_svg, map_svg, strip_svg
from drift.quadrants import MATTERS_FROM, place_columns
from drift.records import ColumnDrift, Doubt, DriftReport, SegmentDrift
from drift.render import NUMBER_HEADS, figures_of, number_row, short, shown_verdict
from drift.sentences import costs_of, sentences_of
from drift.statistics import MEASURES
from drift.story import calm_of, change_of, in_order, name_of, segment_words, state_of, tell_story
from language import _, retold
from language.format import count, day, number, share
from language.paper import paper_style
from language.speech import current

SHOWN_FIRST = 6  # cards of columns that moved; the others are folded
SEGMENTS_DRAWN = 24
VERDICT_STATES = {"drift": "act", "warn": "look", "ok": "good", "undecided": "open", "constant": "open"}


class _Card(NamedTuple):
    name: str
    state: str
    word: str
    sentence: str
    picture: Any
    figures: str


class _Segment(NamedTuple):
    name: str
    state: str
    rows: str
    told: str
    picture: Any


def render_html(report: DriftReport, *, at: datetime | None = None) -> str:
    """The report as one HTML page that needs nothing else. at: when it was made."""
    calm = (
        (_("Changed, perhaps too little to matter"), _calm(report, "at the limit")),
        (_("Too few rows to tell"), _calm(report, "few rows")),
        (_("Not tested"), _calm(report, "untested")),
        (_("No sign of change"), _calm(report, "no sign")),
        (_("Still the same"), _calm(report, "")),
    )
    story, state = tell_story(report) or sentences_of(report)[:1], state_of(report)
    costs = costs_of(report)
    page: str = _template().render(
        report=report,
        retold=retold,
        style=paper_style(),
        spoken=current().language,
        domain=report.domain,
        now=count(report.n_current),
        before=count(report.n_reference),
        state=state.value,
        story=story,
        head=head_of(report, at),
        sentences=[sentence for sentence in sentences_of(report) if sentence not in costs],
        costs=costs,
        map=_map(report),
        moved=[_card(column) for column in in_order(report) if column.alarming],
        shown=SHOWN_FIRST,
        calm=[(heading, columns) for heading, columns in calm if columns],
        segments=[_segment(one) for one in report.segments[:SEGMENTS_DRAWN]],
        more_segments=[(short(one.segment), segment_words(one)) for one in report.segments[SEGMENTS_DRAWN:]],
        heads=NUMBER_HEADS,
        rows=[number_row(column) for column in report.columns],
        measures=MEASURES,
        matters_from=share(MATTERS_FROM),
        level=share(report.policy.level),
        q=number(report.policy.q, 3),
    )
    return page


def head_of(report: DriftReport, at: datetime | None) -> list[tuple[str, str]]:
    """What the report is about, by name: when, which rows, compared with what, which model, which policy."""
    origin, policy = report.origin, report.policy
    days = _("{since} to before {until}, {source}").format(
        since=origin.since, until=origin.until, source=retold(origin.source)
    )
    which = origin.file or (days if origin.since else "")
    limits = _(
        "numbers from {numbers}, levels from {levels}, missing from {missing}; false alarms among findings at most {q}"
    ).format(
        numbers=number(policy.ks_threshold, 3),
        levels=number(policy.cramers_v_threshold, 3),
        missing=number(policy.missing_threshold, 3),
        q=share(policy.q),
    )
    before = origin.reference_file or retold(report.basis or "") or _("what the model in use learned from")
    made = _("{day}, {time} UTC").format(day=day(at.date()), time=f"{at:%H:%M}") if at else ""
    told = [
        (_("Made"), made),
        (_("Rows now"), count(report.n_current) + (f", {which}" if which else "")),
        (_("Rows before"), f"{count(report.n_reference)}, {before}"),
        (_("Asked"), _("at moment {moment}").format(moment=origin.moment) if origin.moment else ""),
        (_("Model"), f"{origin.candidate} {origin.model[:12]}".strip()),
        (_("Counts as moved"), limits),
    ]
    return [(name, words) for name, words in told if words]


@cache
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.globals["_"] = _
    return environment.from_string((Path(__file__).parent / "page.html").read_text(encoding="utf-8"))


def _calm(report: DriftReport, doubt: Doubt) -> list[tuple[str, str]]:
    return [
        (short(name_of(one)), short(calm_of(one), 400))
        for one in report.columns
        if not one.alarming and one.doubt == doubt
    ]


def _card(column: ColumnDrift) -> _Card:
    verdict = shown_verdict(column)
    picture = curve_svg(column.curve, title=name_of(column), unit=column.unit) if column.curve else None
    state, word = VERDICT_STATES[verdict], _verdict_words(verdict)
    return _Card(short(name_of(column)), state, word, change_of(column), picture, figures_of(column))


def _verdict_words(verdict: str) -> str:
    return {
        "drift": _("moved"),
        "warn": _("probably moved"),
        "ok": _("as before"),
        "undecided": _("undecided"),
        "constant": _("one value only"),
    }[verdict]


def _map(report: DriftReport) -> Any:
    placed = place_columns(report)
    most = max((one.matters for one in placed), default=0.0)
    if not most:
        return None
    unit = report.expected.unit if report.expected else ""
    return map_svg(placed, limit=report.policy.ks_threshold, matters=most * MATTERS_FROM, unit=unit)


def _segment(segment: SegmentDrift) -> _Segment:
    state = "act" if segment.alarm else "open" if segment.reason or segment.too_small else "good"
    rows = _("{now} rows now, {before} before").format(now=count(segment.n_current), before=count(segment.n_reference))
    picture = strip_svg(segment.columns) if segment.columns else None
    return _Segment(short(segment.segment), state, rows, short(segment_words(segment), 300), picture)
