"""What changed for students since a model, a warning policy or data came, as a job found it: the newest reports."""

import streamlit as st

from dashboard.tables import show_table
from dashboard.visit import Visit
from language import _
from language.format import moment
from overview.changes_told import cause_words, crossed_rows, report_lines, report_sentence
from preprocessing.schema import DomainSchema, Target

REPORTS_BEFORE = 10


def draw_change_report(visit: Visit, schema: DomainSchema, target: Target) -> None:
    """Nothing where there is none."""
    found = [one for one in visit.change_reports(schema.name) if one.found.target == target.name]
    if not found:
        return
    newest, *before = found
    st.subheader(_("What changed for students"), anchor=False)
    told = _("After {cause}, from {since} to {until}:")
    st.markdown(told.format(cause=cause_words(newest), since=moment(newest.found.since), until=moment(newest.at)))
    for line in report_lines(newest, target):
        st.markdown(f"- {line}")
    if target.pass_mark is not None:
        show_table(crossed_rows(newest), hide_index=True, width="stretch", key="changes crossed")
    if before:
        with st.expander(_("Before")):
            for one in before[:REPORTS_BEFORE]:
                st.markdown(f"{moment(one.at)} · {report_sentence(one, target)}")
