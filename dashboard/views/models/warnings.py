"""Whom to warn of: the policy in use, what another one would change, using it with a reason, and going back."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import streamlit as st

from dashboard.change_words import LETTERS_SHOWN
from dashboard.tables import instant_column, number_column, show_table
from dashboard.views.models.change import Offer, draw_offer
from dashboard.visit import Visit
from language import _, ngettext, retold
from language.ending_words import ending_words
from language.format import count
from monitoring.performance import FEWEST_TOLD
from monitoring.warning_lists import ListedBy, PolicyPreview
from monitoring.warning_policy import (
    BadWarningPolicy,
    NoSuchPolicy,
    PolicyInUse,
    WarningPolicy,
    policy_before,
    read_levels,
)
from overview.names import person
from overview.policy_words import policy_words
from preprocessing.schema import DomainSchema, Target

PREVIEWED = "policy previewed"  # of the session
STUDENTS_NAMED = 200
TIES: Sequence[Literal["older", "in", "out"]] = ("older", "in", "out")


class _Previewed(NamedTuple):
    """What was looked at last."""

    policy: WarningPolicy
    found: PolicyPreview


def draw_policy(visit: Visit, schema: DomainSchema, target: Target) -> None:
    """Nothing where there is no pass mark to warn about."""
    if target.pass_mark is None:
        return
    st.subheader(_("Whom to warn of"), anchor=False)
    history = visit.warning_policies(schema.name, target.name)
    present = visit.warning_policy(schema.name, target.name)
    st.markdown(_("Warned of: {policy}.").format(policy=policy_words(present)))
    if history:
        rows: list[Mapping[str, object]] = [
            {
                _("Since"): one.at,
                _("Policy"): policy_words(one.policy),
                _("How"): _("taken back") if one.action == "rollback" else _("put into use"),
                _("Who"): person(one.actor),
                _("Why"): one.reason,
            }
            for one in reversed(history)
        ]
        show_table(rows, hide_index=True, width="stretch", column_config={_("Since"): instant_column(_("Since"))})
    else:
        st.caption(_("The usual policy: nobody chose another one."))
    may_change = visit.may("change", schema.name)
    if may_change and (before := _before(history)) is not None:
        offer = Offer(
            _("Go back to the policy before …"),
            _("Go back to the policy before"),
            _("From then on are warned of: {policy}.").format(policy=policy_words(before)),
            _("The warning policy before is in use again."),
        )
        draw_offer(offer, lambda reason: visit.roll_back_policy(schema.name, target.name, reason), "policy back")
    if visit.may("read", schema.name):
        with st.expander(_("Look at another policy"), key="policy proposed"):
            _propose(visit, schema, target, present)
            _say_previewed(visit, schema, target, may_change=may_change)


def _before(history: Sequence[PolicyInUse]) -> WarningPolicy | None:
    """What going back would bring; None where the usual one is in use and none lies before it."""
    try:
        return policy_before(history)
    except NoSuchPolicy:
        return None


def _propose(visit: Visit, schema: DomainSchema, target: Target, present: WarningPolicy) -> None:
    with st.form("policy"):
        first, second, third = st.columns(3)
        percent = first.number_input(
            ending_words(event=target.is_event).least_chance, 0.0, 100.0, round(100 * present.threshold, 1), 1.0
        )
        capacity = second.number_input(_("Of each group at most (0: all)"), 0, None, present.capacity or 0, 1)
        days = third.number_input(_("Nobody again within days"), 0, None, present.cool_down_days, 1)
        told = {"older": _("whoever waits longer"), "in": _("all of them"), "out": _("none of them")}
        ties = first.selectbox(
            _("With the same chance at the end"), TIES, TIES.index(present.ties), format_func=lambda one: told[one]
        )
        by_lot = second.number_input(
            _("Of these slots by lot"), 0, None, present.by_lot, 1, help=_("To tell later what help did.")
        )
        seed = third.number_input(_("Seed of the lots"), 0, None, present.seed, 1)
        written = st.text_input(
            _("Levels of urgency, parted by chances (low:0.25:some:0.5:high; empty: none)"), _written(present)
        )
        moved = st.checkbox(_("Only who gave no cause by the answer before"), present.transitions_only)
        asked = st.form_submit_button(_("Show what it would change"))
    if not asked:
        return
    try:
        cuts, levels = read_levels(written.strip())
        policy = WarningPolicy(
            threshold=percent / 100,
            capacity=int(capacity) or None,
            ties=ties,
            cool_down_days=int(days),
            transitions_only=moved,
            cuts=cuts,
            levels=levels,
            by_lot=int(by_lot),
            seed=int(seed),
        )
    except BadWarningPolicy as error:
        st.session_state.pop(PREVIEWED, None)
        for problem in error.problems:
            st.error(retold(f"{problem.column} {problem.rule}"))
        return
    with st.spinner(_("Looking at every newest answer …")):
        found = visit.preview_policy(schema.name, target.name, policy)
    st.session_state[PREVIEWED] = _Previewed(policy, found)


def _written(policy: WarningPolicy) -> str:
    parts = [part for pair in zip(policy.levels, map(str, policy.cuts), strict=False) for part in pair]
    return ":".join([*parts, *policy.levels[len(policy.cuts) :]])


def _say_previewed(visit: Visit, schema: DomainSchema, target: Target, *, may_change: bool) -> None:
    seen = st.session_state.get(PREVIEWED)
    if seen is None or (seen.found.domain, seen.found.target) != (schema.name, target.name):
        return
    policy, found = seen
    st.markdown(f"**{_('Warned of: {policy}.').format(policy=policy_words(policy))}**")
    for sentence in _sentences(found):
        st.markdown(f"- {sentence}")
    columns = _columns(event=found.event)
    show_table(_list_rows(found), hide_index=True, width="stretch", column_config=columns, key="policy lists")
    st.caption(_("By the chances that were said, as expected numbers; outcomes are not known yet."))
    if found.groups:
        show_table(_group_rows(found), hide_index=True, width="stretch", column_config=columns, key="policy groups")
        st.caption(
            _("Nothing is told of fewer than {n} students, nor of who would be told by what is left.").format(
                n=count(FEWEST_TOLD)
            )
        )
    _say_who(found)
    if may_change:
        offer = Offer(
            _("Put it into use …"),
            _("Put it into use"),
            _("It decides everywhere from now on, for everyone: lists, figures, warnings, the API."),
            _("Another warning policy is in use."),
        )
        draw_offer(
            offer,
            lambda reason: _activate(visit, found, policy, reason),
            "policy in use",
        )


def _activate(visit: Visit, found: PolicyPreview, policy: WarningPolicy, reason: str) -> None:
    visit.activate_policy(found.domain, found.target, policy, reason, found.generation)
    st.session_state.pop(PREVIEWED, None)


def _sentences(found: PolicyPreview) -> list[str]:
    said = []
    for changed, beside in (
        (found.against_present, _("the policy in use")),
        (found.against_rule, _("the plain rule")),
    ):
        come = ngettext(
            "Beside {what} {n} student would come onto the list, {left} would leave it.",
            "Beside {what} {n} students would come onto the list, {left} would leave it.",
            len(changed.entering),
        )
        said.append(come.format(what=beside, n=count(len(changed.entering)), left=count(len(changed.leaving))))
    return said


def _figures(one: ListedBy, told: str, *, event: bool) -> dict[str, object]:
    return {
        _("warned of{how}").format(how=told): one.warned,
        ending_words(event=event).likely.format(how=told): one.hits,
        _("for nothing{how}").format(how=told): one.false_alarms,
        _("missed{how}").format(how=told): one.missed,
    }


def _list_rows(found: PolicyPreview) -> list[dict[str, object]]:
    names = {"proposed": _("this policy"), "in use": _("the policy in use"), "plain rule": _("the plain rule")}
    return [
        {_("list"): names[name], _("students"): one.students, **_figures(one, "", event=found.event)}
        for name, one in found.lists.items()
    ]


def _group_rows(found: PolicyPreview) -> list[dict[str, object]]:
    return [
        {
            _("group"): name,
            _("students"): new.students,
            **_figures(new, "", event=found.event),
            **_figures(old, _(", now"), event=found.event),
        }
        for name, (new, old) in found.groups.items()
    ]


def _columns(*, event: bool) -> dict[str, Any]:
    names = [name for how in ("", _(", now")) for name in _figures(ListedBy(), how, event=event)]
    return {name: number_column(digits=0 if at % 4 == 0 else 1) for at, name in enumerate(names)}


def _say_who(found: PolicyPreview) -> None:
    changed = found.against_present
    if not (changed.entering or changed.leaving):
        return
    box = st.expander(_("Who comes onto the list, and who leaves it"), key="policy who", on_change="rerun")
    if box.open:
        with box:
            rows = [
                {_("student"): student[:LETTERS_SHOWN], _("list"): told}
                for students, told in ((changed.entering, _("comes in")), (changed.leaving, _("leaves")))
                for student in students[:STUDENTS_NAMED]
            ]
            show_table(rows, hide_index=True, width="stretch", key="policy students")
