"""Asking for predictions: one student in a form made from the schema, or many in a file.

Every answer comes from the prediction service, which has logged it before this page sees it. Typed student keys are
handed to the service and then cleared; neither this page nor the log keeps them.
"""

from collections.abc import Callable, MutableMapping, Sequence
from functools import partial
from typing import Any

import msgspec
import streamlit as st

from access.roles import Forbidden
from dashboard import words
from dashboard.figures import students as figures
from dashboard.form import draw_fields, field, read_fields, typical
from dashboard.frame import controls
from dashboard.parts import (
    capital,
    champions_of,
    choose_file,
    draw,
    moment_name,
    offer_problems,
    say_no_champion,
    warn_of_changed_schemas,
    warn_of_examples,
)
from dashboard.visit import GivenFile, Visit
from database.errors import StoreUnavailable
from database.records import Answer, Prediction
from drift.profile import Profile
from model.answer_files import SHEET, answers_table, csv_bytes, dialect_of
from model.predict_file import AnsweredFile
from model.readable import readable_value
from model.registry import NoChampion, Serving
from preprocessing.excel import excel_bytes
from preprocessing.reading.raw_table import UnreadableFile
from preprocessing.schema import DomainSchema, Feature, Target
from preprocessing.validation.causes import causes
from preprocessing.validation.rules import BadData

EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ROWS_SHOWN = 1000
FACTORS_SHOWN = 5
Session = MutableMapping[Any, Any]


class Predicted(msgspec.Struct, frozen=True, kw_only=True):
    """What came of asking: predictions (of a file: what it gave), or the problems of the data, or a sentence saying
    why there is neither."""

    predictions: Sequence[Prediction] = ()
    file: AnsweredFile | None = None
    refused: BadData | None = None
    failure: str = ""


def students(visit: Visit) -> None:
    """Draw the page."""
    st.title("Students", anchor=False)
    schema = controls(visit, at=False, target=False, days=False).schema
    moments = [m for m in schema.moments if any(key.moment == m for key in champions_of(visit, schema))]
    if not moments:
        say_no_champion(schema)
        return
    warn_of_examples(visit, [schema.name])
    warn_of_changed_schemas(visit, [schema.name])
    one, many = st.tabs(["One student", "A file of students"])
    with one:
        _one(visit, schema, moments)
    with many:
        _many(visit, schema)


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
        return Predicted(failure=str(error))
    except StoreUnavailable as error:
        return Predicted(
            failure=f"The database cannot be reached, so nothing was predicted or logged. Try again. ({error})"
        )


# One student --------------------------------------------------------------------------------------------------------


def _one(visit: Visit, schema: DomainSchema, moments: Sequence[str]) -> None:
    moment = _choose_moment(schema, moments)
    serving = next(one for key, one in champions_of(visit, schema).items() if key.moment == moment)
    fill, clear, _ = st.columns([2, 1, 3])
    session = st.session_state
    fill.button(
        "Fill in a typical student",
        on_click=_fill,
        args=(session, schema, moment, serving),
        help="The middle value of every column in the champion's training data. No real student.",
        width="stretch",
    )
    clear.button("Clear", on_click=_clear, args=(session, schema), width="stretch")
    with st.form(f"form:{schema.name}", border=True):
        draw_fields(schema, moment)
        st.form_submit_button("Predict", type="primary", on_click=_submit, args=(visit, schema, moment))
    if asked := session.get(f"answer:{schema.name}"):
        _show_one(schema, asked)


def _choose_moment(schema: DomainSchema, moments: Sequence[str]) -> str:
    if len(schema.moments) == 1:
        return moments[0]
    chosen = st.segmented_control(
        "When in the course",
        moments,
        default=moments[-1],
        required=True,
        format_func=lambda moment: capital(moment_name(schema, moment)),
        key=f"moment:{schema.name}",
        help="What is known so far. Columns that become known later are left out, and the champion of that moment "
        "answers.",
    )
    return chosen or moments[-1]


def _fill(session: Session, schema: DomainSchema, moment: str, serving: Serving) -> None:
    for name, value in typical(schema, moment, Profile.from_bytes(serving.predictor.profile)).items():
        whole = schema.feature_by_name[name].integer
        session[field(schema, name)] = value if whole or isinstance(value, str) else float(value)


def _clear(session: Session, schema: DomainSchema) -> None:
    for name in (*schema.feature_by_name, *schema.context_names):
        session.pop(field(schema, name), None)
    session.pop(f"answer:{schema.name}", None)


def _submit(visit: Visit, schema: DomainSchema, moment: str) -> None:
    """Ask the service once per press of the button, then forget the student key."""
    session = st.session_state
    row = read_fields(schema, moment, session)
    session[f"answer:{schema.name}"] = ask(
        lambda: visit.predict(schema.name, row, moment=moment, explain=FACTORS_SHOWN)
    )
    if schema.student:
        session[field(schema, schema.student.name)] = ""


def _show_one(schema: DomainSchema, asked: Predicted) -> None:
    if asked.failure:
        st.error(asked.failure, icon=":material/error:")
    if asked.refused:
        _show_faults(schema, asked.refused)
    for prediction in asked.predictions:
        for answer in prediction.answers:
            _show_answer(schema.target_by_name[answer.target], answer)
        st.caption(
            f"Answered{_at_moment(schema, prediction)} on {words.when(prediction.at)} "
            f"and logged as prediction `{prediction.id}`. Give that number with the outcome, or use the student key.",
        )


def _at_moment(schema: DomainSchema, prediction: Prediction) -> str:
    return f", {moment_name(schema, prediction.moment)}," if len(schema.moments) > 1 else ""


def _show_faults(schema: DomainSchema, refused: BadData) -> None:
    """What is missing or wrong in the form, by the fields' own labels."""
    st.error("Nothing was predicted: please complete or correct these fields.", icon=":material/error:")
    for problem in refused.problems:
        feature = schema.feature_by_name.get(problem.column or "")
        st.markdown(f"- **{words.title(feature) if feature else problem.column or 'form'}**: {problem.rule}")


def _show_answer(target: Target, answer: Answer) -> None:
    with st.container(border=True):
        said, chart = st.columns([1, 2], gap="medium", vertical_alignment="center")
        said.metric(words.title(target), words.answer(answer.value, target), help=target.description or None)
        naive = words.answer(answer.naive, target)
        told = (words.below_pass(answer, target), words.interval(answer, target), words.likelier(answer))
        lines = [*told, f"The plain rule says {naive}"]
        said.caption("  \n".join(line for line in lines if line), help=words.PLAIN_RULE_HELP)
        said.caption(f"model `{words.version(answer.model)}`, generation {answer.generation}")
        with chart:
            figure = figures.probabilities(answer) if answer.probabilities else figures.place(answer, target)
            draw(figure, f"{words.title(target)}: {words.answer(answer.value, target)}", key=f"answer:{target.name}")
        if answer.insufficient:
            st.warning(words.insufficient(answer), icon=":material/help:")
        if answer.out_of_range:
            st.warning(words.out_of_range(answer), icon=":material/warning:")
        if answer.factors:
            _show_factors(target, answer)


def _show_factors(target: Target, answer: Answer) -> None:
    st.markdown("**What moved this answer**", help=words.FACTORS_HELP)
    st.markdown("\n".join(f"- {words.factor(factor, target)}" for factor in answer.factors))
    st.caption("About the model, not about causes: changing one of these need not change the result.")


# Many students ------------------------------------------------------------------------------------------------------


def _many(visit: Visit, schema: DomainSchema) -> None:
    st.write(
        f"One row per student, columns named as in the domain. CSV, Excel, Parquet or JSON; up to {visit.max_rows:,} "
        f"rows and {visit.max_upload_mb} MB. Columns of names that no domain declares are left out, never stored."
    )
    with st.expander("Which columns?"):
        st.dataframe(_columns(schema), hide_index=True, width="stretch")
    file = choose_file(schema.name)
    key = f"answers:{schema.name}"
    if file is None:
        st.session_state.pop(key, None)
        return
    keep = _columns_to_keep(visit, schema, file)
    if st.button("Predict all rows", type="primary", key=f"all:{schema.name}"):
        with st.spinner("Checking, predicting and logging …"):
            st.session_state[key] = ask(
                lambda: visit.predict_file(
                    schema.name,
                    file.name,
                    file.content,
                    sheet=file.sheet,
                    keep=keep,
                    skip_bad_rows=file.skip_bad_rows,
                )
            )
    if asked := st.session_state.get(key):
        _show_many(schema, asked)


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
        "Your own columns in the answers",
        columns,
        key=f"keep:{schema.name}",
        placeholder="None",
        help="Such as your key or the class: carried from your file into the download, never stored.",
    )


def _columns(schema: DomainSchema) -> list[dict[str, str]]:
    student = {schema.student.name: schema.student.description} if schema.student else {}
    about = {column.name: column.description for column in schema.context}
    context = [
        {"column": name, "may hold": "text", "what it is": said, "needed": "no"}
        for name, said in {**student, **about}.items()
    ]
    return context + [
        {
            "column": feature.name,
            "may hold": _may_hold(feature),
            "what it is": feature.description,
            "needed": _needed(schema, feature),
        }
        for feature in schema.features
    ]


def _may_hold(feature: Feature) -> str:
    if feature.kind == "numeric":
        return words.span(feature) or "a number"
    return ", ".join(feature.levels) + (", or others" if feature.open else "")


def _needed(schema: DomainSchema, feature: Feature) -> str:
    if feature.optional:
        return "no"
    later = feature.known_at and feature.known_at != schema.moments[0]
    return moment_name(schema, feature.known_at) if later else "yes"


def _show_many(schema: DomainSchema, asked: Predicted) -> None:
    if asked.failure:
        st.error(asked.failure, icon=":material/error:")
    if asked.refused:
        _show_problems(schema, asked.refused)
    if asked.file:
        _show_answers(schema, asked.file)


def _show_answers(schema: DomainSchema, asked: AnsweredFile) -> None:
    for note in asked.notes:
        st.info(note, icon=":material/info:")
    if asked.skipped:
        st.warning(f"{words.rows(asked.skipped, 'bad row')} left out.", icon=":material/warning:")
        offer_problems(schema.name, asked.problems)
    if asked.predictions:
        outside = sum(any(answer.out_of_range for answer in p.answers) for p in asked.predictions)
        silent = sum(any(answer.insufficient for answer in p.answers) for p in asked.predictions)
        st.success(f"{words.rows(len(asked.predictions))} predicted and logged.", icon=":material/check:")
        if outside:
            st.warning(
                f"{words.rows(outside)} with values outside what the model was trained on; see the last column.",
                icon=":material/warning:",
            )
        if silent:
            st.warning(
                f"{words.rows(silent)} without an answer: too much of what the model rests on is missing there.",
                icon=":material/help:",
            )
        _offer_answers(schema, asked)
        st.dataframe(
            answer_rows(schema, asked.rows[:ROWS_SHOWN], asked.predictions[:ROWS_SHOWN]),
            hide_index=True,
            width="stretch",
        )
        if len(asked.predictions) > ROWS_SHOWN:
            st.caption(f"The first {ROWS_SHOWN:,} are shown; the download has them all.")


def _offer_answers(schema: DomainSchema, asked: AnsweredFile) -> None:
    """The answers as files, the CSV in the dialect of the file that was given."""
    dialect, name = dialect_of("auto", asked.separator), f"{schema.name}-answers"
    table = answers_table(asked.rows, asked.predictions, schema.targets, asked.kept, dialect=dialect)
    with st.container(horizontal=True):
        csv, excel = partial(csv_bytes, table, dialect), partial(excel_bytes, table, SHEET)
        st.download_button("Download answers (CSV)", csv, f"{name}.csv", "text/csv", on_click="ignore")
        st.download_button("Download answers (Excel)", excel, f"{name}.xlsx", EXCEL, on_click="ignore")


def _show_problems(schema: DomainSchema, refused: BadData) -> None:
    found = words.rows(refused.total, "problem")
    st.error(f"{found} in the file; nothing was predicted or logged. Correct the file and upload it again.")
    by_cause = [
        {
            "cells": one.cells,
            "column": one.column,
            "what was expected": one.rule,
            "found": one.values_told,
            "rows": one.rows_told,
        }
        for one in causes(refused.problems)
    ]
    st.dataframe(by_cause, hide_index=True, width="stretch")
    shown = [
        {"row": p.row, "column": p.column, "found": p.value, "what was expected": p.rule} for p in refused.problems
    ]
    with st.expander("Every problem"):
        st.dataframe(shown[:ROWS_SHOWN], hide_index=True, width="stretch")
    offer_problems(schema.name, refused.problems)


def answer_rows(
    schema: DomainSchema, rows: Sequence[int], predictions: Sequence[Prediction]
) -> list[dict[str, object]]:
    """The answers as a table for people: one row per prediction, no student in it."""
    table: list[dict[str, object]] = []
    for number, prediction in zip(rows, predictions, strict=True):
        row: dict[str, object] = {"row": number}
        for answer in prediction.answers:
            target = schema.target_by_name[answer.target]
            row[words.title(target)] = words.answer(answer.value, target)
            if answer.interval:
                low, high = (readable_value(end, target, answered=False) for end in answer.interval)
                row[f"{answer.coverage:.0%} interval"] = f"{low} to {high}"
            if answer.probabilities and answer.value is not None:
                row["probability"] = f"{answer.probabilities[str(answer.value)]:.0%}"
                row["likelier"] = answer.likelier
            if answer.below_pass is not None:
                row[f"below {words.pass_mark(target)}"] = words.chance(answer.below_pass)
            row[f"plain rule ({answer.target})"] = words.answer(answer.naive, target)
        outside = {name for answer in prediction.answers for name in answer.out_of_range}
        if len(schema.moments) > 1:
            row["answered"] = moment_name(schema, prediction.moment)
        row["outside training"] = ", ".join(sorted(outside))
        if lacking := {name for answer in prediction.answers for name in answer.insufficient}:
            row["missing"] = ", ".join(sorted(lacking))
        table.append(row)
    return table
