"""The first page: what needs a person, what changed since last week, how each subject stands, what happened last."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, NamedTuple

import streamlit as st

from clock import now
from dashboard import words
from dashboard.frame import Choice, back_to_newest, controls, first_day, foot, go, link, state_line
from dashboard.palette import State
from dashboard.parts import champions_of, domains_of
from dashboard.tables import number_column, show_table
from dashboard.tour import tour
from dashboard.version_words import amount
from dashboard.views.activity import entry_line
from dashboard.views.students.sentences import pause_words
from dashboard.visit import Visit
from database.withdrawal import NamesSomebody
from language import _, ngettext, retold, worded
from language.format import count, day, moment, number
from monitoring.change_reports import ChangeReport
from monitoring.warning_policy import USUAL_WARNINGS
from overview.acknowledgements import NoSuchCondition
from overview.changes_told import report_sentence
from overview.describing import describe
from overview.feed import FeedFilter
from overview.names import person
from overview.policy_words import policy_words
from overview.records import Held
from overview.standing import LOOKED_BACK, AnswerStanding
from preprocessing.schema import DomainSchema

CONDITIONS_SHOWN = 5  # cards; the others stand behind "more"
CHANGES_SHOWN = 3  # reports of what changed
ENTRIES_SHOWN = 6  # entries of the feed
DAYS_COUNTED, DAYS_OF_WEEK = 14, 7
URGENCY = {"act": State.ACT, "look": State.LOOK}


def today(visit: Visit) -> None:
    """Draw the page."""
    choice = controls(visit, every=True, at=False, target=False, days=False)
    found = visit.conditions(None if choice.every else choice.schema.name)
    unseen = [one for one in found if one.seen is None]
    schemas = domains_of(visit) if choice.every else [choice.schema]
    served = [schema for schema in schemas if champions_of(visit, schema)]
    _say_state(unseen, served)
    tour(visit)
    _cards(visit, unseen)
    _seen(visit, [one for one in found if one.seen is not None])
    if served:
        measured = {one.name: visit.standings(one.name, next(iter(champions_of(visit, one))).target) for one in served}
        standings = {schema.name: _standing(measured[schema.name], schema) for schema in served}
        answers = {schema.name: _per_day(visit, schema) for schema in served}
        _since_last_week(visit, served, measured, standings, answers)
        _what_changed(visit, served)
        rows = [_subject(visit, schema, standings[schema.name], found, answers[schema.name]) for schema in served]
        _subjects(rows, served, standings)
    _say_unserved(visit, [schema for schema in schemas if schema not in served], choice)
    _newest(visit, choice)
    foot()


def _say_state(unseen: Sequence[Held], served: Sequence[DomainSchema]) -> None:
    if unseen:
        state = State.ACT if any(one.condition.urgency == "act" for one in unseen) else State.LOOK
        n = len(unseen)
        state_line(state, ngettext("{n} thing needs you.", "{n} things need you.", n).format(n=count(n)))
    elif served:
        state_line(State.GOOD, _("Nothing needs you."))
    else:
        sentence = _("There is no model yet: give it records whose outcomes are known.")
        state_line(State.INFO, sentence, lambda: link("upload", _("Upload records"), icon=":material/upload_file:"))


# What needs a person --------------------------------------------------------------------------------------------------


def _cards(visit: Visit, unseen: Sequence[Held]) -> None:
    for one in unseen[:CONDITIONS_SHOWN]:
        _card(visit, one)
    if rest := unseen[CONDITIONS_SHOWN:]:
        with st.expander(ngettext("{n} more", "{n} more", len(rest)).format(n=count(len(rest)))):
            for one in rest:
                _card(visit, one)


def _card(visit: Visit, held: Held) -> None:
    condition, told = held.condition, describe(held.condition, visit.schemas)
    state, key = URGENCY[condition.urgency], condition.id[:12]
    with st.container(border=True, key=f"condition-{key}"):
        words_of_it, actions = st.columns([3, 1.3], vertical_alignment="center")
        words_of_it.markdown(f"{state.icon} **{words.harmless(told.sentence)}**")
        words_of_it.caption(" · ".join(_where_and_since(visit, held)))
        with actions.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
            link(condition.page, told.action, icon=":material/arrow_forward:", **condition.choice)
            if visit.may_acknowledge(condition):
                _offer_to_acknowledge(visit, condition.id, key)


def _offer_to_acknowledge(visit: Visit, id: str, key: str) -> None:
    with st.popover(_("Seen"), help=_("Say for all that this is known: it is shown again when it gets worse.")):
        st.text_input(_("Why that is enough (names nobody)"), key=f"note:{key}", max_chars=300)
        st.button(_("It is known"), key=f"seen:{key}", on_click=_acknowledge, args=(visit, id, key))
        if refused := st.session_state.pop(f"refused:{key}", None):
            st.error(refused)


def _where_and_since(visit: Visit, held: Held) -> list[str]:
    condition = held.condition
    where = [worded(visit.schemas[condition.domain].title)] if condition.domain in visit.schemas else []
    since = [_("since {time}").format(time=moment(condition.since))] if condition.since else []
    return [*where, *since]


def _acknowledge(visit: Visit, id: str, key: str) -> None:
    try:
        visit.acknowledge(id, st.session_state.get(f"note:{key}", ""))
    except (NamesSomebody, NoSuchCondition) as error:
        st.session_state[f"refused:{key}"] = retold(str(error))


def _seen(visit: Visit, seen: Sequence[Held]) -> None:
    if not seen:
        return
    with st.expander(ngettext("{n} thing is known", "{n} things are known", len(seen)).format(n=count(len(seen)))):
        for held in seen:
            assert held.seen is not None  # noqa: S101 (those that are)
            st.markdown(words.harmless(describe(held.condition, visit.schemas).sentence))
            by = _("seen by {who}, {time}").format(who=person(held.seen.actor), time=moment(held.seen.at))
            st.caption(words.harmless(f"{by}: {held.seen.note}" if held.seen.note else by))


# Since last week ------------------------------------------------------------------------------------------------------


def _standing(measured: Sequence[AnswerStanding], schema: DomainSchema) -> AnswerStanding | None:
    """How answers about the subject's first target turned out, at the moment that has the most of them; of several
    the last one, which Results shows as well."""
    order = list(schema.moments)
    return max(measured, key=lambda one: (sum(week.n for week in one.weeks), order.index(one.moment)), default=None)


def _per_day(visit: Visit, schema: DomainSchema) -> list[int]:
    """Answers on each of the last days (UTC), the oldest first."""
    first = now().date() - timedelta(days=DAYS_COUNTED - 1)
    counts = visit.predictions_per_day(schema.name, datetime.combine(first, time(), tzinfo=UTC))
    return [counts.get(first + timedelta(days=place), 0) for place in range(DAYS_COUNTED)]


class _Metric(NamedTuple):
    """value: as it is written. delta: how much more than before; good: whether more of it is."""

    label: str
    value: str
    delta: float | None = None
    before: str | None = None
    good: bool | None = None
    help: str | None = None
    chart: Sequence[int] | None = None


def _since_last_week(
    visit: Visit,
    served: Sequence[DomainSchema],
    measured: Mapping[str, Sequence[AnswerStanding]],
    standings: Mapping[str, AnswerStanding | None],
    answers: Mapping[str, Sequence[int]],
) -> None:
    st.subheader(_("Since last week"), anchor=False)
    told = [_answers_given(answers), _below(visit, served), _waiting(visit, measured), _mean_miss(standings)]
    there = [one for one in told if one is not None]
    for cell, one in zip(st.columns(len(there)), there, strict=True):
        cell.metric(
            one.label,
            one.value,
            delta=number(one.delta, 2) if one.delta else one.delta,  # a string is written as it is given
            delta_color="off" if one.good is None else "normal" if one.good else "inverse",
            delta_description=one.before,
            help=one.help,
            chart_data=one.chart,
            chart_type="bar",
            border=True,
            height="stretch",
        )


def _answers_given(answers: Mapping[str, Sequence[int]]) -> _Metric:
    daily = [sum(together) for together in zip(*answers.values(), strict=True)]
    present, before = sum(daily[DAYS_OF_WEEK:]), sum(daily[:DAYS_OF_WEEK])
    told = _("than the week before")
    return _Metric(_("Answers given"), count(present), present - before, told, chart=daily)


def _below(visit: Visit, served: Sequence[DomainSchema]) -> _Metric | None:
    """Whom the warning policies in use warn of, of the same students as on Students; of subjects that may be read and
    have a pass mark. Where nobody chose one, those who are likelier than not to end below it."""
    marked = [(schema, next((t for t in schema.targets if t.pass_mark is not None), None)) for schema in served]
    found = [
        visit.count_students(schema.name, target.name, given_from=first_day(back_to_newest(visit, schema.name)))
        for schema, target in marked
        if target is not None and visit.may("read", schema.name)
    ]
    if not found:
        return None
    n, warned = sum(one.students for one in found), sum(one.warned for one in found)
    value = _("{n} of {all}").format(n=count(warned), all=count(n))
    if all(one.policy == USUAL_WARNINGS and one.paused is None for one in found):
        if any(target.within for _schema, target in marked if target is not None):
            told = _(
                "Students who are likelier than not to end below the pass mark, or to come to an event, by their newest"
                " answer."
            )
            return _Metric(_("At risk"), value, help=told)
        told = _("Students who are likelier than not to end below the pass mark, by their newest answer.")
        return _Metric(_("Likely below the pass mark"), value, help=told)
    policies = dict.fromkeys(pause_words(one.paused) if one.paused else policy_words(one.policy) for one in found)
    told = _("Students whom the warning policy in use warns of, by their newest answer: {policies}.")
    return _Metric(_("To warn of"), value, help=told.format(policies=" · ".join(policies)))


def _waiting(visit: Visit, measured: Mapping[str, Sequence[AnswerStanding]]) -> _Metric | None:
    """Of the answers of a year, at all moments, those without an outcome."""
    since = now() - LOOKED_BACK
    left = [visit.count_since(name, since) - sum(one.answered for one in found) for name, found in measured.items()]
    told = _("Answers of the last year, at all moments, whose outcome nobody has said yet.")
    return _Metric(_("Wait for their outcome"), count(max(0, sum(left))), help=told) if any(measured.values()) else None


def _mean_miss(standings: Mapping[str, AnswerStanding | None]) -> _Metric:
    """Of the newest week that has outcomes; of several subjects, whose units differ, how many are known."""
    known = [one for one in standings.values() if one is not None]
    weeks = [week for one in known for week in one.weeks]
    told = [week for week in weeks if week.mae is not None]
    if len(known) != 1 or not told:
        return _Metric(_("Outcomes known, of 12 weeks"), count(sum(week.n for week in weeks)))
    newest, earlier = told[-1], told[-2] if len(told) > 1 else None
    assert newest.mae is not None  # noqa: S101 (those that are told)
    change = None if earlier is None or earlier.mae is None else round(newest.mae - earlier.mae, 2)
    before = None if earlier is None else _("than a week before")
    help_text = _("Of the {n} answers of the week of {day} whose outcome is known, at the moment that has the most.")
    help_text = help_text.format(n=count(newest.n), day=day(newest.start))
    return _Metric(_("Average miss"), amount(newest.mae, known[0].unit), change, before, good=False, help=help_text)


def _what_changed(visit: Visit, served: Sequence[DomainSchema]) -> None:
    """The newest reports of the last week, one of each subject and target."""
    told: dict[tuple[str, str], ChangeReport] = {}
    for schema in served:
        for one in visit.change_reports(schema.name):
            if one.at >= now() - timedelta(days=DAYS_OF_WEEK) and one.found.target in schema.target_by_name:
                told.setdefault((schema.name, one.found.target), one)
    if not told:
        return
    st.subheader(_("What changed for students"), anchor=False)
    newest = sorted(told.values(), key=lambda one: one.at, reverse=True)
    for one in newest[:CHANGES_SHOWN]:
        target = visit.schemas[one.domain].target_by_name[one.found.target]
        st.markdown(f"{moment(one.at)} · {words.harmless(report_sentence(one, target))}")
    link(
        "models", _("By what"), icon=":material/arrow_forward:", domain=newest[0].domain, target=newest[0].found.target
    )


# Each subject ---------------------------------------------------------------------------------------------------------


def _subjects(
    rows: Sequence[Mapping[str, object]],
    served: Sequence[DomainSchema],
    standings: Mapping[str, AnswerStanding | None],
) -> None:
    st.subheader(_("Each subject"), anchor=False)
    table = show_table(
        rows,
        hide_index=True,
        width="stretch",
        on_select="rerun",
        selection_mode="single-row",
        key="subjects",
        column_config=_columns(),
    )
    if chosen := table["selection"]["rows"]:
        name = served[chosen[0]].name
        shown = standings[name]
        go("results", domain=name, **({"at": shown.moment} if shown else {}))


def _columns() -> dict[str, Any]:
    return {
        "subject": st.column_config.TextColumn(_("Subject"), pinned=True),
        "state": st.column_config.TextColumn(_("State")),
        "answers": st.column_config.BarChartColumn(_("Answers, 14 days"), y_min=0),
        "miss": number_column(_("Average miss"), 2),
        "rule": number_column(_("Plain rule's miss"), 2),
        "n": number_column(_("Outcomes"), 0, help=_("Of answers that the model in use gave.")),
        "unit": st.column_config.TextColumn(_("Unit")),
        "weeks": st.column_config.LineChartColumn(_("Average miss by week"), y_min=0),
        "model": st.column_config.TextColumn(_("Model in use")),
    }


def _subject(
    visit: Visit,
    schema: DomainSchema,
    standing: AnswerStanding | None,
    found: Sequence[Held],
    answers: Sequence[int],
) -> dict[str, object]:
    champions = champions_of(visit, schema)
    at = [key for key in champions if standing is None or key.moment == standing.moment]
    key = next(iter(at or champions))
    serving = champions[key]
    kind, since = words.candidate(serving.predictor.manifest.candidate), visit.newest_changes().get(key)
    model = _("{kind}, since {day}").format(kind=kind, day=day(since.at)) if since else kind
    return {
        "subject": worded(schema.title),
        "state": _state(schema, standing, found).word,
        "answers": list(answers),
        "miss": standing.mae if standing else None,
        "rule": standing.naive_mae if standing else None,
        "n": standing.n if standing else 0,
        "unit": worded(standing.unit) if standing else "",
        "weeks": [week.mae for week in standing.weeks if week.mae is not None] if standing else [],
        "model": model,
    }


def _state(schema: DomainSchema, standing: AnswerStanding | None, found: Sequence[Held]) -> State:
    """The worst of what holds of a subject, seen or not."""
    mine = {
        one.condition.urgency
        for one in found
        if schema.name in (one.condition.domain, *one.condition.figures.get("domains", ()))
    }
    if mine:
        return State.ACT if "act" in mine else State.LOOK
    return State.OPEN if standing is None or standing.gain is None else State.GOOD


def _say_unserved(visit: Visit, unserved: Sequence[DomainSchema], choice: Choice) -> None:
    if unserved:
        n = len(unserved)
        sentence = ngettext(
            "{n} more subject has no model yet: {titles}.", "{n} more subjects have no model yet: {titles}.", n
        )
        if not choice.every:
            sentence = _("This subject has no model yet: {titles}.")
        st.caption(sentence.format(n=count(n), titles="; ".join(worded(schema.title) for schema in unserved)))
        if visit.may("retrain", unserved[0].name):
            st.code(f"gradewatch train --domain {unserved[0].name} --data FILE", language=None, wrap_lines=True)


def _newest(visit: Visit, choice: Choice) -> None:
    asked = FeedFilter([] if choice.every else [choice.schema.name])
    entries = visit.feed(asked, limit=ENTRIES_SHOWN)
    if entries:
        st.subheader(_("What happened last"), anchor=False)
        for one in entries:
            st.markdown(entry_line(one))
        link("activity", _("All that happened"), icon=":material/history:")
