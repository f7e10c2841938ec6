"""What can be done on the page Data: check now, take the report along, retrain. Work is asked for and followed here.

A job is done by a worker where one is; a check, which takes seconds, by this process where none is.
"""

import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial

import msgspec
import streamlit as st

from clock import now
from dashboard.palette import State
from dashboard.parts import champions_of, choose_file, moment_name, offer_problems
from dashboard.tables import show_table
from dashboard.visit import Visit
from database.records import DriftRecord, Job
from drift.page import render_html
from drift.records import DriftReport
from errors import GradewatchError
from jobs.inline import JobFailed
from jobs.queue import RETRAINING
from language import _, ngettext, retold, use
from language.format import count, moment
from language.speech import Speech, current
from monitoring.drift_days import Against
from preprocessing.schema import DomainSchema
from preprocessing.validation.rules import Problem

DAYS_CHECKED = (1, 7, 30, 365)  # back, of what was asked lately
DIALOG, FOLLOWED, ENDED_WORK = "data dialog", "followed job", "ended job"
"""In the session: which dialog is open, the job whose end is waited for, and the one whose end is told."""

POLL = "2s"
PROBLEMS_LISTED = 200
NOTE_LETTERS = 500
REPORT = "report"
"""The key of the report that is looked at, in the address."""


def offer_check(visit: Visit, schema: DomainSchema) -> None:
    """The button to have the data judged now, for who may."""
    if visit.may("compare", schema.name) and champions_of(visit, schema):
        label, icon = _("Check now"), ":material/play_arrow:"
        st.button(label, icon=icon, type="primary", key="check now", on_click=_open, args=("check",))
        if st.session_state.get(DIALOG) == "check":
            title = _("Is the data still alright?")
            st.dialog(title, width="large", on_dismiss=_close)(partial(_check, visit, schema))()


def _open(dialog: str) -> None:
    st.session_state.pop(ENDED_WORK, None)
    st.session_state[DIALOG] = dialog


def _close() -> None:
    st.session_state.pop(DIALOG, None)


def offer_actions(visit: Visit, schema: DomainSchema, record: DriftRecord, report: DriftReport) -> None:
    """What there is to do with the report that is shown."""
    with st.container(horizontal=True, key="actions"):
        name = f"drift-{schema.name}-{record.at:%Y-%m-%d}"
        st.download_button(
            _("Report as a page"),
            partial(_page, record, report, current()),
            f"{name}.html",
            "text/html",
            on_click="ignore",
            icon=":material/download:",
            key="report html",
        )
        text = partial(json.dumps, dict(record.document), indent=2)
        st.download_button(_("As JSON"), text, f"{name}.json", "application/json", on_click="ignore", key="report json")
        if report.alarm and visit.may("compare", schema.name):
            icon = ":material/check:"
            st.button(_("I have seen it …"), icon=icon, key="acknowledge", on_click=_open, args=("acknowledge",))
            if st.session_state.get(DIALOG) == "acknowledge":
                st.dialog(_("Seen"), on_dismiss=_close)(partial(_acknowledge, visit, schema))()
        if visit.may("retrain", schema.name) and champions_of(visit, schema):
            icon = ":material/model_training:"
            st.button(_("Retrain …"), icon=icon, key="retrain", on_click=_open, args=("retrain",))
            if st.session_state.get(DIALOG) == "retrain":
                st.dialog(_("Retrain"), on_dismiss=_close)(partial(_retrain, visit, schema))()


def _page(record: DriftRecord, report: DriftReport, speech: Speech) -> str:
    """The report as a file, in the language of whoever asked; it is made in a thread that knows no visitor."""
    with use(speech.locale, speech.zone):
        return render_html(report, at=record.at)


# Check now ----------------------------------------------------------------------------------------------------------


def _check(visit: Visit, schema: DomainSchema) -> None:
    lately, file = st.tabs([_("What was asked lately"), _("A file")])
    with lately:
        _check_days(visit, schema)
    with file:
        st.write(_("New rows of this subject, with or without outcomes. They are compared and not kept."))
        given = choose_file(f"drift:{schema.name}")
        if st.button(_("Compare with what the model learned from"), disabled=given is None, key="drift from file"):
            assert given is not None  # noqa: S101 (the button is disabled then)
            _ask(visit, partial(visit.ask_drift_of_file, schema.name, given))
    _follow_work(visit, schema)


def _check_days(visit: Visit, schema: DomainSchema) -> None:
    today = now().date()
    back = st.segmented_control(
        _("Days"), DAYS_CHECKED, default=7, format_func=_days_told, required=True, key="drift days"
    )
    since = today - timedelta(days=back)
    counted: Counter[str] = Counter()
    for part in visit.days_of_predictions(schema.name, since, today + timedelta(days=1)):
        counted[part.moment] += part.rows
    if not counted:
        st.info(_("Nothing was asked in that time. Choose a longer one, or a file."), icon=State.INFO.icon)
        return
    chosen = counted.most_common(1)[0][0]
    if len(counted) > 1:
        chosen = st.selectbox(
            _("When"),
            [name for name, _n in counted.most_common()],
            format_func=lambda name: f"{moment_name(schema, name)} ({count(counted[name])})",
            key=f"drift moment:{schema.name}",
            help=_("At each moment other columns are known, so one is compared at a time."),
        )
    compared: Against = st.radio(
        _("Compared with"), list(_against()), format_func=_against().__getitem__, key="drift against"
    )
    if st.button(_("Compare"), type="primary", key="drift from predictions"):
        _ask(visit, partial(visit.ask_drift_of_days, schema.name, since, moment=chosen, against=compared))


def _days_told(days: int) -> str:
    if days == 1:
        return _("today and yesterday")
    return ngettext("the last {n} day", "the last {n} days", days).format(n=count(days))


def _against() -> dict[Against, str]:
    return {
        "champion": _("what the model learned from: is it still answering students like those?"),
        "past": _("the same weeks of earlier years: some changes come back every year"),
        "auto": _("earlier years if there are enough students, else what the model learned from"),
    }


def _acknowledge(visit: Visit, schema: DomainSchema) -> None:
    """Say for all that the alarm is known, as on Today."""
    held = next((one for one in visit.conditions(schema.name) if one.condition.kind == "drift"), None)
    if held is None:
        st.info(_("No alarm is open: a newer report is calm, or a new model learned since."), icon=State.GOOD.icon)
    elif held.seen is not None:
        told = _("Seen by {name} on {time}. {note}")
        st.info(told.format(name=held.seen.actor, time=moment(held.seen.at), note=held.seen.note), icon=State.GOOD.icon)
    else:
        st.write(_("Today stops asking until it gets worse or begins again. Who has seen it is kept for good."))
        words = st.text_input(_("Why that is enough"), key="acknowledgement", max_chars=NOTE_LETTERS)
        if st.button(_("Seen"), type="primary", key="acknowledge now"):
            try:
                visit.acknowledge(held.condition.id, words)
            except GradewatchError as error:
                st.error(retold(str(error)), icon=State.ACT.icon)
                return
            _close()
            st.rerun()


def _retrain(visit: Visit, schema: DomainSchema) -> None:
    st.write(
        _(
            "A challenger learns from the newest rows with outcomes and is judged on students that neither has seen. "
            "It takes over only where it is proved better; otherwise it is tried beside the model in use."
        )
    )
    if st.button(_("Retrain now"), type="primary", key="retrain now"):
        _ask(visit, partial(visit.ask_retraining, schema.name))
    _follow_work(visit, schema)


# Jobs ---------------------------------------------------------------------------------------------------------------


def _ask(visit: Visit, asking: Callable[[], Job]) -> None:
    """Ask for a job; it is followed in the dialog, and on the page when that is closed."""
    try:
        job = asking()
        st.session_state[FOLLOWED] = job.id
        if visit.nobody_does(job) and job.kind != RETRAINING:
            with st.spinner(_("Comparing …")), suppress(JobFailed):  # the job itself says why
                visit.do_now(job)
    except GradewatchError as error:
        st.error(retold(str(error)), icon=State.ACT.icon)


def follow_work(visit: Visit, schema: DomainSchema) -> None:
    """How far the work is that was asked for here, and how it ended, where no dialog says so."""
    if DIALOG not in st.session_state:
        _follow_work(visit, schema)


def _follow_work(visit: Visit, schema: DomainSchema) -> None:
    if followed := st.session_state.get(FOLLOWED):
        st.fragment(run_every=POLL)(partial(_follow, visit, followed))()
    elif (ended := st.session_state.get(ENDED_WORK)) and (job := visit.job(ended)) and job.domain == schema.name:
        _tell_end(schema, job)


def _follow(visit: Visit, id: str) -> None:
    job = visit.job(id)
    if job is not None and not job.ended:
        step = job.progress.step if job.progress else visit.nobody_does(job) or _("waiting to begin")
        st.progress((job.progress.share if job.progress else None) or 0.0, text=retold(step))
        return
    st.session_state.pop(FOLLOWED, None)
    st.session_state[ENDED_WORK] = id
    if job is not None and job.state == "done":
        _close()
        if made := (job.result or {}).get("report"):
            st.query_params[REPORT] = made
    st.rerun()


def _tell_end(schema: DomainSchema, job: Job) -> None:
    if job.state == "done":
        done = (
            _("The challenger was judged.")
            if job.kind == RETRAINING
            else _("Compared and stored: the report is shown.")
        )
        st.success(done, icon=State.GOOD.icon)
        if words := (job.result or {}).get("words"):
            st.code(words, language=None, wrap_lines=True)
        return
    problem = job.problem
    st.error(
        _("Nothing was done: {why}").format(why=retold(problem.detail if problem else job.state)), icon=State.ACT.icon
    )
    if problem and problem.problems:
        found = msgspec.convert(problem.problems, list[Problem])
        shown = [
            {
                _("row"): one.row,
                _("column"): one.column,
                _("found"): one.value,
                _("what was expected"): retold(one.rule),
            }
            for one in found
        ]
        show_table(shown[:PROBLEMS_LISTED], hide_index=True, width="stretch")
        offer_problems(schema.name, found)
