"""Which installation a visitor looks at, the invented school or their own: in the address, kept for the session.

Where there is no invented school, nobody is asked.
"""

from typing import Literal, get_args

import streamlit as st

Installation = Literal["own", "demo"]
WHICH = "installation"
"""Of the choice, in the address and in the session alike."""


def chosen() -> Installation | None:
    """What the visitor chose, by the address or before; None where they have not."""
    asked = st.query_params.get(WHICH)
    if asked in get_args(Installation):
        st.session_state[WHICH] = asked
    kept: Installation | None = st.session_state.get(WHICH)
    if kept is not None and asked != kept:
        st.query_params[WHICH] = kept  # links from page to page do not name it
    return kept


def choose(which: Installation | None) -> None:
    """Look at another installation from now on, with nothing of what was shown of the first; None: as at first."""
    st.session_state.clear()
    st.query_params.clear()
    if which is not None:
        st.session_state[WHICH] = st.query_params[WHICH] = which
