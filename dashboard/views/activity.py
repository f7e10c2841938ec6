"""Everything that happened, newest first."""

import streamlit as st

from dashboard import words
from dashboard.frame import controls, state_line
from dashboard.palette import State
from dashboard.visit import Visit
from language import _


def activity(visit: Visit) -> None:
    """Draw the page."""
    choice = controls(visit, every=True, at=False, target=False, days=False)
    shown = [one for one in visit.events() if choice.every or one.domain in (None, choice.schema.name)]
    state_line(State.INFO, _("Everything that happened, newest first.") if shown else _("Nothing has happened yet."))
    st.dataframe(
        [{_("when"): one.at, _("subject"): one.domain or "", _("what"): words.event(one)} for one in shown],
        hide_index=True,
        width="stretch",
    )
