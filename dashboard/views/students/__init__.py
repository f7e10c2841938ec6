"""The page Students: who is likely to fail and why, one of them, a form for one, a file of many, and their requests.

What each part shows is in a module of its own; here it is decided which of them the visitor sees.
"""

from collections.abc import Callable

import streamlit as st

from dashboard.frame import Choice, back_to_newest, controls, foot, state_line
from dashboard.palette import State
from dashboard.parts import champions_of, say_no_champion, say_uncounted, warn_of_changed_schemas, warn_of_examples
from dashboard.views.students.asking import ask_about_file, ask_about_one
from dashboard.views.students.case_list import draw_cases
from dashboard.views.students.listing import Listing, draw_list
from dashboard.views.students.one import draw_student
from dashboard.views.students.requests import draw_requests
from dashboard.visit import Visit
from language import _, ngettext
from language.format import count
from preprocessing.validation.pii import is_pseudonym

STUDENT_IN_ADDRESS = "student"
"""Of whom the page is, in its address."""

PART = "part"
"""The tab that is open, in the session."""


def students(visit: Visit) -> None:
    """Draw the page."""
    choice = controls(visit, at=_asks(visit), back=lambda schema: back_to_newest(visit, schema.name))
    name = choice.schema.name
    chosen = st.query_params.get(STUDENT_IN_ADDRESS, "")
    if is_pseudonym(chosen) and (visit.may("read", name) or visit.may("note", name)):
        draw_student(visit, choice, chosen)
        return
    warn_of_examples(visit, [name])
    warn_of_changed_schemas(visit, [name])
    listing = Listing(visit, choice) if visit.may("read", name) else None
    _draw_state(listing)
    if listing is not None:
        _say_uncounted(visit)
    if not champions_of(visit, choice.schema):
        say_no_champion(choice.schema)
    _draw_tabs(visit, choice, listing)
    foot(rows=listing.rows if listing else None, name=f"{name}-students")


def _asks(visit: Visit) -> bool:
    """Whether answers are asked for at a moment; the list shows the newest ones, whatever theirs was."""
    listed = any(visit.may("read", name) for name in visit.schemas)
    return not listed or st.session_state.get(PART) in (_("One student"), _("A file"))


def _draw_state(listing: Listing | None) -> None:
    if listing is None:
        state_line(State.INFO, _("Here you answer a student who asks what is known."))
        return
    counts = listing.counts
    state = State.OPEN if not counts.students else State.LOOK if counts.warned else State.GOOD
    state_line(state, listing.sentence, action=listing.draw_names)


def _say_uncounted(visit: Visit) -> None:
    found = visit.uncounted_answers()
    told = _("Newer answers are being counted; until then this list does not know of them.")
    if found is not None and found.n is not None:
        told = ngettext(
            "{n} newer answer is being counted; until then this list does not know of it.",
            "{n} newer answers are being counted; until then this list does not know of them.",
            found.n,
        ).format(n=count(found.n))
    say_uncounted(found, told)


def _draw_tabs(visit: Visit, choice: Choice, listing: Listing | None) -> None:
    name = choice.schema.name
    asks = visit.may("predict", name) and bool(champions_of(visit, choice.schema))
    parts: dict[str, Callable[[], None] | None] = {
        _("List"): (lambda: draw_list(listing)) if listing else None,
        _("One student"): (lambda: ask_about_one(visit, choice)) if asks else None,
        _("A file"): (lambda: ask_about_file(visit, choice)) if asks else None,
        _("A student's request"): (lambda: draw_requests(visit, choice)) if visit.may("rights", name) else None,
        _("Cases"): (lambda: draw_cases(visit, choice.schema)) if visit.may("note", name) else None,
    }
    shown = {title: draw for title, draw in parts.items() if draw is not None}
    for tab, draw in zip(st.tabs(list(shown), key=PART, on_change="rerun"), shown.values(), strict=True):
        if tab.open:
            with tab:
                draw()
