"""The one form for files of rows and of outcomes, how far a file is, and what became of every one.

How files are checked, kept and told of is `jobs.uploads`'; a visitor who is confined to groups sees their own uploads.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
import streamlit as st

from access.roles import Forbidden
from dashboard.charts import EXCEL
from dashboard.frame import controls, foot, state_line
from dashboard.palette import State
from dashboard.parts import choose_file, offer_problems
from dashboard.tables import instant_column, show_table
from dashboard.visit import Visit
from database.errors import StoreUnavailable
from database.ingest import StoredOutcomes
from database.records import Job, JobProblem
from database.uploads import Upload, UploadKind
from language import _, ngettext, retold, worded
from language.format import count
from overview.names import person
from preprocessing.reading.raw_table import UnreadableFile
from preprocessing.schema import DomainSchema
from preprocessing.template import template
from preprocessing.validation.causes import causes
from preprocessing.validation.rules import Problem

SHOWN_UPLOADS = 50
UPLOAD_KINDS: tuple[UploadKind, ...] = ("labeled", "unlabeled", "outcomes")


def upload(visit: Visit) -> None:
    """Draw the page."""
    schema = controls(visit, at=False, target=False, days=False).schema
    found = visit.uploads(schema.name, SHOWN_UPLOADS)
    state_line(*_state(schema, found))
    _form(visit, schema)
    if job := st.session_state.get(f"upload:{schema.name}"):
        _follow(visit, schema, job)
    _history(found)
    foot(rows=[_row(one) for one in found], name=f"{schema.name}-uploads")


def _state(schema: DomainSchema, found: Sequence[Upload]) -> tuple[State, str]:
    """What became of the newest file, in a sentence."""
    if not found:
        return State.INFO, _("Nothing was uploaded to {title} yet.").format(title=worded(schema.title))
    newest = found[0]
    if newest.state == "refused":
        return State.LOOK, _("The newest file, {file}, was refused and changed nothing.").format(file=newest.name)
    if not newest.ended:
        return State.INFO, _("The newest file, {file}, is at work.").format(file=newest.name)
    changed = (newest.added or 0) + (newest.updated or 0)
    said = ngettext(
        "The newest file, {file}, is stored: {n} row was new or changed.",
        "The newest file, {file}, is stored: {n} rows were new or changed.",
        changed,
    )
    return State.GOOD, said.format(file=newest.name, n=count(changed))


# The form -----------------------------------------------------------------------------------------------------------


def _form(visit: Visit, schema: DomainSchema) -> None:
    names = {
        "labeled": _("Rows with their outcomes, to learn from"),
        "unlabeled": _("Rows without outcomes"),
        "outcomes": _("Outcomes alone, such as final grades"),
    }
    asked = st.query_params.get("kind", "labeled")
    kind = st.radio(
        _("What is in the file"),
        UPLOAD_KINDS,
        index=UPLOAD_KINDS.index(asked) if asked in UPLOAD_KINDS else 0,
        format_func=lambda one: names[one],
        key=f"kind:{schema.name}",
    )
    said = _("CSV, Excel, Parquet or JSON; up to {rows} rows and {size} MB.")
    st.caption(said.format(rows=count(visit.max_rows), size=count(visit.max_upload_mb)))
    _templates(schema)
    file = choose_file(f"upload:{schema.name}")
    if file is None or not st.button(_("Upload"), type="primary", key=f"press upload:{schema.name}"):
        return
    try:
        with st.spinner(_("Checking and storing …")):
            st.session_state[f"upload:{schema.name}"] = visit.upload(schema.name, kind, file).id
        st.rerun()  # so that the page begins with what became of it
    except (UnreadableFile, Forbidden) as error:
        st.error(_("Refused: {why}").format(why=retold(str(error))), icon=State.ACT.icon)
    except StoreUnavailable as error:
        st.error(_("The database cannot be reached, so nothing was stored. Try again. ({why})").format(why=error))


def _templates(schema: DomainSchema) -> None:
    """A file to fill in, with the columns of the domain and two invented rows."""
    csv, excel, name = partial(template, schema, format="csv"), partial(template, schema, format="xlsx"), schema.name
    with st.container(horizontal=True):
        st.download_button(_("Template (CSV)"), csv, f"{name}-template.csv", "text/csv", on_click="ignore")
        st.download_button(_("Template (Excel)"), excel, f"{name}-template.xlsx", EXCEL, on_click="ignore")


# What becomes of a file ---------------------------------------------------------------------------------------------


def _follow(visit: Visit, schema: DomainSchema, id: str) -> None:
    """How far the visitor's file is, looked at each second until it has ended; then what became of it."""
    job = visit.upload_job(schema.name, id)
    if job is None:
        st.session_state.pop(f"upload:{schema.name}", None)
    elif job.ended:
        _told(schema, job)
    else:
        st.fragment(_progress, run_every="1s")(visit, schema.name, id)


def _progress(visit: Visit, domain: str, id: str) -> None:
    job = visit.upload_job(domain, id)
    if job is None or job.ended:
        st.rerun()
    else:
        step = job.progress.step if job.progress else _("waiting for a worker")
        st.progress((job.progress and job.progress.share) or 0.0, text=retold(step))


def _told(schema: DomainSchema, job: Job) -> None:
    if job.problem is not None:
        _refused(schema, job.problem)
        return
    result: Mapping[str, Any] = job.result or {}
    if "upload" in result and isinstance(result["upload"], dict):
        taken = msgspec.convert(result["upload"], Upload)
        said, notes = _rows_told(taken, new=bool(result["new"])), [*result["notes"], taken.note]
    else:
        stored = msgspec.convert(result, StoredOutcomes)
        said = _("{n} outcomes: {new} new, {corrected} corrected, {known} known before.").format(
            n=count(stored.outcomes),
            new=count(stored.new),
            corrected=count(stored.corrected),
            known=count(stored.known),
        )
        notes = [*stored.notes, *stored.sentences]
    st.success(said, icon=State.GOOD.icon)
    for note in filter(None, notes):
        st.info(retold(note), icon=State.INFO.icon)
    if problems := msgspec.convert(result.get("problems", ()), tuple[Problem, ...]):
        st.warning(_("Some rows were left out."), icon=State.LOOK.icon)
        offer_problems(schema.name, problems)


def _rows_told(taken: Upload, *, new: bool) -> str:
    if not new:
        return _("This very content was there already.")
    return _("Stored: {added} rows added, {updated} updated, {unchanged} unchanged, {left_out} left out.").format(
        added=count(taken.added or 0),
        updated=count(taken.updated or 0),
        unchanged=count(taken.unchanged or 0),
        left_out=count(taken.left_out),
    )


def _refused(schema: DomainSchema, problem: JobProblem) -> None:
    total = problem.problem_count
    if not total:
        st.error(_("Refused: {why}").format(why=retold(problem.detail)), icon=State.ACT.icon)
        return
    said = ngettext(
        "Refused: {n} problem. Nothing was stored. Correct the file and upload it again.",
        "Refused: {n} problems. Nothing was stored. Correct the file and upload it again.",
        total,
    )
    st.error(said.format(n=count(total)), icon=State.ACT.icon)
    problems = msgspec.convert(problem.problems, tuple[Problem, ...])
    show_table(
        [
            {
                _("column"): one.column,
                _("what was expected"): retold(one.rule),
                _("found"): one.values_told,
                _("rows"): one.rows_told,
            }
            for one in causes(problems)
        ],
        hide_index=True,
        width="stretch",
    )
    offer_problems(schema.name, problems)


# The history --------------------------------------------------------------------------------------------------------


def _history(found: Sequence[Upload]) -> None:
    st.header(_("What became of them"), anchor=False)
    if not found:
        st.caption(_("Nothing was uploaded yet."))
        return
    shown = [_row(one) for one in found]
    show_table(shown, hide_index=True, width="stretch", column_config={_("when"): instant_column()})
    said = _("A row replaces the same student's row of that group and period. A refused file changed nothing.")
    st.caption(said)
    if len(found) == SHOWN_UPLOADS:
        st.caption(_("The newest {n} are shown.").format(n=count(SHOWN_UPLOADS)))


def _row(one: Upload) -> dict[str, object]:
    states = {
        "received": _("received"),
        "validating": _("being checked"),
        "stored": _("stored"),
        "training": _("being learned from"),
        "done": _("done"),
        "refused": _("refused"),
    }
    return {
        _("state"): states[one.state],
        _("when"): one.at,
        _("file"): one.name,
        _("added"): one.added,
        _("updated"): one.updated,
        _("unchanged"): one.unchanged,
        _("left out"): one.left_out,
        _("why"): "; ".join(map(retold, [*one.reasons, one.note] if one.note else one.reasons)),
        _("what"): one.kind,
        _("by"): person(one.actor),
    }
