"""Tables as a page shows them: rows go to the browser as Arrow has them.

Streamlit would send any other rows by way of pandas, and so would pyarrow, asked to read them: 40 MB of the process for
a library that nothing else here needs. Polars is there anyway.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import streamlit as st


def show_table(rows: Sequence[Mapping[str, object]], **options: Any) -> Any:
    """Rows with the columns of the first; what Streamlit gives back of it. options: of `st.dataframe`."""
    return st.dataframe(arrow_of(rows), lazy=False, **options)  # else it asks pandas whether it may be


def arrow_of(rows: Sequence[Mapping[str, object]]) -> Any:
    """A table of pyarrow's. A column of values of several kinds is one of text."""
    names = list(rows[0]) if rows else []
    columns = [pl.Series(name, [row.get(name) for row in rows], strict=False) for name in names]
    return pl.DataFrame(columns).to_arrow(compat_level=pl.CompatLevel.oldest())
