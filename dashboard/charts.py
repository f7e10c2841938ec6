"""How every figure is shown: under a title that says what it finds, with its data as a table and as a file.

Which figures there are is told by `dashboard.figures`; nothing is computed there beyond what a position on paper needs.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from textwrap import wrap
from typing import Any

import streamlit as st

from dashboard.palette import palette
from dashboard.tables import show_table
from language import _, worded
from language.format import chart_format
from language.speech import current
from preprocessing.render import harmless_cell

Figure = Any
"""A plotly Figure (the library ships no types)."""

CONFIG: Mapping[str, Any] = {"displayModeBar": False, "responsive": True}
"""How Streamlit shows them: without a tool bar, and without catching the scrolling of a phone."""

EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
"""What a browser is told of a workbook."""

AXIS_LETTERS = 26  # letters of a name on an axis; longer ones leave no room on a phone
TITLE_LETTERS, ACROSS_LETTERS = 34, 42  # in a line of the title of an axis, upright and across
TEXT_PIXELS = 13  # of letters in a figure
NAMES_BESIDE = 10  # names of models that an axis of time has room for


def draw(
    figure: Figure,
    *,
    title: str,
    alternative: str,
    table: Sequence[Mapping[str, object]],
    key: str,
    **options: Any,
) -> Any:
    """A figure over the whole width. What Streamlit gives back of it: with `on_select="rerun"`, what was selected.

    title: what it finds, with unit and n. alternative: what it shows, for those who cannot see it. table: what is
    drawn, a row each. key: unique on the page. options: further ones of `st.plotly_chart`.
    """
    st.markdown(f"**{title}**")
    looks: dict[str, Any] = {"width": "stretch", "theme": None, "config": _configuration()}
    shown = st.plotly_chart(figure, key=key, alt=alternative, **looks, **options)
    box = st.expander(_("As a table"), key=f"table:{key}", on_change="rerun")
    if box.open:
        with box:
            show_table(table, hide_index=True, width="stretch")
            name = f"{''.join(letter if letter.isalnum() else '-' for letter in key)}.csv"
            st.download_button(
                _("Download (CSV)"), partial(csv_of, table), name, "text/csv", on_click="ignore", key=f"csv:{key}"
            )
    return shown


def _configuration() -> dict[str, Any]:
    """Numbers and dates of axes and of what is told where a pointer rests, as the visitor's country writes them: Plotly
    comes to the browser with English alone, and takes others with a figure."""
    locale = current().locale
    return {**CONFIG, "locale": locale, "locales": {locale: {"dictionary": {}, "format": chart_format(locale)}}}


def day_pointed_at() -> str:
    """The place of a day in what is told where a pointer rests, written as its reader does."""
    return f"%{{x|{chart_format(current().locale)['dayMonth']}}}"


def csv_of(table: Sequence[Mapping[str, object]]) -> bytes:
    """Rows as a file: the columns of the first, numbers as they are."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(table[0]) if table else [], restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: harmless_cell(cell) for name, cell in row.items()} for row in table)
    return text.getvalue().encode("utf-8-sig")  # so that Excel reads letters beyond ASCII


def mark_models(figure: Figure, came: Sequence[tuple[datetime, str]], whole: timedelta, **where: int) -> None:
    """Dotted lines where models came into use, oldest first, each under its name; of names that would lie upon each
    other the later ones stand lower. whole: the time that the axis shows. where: row and col of a figure of several."""
    seen, step, last = palette(), 0, None
    for at, name in came:
        step = step + 1 if last is not None and at - last < whole / NAMES_BESIDE else 0
        last = at
        text: dict[str, object] = {
            "text": name,
            "font": {"size": TEXT_PIXELS - 1, "color": seen.text},
            "xanchor": "left",
        }
        text |= {"yanchor": "top", "yshift": -step * (TEXT_PIXELS + 2)}
        line = {"color": seen.muted, "dash": "dot", "width": 1.5}
        figure.add_vline(x=at.timestamp() * 1000, line=line, annotation=text if name else None, **where)


def in_unit(unit: str) -> str:
    """A unit as it follows the title of an axis; nothing where there is none."""
    return f" ({worded(unit)})" if unit else ""


def short(name: str) -> str:
    """A name that an axis has room for."""
    return name if len(name) <= AXIS_LETTERS else name[: AXIS_LETTERS - 1] + "…"


def in_lines(title: str, letters: int = TITLE_LETTERS) -> str:
    """A title of an axis in lines that a phone has room for; other languages need more letters than English.

    >>> in_lines("moved (0 the same, 1 entirely different)", 24)
    'moved (0 the same, 1<br>entirely different)'
    """
    return "<br>".join(wrap(title, letters, break_long_words=False)) if title else title


def plain(figure: Figure, height: int, *, legend: bool = False) -> Figure:
    """The look that all figures share, in the colours of the visitor's theme."""
    seen = palette()
    figure.for_each_xaxis(lambda one: one.update(title_text=in_lines(one.title.text, ACROSS_LETTERS)))
    figure.for_each_yaxis(lambda one: one.update(title_text=in_lines(one.title.text)))
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 16, "t": 32 if legend else 12, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"size": TEXT_PIXELS, "color": seen.text, "family": "Source Sans, sans-serif"},
        hoverlabel={"bgcolor": seen.raised, "font": {"color": seen.text}},
        showlegend=legend,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "title": None},
        dragmode=False,
    )
    axis = {
        "automargin": True,
        "fixedrange": True,
        "gridcolor": seen.grid,
        "linecolor": seen.faint,
        "zerolinecolor": seen.faint,
        "title_standoff": 8,
        "title_font_size": TEXT_PIXELS,
    }
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    return figure
