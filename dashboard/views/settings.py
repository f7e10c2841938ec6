"""What an installation goes by: rules and where each comes from, who may come in, and what is done by itself.

What may be changed here and how is `dashboard.visit.settings`'; settings of the environment are not changed by a page.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta

import streamlit as st

from access.keys import lifetime_of, state
from access.records import Grant, role_of
from access.roles import ROLES
from clock import now
from dashboard.frame import controls, state_line
from dashboard.palette import State
from dashboard.rule_words import part_words, rule_words, value_words
from dashboard.tables import instant_column, show_table
from dashboard.visit import Visit
from dashboard.visit.settings import RECURRING
from database.records import Job
from errors import GradewatchError
from language import _, ngettext, retold, worded
from language.format import count
from preprocessing.schema import DomainSchema

SAID = "settings said"  # what came of the last button, in the session


def settings(visit: Visit) -> None:
    """Draw the page."""
    schema = controls(visit, at=False, target=False, days=False).schema
    accounts, plans = visit.accounts(), visit.schedules()
    active = sum(one.disabled is None for one in accounts)
    said = ngettext("{n} user may sign in; {m} jobs stand on a schedule.",
                    "{n} users may sign in; {m} jobs stand on a schedule.", active)  # fmt: skip
    state_line(State.INFO, said.format(n=count(active), m=count(len(plans))))
    _say_done()
    rules, users, keys, schedules = st.tabs([_("Rules"), _("Users"), _("Keys"), _("Schedules")])
    with rules:
        _rules(visit, schema)
    with users:
        _users(visit)
    with keys:
        _keys(visit)
    with schedules:
        _schedules(visit, schema)


def _rules(visit: Visit, schema: DomainSchema) -> None:
    sources = {"default": _("usual"), "domain file": _("the subject's file"), "schedule": _("the watch's policy file")}
    rules = visit.rules(schema.name)
    for table in dict.fromkeys(one.table for one in rules):
        st.subheader(part_words(table), anchor=False)
        shown = [
            {
                _("value"): value_words(one),
                _("rule"): rule_words(one, schema),
                _("from"): sources[one.source],
                _("in files"): f"{one.table}.{one.name}",
            }
            for one in rules
            if one.table == table
        ]
        show_table(shown, hide_index=True, width="stretch")
    st.caption(
        _("A policy file changes them for a watch (gradewatch drift watch --policy FILE), and for each command.")
    )


# Users and keys -----------------------------------------------------------------------------------------------------


def _users(visit: Visit) -> None:
    accounts = visit.accounts()
    shown = [
        {
            _("user"): one.name,
            _("state"): _("shut out") if one.disabled else _("may sign in"),
            **_granted(one.grant),
            _("added"): one.created,
        }
        for one in accounts
    ]
    show_table(shown, hide_index=True, width="stretch", column_config={_("added"): instant_column()})
    with st.form("add user", clear_on_submit=True):
        st.subheader(_("Add a user"), anchor=False)
        name = st.text_input(_("User name"), key="new user", autocomplete="off")
        grant = _ask_grant(visit, "user", program=False)
        password = st.text_input(
            _("Their password, 12 characters or more"), type="password", key="new password", autocomplete="new-password"
        )
        own = _ask_own(visit, "user")
        if st.form_submit_button(_("Add")):
            _do(lambda: visit.add_account(name, grant(), password, own=own), _("{name} may sign in.").format(name=name))
    if accounts:
        with st.form("change user"):
            st.subheader(_("Shut out or let in again"), anchor=False)
            chosen = st.selectbox(_("User"), [one.name for one in accounts], key="changed user")
            own = _ask_own(visit, "change")
            with st.container(horizontal=True):
                out = st.form_submit_button(_("Shut out"))
                back = st.form_submit_button(_("Let in again"))
            if out:
                _do(lambda: visit.disable_account(chosen), _("{name} is shut out.").format(name=chosen))
            if back:
                _do(lambda: visit.enable_account(chosen, own=own), _("{name} may sign in.").format(name=chosen))


def _keys(visit: Visit) -> None:
    found, at = visit.keys(), now()
    states = {"active": _("active"), "expired": _("expired"), "revoked": _("revoked")}
    shown = [
        {
            _("key"): one.name,
            _("state"): states[state(one, at)],
            **_granted(one.grant),
            _("made"): one.created,
            _("expires"): one.expires,
        }
        for one in found
    ]
    columns = {_("made"): instant_column(), _("expires"): instant_column()}
    show_table(shown, hide_index=True, width="stretch", column_config=columns)
    with st.form("make key", clear_on_submit=True):
        st.subheader(_("Make a key for a program"), anchor=False)
        name = st.text_input(_("Name of the key"), key="new key", autocomplete="off")
        grant = _ask_grant(visit, "key", program=True)
        days = st.text_input(_("Good for (90d, 12h, 4w; empty: until it is revoked)"), key="key lifetime")
        own = _ask_own(visit, "key")
        if st.form_submit_button(_("Make")):
            _do(
                lambda: visit.make_key(name, grant(), lifetime=_lifetime(days), own=own),
                _("The key {name} is shown here, once.").format(name=name),
            )
    if there := [one.name for one in found if state(one, at) == "active"]:
        with st.form("revoke key"):
            chosen = st.selectbox(_("Key"), there, key="revoked key")
            if st.form_submit_button(_("Revoke")):
                _do(lambda: visit.revoke(chosen), _("{name} is revoked.").format(name=chosen))


def _granted(grant: Grant) -> dict[str, object]:
    everything = _("all")
    return {
        _("role"): role_name(grant.role),
        _("subjects"): ", ".join(grant.domains) or everything,
        _("groups"): ", ".join(grant.groups) or everything,
    }


def _ask_grant(visit: Visit, purpose: str, *, program: bool) -> Callable[[], Grant]:
    """What whoever is added may do; made when the form is sent, since it may be none."""
    roles = [role for role, row in ROLES.items() if not (row.linked if program else row.of_program)]
    role = st.selectbox(_("Role"), roles, format_func=role_name, key=f"{purpose} role", help=_roles_told(roles))
    domains = st.multiselect(
        _("Subjects (none: all)"),
        list(visit.schemas),
        format_func=lambda name: worded(visit.schemas[name].title),
        key=f"{purpose} domains",
        placeholder=_("choose"),
    )
    groups = st.text_input(_("Groups of one subject, with commas (none: all)"), key=f"{purpose} groups")
    named = tuple(filter(None, (one.strip() for one in groups.split(","))))
    return lambda: Grant(role=role_of(role), domains=tuple(domains), groups=named)


def role_name(role: str) -> str:
    """What a role is called."""
    return {
        "viewer": _("head or reader"),
        "teacher": _("teacher"),
        "analyst": _("analyst"),
        "officer": _("data protection officer"),
        "admin": _("administrator"),
        "metrics": _("monitoring system"),
        "client": _("older system"),
        "student": _("student"),
        "guardian": _("guardian"),
    }.get(role, role)


def _roles_told(roles: Sequence[str]) -> str:
    """What commands call them."""
    return _("In commands: {names}.").format(names=", ".join(f"{role_name(one)} = {one}" for one in roles))


def _ask_own(visit: Visit, purpose: str) -> str:
    """The visitor's own password once more, where anybody has one."""
    if not visit.signed_in:
        return ""
    return str(st.text_input(_("Your own password"), type="password", key=f"own {purpose}", autocomplete="off"))


def _lifetime(text: str) -> timedelta | None:
    return lifetime_of(text.strip()) if text.strip() else None


# Schedules ----------------------------------------------------------------------------------------------------------


def _schedules(visit: Visit, schema: DomainSchema) -> None:
    found, at = visit.schedules(), now()
    shown = [
        {
            _("name"): one.name,
            _("when"): retold(str(one.when)),
            _("next"): one.due(at) or one.when.next(at),
            _("last"): one.asked,
            _("how the last one ended"): "" if job is None else _ended(job),
        }
        for one, job in found
    ]
    columns = {_("next"): instant_column(), _("last"): instant_column()}
    show_table(shown, hide_index=True, width="stretch", column_config=columns)
    kinds = {"watch": _("Watch for drift"), "training": _("Train"), "retraining": _("Retrain")}
    with st.form("plan"):
        st.subheader(_("Have done by itself for {title}").format(title=worded(schema.title)), anchor=False)
        kind = st.selectbox(_("What"), RECURRING, format_func=lambda one: kinds[one], key="planned kind")
        every = st.text_input(_("How often (1d, 12h, 4w)"), key="planned every")
        hour = st.text_input(_("or daily at (UTC, 06:00)"), key="planned at")
        if st.form_submit_button(_("Have it done")):
            _do(
                lambda: visit.plan(kind, schema.name, every=_lifetime(every), at=hour.strip() or None),
                _("It stands on the schedule."),
            )
    if found:
        with st.form("unplan"):
            name = st.selectbox(_("Schedule"), [one.name for one, _job in found], key="unplanned")
            if st.form_submit_button(_("Take off the schedule")):
                _do(lambda: visit.unplan(name), _("{name} is done no more.").format(name=name))


def _ended(job: Job) -> str:
    states = {
        "waiting": _("waiting to begin"),
        "running": _("under way"),
        "done": _("done"),
        "failed": _("could not be done"),
        "cancelled": _("cancelled"),
    }
    return f"{states[job.state]}: {retold(job.problem.detail)}" if job.problem else states[job.state]


# What came of it ----------------------------------------------------------------------------------------------------


def _do(work: Callable[[], object], said: str) -> None:
    """Do it; what came of it is said once the page shows how things are then. A text that comes of it is shown too."""
    try:
        done = work()
    except GradewatchError as error:
        st.session_state[SAID] = (False, _("Nothing was changed: {why}").format(why=retold(str(error))), "")
    else:
        st.session_state[SAID] = (True, said, done if isinstance(done, str) else "")
    st.rerun()


def _say_done() -> None:
    good, said, text = st.session_state.pop(SAID, (True, "", ""))
    if said:
        (st.success if good else st.error)(said, icon=(State.GOOD if good else State.ACT).icon)
    if text:
        st.code(text, language=None)
