"""The line of life of a model: which version answered when, what changed it, and when the data raised an alarm."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import plotly.graph_objects as go

from dashboard.charts import Figure, plain
from dashboard.figures.decisions import ROW_PIXELS, THICK
from dashboard.palette import palette
from dashboard.version_words import Names
from database.records import Action
from language import _, retold_reasons
from language.format import day, moment
from model.standing import Reign
from overview.names import person, shorten

CHANGES: Mapping[Action, str] = {"promote": "triangle-up", "rollback": "triangle-down", "activate": "diamond"}
"""How each kind of change is drawn."""

LINE_LETTERS = 90  # of a reason that is shown where a pointer rests


def life_rows(reigns: Sequence[Reign], names: Names) -> list[dict[str, Any]]:
    """Each time as the model in use."""
    told = change_words()
    return [
        {
            _("version"): names.of(one.version),
            _("kind"): names.kind(one.version),
            _("from"): one.since,
            _("until"): one.until,
            _("how"): told[one.action],
            _("by"): person(one.actor),
            _("because"): retold_reasons(one.reason),
        }
        for one in reigns
    ]


def change_words() -> Mapping[Action, str]:
    """Kinds of changes as they are said."""
    return {"promote": _("promoted"), "rollback": _("rolled back to"), "activate": _("activated")}


def line_of_life(reigns: Sequence[Reign], alarms: Sequence[datetime], names: Names, now: datetime) -> Figure:
    """A bar for each time that a version was in use, the newest version on top, marks where it began, and ticks where
    the data raised an alarm. The digest of its version stands with every point."""
    seen, figure = palette(), go.Figure()
    kinds = sorted({names.kind(one.version) for one in reigns})
    colours = dict(zip(kinds, seen.several * (1 + len(kinds) // len(seen.several)), strict=False))
    shown: set[str] = set()
    for one in reigns:
        kind, until = names.kind(one.version), one.until or now
        figure.add_scatter(
            x=[one.since, until],
            y=[names.of(one.version)] * 2,
            customdata=[one.version] * 2,
            mode="lines",
            line={"color": colours[kind], "width": THICK},
            name=kind,
            legendgroup=kind,
            showlegend=kind not in shown,
            hoverinfo="skip",
        )
        shown.add(kind)
    _add_changes(figure, reigns, names)
    if alarms:
        figure.add_scatter(
            x=list(alarms),
            y=[_("alarms")] * len(alarms),
            mode="markers",
            marker={"symbol": "line-ns", "size": 16, "line": {"color": seen.act, "width": 2}},
            name=_("alarm of the data"),
            text=[moment(at) for at in alarms],
            hovertemplate="%{text}<extra></extra>",
        )
    order = [_("alarms")] * bool(alarms) + sorted({names.of(one.version) for one in reigns}, key=_number)
    figure.update_xaxes(nticks=6)
    figure.update_yaxes(type="category", categoryorder="array", categoryarray=order)
    return plain(figure, 120 + ROW_PIXELS * len(order), legend=True)


def _add_changes(figure: Figure, reigns: Sequence[Reign], names: Names) -> None:
    seen, told = palette(), change_words()
    for action, symbol in CHANGES.items():
        these = [one for one in reigns if one.action == action]
        if these:
            figure.add_scatter(
                x=[one.since for one in these],
                y=[names.of(one.version) for one in these],
                customdata=[one.version for one in these],
                mode="markers",
                marker={
                    "symbol": symbol,
                    "size": 16,
                    "color": seen.text,
                    "line": {"color": seen.surface, "width": 1.5},
                },
                name=told[action],
                text=[_told(one) for one in these],
                hovertemplate="%{text}<extra></extra>",
            )


def _told(one: Reign) -> str:
    reason = shorten(retold_reasons(one.reason), LINE_LETTERS)
    return f"{day(one.since)}, {person(one.actor)}: {reason}"


def _number(name: str) -> tuple[int, str]:
    """Versions in the order of their numbers."""
    return (int(name[1:]) if name[1:].isdigit() else 0, name)
