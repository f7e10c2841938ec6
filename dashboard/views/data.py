"""Whether the data is still what the champion was trained on: stored reports, and a new one on request.

The verdicts are `drift.compare`'s; this page says them, draws them and asks for them.
"""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import streamlit as st

from dashboard import words
from dashboard.figures import data as figures
from dashboard.frame import controls
from dashboard.parts import (
    champions_of,
    choose_file,
    draw,
    moment_name,
    offer_problems,
    say_no_champion,
    warn_of_changed_schemas,
    warn_of_examples,
)
from dashboard.visit import Visit
from database.records import DriftRecord, now
from drift.column import ProfileError
from drift.records import ColumnDrift, DriftReport, NotComparable, SameSample
from drift.sentences import describe, describe_segment, effect_of, sentences_of
from model.registry import NoChampion
from monitoring.drift_days import Against
from monitoring.drift_files import KeptReport
from preprocessing.reading.raw_table import UnreadableFile
from preprocessing.schema import DomainSchema
from preprocessing.validation.rules import BadData

REPORTS = 50
WINDOWS = {"today and yesterday": 1, "the last 7 days": 7, "the last 30 days": 30, "the last 365 days": 365}
AGAINST: dict[str, Against] = {
    "earlier periods, if there are enough": "auto",
    "the champion's data": "champion",
    "the same weeks of earlier periods": "past",
}
EFFECT = (
    "How far the column has moved, from 0 (the same) to 1 (entirely different): the largest shift in the share of "
    "rows for numbers (Kolmogorov–Smirnov D), Cramér's V for levels."
)
RANGE = "Where the true effect lies, for all columns of the report together, with 95 % confidence."
SEVERITY = (
    "Effect times how much the model leans on the column, in the target's unit: what the change can cost at most. "
    "Columns that changed are ordered by it."
)
LIMIT = "An effect below this does not matter, by the policy of this workspace or the domain."
CHANCE = "How likely so large a difference is by chance alone, corrected for the number of columns tested."


def data(visit: Visit) -> None:
    """Draw the page."""
    st.title("Data", anchor=False)
    st.caption("Is the data that comes in still like the data that the model in use (champion) was trained on?")
    schema = controls(visit, at=False, target=False, days=False).schema
    if not champions_of(visit, schema):
        say_no_champion(schema)
    else:
        warn_of_examples(visit, [schema.name])
        warn_of_changed_schemas(visit, [schema.name])
        if visit.may("compare", schema.name):
            _run(visit, schema)
    _reports(visit, schema)


# A new report -------------------------------------------------------------------------------------------------------


def _run(visit: Visit, schema: DomainSchema) -> None:
    with st.expander("Run a report now", expanded=not visit.drift_reports(schema.name, limit=1)):
        file, logged = st.tabs(["From a file", "From logged predictions"])
        with file:
            _from_file(visit, schema)
        with logged:
            _from_predictions(visit, schema)


def _from_file(visit: Visit, schema: DomainSchema) -> None:
    st.write("New rows of this domain, with or without outcomes. They are compared and not kept.")
    file = choose_file(f"drift:{schema.name}")
    if st.button("Compare with the champion's data", disabled=file is None, key="drift from file") and file:
        _compare(
            schema,
            lambda: visit.compare_file(
                schema.name, file.name, file.content, sheet=file.sheet, skip_bad_rows=file.skip_bad_rows
            ),
        )


def _from_predictions(visit: Visit, schema: DomainSchema) -> None:
    st.write("The rows that were asked about lately, from what is kept of each day (days begin at midnight, UTC).")
    window, moment, against = st.columns(3)
    today = now().date()
    since = today - timedelta(
        days=WINDOWS[window.selectbox("Predictions of", list(WINDOWS), index=1, key="drift window")]
    )
    counted: Counter[str] = Counter()
    for part in visit.days_of_predictions(schema.name, since, today + timedelta(days=1)):
        counted[part.moment] += part.rows
    if not counted:
        st.info("No predictions in that time. Ask for some on the page Students, or choose a longer time.")
        return
    chosen = moment.selectbox(
        "Asked",
        [name for name, _ in counted.most_common()],
        format_func=lambda name: f"{moment_name(schema, name)} ({words.rows(counted[name])})",
        key=f"drift moment:{schema.name}",
        help="Rows of different moments have different columns, so one moment is compared at a time.",
    )
    compared = against.selectbox(
        "Compared with",
        list(AGAINST),
        key="drift against",
        help="Some changes come back every year; the past knows them.",
    )
    if st.button("Compare", key="drift from predictions"):
        rows, past = counted[chosen], AGAINST[compared]
        _compare(schema, lambda: visit.compare_days(schema.name, since, moment=chosen, against=past, rows=rows))


def _compare(schema: DomainSchema, work: Callable[[], KeptReport]) -> None:
    """Run `work`, which stores its report; that report is then the newest of the list below."""
    try:
        with st.spinner("Comparing …"):
            kept = work()
    except BadData as error:
        st.error(f"{words.rows(error.total, 'problem')} in the file; nothing was compared.")
        shown = [{"row": p.row, "column": p.column, "found": p.value, "expected": p.rule} for p in error.problems]
        st.dataframe(shown[:200], hide_index=True, width="stretch")
        offer_problems(schema.name, error.problems)
        return
    except (UnreadableFile, NoChampion, SameSample, NotComparable, ProfileError) as error:
        st.error(f"Nothing was compared: {error}")
        return
    st.session_state.pop(f"report:{schema.name}", None)
    st.success("Compared and stored: the report is below.", icon=":material/check:")
    if kept.problems:
        offer_problems(schema.name, kept.problems)


# Stored reports -----------------------------------------------------------------------------------------------------


def _reports(visit: Visit, schema: DomainSchema) -> None:
    stored = {record.id: record for record in visit.drift_reports(schema.name, limit=REPORTS)}
    if not stored:
        st.info(
            "**No drift report yet.** Run one above, with `gradewatch drift --domain "
            f"{schema.name} --current FILE`, or by retraining.",
            icon=":material/info:",
        )
        return
    chosen = st.selectbox(
        "Report",
        list(stored),
        format_func=lambda report: _report_name(stored[report]),
        key=f"report:{schema.name}",
        help="Stored reports, the newest first.",
    )
    try:
        report = DriftReport.from_document(stored[chosen].document)
    except ValueError as error:
        st.error(f"This report cannot be shown: {error}")
        return
    _show(report)


def _report_name(record: DriftRecord) -> str:
    return f"{words.when(record.at)}: {'drift' if record.alarm else 'no alarm'}"


def _show(report: DriftReport) -> None:
    finding, *further = (words.plain(sentence) for sentence in sentences_of(report))
    told = "\n".join([f"**{finding}**", "", *(f"- {sentence}" for sentence in further)])
    if report.alarm:
        st.warning(told, icon=":material/trending_up:")
    elif any(column.verdict == "undecided" for column in report.columns):
        st.info(told, icon=":material/hourglass:")
    else:
        st.success(told, icon=":material/check:")
    for cell, (name, value, explained) in zip(st.columns(3), _figures(report), strict=True):
        cell.metric(name, value, help=explained, border=True)
    st.subheader("How far each column has moved", anchor=False)
    shown = min(len(report.columns), figures.COLUMNS_DRAWN)
    draw(figures.effects(report.columns), f"Effect and limit of {shown} columns", key="effects")
    if shown < len(report.columns):
        st.caption(f"The {shown} most telling of {len(report.columns)} columns are drawn; the table has all.")
    _table(report)
    if report.by:
        _segments(report)
    _column(report)


def _figures(report: DriftReport) -> tuple[tuple[str, str, str], ...]:
    flagged = f"{len(report.flagged)} of {len(report.columns)}"
    return (
        (
            "Columns that changed",
            flagged,
            "Changed clearly or probably, in their values or in how often they are missing.",
        ),
        ("Rows now", f"{report.n_current:,}", "In the sample that was looked at."),
        ("Rows before", f"{report.n_reference:,}", "In the data that the champion was trained on, or the file named."),
    )


def _table(report: DriftReport) -> None:
    st.subheader("All columns", anchor=False)
    config = {
        "severity": st.column_config.TextColumn(help=SEVERITY),
        "effect": st.column_config.TextColumn(help=EFFECT),
        "range": st.column_config.TextColumn(help=RANGE),
        "limit": st.column_config.TextColumn(help=LIMIT),
        "p": st.column_config.TextColumn(help=CHANCE),
        "missing": st.column_config.TextColumn(help="Share of rows without a value, before and now."),
    }
    st.dataframe([_row(c) for c in report.columns], hide_index=True, width="stretch", column_config=config)
    for note in report.notes:
        st.caption(words.plain(note))
    for left in report.not_compared:
        st.caption(f"{left.column} was not compared: {left.reason}.")


def _segments(report: DriftReport) -> None:
    st.subheader(f"By {words.column_name(report.by or '')}", anchor=False)
    shown = [
        {
            "segment": segment.segment,
            "rows now": segment.n_current,
            "rows before": segment.n_reference,
            "what changed": ", ".join(column.label for column in segment.flagged) or describe_segment(segment),
        }
        for segment in report.segments
    ]
    st.dataframe(shown, hide_index=True, width="stretch")


def _row(column: ColumnDrift) -> dict[str, str]:
    return {
        "column": words.column_name(column.column),
        "verdict": words.DOUBTS[column.doubt] if column.doubt else words.VERDICTS[column.verdict],
        "severity": "" if column.severity is None else f"{column.severity:.2g}",
        "effect": "" if column.p_adjusted is None else f"{column.effect:.3f}",
        "range": "" if column.p_adjusted is None else effect_of(column, 3),
        "limit": f"{column.threshold:g}",
        "p": "" if (p := column.p_adjusted) is None else "< 0.001" if p < 0.001 else f"{p:.3f}",
        "missing": f"{column.missing.rate_reference:.0%} → {column.missing.rate_current:.0%}",
    }


def _column(report: DriftReport) -> None:
    st.subheader("What changed, in words" if report.flagged else "The largest differences, in words", anchor=False)
    for column in report.flagged or report.columns[:3]:
        st.markdown(f"- {words.plain(describe(column))}")
