"""Asking for predictions: one student in a form made from the schema, or many in a file.

Every answer comes from the prediction service, which has logged it before this page sees it. Typed student keys are
handed to the service and then cleared; neither this page nor the log keeps them.
"""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from functools import partial
from typing import Any

import msgspec
import streamlit as st

from access.roles import Forbidden
from advice.facts import column_words
from dashboard.form import FIRST_FIELDS, as_typed, by_importance, draw_fields, field, read_fields, typical
from dashboard.frame import Choice
from dashboard.palette import State
from dashboard.parts import champions_of, choose_file, moment_name, offer_problems, say_no_champion
from dashboard.tables import show_table
from dashboard.views.students.listing import LIST_NAMES, RUNGS, Row, draw_table, table_rows
from dashboard.views.students.one import draw_answer, draw_factors
from dashboard.views.students.sentences import Names, columns_listed
from dashboard.visit import GivenFile, Visit
from database.errors import StoreUnavailable
from database.newest import chance_of
from database.records import Factor, Prediction
from drift.profile import Profile
from errors import GradewatchError
from language import _, ngettext, retold
from language.format import count
from language.format import moment as moment_of
from model.answer_files import SHEET, answers_table, csv_bytes, dialect_of
from model.predict_file import AnsweredFile
from model.readable import said_about
from model.registry import NoChampion, Serving
from monitoring.student_list import ListedStudent
from preprocessing.excel import excel_bytes
from preprocessing.reading.raw_table import UnreadableFile
from preprocessing.schema import DomainSchema, Feature, Target, described, label_of, title_of
from preprocessing.template import template
from preprocessing.validation.causes import causes
from preprocessing.validation.rules import BadData

EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ROWS_SHOWN = 1000
FACTORS_SHOWN = 5
INPUTS_NAMED = 5
ANSWER_FIRST = """<style>
@media (max-width: 640px) { .st-key-ask > div > .stHorizontalBlock > .stColumn:last-child { order: -1; } }
@media (min-width: 641px) { .st-key-answer { position: sticky; top: 4rem; } }
</style>"""
"""On a phone the answer stands above the form that it came from, else beside it wherever the form is scrolled to."""

Session = MutableMapping[Any, Any]
Reasons = Callable[[Sequence[Prediction]], Mapping[str, tuple[Factor, ...]]]
"""What moved the answer of each of some predictions, by its id."""


class Predicted(msgspec.Struct, frozen=True, kw_only=True):
    """What came of asking: predictions (of a file: what it gave), or the problems of the data, or a sentence saying
    why there is neither. faults: what of a form could not be read, by column."""

    predictions: Sequence[Prediction] = ()
    file: AnsweredFile | None = None
    refused: BadData | None = None
    failure: str = ""
    faults: Mapping[str, str] = {}


def ask(work: Callable[[], Sequence[Prediction] | AnsweredFile]) -> Predicted:
    """The outcome of `work`, whatever may go wrong with it in words that a visitor can act on."""
    try:
        found = work()
        if isinstance(found, AnsweredFile):
            return Predicted(predictions=found.predictions, file=found)
        return Predicted(predictions=found)
    except BadData as error:
        return Predicted(refused=error)
    except (NoChampion, UnreadableFile, Forbidden) as error:
        return Predicted(failure=retold(str(error)))
    except StoreUnavailable as error:
        said = _("The database cannot be reached, so nothing was predicted or logged. Try again. ({error})")
        return Predicted(failure=said.format(error=error))


# One student --------------------------------------------------------------------------------------------------------


def ask_about_one(visit: Visit, choice: Choice) -> None:
    """Draw the form, and the answer beside it."""
    schema, moment = choice.schema, choice.at
    serving = next((one for key, one in champions_of(visit, schema).items() if key.moment == moment), None)
    if serving is None:
        say_no_champion(schema)
        return
    st.html(ANSWER_FIRST)
    with st.container(key="ask"):
        left, right = st.columns([3, 2], gap="medium")
        with left:
            _draw_form(visit, schema, moment, serving)
        with right, st.container(key="answer"):
            asked = st.session_state.get(_answer_key(schema))
            if asked is None:
                st.caption(_("The answer appears here."))
            else:
                _show_one(schema, choice.target, asked, serving)


def _answer_key(schema: DomainSchema) -> str:
    return f"answer:{schema.name}"


def _draw_form(visit: Visit, schema: DomainSchema, moment: str, serving: Serving) -> None:
    session = st.session_state
    with st.container(horizontal=True):
        st.button(
            _("Fill in a typical student"),
            on_click=_fill,
            args=(session, schema, moment, serving),
            key="fill",
            help=_("The middle value of every column that the model learned from. No real student."),
        )
        st.button(_("Clear"), on_click=_clear, args=(session, schema), key="clear")
    asked = session.get(_answer_key(schema))
    fields = by_importance(schema, moment, serving.predictor.manifest)
    folded = {one.name for one in fields[FIRST_FIELDS:]}
    with st.form(f"form:{schema.name}", border=True):
        draw_fields(schema, fields, unfold=asked is not None and bool(_asked_for(asked) & folded))
        st.form_submit_button(_("Predict"), type="primary", on_click=_submit, args=(visit, schema, moment))


def _asked_for(asked: Predicted) -> set[str]:
    """Columns that have to be filled in or corrected."""
    refused = {one.column for one in asked.refused.problems if one.column} if asked.refused else set()
    return refused | set(asked.faults)


def _fill(session: Session, schema: DomainSchema, moment: str, serving: Serving) -> None:
    for name, value in typical(schema, moment, Profile.from_bytes(serving.predictor.profile)).items():
        session[field(schema, name)] = as_typed(schema.feature_by_name[name], value)


def _clear(session: Session, schema: DomainSchema) -> None:
    for name in schema.feature_by_name:
        session[field(schema, name)] = None
    for name in schema.context_names:
        session[field(schema, name)] = ""
    session.pop(_answer_key(schema), None)


def _submit(visit: Visit, schema: DomainSchema, moment: str) -> None:
    """Ask the service once per press of the button, then forget the student key."""
    session = st.session_state
    row, faults = read_fields(schema, moment, session)
    session[_answer_key(schema)] = (
        Predicted(faults=faults)
        if faults
        else ask(lambda: visit.predict(schema.name, row, moment=moment, explain=FACTORS_SHOWN))
    )
    if schema.student:
        session[field(schema, schema.student.name)] = ""


def _show_one(schema: DomainSchema, target: Target, asked: Predicted, serving: Serving) -> None:
    if asked.failure:
        st.error(asked.failure, icon=State.ACT.icon)
    if asked.refused or asked.faults:
        _show_faults(schema, asked)
    for prediction in asked.predictions:
        answers = sorted(prediction.answers, key=lambda one: one.target != target.name)
        for answer in answers:
            about = schema.target_by_name[answer.target]
            draw_answer(answer, about, key=f"said:{answer.target}")
            if answer.insufficient:
                missing = columns_listed(answer.insufficient, schema)
                st.warning(_("Too little is known for an answer; missing: {columns}.").format(columns=missing))
            if answer.out_of_range:
                strange = columns_listed(answer.out_of_range, schema)
                st.warning(_("This is a guess: never seen in training: {columns}.").format(columns=strange))
        st.caption(_for_words(schema, prediction, serving))
        told = _("Answered {moment} on {when} and logged as `{id}`. Give that number with the outcome, or the key.")
        when = {"when": moment_of(prediction.at), "id": prediction.id}
        st.caption(told.format(moment=moment_name(schema, prediction.moment), **when))
        if answers and answers[0].factors:
            draw_factors(answers[0].factors, schema, schema.target_by_name[answers[0].target], key="said factors")


def _for_words(schema: DomainSchema, prediction: Prediction, serving: Serving) -> str:
    """What an answer is about: the fields on which it rests most, and how many more."""
    order = by_importance(schema, prediction.moment, serving.predictor.manifest)
    known = [one for one in order if prediction.inputs.get(one.name) is not None]
    named = ", ".join(column_words(one, prediction.inputs[one.name]) for one in known[:INPUTS_NAMED])
    more = len(known) - INPUTS_NAMED
    if more <= 0:
        return _("For: {inputs}").format(inputs=named)
    said = ngettext("For: {inputs} and {n} more", "For: {inputs} and {n} more", more)
    return said.format(inputs=named, n=count(more))


def _show_faults(schema: DomainSchema, asked: Predicted) -> None:
    """What is missing or wrong in the form, by the fields' own labels, with what was typed."""
    st.error(_("Nothing was predicted: complete or correct these fields."), icon=State.ACT.icon)
    lines: list[tuple[str, object, str]] = [(name, None, said) for name, said in asked.faults.items()]
    if asked.refused:
        lines += [(one.column or "", one.value, retold(one.rule)) for one in asked.refused.problems]
    for name, value, said in lines:
        feature = schema.feature_by_name.get(name)
        title = title_of(feature) if feature else name or _("form")
        st.markdown(f"- **{title}**: {said}" if value in (None, "") else f"- **{title}** ({value}): {said}")


# Many students ------------------------------------------------------------------------------------------------------


def ask_about_file(visit: Visit, choice: Choice) -> None:
    """Draw where a file is given, and its answers as a list."""
    schema = choice.schema
    told = _(
        "One row per student, columns named as in the template. CSV, Excel, Parquet or JSON; up to {rows} rows and "
        "{size} MB. Columns of names that nobody declared are left out, never stored."
    )
    st.write(told.format(rows=count(visit.max_rows), size=count(visit.max_upload_mb)))
    with st.container(horizontal=True):
        for kind, label, media in (("xlsx", _("Template (Excel)"), EXCEL), ("csv", _("Template (CSV)"), "text/csv")):
            make = partial(template, schema, format=kind)  # type: ignore[arg-type]
            name = f"{schema.name}-template.{kind}"
            st.download_button(
                label, make, name, media, on_click="ignore", key=f"template {kind}", icon=":material/download:"
            )
    with st.expander(_("Which columns?")):
        show_table(_columns(schema), hide_index=True, width="stretch")
    file = choose_file(schema.name)
    key = f"answers:{schema.name}"
    if file is None:
        st.session_state.pop(key, None)
        return
    keep = _columns_to_keep(visit, schema, file)
    if st.button(_("Predict all rows"), type="primary", key=f"all:{schema.name}"):
        with st.spinner(_("Checking, predicting and logging …")):
            st.session_state[key] = (
                ask(lambda: _predict_all(visit, schema, file, keep)),
                _names_in(visit, schema, file),
            )
    if asked := st.session_state.get(key):
        _show_many(visit, choice, *asked)


def _predict_all(visit: Visit, schema: DomainSchema, file: GivenFile, keep: Sequence[str]) -> AnsweredFile:
    return visit.predict_file(
        schema.name, file.name, file.content, sheet=file.sheet, keep=keep, skip_bad_rows=file.skip_bad_rows
    )


def _names_in(visit: Visit, schema: DomainSchema, file: GivenFile) -> Names:
    """The keys of the file, in memory, for this list alone; none of one without keys."""
    try:
        return visit.keys_in(schema.name, file)
    except GradewatchError:
        return {}


def _columns_to_keep(visit: Visit, schema: DomainSchema, file: GivenFile) -> list[str]:
    """Columns of the file that its answers shall carry; none of one that cannot be read, which is said when asked."""
    key = f"columns:{schema.name}"
    known, columns = st.session_state.get(key, (("", ""), ()))
    if known != (file.id, file.sheet):
        try:
            columns = visit.columns_of(file.name, file.content, sheet=file.sheet)
        except UnreadableFile:
            columns = ()
        st.session_state[key] = (file.id, file.sheet), columns
    if not columns:
        return []
    return st.multiselect(
        _("Your own columns in the download"),
        columns,
        key=f"keep:{schema.name}",
        placeholder=_("None"),
        help=_("Such as your key or the class: carried from your file into the download, never stored."),
    )


def _columns(schema: DomainSchema) -> list[dict[str, str]]:
    about = [*([schema.student] if schema.student else []), *schema.context]
    head = _("column"), _("may hold"), _("what it is"), _("needed")
    rows = [(one.name, _("text"), described(one), _("no")) for one in about]
    rows += [(one.name, _may_hold(one), described(one), _needed(schema, one)) for one in schema.features]
    return [dict(zip(head, row, strict=True)) for row in rows]


def _may_hold(feature: Feature) -> str:
    from dashboard.words import span

    if feature.kind == "numeric":
        return span(feature) or _("a number")
    called = {level: label_of(level, feature.labels) for level in feature.levels}
    levels = ", ".join(level if told == level else f"{level} ({told})" for level, told in called.items())
    return _("{levels}, or others").format(levels=levels) if feature.open else levels


def _needed(schema: DomainSchema, feature: Feature) -> str:
    if feature.optional:
        return _("no")
    later = feature.known_at and feature.known_at != schema.moments[0]
    return moment_name(schema, feature.known_at) if later else _("yes")


def _show_many(visit: Visit, choice: Choice, asked: Predicted, names: Names) -> None:
    if asked.failure:
        st.error(asked.failure, icon=State.ACT.icon)
    if asked.refused:
        _show_problems(choice.schema, asked.refused)
    if asked.file:
        _show_answers(visit, choice, asked.file, names)


def _show_answers(visit: Visit, choice: Choice, asked: AnsweredFile, names: Names) -> None:
    schema, target = choice.schema, choice.target
    for note in asked.notes:
        st.info(retold(note), icon=State.INFO.icon)
    if asked.skipped:
        said = ngettext("{n} bad row left out.", "{n} bad rows left out.", asked.skipped)
        st.warning(said.format(n=count(asked.skipped)), icon=State.LOOK.icon)
        offer_problems(schema.name, asked.problems)
    if not asked.predictions:
        return
    said = ngettext("{n} row predicted and logged.", "{n} rows predicted and logged.", len(asked.predictions))
    st.success(said.format(n=count(len(asked.predictions))), icon=State.GOOD.icon)
    _offer_answers(schema, asked)
    known = {**names, **st.session_state.get(LIST_NAMES, {})}
    why = partial(visit.reasons, schema.name, target.name, most=2)
    listed, rows = file_list(asked, schema, target, known, why)
    if rows:
        draw_table(rows[:ROWS_SHOWN], listed[:ROWS_SHOWN], target, key="file table")
    if len(rows) > ROWS_SHOWN:
        st.caption(_("The first {n} are shown; the download has them all.").format(n=count(ROWS_SHOWN)))


def file_list(
    asked: AnsweredFile, schema: DomainSchema, target: Target, names: Names, why: Reasons
) -> tuple[list[ListedStudent], list[Row]]:
    """The answers to a file as the list of students has them: those at most risk first, then whoever has no chance.
    why: asked of the first ones alone, as there."""
    listed = []
    for number, one in zip(asked.rows, asked.predictions, strict=True):
        if (answer := said_about(one, target)) is not None:
            silent = chance_of(answer)[1]
            student = ListedStudent(one.student or "", one.group, one.period, one, answer, silent=silent or None)
            listed.append((student, number))
    listed.sort(key=lambda pair: -1.0 if pair[0].answer.below_pass is None else pair[0].answer.below_pass, reverse=True)
    reasons = why([one.said for one, _number in listed[:RUNGS]])
    rows = table_rows([one for one, _number in listed], schema, target, names, reasons, {}, {})
    told: list[Row] = [
        {**row, "student": row["student"] if one.student else _("row {n}").format(n=count(number))}
        for row, (one, number) in zip(rows, listed, strict=True)
    ]
    return [one for one, _number in listed], told


def _offer_answers(schema: DomainSchema, asked: AnsweredFile) -> None:
    """The answers as files, the CSV in the dialect of the file that was given."""
    dialect, name = dialect_of("auto", asked.separator), f"{schema.name}-answers"
    table = answers_table(asked.rows, asked.predictions, schema.targets, asked.kept, dialect=dialect)
    with st.container(horizontal=True):
        csv, excel = partial(csv_bytes, table, dialect), partial(excel_bytes, table, SHEET)
        st.download_button(_("Download answers (CSV)"), csv, f"{name}.csv", "text/csv", on_click="ignore")
        st.download_button(_("Download answers (Excel)"), excel, f"{name}.xlsx", EXCEL, on_click="ignore")


def _show_problems(schema: DomainSchema, refused: BadData) -> None:
    said = ngettext(
        "{n} problem in the file; nothing was predicted or logged. Correct the file and upload it again.",
        "{n} problems in the file; nothing was predicted or logged. Correct the file and upload it again.",
        refused.total,
    )
    st.error(said.format(n=count(refused.total)), icon=State.ACT.icon)
    by_cause = [
        {
            _("cells"): one.cells,
            _("column"): one.column,
            _("what was expected"): retold(one.rule),
            _("found"): one.values_told,
            _("rows"): one.rows_told,
        }
        for one in causes(refused.problems)
    ]
    show_table(by_cause, hide_index=True, width="stretch")
    shown = [
        {_("row"): p.row, _("column"): p.column, _("found"): p.value, _("what was expected"): retold(p.rule)}
        for p in refused.problems[:ROWS_SHOWN]
    ]
    with st.expander(_("Every problem")):
        show_table(shown, hide_index=True, width="stretch")
    offer_problems(schema.name, refused.problems)
