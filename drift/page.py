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
from drift.sentences import costs_of, describe, describe_segment, sentences_of
from drift.statistics import MEASURES
from drift.story import change_of, in_order, name_of, state_of, tell_story
from language.paper import paper_style

SHOWN_FIRST = 6  # cards of columns that moved; the others are folded
SEGMENTS_DRAWN = 24
VERDICT_STATES = {"drift": "act", "warn": "look", "ok": "good", "undecided": "open", "constant": "open"}
CARD_WORDS = {
    "drift": "moved",
    "warn": "probably moved",
    "ok": "as before",
    "undecided": "undecided",
    "constant": "one value only",
}


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
        ("Changed, perhaps too little to matter", _calm(report, "at the limit")),
        ("Too few rows to tell", _calm(report, "few rows")),
        ("Not tested", _calm(report, "untested")),
        ("No sign of change", _calm(report, "no sign")),
        ("Still the same", _calm(report, "")),
    )
    story, state = tell_story(report) or sentences_of(report)[:1], state_of(report)
    costs = costs_of(report)
    page: str = _template().render(
        report=report,
        style=paper_style(),
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
        more_segments=[(short(one.segment), describe_segment(one)) for one in report.segments[SEGMENTS_DRAWN:]],
        heads=NUMBER_HEADS,
        rows=[number_row(column) for column in report.columns],
        measures=MEASURES,
        matters_from=MATTERS_FROM,
    )
    return page


def head_of(report: DriftReport, at: datetime | None) -> list[tuple[str, str]]:
    """What the report is about, by name: when, which rows, compared with what, which model, which policy."""
    origin, policy = report.origin, report.policy
    days = f"{origin.since} to before {origin.until}, {origin.source}" if origin.since else ""
    model = f"{origin.candidate} {origin.model[:12]}".strip()
    limits = f"numbers from {policy.ks_threshold:g}, levels from {policy.cramers_v_threshold:g}, missing from "
    limits += f"{policy.missing_threshold:g}; false alarms among findings at most {policy.q:.0%}"
    before = origin.reference_file or report.basis or "what the model in use learned from"
    told = [
        ("Made", f"{at:%d %b %Y, %H:%M} UTC" if at else ""),
        ("Rows now", f"{report.n_current:,}" + (f", {origin.file or days}" if origin.file or days else "")),
        ("Rows before", f"{report.n_reference:,}, {before}"),
        ("Asked", f"at moment {origin.moment}" if origin.moment else ""),
        ("Model", model),
        ("Counts as moved", limits),
    ]
    return [(name, words) for name, words in told if words]


@cache
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string((Path(__file__).parent / "page.html").read_text(encoding="utf-8"))


def _calm(report: DriftReport, doubt: Doubt) -> list[tuple[str, str]]:
    return [
        (short(name_of(one)), short(describe(one), 400))
        for one in report.columns
        if not one.alarming and one.doubt == doubt
    ]


def _card(column: ColumnDrift) -> _Card:
    verdict = shown_verdict(column)
    picture = curve_svg(column.curve, title=name_of(column), unit=column.unit) if column.curve else None
    state, word = VERDICT_STATES[verdict], CARD_WORDS[verdict]
    return _Card(short(name_of(column)), state, word, change_of(column), picture, figures_of(column))


def _map(report: DriftReport) -> Any:
    placed = place_columns(report)
    most = max((one.matters for one in placed), default=0.0)
    if not most:
        return None
    unit = report.expected.unit if report.expected else ""
    return map_svg(placed, limit=report.policy.ks_threshold, matters=most * MATTERS_FROM, unit=unit)


def _segment(segment: SegmentDrift) -> _Segment:
    state = "act" if segment.alarm else "open" if segment.reason or segment.too_small else "good"
    rows = f"{segment.n_current:,} rows now, {segment.n_reference:,} before"
    picture = strip_svg(segment.columns) if segment.columns else None
    return _Segment(short(segment.segment), state, rows, short(describe_segment(segment), 300), picture)
