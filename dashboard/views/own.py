"""The page of a student or a guardian: what is expected of one student, what helps, what a number is not, an objection.

It says nothing of anybody else; the sentences are `advice.own_words`', as the API gives them.
"""

from collections.abc import Mapping

import streamlit as st

from access.roles import NotLinked
from advice import own_words
from advice.own_view import OwnAnswer, OwnDomain, OwnView
from dashboard.charts import draw
from dashboard.figures.own import expected, grades
from dashboard.frame import state_line
from dashboard.palette import State
from dashboard.visit import Visit
from errors import MissingExtra
from language import _
from language.format import day
from reports.sheet_forms import SHEET_FORMS


def own(visit: Visit) -> None:
    """Draw the page."""
    try:
        found = visit.own()
    except NotLinked:
        state_line(State.OPEN, _("Nobody has linked your account to a student yet."))
        st.write(own_words.contact_words(visit.contact))
        return
    child = visit.for_child
    title = _("Yours")
    st.set_page_config(page_title=f"{title} – Gradewatch")
    state_line(State.INFO, _headline(found, child=child))
    for one in found.domains:
        _domain(visit, one)
    _limits(visit, child=child)
    if found.objected is None:
        _objection(visit, child=child)


def _headline(found: OwnView, *, child: bool) -> str:
    if found.objected is not None:
        return own_words.objected_words(found.objected, child=child)
    if not found.domains:
        return own_words.nothing_words(child=child)
    if child:
        return _("This is what is expected of your child, and what may help.")
    return _("This is what is expected of you, and what may help.")


def _domain(visit: Visit, one: OwnDomain) -> None:
    if one.invented:
        st.warning(own_words.invented_words(), icon=State.LOOK.icon)
    for number, place in enumerate(one.places):
        with st.container(border=True):
            st.subheader(own_words.place_words(one, place), anchor=False)
            known = _("As of {day}, by what was known: {moment}") if place.moment else _("As of {day}")
            st.caption(known.format(day=day(place.at), moment=place.moment))
            for answer in place.answers:
                _answer(answer, f"{one.domain}-{number}-{answer.target}")
            _sheet(visit, place.sheet, str(place.at.date()))
    if one.weak_subjects:
        st.subheader(_("Worth working on"), anchor=False)
        for subject in one.weak_subjects:
            st.markdown(f"- {own_words.subject_words(subject)}")
    st.subheader(_("What may help"), anchor=False)
    for words in own_words.plan_words(one):
        st.markdown(f"- {words}")
    _sources(one)


def _answer(answer: OwnAnswer, key: str) -> None:
    title, said = own_words.expected_words(answer), own_words.answer_words(answer)
    if answer.grades:
        table: list[Mapping[str, object]] = [
            {_("result"): each.grade, _("of 10 students"): each.of_ten} for each in answer.grades
        ]
        draw(grades(answer), title=title, alternative=said, table=table, key=key)
    elif isinstance(answer.value, float | int):
        row = {_("most likely"): answer.value, _("from"): answer.low, _("to"): answer.high}
        draw(expected(answer), title=said, alternative=said, table=[row], key=key)
    else:
        st.markdown(f"**{said}**")


def _sheet(visit: Visit, number: str, day_of: str) -> None:
    """A page about it to keep, made when it is asked for."""
    if st.button(_("This on a sheet"), icon=":material/description:", key=f"own sheet {number}"):
        for label, name in ((_("Download the sheet (page)"), "html"), (_("Download the sheet (PDF)"), "pdf")):
            form = SHEET_FORMS[name]
            try:
                content = visit.own_sheet(number, form)
            except MissingExtra:
                continue  # whoever runs this installation may add it; a page prints as well
            st.download_button(
                label, content, f"sheet-{day_of}.{name}", form.media.partition(";")[0], on_click="ignore",
                icon=":material/download:", key=f"own sheet {name} {number}",
            )  # fmt: skip


def _sources(one: OwnDomain) -> None:
    links = {step.title: step.url for step in one.plan if step.url}
    if links:
        told = ", ".join(f"[{title}]({url})" for title, url in links.items())
        st.caption(_("Where it is shown that this helps: {links}").format(links=told))


def _limits(visit: Visit, *, child: bool) -> None:
    st.subheader(_("What this is not"), anchor=False)
    for words in own_words.limits_words(child=child):
        st.markdown(f"- {words}")
    st.subheader(_("Whom to ask"), anchor=False)
    st.write(own_words.contact_words(visit.contact))


def _objection(visit: Visit, *, child: bool) -> None:
    st.subheader(_("Your objection"), anchor=False)
    st.write(own_words.objection_words(child=child))
    sure = st.checkbox(_("I object to these predictions."), key="own objection")
    if st.button(_("Object"), disabled=not sure, key="own object"):
        visit.object_to_scoring()
        st.rerun()
