"""Tables as a page shows them: rows go to the browser as Arrow has them, numbers and times as such.

Streamlit would send any other rows by way of pandas, and so would pyarrow, asked to read them: 40 MB of the process for
a library that nothing else here needs. Polars is there anyway. Values stay what they are, so that a table sorts by
them; the browser writes them as its reader does.
"""

from collections.abc import Mapping, Sequence
from math import floor, log10
from typing import Any

import polars as pl
import streamlit as st

from language import _
from language.format import typed_moment
from language.speech import current

LOCALIZED = "localized"
"""How Streamlit writes a number as the reader's country does; with `step`, to so many decimals."""


NARROW = 3  # columns that a phone has room for
NO_VALUE = "–"
"""What stands where there is none."""


def show_table(rows: Sequence[Mapping[str, object]], **options: Any) -> Any:
    """Rows with the columns of the first; what Streamlit gives back of it. options: of `st.dataframe`; columns without
    a configuration of their own are written by their kind."""
    table = frame_of(rows)
    configured = options.pop("column_config", None) or {}
    usual = {name: _usual_column(kind) for name, kind in table.schema.items() if name not in configured}
    shown = {name: column for name, column in usual.items() if column is not None} | dict(configured)
    if len(table.columns) > NARROW:
        told = _("Wider than a phone: move it sideways.")
        st.html(f'<p class="sideways">{told}</p>')
    arrow = _rounded(table, configured).to_arrow(compat_level=pl.CompatLevel.oldest())
    options = {"placeholder": NO_VALUE, **options}
    return st.dataframe(arrow, lazy=False, column_config=shown, **options)  # else it asks pandas whether it may be


def frame_of(rows: Sequence[Mapping[str, object]]) -> pl.DataFrame:
    """A column of values of several kinds is one of text."""
    names = list(rows[0]) if rows else []
    return pl.DataFrame([pl.Series(name, [row.get(name) for row in rows], strict=False) for name in names])


def _rounded(table: pl.DataFrame, configured: Mapping[str, Any]) -> pl.DataFrame:
    """Numbers to the decimals that are shown of them: Streamlit would cut off the others."""
    steps = {name: (one.get("type_config") or {}).get("step") for name, one in configured.items()}
    shown = {name: -floor(log10(step)) for name, step in steps.items() if step}
    known = [name for name, kind in table.schema.items() if name in shown and kind.is_float()]
    return table.with_columns(pl.col(name).round(shown[name]) for name in known)


def _usual_column(kind: pl.DataType) -> Any:
    if kind.is_numeric():
        return st.column_config.NumberColumn(format=LOCALIZED)
    if isinstance(kind, pl.Datetime):
        return instant_column()
    return st.column_config.DateColumn(format=LOCALIZED) if kind == pl.Date else None


def number_column(label: str | None = None, digits: int = 1, **options: Any) -> Any:
    """Numbers with so many decimals, thousands apart. options: of Streamlit's `NumberColumn`."""
    return st.column_config.NumberColumn(label, format=LOCALIZED, step=10.0**-digits if digits else 1, **options)


def share_column(label: str | None = None, digits: int = 0, **options: Any) -> Any:
    """Shares of 1 in percent with so many decimals. options: of Streamlit's `NumberColumn`."""
    return st.column_config.NumberColumn(label, format="percent", step=10.0 ** -(digits + 2), **options)


def instant_column(label: str | None = None) -> Any:
    """Instants as the visitor's clock and calendar have them."""
    spoken = current()
    return st.column_config.DatetimeColumn(label, format=typed_moment(spoken.locale), timezone=spoken.zone)
