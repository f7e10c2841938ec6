"""The first page: what needs a person, what changed since last week, how each subject stands, what happened last."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

import streamlit as st

from clock import now
from dashboard import words
from dashboard.frame import Choice, controls, foot, go, link, state_line
from dashboard.palette import State
from dashboard.parts import champions_of, domains_of
from dashboard.tables import show_table
from dashboard.tour import tour
from dashboard.views.activity import entry_line
from dashboard.visit import Visit
from database.withdrawal import NamesSomebody
from language import _, ngettext
from language.format import count, day, moment
from overview.acknowledgements import NoSuchCondition
from overview.describing import describe
from overview.feed import FeedFilter
from overview.names import person
from overview.records import Held
from overview.standing import AnswerStanding
from preprocessing.schema import DomainSchema

CONDITIONS_SHOWN = 5  # cards; the others stand behind "more"
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
        standings = {schema.name: _standings(visit, schema) for schema in served}
        answers = {schema.name: _per_day(visit, schema) for schema in served}
        _since_last_week(visit, served, standings, answers)
        rows = [_subject(visit, schema, standings[schema.name], found, answers[schema.name]) for schema in served]
        _subjects(rows, served, standings)
    _say_unserved([schema for schema in schemas if schema not in served], choice)
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
    where = [visit.schemas[condition.domain].title] if condition.domain in visit.schemas else []
    since = [_("since {time}").format(time=moment(condition.since))] if condition.since else []
    return [*where, *since]


def _acknowledge(visit: Visit, id: str, key: str) -> None:
    try:
        visit.acknowledge(id, st.session_state.get(f"note:{key}", ""))
    except (NamesSomebody, NoSuchCondition) as error:
        st.session_state[f"refused:{key}"] = str(error)


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


def _standings(visit: Visit, schema: DomainSchema) -> AnswerStanding | None:
    """How answers about the subject's first target turned out, at the moment that has the most of them; of several
    the last one, which Results shows as well."""
    target, order = next(iter(champions_of(visit, schema))).target, list(schema.moments)
    found = visit.standings(schema.name, target)
    return max(found, key=lambda one: (sum(week.n for week in one.weeks), order.index(one.moment)), default=None)


def _per_day(visit: Visit, schema: DomainSchema) -> list[int]:
    """Answers on each of the last days (UTC), the oldest first."""
    first = now().date() - timedelta(days=DAYS_COUNTED - 1)
    counts = visit.predictions_per_day(schema.name, datetime.combine(first, time(), tzinfo=UTC))
    return [counts.get(first + timedelta(days=place), 0) for place in range(DAYS_COUNTED)]


def _since_last_week(
    visit: Visit,
    served: Sequence[DomainSchema],
    standings: Mapping[str, AnswerStanding | None],
    answers: Mapping[str, Sequence[int]],
) -> None:
    st.subheader(_("Since last week"), anchor=False)
    since = now() - timedelta(days=DAYS_OF_WEEK)
    daily = [sum(together) for together in zip(*answers.values(), strict=True)]
    files = [one.at for schema in served for one in visit.files_taken(schema.name) if one.state != "refused"]
    changes = [one.at for key, one in visit.newest_changes().items() if key.domain in standings]
    known = sum(week.n for one in standings.values() if one for week in one.weeks)
    told = [
        (_("Answers given"), sum(daily[DAYS_OF_WEEK:]), sum(daily[:DAYS_OF_WEEK]), daily),
        (_("Outcomes known, of 12 weeks"), known, None, None),
        (_("Files taken in"), *_this_week_and_before(files, since), None),
        (_("Changes of the model in use"), *_this_week_and_before(changes, since), None),
    ]
    for cell, (label, present, before, chart) in zip(st.columns(4), told, strict=True):
        cell.metric(
            label,
            count(present),
            delta=None if before is None else present - before,
            delta_color="off",
            delta_description=None if before is None else _("than the week before"),
            chart_data=chart,
            chart_type="bar",
            border=True,
            height="stretch",
        )


def _this_week_and_before(times: Sequence[datetime], since: datetime) -> tuple[int, int]:
    before = since - timedelta(days=DAYS_OF_WEEK)
    return sum(at >= since for at in times), sum(before <= at < since for at in times)


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
        "miss": st.column_config.NumberColumn(_("Average miss"), format="%.2f"),
        "rule": st.column_config.NumberColumn(_("Plain rule's miss"), format="%.2f"),
        "n": st.column_config.NumberColumn(
            _("Outcomes"), format="localized", help=_("Of answers that the model in use gave.")
        ),
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
        "subject": schema.title,
        "state": _state(schema, standing, found).word,
        "answers": list(answers),
        "miss": standing.mae if standing else None,
        "rule": standing.naive_mae if standing else None,
        "n": standing.n if standing else 0,
        "unit": standing.unit if standing else "",
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


def _say_unserved(unserved: Sequence[DomainSchema], choice: Choice) -> None:
    if unserved:
        n = len(unserved)
        sentence = ngettext(
            "{n} more subject has no model yet: {titles}.", "{n} more subjects have no model yet: {titles}.", n
        )
        if not choice.every:
            sentence = _("This subject has no model yet: {titles}.")
        st.caption(sentence.format(n=count(n), titles=", ".join(schema.title for schema in unserved)))
        st.code(f"gradewatch train --domain {unserved[0].name} --data FILE", language=None, wrap_lines=True)


def _newest(visit: Visit, choice: Choice) -> None:
    asked = FeedFilter([] if choice.every else [choice.schema.name])
    entries = visit.feed(asked, limit=ENTRIES_SHOWN)
    if entries:
        st.subheader(_("What happened last"), anchor=False)
        for one in entries:
            st.markdown(entry_line(one))
        link("activity", _("All that happened"), icon=":material/history:")
