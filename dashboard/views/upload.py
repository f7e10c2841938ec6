"""Uploading a file of rows or outcomes, and what became of every one: a plain form above the history.

How files are checked, kept and told of is `jobs.uploads`'; a visitor who is confined to groups sees their own uploads.
"""

from collections.abc import Mapping

import streamlit as st

from access.roles import Forbidden
from dashboard import words
from dashboard.frame import controls
from dashboard.parts import choose_file, offer_problems
from dashboard.visit import Visit
from database.errors import StoreUnavailable
from database.ingest import StoredOutcomes
from database.uploads import Upload, UploadKind
from jobs.render import counts_of
from jobs.uploads import TakenRows
from preprocessing.reading.raw_table import UnreadableFile
from preprocessing.schema import DomainSchema
from preprocessing.validation.causes import causes
from preprocessing.validation.rules import BadData

FILE_KINDS: Mapping[UploadKind, str] = {
    "labeled": "Rows with their outcomes, to learn from",
    "unlabeled": "Rows without outcomes",
    "outcomes": "Outcomes alone, such as final grades",
}
SHOWN_UPLOADS = 50


def upload(visit: Visit) -> None:
    """Draw the page."""
    st.title("Upload", anchor=False)
    schema = controls(visit, at=False, target=False, days=False).schema
    _form(visit, schema)
    st.subheader("What became of them", anchor=False)
    found = visit.uploads(schema.name, SHOWN_UPLOADS)
    if not found:
        st.caption("Nothing was uploaded yet.")
        return
    st.dataframe([_row(one) for one in found], hide_index=True, width="stretch")
    st.caption(
        "A row replaces the same student's row of that group and period. A refused file changed nothing. "
        f"The newest {SHOWN_UPLOADS} are shown."
    )


def _form(visit: Visit, schema: DomainSchema) -> None:
    kind = st.radio(
        "What is in the file", list(FILE_KINDS), format_func=lambda one: FILE_KINDS[one], key=f"kind:{schema.name}"
    )
    st.caption(f"CSV, Excel, Parquet or JSON; up to {visit.max_rows:,} rows and {visit.max_upload_mb} MB.")
    file = choose_file(f"upload:{schema.name}")
    if file is None or not st.button("Upload", type="primary", key=f"upload:{schema.name}"):
        return
    with st.spinner("Checking and storing …"):
        try:
            _told(schema, visit.upload(schema.name, kind, file))
        except BadData as error:
            _refused(schema, error)
        except (UnreadableFile, Forbidden) as error:
            st.error(f"Refused: {error}", icon=":material/error:")
        except StoreUnavailable as error:
            st.error(f"The database cannot be reached, so nothing was stored. Try again. ({error})")


def _told(schema: DomainSchema, taken: TakenRows | StoredOutcomes) -> None:
    if isinstance(taken, StoredOutcomes):
        said = f"{taken.outcomes:,} outcomes: {taken.new:,} new, {taken.corrected:,} corrected, {taken.known:,} known"
    else:
        stored = f"{words.rows(taken.batch.rows)} stored" if taken.new else "This very content was there already"
        said = f"{stored}: {counts_of(taken.upload)}"
    st.success(f"{said}.", icon=":material/check:")
    for note in (*taken.notes, *(taken.sentences if isinstance(taken, StoredOutcomes) else (taken.upload.note,))):
        if note:
            st.info(note, icon=":material/info:")
    if taken.problems:
        st.warning("Some rows were left out.", icon=":material/warning:")
        offer_problems(schema.name, taken.problems)


def _refused(schema: DomainSchema, refused: BadData) -> None:
    found = words.rows(refused.total, "problem")
    st.error(f"Refused: {found}. Nothing was stored. Correct the file and upload it again.", icon=":material/error:")
    shown = [
        {"column": one.column, "what was expected": one.rule, "found": one.values_told, "rows": one.rows_told}
        for one in causes(refused.problems)
    ]
    st.dataframe(shown, hide_index=True, width="stretch")
    offer_problems(schema.name, refused.problems)


def _row(one: Upload) -> dict[str, object]:
    return {
        "when (UTC)": f"{one.at:%Y-%m-%d %H:%M}",
        "file": one.name,
        "state": one.state,
        "rows": counts_of(one),
        "why": "; ".join([*one.reasons, one.note] if one.note else one.reasons),
        "what": one.kind,
        "by": one.actor,
    }
