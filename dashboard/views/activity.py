"""Everything that happened, newest first, page by page; the same as `gradewatch history`."""

from typing import Any, get_args

import streamlit as st

from dashboard import words
from dashboard.frame import Choice, controls, foot, link, state_line
from dashboard.palette import State
from dashboard.tables import instant_column, show_table
from dashboard.visit import Visit
from database.records import Before
from language import _, worded
from language.format import moment
from overview.feed import FeedFilter, next_page
from overview.happenings import Entry, EntryKind

BEFORE = "activity before"  # of the session: where the page that is shown begins, after each page before it


def activity(visit: Visit) -> None:
    """Draw the page."""
    choice = controls(visit, every=True, at=False, target=False, days=False)
    state_line(State.INFO, _("Everything that happened, newest first."))
    asked = _filters(choice)
    places: list[Before | None] = st.session_state.setdefault(BEFORE, [None])
    entries = visit.feed(asked, before=places[-1])
    rows = [
        {
            "when": one.at,
            "what": kind_word(one.kind),
            "subject": worded(visit.schemas[one.domain].title) if one.domain in visit.schemas else "",
            "sentence": one.sentence,
            "who": one.who,
        }
        for one in entries
    ]
    if not rows:
        st.info(_("Nothing of this kind has happened."), icon=State.INFO.icon)
    else:
        shown = show_table(
            rows,
            hide_index=True,
            width="stretch",
            on_select="rerun",
            selection_mode="single-row",
            key=f"entries {len(places)}",
            column_config=_columns(),
        )
        if chosen := shown["selection"]["rows"]:
            _tell(entries[chosen[0]])
    _turn_pages(places, next_page(entries))
    foot(rows=rows, name="activity")


def _filters(choice: Choice) -> FeedFilter:
    """What is looked for; another choice begins at the newest again."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="activity filters"):
        kinds = st.multiselect(
            _("What"), get_args(EntryKind), format_func=kind_word, key="activity kinds", placeholder=_("Everything")
        )
        who = st.text_input(_("Who"), key="activity who", width=200, max_chars=64)
    asked = FeedFilter([] if choice.every else [choice.schema.name], tuple(kinds), who.strip())
    if st.session_state.get("activity asked") != asked:
        st.session_state["activity asked"] = asked
        st.session_state[BEFORE] = [None]
    return asked


def _columns() -> dict[str, Any]:
    return {
        "when": instant_column(_("When")),
        "what": st.column_config.TextColumn(_("What")),
        "subject": st.column_config.TextColumn(_("Subject")),
        "sentence": st.column_config.TextColumn(_("What happened"), width="large"),
        "who": st.column_config.TextColumn(_("Who")),
    }


def _turn_pages(places: list[Before | None], behind: Before | None) -> None:
    with st.container(horizontal=True):
        if len(places) > 1:
            st.button(_("Newer"), icon=":material/arrow_back:", on_click=_forget_newest, args=(places,))
        if behind is not None:
            st.button(_("Older"), icon=":material/arrow_forward:", on_click=places.append, args=(behind,))


def _forget_newest(places: list[Before | None]) -> None:
    places.pop()


@st.dialog(_("What happened"), width="large")
def _tell(entry: Entry) -> None:
    st.markdown(f"**{words.harmless(entry.sentence)}**")
    if entry.text:
        st.markdown(words.harmless(entry.text))
    told = [moment(entry.at), kind_word(entry.kind), *([entry.who] if entry.who else [])]
    st.caption(" · ".join(words.harmless(part) for part in told))
    if entry.page:
        link(entry.page, _("Look at it"), icon=":material/arrow_forward:", **entry.choice)


def entry_line(entry: Entry) -> str:
    """An entry as a line of a list."""
    who = f" ({entry.who})" if entry.who else ""
    return f"{moment(entry.at)} · {words.harmless(entry.sentence + who)}"


def kind_word(kind: EntryKind) -> str:
    """What a kind of entry is called."""
    return {
        "upload": _("File"),
        "refusal": _("Refused file"),
        "model": _("New model"),
        "champion": _("Model in use"),
        "trial": _("Trial"),
        "decision": _("Decision"),
        "drift": _("Drift"),
        "alert": _("Alert"),
        "acknowledgement": _("Taken note of"),
        "report": _("Report"),
        "withdrawal": _("Taken back"),
        "failure": _("Failure"),
        "training": _("Training"),
        "policy": _("Warning policy"),
        "changes": _("What changed"),
        "other": _("Other"),
    }[kind]
