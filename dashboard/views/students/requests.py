"""A student's request, as an officer answers it on the page: all that is known, an objection, erasing."""

from collections.abc import Callable

import streamlit as st

from dashboard.frame import Choice
from dashboard.palette import State
from dashboard.visit import Visit
from errors import GradewatchError
from language import _, retold
from language.format import count
from preprocessing.schema import DomainSchema


def draw_requests(visit: Visit, choice: Choice) -> None:
    """Draw where an officer names the student, by the institution's key, which is kept nowhere."""
    typed = st.text_input(
        _("Student's key"),
        key="request key",
        autocomplete="off",
        help=_("As your files have it, or the pseudonym of an answer. It is kept nowhere."),
        width=420,
    )
    if not typed or not typed.strip():
        return
    student = visit.pseudonym_of(typed)
    known = visit.known(choice.schema.name, student)
    if known is None:
        st.info(_("Nothing is known of this student here."), icon=State.INFO.icon)
    else:
        told = _(
            "{predictions} answers, {rows} rows of files, {outcomes} outcomes, {looks} looks; {models} models learned "
            "from it."
        )
        counts = {
            "predictions": count(len(known.predictions)),
            "rows": count(len(known.rows)),
            "outcomes": count(len(known.outcomes)),
            "looks": count(len(known.looks)),
            "models": count(len(known.models)),
        }
        st.write(told.format(**counts))
        if known.objected is not None:
            st.warning(_("This student has objected to being scored."), icon=State.INFO.icon)
    if visit.may("note", choice.schema.name) and known is not None:
        st.button(
            _("Notes about this student"),
            on_click=_go,
            args=(student,),
            key="request notes",
            icon=":material/edit_note:",
        )
    draw_rights(visit, choice.schema, student, known=known is not None)


def _go(student: str) -> None:
    st.query_params["student"] = student


def draw_rights(visit: Visit, schema: DomainSchema, student: str, *, known: bool = True) -> None:
    """What may be done for a student (a pseudonym), each with its word."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="rights"):
        if known:
            if st.button(_("Hand out all that is known"), icon=":material/folder_zip:", key="export"):
                st.session_state["export of"] = student, visit.export(schema.name, student)
            made_for, archive = st.session_state.get("export of", ("", b""))
            if made_for == student:
                st.download_button(
                    _("Download the archive (ZIP)"),
                    archive,
                    "student.zip",
                    "application/zip",
                    on_click="ignore",
                    icon=":material/download:",
                    key="export file",
                )
        with st.popover(_("Record an objection"), icon=":material/block:"):
            st.write(_("From then on the student is in no list and never scored, in any subject."))
            reason = st.text_input(_("Why (names nobody)"), key="objection reason")
            if st.button(_("Record it"), key="object", type="primary"):
                _try(lambda: _object(visit, schema, student, reason))
        if known:
            with st.popover(_("Erase …"), icon=":material/delete_forever:"):
                st.write(
                    _("Everything that names or describes the student goes for good; what it stood in is made again.")
                )
                reason = st.text_input(_("Why (kept for good, names nobody)"), key="erasure reason")
                if st.button(_("Erase for good"), key="erase", type="primary", disabled=not reason.strip()):
                    _try(lambda: _erase(visit, schema, student, reason))
    kind, said = st.session_state.pop("request told", ("", ""))
    if said:
        (st.success if kind == "done" else st.error)(said)


def _object(visit: Visit, schema: DomainSchema, student: str, reason: str) -> str:
    visit.object(schema.name, student, reason=reason)
    return _("The objection is recorded.")


def _erase(visit: Visit, schema: DomainSchema, student: str, reason: str) -> str:
    job = visit.erase(schema.name, student, reason=reason)
    return _("Erasing is asked for; a worker does it (job {job}).").format(job=job)


def _try(work: Callable[[], str]) -> None:
    try:
        st.session_state["request told"] = ("done", work())
    except GradewatchError as error:
        st.session_state["request told"] = ("failed", retold(str(error)))
    st.rerun()
