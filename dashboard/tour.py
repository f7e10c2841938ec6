"""The invented school on the pages: the banner that says so, the way to one's own and back, a tour of five links."""

import streamlit as st

from dashboard.frame import link
from dashboard.installation import choose
from dashboard.shared_workspace import remove_demo_shown
from dashboard.visit import Visit
from demo.plot import CHANGED
from language import _

ICON_OF_DEMO = ":material/theater_comedy:"


def say_which(visit: Visit) -> None:
    """That all is invented, above every page of the invented school; elsewhere the way to it, where it is there."""
    if visit.of_demo:
        with st.container(horizontal=True, vertical_alignment="center", border=True, key="invented"):
            said = _("An invented school.")
            told = _("Its students, its twelve weeks and what came of them are made up: nothing here is about anybody.")
            st.markdown(f"{ICON_OF_DEMO} **{said}** {told}", width="stretch")
            st.button(_("Show my own school"), on_click=choose, args=("own",), key="to own")
            st.button(_("Remove it"), on_click=remove_demo_shown, type="tertiary", key="remove demo")
    elif visit.demo_there:
        with st.container(horizontal=True, horizontal_alignment="right", key="invented"):
            st.button(
                _("Look at the invented school"),
                icon=ICON_OF_DEMO,
                on_click=choose,
                args=("demo",),
                type="tertiary",
                key="to demo",
            )


def tour(visit: Visit) -> None:
    """Five links through the invented school's weeks, until the visitor has had enough of them; else nothing."""
    if not visit.on_tour:
        return
    with st.container(border=True, key="tour"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(_("**See it break, and see it mended**"), width="content")
            st.button(_("Enough"), icon=":material/close:", on_click=visit.end_tour, type="tertiary", key="end tour")
        about = {"domain": CHANGED.domain, "target": CHANGED.target}
        late = about | {"at": CHANGED.moment}
        link("data", _("1 · Week 6: another school joins"), **about, report=visit.report_of_joining())
        link("results", _("2 · Weeks 7 and 8: ranges break"), **late)
        link("models", _("3 · Week 9: a better challenger"), **late)
        link("activity", _("4 · Twelve weeks, line by line"))
        link("students", _("5 · Today: who needs help, and why"), **late)
