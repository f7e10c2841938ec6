"""Where the cases stand, that which waits longest first, and steps that another system exports."""

from collections.abc import Mapping, Sequence

import msgspec
import streamlit as st

from advice.case_files import STEP_COLUMNS, TakenSteps
from advice.case_steps import CASE_STAGES
from dashboard.change_words import LETTERS_SHOWN
from dashboard.palette import State
from dashboard.parts import choose_file, offer_problems
from dashboard.tables import instant_column, show_table
from dashboard.views.students.lots import draw_lots
from dashboard.views.students.sentences import stage_words
from dashboard.visit import Visit
from database.records import Job
from errors import GradewatchError
from language import _, ngettext, retold
from language.format import count
from preprocessing.schema import DomainSchema
from preprocessing.validation.rules import Problem

POLL_STEPS = "1s"
PROBLEMS_SHOWN = 200


def draw_cases(visit: Visit, schema: DomainSchema) -> None:
    """Draw the tab."""
    stages = st.multiselect(
        _("Where they stand"), CASE_STAGES, format_func=stage_words, key="case stages", placeholder=_("Anywhere")
    )
    cases, titles = visit.case_list(schema.name, stages).cases, visit.help_kinds()
    rows: list[Mapping[str, object]] = [
        {
            _("student"): one.student[:LETTERS_SHOWN],
            _("group"): one.state.group or "",
            _("period"): one.state.period or "",
            _("stands"): stage_words(one.state.stage),
            _("since"): one.state.since,
            _("help"): titles.get(one.state.help.kind, one.state.help.kind) if one.state.help else "",
        }
        for one in cases
    ]
    if rows:
        drawn = [name for name in rows[0] if any(row[name] not in ("", None) for row in rows)]
        shown = [{name: row[name] for name in drawn} for row in rows]
        show_table(
            shown, hide_index=True, width="stretch", key="cases", column_config={_("since"): instant_column(_("since"))}
        )
    else:
        st.info(_("There is no such case."), icon=State.INFO.icon)
    _offer_file(visit, schema)
    draw_lots(visit, schema)


def _offer_file(visit: Visit, schema: DomainSchema) -> None:
    st.subheader(_("Steps from a file"), anchor=False)
    told = _(
        "What another system knows of help, a row for each step: {columns}; the first three are needed. The same file "
        "again changes nothing."
    )
    st.caption(told.format(columns=", ".join(STEP_COLUMNS)))
    file, kept = choose_file(f"steps:{schema.name}"), f"steps:{schema.name}"
    if st.button(_("Take them in"), disabled=file is None, key="steps in") and file is not None:
        try:
            with st.spinner(_("Checking and storing …")):
                st.session_state[f"job {kept}"] = visit.import_steps(schema.name, file).id
        except GradewatchError as error:
            st.error(retold(str(error)), icon=State.ACT.icon)
            return
        st.rerun()
    job = visit.steps_job(schema.name, asked) if (asked := st.session_state.get(f"job {kept}")) else None
    if job is not None and not job.ended:
        st.fragment(run_every=POLL_STEPS)(_follow_steps)(visit, schema.name, job.id)
    elif job is not None:
        _tell_steps(schema, job)


def _follow_steps(visit: Visit, domain: str, id: str) -> None:
    job = visit.steps_job(domain, id)
    if job is None or job.ended:
        st.rerun()
    st.progress(0.0, text=retold(job.progress.step) if job.progress else _("waiting for a worker"))


def _tell_steps(schema: DomainSchema, job: Job) -> None:
    if job.problem is not None:
        st.error(_("Refused: {why}").format(why=retold(job.problem.detail)), icon=State.ACT.icon)
        _problems(schema, msgspec.convert(job.problem.problems, tuple[Problem, ...]))
        return
    taken = msgspec.convert(job.result, TakenSteps)
    said = ngettext(
        "{n} step was kept, about {students} students; {known} were known.",
        "{n} steps were kept, about {students} students; {known} were known.",
        taken.new,
    )
    told = said.format(n=count(taken.new), students=count(taken.students), known=count(taken.known))
    st.success(told, icon=State.GOOD.icon)
    if taken.problems:
        st.warning(_("Some rows were left out."), icon=State.LOOK.icon)
        _problems(schema, taken.problems)


def _problems(schema: DomainSchema, problems: Sequence[Problem]) -> None:
    if not problems:
        return
    shown = [
        {_("row"): one.row, _("column"): one.column, _("what was expected"): retold(one.rule)}
        for one in problems[:PROBLEMS_SHOWN]
    ]
    show_table(shown, hide_index=True, width="stretch", key="step problems")
    offer_problems(schema.name, problems)
