"""One student: the answer and why, how it went, what may help, what was done, and what an officer may do."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import streamlit as st

from advice.advise import Advice
from advice.case_steps import DONE, LONGEST_OF_HELP, Done, HelpGiven, NewStep
from advice.cases import StudentCase
from advice.positions import Place, SubjectResult
from clock import now
from dashboard import charts
from dashboard.change_words import move_sentence
from dashboard.figures import students as figures
from dashboard.frame import Choice, foot, state_line
from dashboard.palette import State
from dashboard.parts import capital
from dashboard.tables import show_table
from dashboard.version_words import Names as ModelNames
from dashboard.version_words import names_among
from dashboard.views.students.listing import LIST_NAMES, WEEK
from dashboard.views.students.requests import draw_rights
from dashboard.views.students.sentences import (
    Names,
    answer_sentence,
    case_sentence,
    chance_title,
    columns_listed,
    coverage_words,
    done_words,
    factor_words,
    help_words,
    likelier_words,
    name_of,
    numeric,
    range_words,
    silent_words,
    value_words,
)
from dashboard.views.students.weeks import draw_weeks
from dashboard.visit import SeenStudent, Visit
from database.newest import place_of
from database.records import Answer, ChampionKey, Factor, ModelVersion, Outcome, Prediction
from errors import GradewatchError
from language import _, ngettext, retold, worded
from language.ending_words import ending_words
from language.format import count, day, number, share
from language.format import moment as moment_of
from model.readable import said_about
from monitoring.answer_history import answer_history
from monitoring.student_list import ListedStudent, missing_of
from preprocessing.schema import DomainSchema, Target, label_of

FACTORS_OF_ONE = 8
NO_NAMES: Names = {}


class OneStudent(NamedTuple):
    """What the page shows of a student in one place. newest: the prediction; listed: the same as in the list."""

    name: str
    seen: SeenStudent
    newest: Prediction
    listed: ListedStudent
    schema: DomainSchema
    target: Target


def draw_student(visit: Visit, choice: Choice, student: str) -> None:
    """Draw the page of one student."""
    names: Names = st.session_state.get(LIST_NAMES, NO_NAMES)
    name, may_read = name_of(student, names), visit.may("read", choice.schema.name)
    seen = visit.student(choice.schema.name, student) if may_read else None
    st.button(_("Back to the list"), icon=":material/arrow_back:", on_click=_leave, type="tertiary", key="back")
    place = _choose_place(seen, choice.schema) if seen else None
    one = _of_place(choice, name, seen, place) if seen and place else None
    if one is None:
        said = _("{name}: nothing that you may see was answered about this student.") if may_read else "{name}"
        state_line(State.OPEN, said.format(name=name))
    else:
        below = one.listed.answer.below_pass
        state = State.OPEN if below is None else State.LOOK if below >= figures.NEAR_FROM else State.GOOD
        state_line(state, answer_sentence(name, one.listed.answer, one.target))
        _draw_answered(visit, one)
    if visit.may("note", choice.schema.name):
        _draw_case(visit, choice.schema, student, place)
    if visit.may("rights", choice.schema.name):
        st.header(_("A request of this student"), anchor=False)
        draw_rights(visit, choice.schema, student)
    foot(*_answered_by(visit, one))


def _answered_by(visit: Visit, one: OneStudent | None) -> tuple[str, str]:
    """The model that answered last, by its name and the day since when it is, and its digest."""
    if one is None:
        return "", ""
    version = one.listed.answer.model
    models, names = _registered(visit, one), _models_of(visit, one)
    since = next((day(model.at) for model in models if model.version == version), "")
    told = names.told(version)
    return (_("{model} of {day}").format(model=told, day=since) if since else told), version


def _registered(visit: Visit, one: OneStudent) -> list[ModelVersion]:
    return visit.models(ChampionKey(one.schema.name, one.target.name, one.newest.moment))


def _models_of(visit: Visit, one: OneStudent) -> ModelNames:
    return names_among(_registered(visit, one))


def _leave() -> None:
    st.query_params.pop("student", None)
    st.session_state.pop("students table", None)
    st.session_state.pop("ladder", None)


def _choose_place(seen: SeenStudent, schema: DomainSchema) -> Place:
    """The group and period that is shown, the newest by itself; of weeks always that, for they are drawn together."""
    if schema.panel is not None:
        newest = max(seen.predictions, key=lambda one: (one.period or "", one.at, one.id))
        return Place(newest.group, newest.period)
    places = list(dict.fromkeys(Place(one.group, one.period) for one in seen.predictions))
    if len(places) == 1:
        return places[0]
    shown = st.selectbox(
        _("Where"),
        range(len(places)),
        format_func=lambda at: " · ".join(part for part in places[at] if part) or _("no group"),
        key="place",
        width=320,
    )
    return places[shown]


def _of_place(choice: Choice, name: str, seen: SeenStudent, place: Place) -> OneStudent | None:
    there = [one for one in seen.predictions if Place(one.group, one.period) == place]
    answered = [one for one in there if said_about(one, choice.target) is not None]
    if not answered:
        return None
    newest, earlier = answered[0], answered[1] if len(answered) > 1 else None
    answer = said_about(newest, choice.target)
    assert answer is not None  # noqa: S101 - as asked above
    listed = ListedStudent(seen.student, place.group, place.period, newest, answer, earlier=earlier)
    return OneStudent(name, seen, newest, listed, choice.schema, choice.target)


# The answer ---------------------------------------------------------------------------------------------------------


def _draw_answered(visit: Visit, one: OneStudent) -> None:
    _draw_head(visit, one)
    if one.target.pass_mark is not None and visit.warning_of(one.schema.name, one.target.name, one.newest):
        st.caption(_("The warning policy in use warns of this student."))
    weeks = visit.weeks(one.schema.name, one.seen.student, one.target.name) if one.schema.panel else None
    if weeks is not None:
        draw_weeks(weeks, one.schema)
    else:
        left, right = st.columns(2, gap="large")
        with left:
            _draw_answers(one)
        with right:
            _draw_reasons(visit, one)
        _draw_history(visit, one)
    if (advice := visit.advice(one.schema.name, one.newest)) is not None:
        _draw_advice(advice, one.schema)
    _draw_papers(visit, one)


def _draw_head(visit: Visit, one: OneStudent) -> None:
    listed = one.listed
    where = " · ".join(part for part in (listed.group, listed.period) if part)
    missing, columns = missing_of(listed, one.schema)
    known = _("{known} of {n} facts known").format(known=count(columns - len(missing)), n=count(columns))
    st.caption(
        " · ".join(part for part in (where, _("answered {when}").format(when=moment_of(listed.said.at)), known) if part)
    )
    if not one.target.within and (earlier := _week_before(one)) is not None:
        move = visit.move(one.schema.name, one.target.name, earlier, listed.said)
        if move is not None and move.by:
            st.caption(capital(move_sentence(move, earlier.at, one.schema, one.target)))
    if said := silent_words(listed, one.schema):
        st.warning(said[0].upper() + said[1:], icon=State.OPEN.icon)
    if missing:
        st.caption(_("Missing: {columns}").format(columns=columns_listed(missing, one.schema, 6)))


def _week_before(one: OneStudent) -> Prediction | None:
    """The last answer there of before a week ago, or else the one before the newest."""
    listed = one.listed
    there = [said for said in one.seen.predictions if (said.group, said.period) == (listed.group, listed.period)]
    old = [said for said in there if said.at <= now() - WEEK and said_about(said, one.target) is not None]
    return old[0] if old and old[0].id != listed.said.id else listed.earlier


def _draw_answers(one: OneStudent) -> None:
    """Every answer of the prediction, on its scale or grade by grade."""
    st.header(_("The answer"), anchor=False)
    for answer in sorted(one.newest.answers, key=lambda answer: answer.target != one.target.name):
        draw_answer(answer, one.schema.target_by_name[answer.target], key=f"answer:{answer.target}")


def draw_answer(answer: Answer, target: Target, *, key: str) -> None:
    """An answer as a picture with its sentence."""
    if answer.value is None:
        st.write(_("{target}: no answer").format(target=_title(target)))
        return
    title = answer_sentence(_title(target), answer, target)
    if answer.probabilities:
        table = [{_("grade"): level, _("chance"): chance} for level, chance in answer.probabilities.items()]
        figure = figures.probabilities(answer, target)
        alternative = _("The chance of each grade. {title}").format(title=title)
    else:
        table = [_on_scale(answer, target)]
        figure = figures.place(answer, target)
        alternative = _("The answer on its scale with its range. {title}").format(title=title)
    charts.draw(figure, title=title, alternative=alternative, table=table, key=key)
    told = [
        coverage_words(answer, target),
        likelier_words(answer, target),
        _("the plain rule says {value}").format(value=value_words(answer.naive, target)),
    ]
    st.caption(" · ".join(part for part in told if part))


def _on_scale(answer: Answer, target: Target) -> dict[str, object]:
    low, high = answer.interval or (None, None)
    words = ending_words(event=target.is_event)
    return {
        _("likely"): numeric(answer, target),
        _("from"): low,
        _("to"): high,
        _("plain rule"): answer.naive,
        words.mark: target.pass_mark,
        words.chance: answer.below_pass,
    }


def _title(target: Target) -> str:
    from preprocessing.schema import title_of

    return title_of(target)


def _draw_reasons(visit: Visit, one: OneStudent) -> None:
    st.header(_("What moves it"), anchor=False)
    name, target = one.schema.name, one.target
    factors = visit.reasons(name, target.name, [one.newest], FACTORS_OF_ONE).get(one.newest.id, ())
    if not factors:
        st.write(_("Nothing can be told: the model that answered does not answer any more."))
        return
    draw_factors(factors, one.schema, target, key="factors")


def draw_factors(factors: Sequence[Factor], schema: DomainSchema, target: Target, *, key: str) -> None:
    """What moved an answer, as bars in words."""
    words = {one.feature: factor_words(one, schema) for one in factors}
    strongest = words[factors[0].feature]
    unit = _("chance of this grade") if target.levels else worded(target.unit)
    title = _("What moves it most is {strongest} ({unit})").format(strongest=strongest, unit=unit)
    table = [{_("fact"): words[one.feature], _("effect"): one.effect, _("direction"): one.direction} for one in factors]
    alternative = _("Bars of what lowers and what raises the answer. {title}").format(title=title)
    figure = figures.factor_bars(factors, words)
    charts.draw(figure, title=title, alternative=alternative, table=table, key=key)
    st.caption(_("About the model, not about causes: changing one of these need not change the result."))


# How it went --------------------------------------------------------------------------------------------------------


def _draw_history(visit: Visit, one: OneStudent) -> None:
    listed, names = one.listed, _models_of(visit, one)
    past = answer_history(one.seen.predictions, one.target, listed.group, listed.period)
    outcome = _outcome_of(one)
    if len(past) < 2 and outcome is None:
        return
    st.header(_("How it went"), anchor=False)
    models = sum(entry.another_model for entry in past)
    title = ngettext("{n} answer so far", "{n} answers so far", len(past)).format(n=count(len(past)))
    changed = ngettext("{n} change of the model", "{n} changes of the model", models).format(n=count(models))
    became = _("it became {value}").format(value=value_words(outcome.value, one.target)) if outcome else ""
    title = "; ".join(part for part in (title, changed if models else "", became) if part)
    table = [
        {
            _("when"): entry.at,
            _("likely"): numeric(entry.answer, one.target),
            _("range"): range_words(entry.answer, one.target),
            chance_title(one.target): entry.answer.below_pass,
            _("model"): names.of(entry.answer.model),
            _("another model"): entry.another_model,
        }
        for entry in past
    ]
    alternative = _("Answers over time. {title}").format(title=title)
    figure = figures.history(past, outcome, one.target)
    charts.draw(figure, title=title, alternative=alternative, table=table, key="history")


def _outcome_of(one: OneStudent) -> Outcome | None:
    place, ids = (one.listed.group, one.listed.period), {said.id for said in one.seen.predictions}
    found = [
        entry
        for entry in one.seen.outcomes
        if entry.target == one.target.name
        and (entry.prediction in ids if entry.prediction else (entry.group, entry.period) == place)
    ]
    return max(found, key=lambda entry: entry.at, default=None)


# What may help ------------------------------------------------------------------------------------------------------


def _draw_advice(advice: Advice, schema: DomainSchema) -> None:
    """The subjects beside the others, which weeks are none of, and what may help."""
    left, right = st.columns(2, gap="large") if schema.panel is None else (None, st.container())
    if left is not None:
        with left:
            st.header(_("Beside the others"), anchor=False)
            _draw_subjects(advice.subjects, {k: v for one in schema.targets for k, v in one.labels.items()})
    with right:
        st.header(_("What may help"), anchor=False)
        for one in advice.plan.recommendations:
            entry = one.entry
            st.markdown(f"**{worded(entry.title)}** ({worded(entry.how_long)})  \n{worded(entry.what)}")
            st.caption(f"{retold(one.reason.words)} · {entry.source.title}, {entry.source.publisher}")
        if not advice.plan.recommendations:
            st.write(_("No recommendation: {why}.").format(why=retold(advice.plan.none_because or "")))


def _draw_subjects(subjects: Sequence[SubjectResult], labels: Mapping[str, str]) -> None:
    weak = sum(one.weak for one in subjects)
    if not subjects:
        st.write(_("No result of this student is known yet."))
        return
    told = ngettext("{n} subject is among the weakest quarter.", "{n} subjects are among the weakest quarter.", weak)
    st.write(told.format(n=count(weak)))
    rows = [
        {
            _("subject"): " · ".join(part for part in (one.group, one.period) if part) or _("this subject"),
            _("result"): share(one.value)
            if one.basis == "so far" and isinstance(one.value, float)
            else _plain(one.value, labels),
            _("known"): _("in the end") if one.basis == "final" else _("so far"),
            _("better than"): one.position.below if one.position else None,
            _("others"): one.others,
            _("weak"): one.weak,
        }
        for one in subjects
    ]
    shares: dict[str, Any] = {"format": "percent", "step": 0.01, "min_value": 0.0, "max_value": 1.0}
    better = st.column_config.ProgressColumn(_("better than"), **shares)
    show_table(rows, hide_index=True, width="stretch", column_config={_("better than"): better}, key="subjects")
    st.caption(_("Shares are of the others there, and never of fewer than ten."))


def _plain(value: float | str, labels: Mapping[str, str]) -> str:
    return label_of(value, labels) if isinstance(value, str) else number(value)


def _draw_papers(visit: Visit, one: OneStudent) -> None:
    if st.button(_("A sheet for the person"), icon=":material/description:", key="sheet"):
        page, day_of = visit.sheet(one.schema.name, one.newest), one.newest.at.date()
        st.download_button(
            _("Download the sheet (page)"), page, f"sheet-{day_of}.html", "text/html", on_click="ignore",
            icon=":material/download:", key="sheet file",
        )  # fmt: skip
    _draw_report(visit, one)


def _draw_report(visit: Visit, one: OneStudent) -> None:
    entry = visit.report_on(one.schema.name, one.listed.group, one.listed.period)
    if entry is None:
        return
    names: Names = st.session_state.get(LIST_NAMES, NO_NAMES)
    label = _("The report on {group} of {day}").format(group=entry.group, day=day(entry.due))
    if st.button(label, icon=":material/description:", key="report"):
        page = visit.report_page(entry, names)
        st.download_button(
            _("Download it (page)"), page, f"report-{entry.due}.html", "text/html", on_click="ignore",
            icon=":material/download:", key="report file",
        )  # fmt: skip


# What was done ------------------------------------------------------------------------------------------------------


def _draw_case(visit: Visit, schema: DomainSchema, student: str, place: Place | None) -> None:
    st.header(_("What was done"), anchor=False)
    case, titles = visit.case(schema.name, student), visit.help_kinds()
    for state in case.states:
        if place is None or place_of(*place) == place_of(state.group, state.period):
            st.write(_escaped(case_sentence(state, titles)))
    with st.form("step", clear_on_submit=False, border=True):
        done: Done | None = st.segmented_control(
            _("Done"), DONE, default=None if "step done" in st.session_state else "talked", required=True,
            format_func=done_words, key="step done",
        )  # fmt: skip
        text = st.text_area(_("Note"), max_chars=1000, key="step text", help=_("In words that name nobody."))
        given = _draw_help(titles)
        if st.form_submit_button(_("Save"), type="primary") and done is not None:
            _save(visit, schema, student, NewStep(done, text, None, place, given if done == "helped" else None))
    if failure := st.session_state.pop("step refused", ""):
        st.error(failure, icon=State.ACT.icon)
    _draw_steps(case, titles)


def _draw_help(titles: Mapping[str, str]) -> HelpGiven | None:
    """Which help begins; None where no kind is chosen."""
    with st.expander(_("Which help?")):
        kind = st.selectbox(
            _("Kind"), list(titles), index=None, format_func=lambda one: titles[one], key="help kind",
            placeholder=_("not said"), help=_("Counts where help is what was done."),
        )  # fmt: skip
        left, right = st.columns(2)
        start = left.date_input(_("First day"), value="today", key="help start")
        end = right.date_input(_("Last day"), value=None, key="help end")
        dose = left.text_input(_("How much"), max_chars=LONGEST_OF_HELP, key="help dose")
        owner = right.text_input(
            _("Who sees to it"), max_chars=LONGEST_OF_HELP, key="help owner", help=_("A role or an account; no name.")
        )
    return HelpGiven(kind=kind, start=start, end=end, dose=dose, owner=owner) if kind else None


def _save(visit: Visit, schema: DomainSchema, student: str, step: NewStep) -> None:
    try:
        visit.take_step(schema.name, student, step)
    except GradewatchError as error:
        st.session_state["step refused"] = retold(str(error))
        return
    st.session_state.pop("step text", None)
    st.toast(_("Saved."))
    st.rerun()


def _draw_steps(case: StudentCase, titles: Mapping[str, str]) -> None:
    if not case.steps:
        st.caption(_("Nothing yet. A note is handed out, and erased, with all that is known of the student."))
        return
    for one in case.steps:
        chance = one.answer.below_pass if one.answer else None
        then = "" if chance is None else _("chance then {chance}").format(chance=share(chance))
        where = " · ".join(part for part in (one.group, one.period) if part)
        who = one.actor.partition(":")[2] or one.actor
        told = " · ".join(part for part in (moment_of(one.at), who, where, then) if part)
        said = "; ".join(part for part in (help_words(one.help, titles) if one.help else "", one.text) if part)
        text = f" – {_escaped(said)}" if said else ""
        st.markdown(f"**{done_words(one.done)}**{text}  \n:gray[{told}]")


def _escaped(text: str) -> str:
    """A text that somebody typed, with no mark that would be drawn."""
    return "".join(f"\\{letter}" if letter in r"\`*_{}[]()<>#+-.!|$~:" else letter for letter in text)
