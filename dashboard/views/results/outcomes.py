"""Sending outcomes in from Results: first what of a file would match, then the file. How it is read and kept is
`jobs.uploads`'."""

import streamlit as st

from access.roles import Forbidden
from dashboard.parts import choose_file, offer_problems
from dashboard.visit import GivenFile, Visit
from database.ingest import MatchedOutcomes, StoredOutcomes
from language import _, ngettext, retold
from language.format import count
from preprocessing.reading.raw_table import UnreadableFile
from preprocessing.schema import DomainSchema
from preprocessing.validation.rules import BadData

MATCHED = "matched outcomes"


def offer_outcomes(visit: Visit, schema: DomainSchema) -> None:
    """A file of outcomes, matched before anything is stored."""
    if not visit.may("upload", schema.name):
        return
    with st.expander(_("Send outcomes in"), icon=":material/upload_file:", key="send outcomes"):
        st.caption(
            _(
                "A row for each student: the key (or prediction_id) with period and group where the subject has them, "
                "and the outcome. Nothing is stored before you have seen what matches."
            )
        )
        file = choose_file(f"outcomes:{schema.name}")
        if file is None:
            st.session_state.pop(MATCHED, None)
            return
        try:
            _take(visit, schema, file)
        except BadData as error:
            st.error(_("Refused: {n} problems. Nothing was stored.").format(n=count(error.total)))
            offer_problems(schema.name, error.problems)
        except (UnreadableFile, Forbidden) as error:
            st.error(_("Refused: {why}").format(why=retold(str(error))))


def _take(visit: Visit, schema: DomainSchema, file: GivenFile) -> None:
    asked = (schema.name, file.id, file.sheet, file.skip_bad_rows)
    known, matched = st.session_state.get(MATCHED, (None, None))
    if known != asked:
        with st.spinner(_("Looking which predictions they belong to …")):
            matched = visit.match_outcomes(schema.name, file)
        st.session_state[MATCHED] = (asked, matched)
    st.markdown(f"**{match_sentence(matched)}**")
    for note in matched.notes:
        st.caption(retold(note))
    if matched.problems:
        offer_problems(schema.name, matched.problems)
    label = _("Store {n} outcomes").format(n=count(matched.outcomes))
    if st.button(label, type="primary", key="store outcomes", disabled=not matched.outcomes):
        with st.spinner(_("Checking and storing …")):
            stored = visit.upload(schema.name, "outcomes", file)
        st.session_state.pop(MATCHED, None)
        if isinstance(stored, StoredOutcomes):
            st.toast(
                _("{new} new, {corrected} corrected, {known} known before").format(
                    new=count(stored.new), corrected=count(stored.corrected), known=count(stored.known)
                ),
                icon=":material/check:",
            )
        st.rerun()


def match_sentence(found: MatchedOutcomes) -> str:
    """How many outcomes belong to a prediction, and why others do not."""
    numbers = {"matched": count(found.matched), "all": count(found.outcomes), "unmatched": count(found.unmatched)}
    if not found.unmatched:
        return _("{matched} of {all} match.").format(**numbers)
    if not found.lacking:
        return ngettext(
            "{matched} of {all} match; {unmatched} belongs to no prediction: check the keys.",
            "{matched} of {all} match; {unmatched} belong to no prediction: check the keys.",
            found.unmatched,
        ).format(**numbers)
    return ngettext(
        "{matched} of {all} match; {unmatched} belongs to no prediction: the file lacks {columns}.",
        "{matched} of {all} match; {unmatched} belong to no prediction: the file lacks {columns}.",
        found.unmatched,
    ).format(columns=", ".join(found.lacking), **numbers)
