"""Pictures of a drift report as SVG for papers: a column before and now, the map of what moved and what matters.

Only drawing happens here, from the report alone; pages of the dashboard draw the same figures their own way.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from drift.quadrants import PlacedColumn
from drift.records import ColumnDrift, Curve
from language import _, worded
from language.format import interval, number
from language.format import share as as_share

if TYPE_CHECKING:
    from markupsafe import Markup

WIDTH = 320  # of a picture, in its own units: as wide as a card on a phone, so that text has its size
BARS, ROOM, MARGIN = 96, 34, 36  # height of the bars of numbers; below them for an axis; left of them for shares
LEVEL_ROW, LEVEL_NAMES, FIGURES = 34, 112, 38  # a level's height; room for its name and for its shares
LEVEL_LETTERS = 16
MAP_HEIGHT = 250
TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0)  # that the axis of shares may end at


def curve_svg(curve: Curve, *, title: str, unit: str) -> Markup:
    """A column before and now: pairs of bars over an axis in its unit, or a pair of bars for each level."""
    body, height = _bins(curve, unit) if curve.edges else _levels(curve)
    return _svg(body, height, _("{title}: before and now, {shares}").format(title=title, shares=percents(curve)))


def percents(curve: Curve) -> str:
    """The picture in words, for whoever cannot see it."""
    names = [interval(low, high, 3) for low, high in pairwise(curve.edges)]
    shares = zip(names or curve.words, *curve.shares, strict=True)
    said = _("{name} {before} then {now}")
    return "; ".join(said.format(name=name, before=as_share(before), now=as_share(now)) for name, before, now in shares)


def _bins(curve: Curve, unit: str) -> tuple[str, int]:
    before, now = curve.shares
    top = next((tick for tick in TICKS if max(*before, *now) <= tick), 1.0)
    step = (WIDTH - MARGIN) / len(before)
    bar, foot = step * 0.42, BARS + 8
    parts = [
        f'<path class="axis" d="M{MARGIN} {y}H{WIDTH}"/>'
        f'<text class="soft" x="{MARGIN - 4}" y="{y + 4}" text-anchor="end">{_percent(share)}</text>'
        for y, share in ((8, top), (foot, 0.0))
    ]
    for name, shares, aside in (("before", before, 0.06), ("now", now, 0.52)):
        path = "".join(
            f"M{MARGIN + step * (place + aside):.1f} {foot}v-{BARS * share / top:.1f}h{bar:.1f}V{foot}z"
            for place, share in enumerate(shares)
            if share
        )
        parts.append(f'<path class="{name}" d="{path}"/>')
    for place, words, anchor in _scale(curve):
        parts.append(f'<text x="{MARGIN + step * place:.1f}" y="{foot + 14}" text-anchor="{anchor}">{words}</text>')
    if unit:
        parts.append(
            f'<text class="soft" x="{WIDTH}" y="{foot + 28}" text-anchor="end">{_text(worded(unit), 40)}</text>'
        )
    return "".join(parts), foot + (ROOM if unit else ROOM - 14)


def _scale(curve: Curve) -> Iterator[tuple[float, str, str]]:
    """Numbers below the bars, as many as have room: where, in bins from the left; what; and how they stand there. A bin
    of one whole number has it below its middle, others have their edges."""
    edges = curve.edges
    single = curve.whole and edges[1] - edges[0] == 1
    shown = edges[:-1] if single else edges
    every = max(1, math.ceil((max(len(f"{edge:g}") for edge in shown) + 1) * 7 * len(shown) / (WIDTH - MARGIN)))
    for place in range(0, len(shown), every):
        anchor = "start" if place == 0 else "end" if place == len(edges) - 1 else "middle"
        yield place + single / 2, f"{shown[place]:g}", "middle" if single else anchor


def _levels(curve: Curve) -> tuple[str, int]:
    before, now = curve.shares
    rows = [*zip(curve.words, before, now, strict=True)]
    if curve.other_before or curve.other_now:
        rows.append((_("all others"), 1 - sum(before), 1 - sum(now)))
    scale = (WIDTH - LEVEL_NAMES - FIGURES) / (max(max(one[1:]) for one in rows) or 1.0)
    parts = []
    for place, (words, *shares) in enumerate(rows):
        parts.append(
            f'<text x="{LEVEL_NAMES - 6}" y="{LEVEL_ROW * place + 18}" text-anchor="end">{_text(words)}</text>'
        )
        for name, share, y in zip(
            ("before", "now"), shares, (LEVEL_ROW * place + 3, LEVEL_ROW * place + 16), strict=True
        ):
            length = max(0.0, share * scale)
            parts.append(f'<path class="{name}" d="M{LEVEL_NAMES} {y}h{length:.1f}v11h-{length:.1f}z"/>')
            parts.append(f'<text class="soft" x="{LEVEL_NAMES + length + 4:.1f}" y="{y + 10}">{_percent(share)}</text>')
    return "".join(parts), LEVEL_ROW * len(rows)


def map_svg(placed: Sequence[PlacedColumn], *, limit: float, matters: float, unit: str) -> Markup:
    """Where columns stand: moved to the right, leaned on upwards (log); only what moved and matters has its name."""
    left, right, top, foot = 16.0, WIDTH - 8.0, 24.0, MAP_HEIGHT - 44.0
    most = max(one.matters for one in placed)
    widest = max(limit * 2, *(one.moved for one in placed))
    least = max(most / 1000, min((one.matters for one in placed if one.matters > 0), default=most))

    def x(moved: float) -> float:
        return left + (right - left) * min(1.0, moved / widest)

    def y(leaned: float) -> float:
        span = math.log(most / least) or 1.0
        return foot - (foot - top) * math.log(max(leaned, least) / least) / span

    lines = f"M{left} {foot}H{right}M{x(limit):.1f} {top}V{foot}M{left} {y(matters):.1f}H{right}"
    parts = [f'<path class="axis" d="{lines}"/>']
    for one in placed:
        kind = {"moved and matters": "act", "moved, hardly used": "look"}.get(one.quadrant, "open")
        parts.append(f'<circle class="dot {kind}" cx="{x(one.moved):.1f}" cy="{y(one.matters):.1f}" r="5"/>')
    named = [one for one in placed if one.quadrant == "moved and matters"][:MOST_NAMED]
    for one, at in zip(named, _apart([y(one.matters) for one in named]), strict=True):
        away, anchor = (-9, "end") if x(one.moved) > WIDTH / 2 else (9, "start")
        place, name = x(one.moved) + away, _text(one.column.column)
        parts.append(f'<text x="{place:.1f}" y="{at + 4:.1f}" text-anchor="{anchor}">{name}</text>')
    words = {
        "matters": _("matters: error added, {unit} (log)").format(unit=worded(unit) or _("levels")),
        "limit": _("limit {limit}").format(limit=number(limit, 3)),
        "moved": _("moved, 0 to {most} of 1").format(most=number(widest, 2)),
    }
    parts += [
        f'<text class="soft" x="{left}" y="14">{_text(words["matters"], MAP_LETTERS)}</text>',
        f'<text class="soft" x="{x(limit):.1f}" y="{foot + 16}" text-anchor="middle">{_text(words["limit"])}</text>',
        f'<text class="soft" x="{right}" y="{foot + 34}" text-anchor="end">{_text(words["moved"], MAP_LETTERS)}</text>',
    ]
    told = ", ".join(one.column.column for one in named) or _("nothing that moved matters")
    return _svg("".join(parts), MAP_HEIGHT, _("What moved and matters: {columns}").format(columns=told))


MOST_NAMED = 8
MAP_LETTERS, EDGE_LETTERS = 48, 24  # of what stands along the map, and at the ends of an axis


def strip_svg(columns: Sequence[ColumnDrift]) -> Markup:
    """How far the columns of a segment moved, a dot each from 0 to 1; those that alarm stand above the others."""
    dots = "".join(
        f'<circle class="dot {"act" if one.alarming else "open"}" cx="{8 + (WIDTH - 16) * min(1.0, one.effect):.1f}" '
        f'cy="{10 if one.alarming else 22}" r="4"/>'
        for one in columns
        if one.test != "none"
    )
    least, most = _text(_("0 the same"), EDGE_LETTERS), _text(_("1 entirely different"), EDGE_LETTERS)
    axis = f'<path class="axis" d="M8 32H{WIDTH - 8}"/><text class="soft" x="8" y="46">{least}</text>'
    axis += f'<text class="soft" x="{WIDTH - 8}" y="46" text-anchor="end">{most}</text>'
    loud = ", ".join(one.label for one in columns if one.alarming) or _("none")
    return _svg(axis + dots, 50, _("How far each fact moved; enough to matter: {columns}").format(columns=loud))


def _apart(heights: Sequence[float]) -> list[float]:
    """The heights of names, none closer than a line to another; in their order."""
    found = list(heights)
    order = sorted(range(len(found)), key=found.__getitem__)
    for lower, upper in pairwise(order):
        found[upper] = max(found[upper], found[lower] + 13)
    return found


def _percent(value: float) -> str:
    return as_share(value) if value >= 0.01 or value <= 0 else f"<{as_share(0.01)}"


def _text(words: str, letters: int = LEVEL_LETTERS) -> str:
    from markupsafe import escape

    return str(escape(words if len(words) <= letters else words[: letters - 1] + "…"))


def _svg(body: str, height: float, alternative: str) -> Markup:
    from markupsafe import Markup, escape

    told = escape(alternative if len(alternative) <= 400 else alternative[:399] + "…")
    opened = f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{told}">'
    return Markup(f"{opened}{body}</svg>")  # noqa: S704 (escaped above)
