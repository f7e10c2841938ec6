"""Predictions of invented students on chosen days, as the service logs them, and reports of rows in memory."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta

import polars as pl

from clock import new_id
from database.records import Answer, Cell, Prediction
from drift.records import DriftReport
from model.workspace import Workspace
from monitoring.days import midnight
from monitoring.drift_files import NO_OPTIONS, KeptReport, ReportOptions, judge_rows, keep_report
from monitoring.row_findings import Sample
from preprocessing.schema import DomainSchema
from tests.training.making import SCHEMA, make_rows


def asked(
    day: date,
    n: int,
    *,
    seed: int,
    moment: str = "start",
    period: str | None = None,
    change: Callable[[dict[str, Cell]], Mapping[str, Cell]] = dict,
    hours: float = 0.0,
) -> list[Prediction]:
    """`n` predictions spread over a day. hours: added to that column."""
    at, known = midnight(day), {feature.name for feature in SCHEMA.features_at(moment)}
    found = []
    for number, row in enumerate(make_rows(n, seed=seed)):
        inputs: dict[str, Cell] = {name: value for name, value in row.inputs.items() if name in known}
        if inputs["hours"] is not None:
            inputs["hours"] = float(inputs["hours"]) + hours
        found.append(prediction(at + timedelta(hours=24 * number / n), change(inputs), moment, period))
    return found


def more_hours(row: Mapping[str, Cell]) -> dict[str, Cell]:
    """The same student, who learns 39 hours where support is low."""
    return {**row, "hours": 39.0} if row["support"] == "low" else dict(row)


def loud(found: DriftReport) -> dict[str, list[str]]:
    """The flagged columns of each segment that alarms."""
    return {one.segment: [column.column for column in one.flagged] for one in found.segments if one.alarm}


def prediction(
    at: datetime, inputs: Mapping[str, Cell], moment: str = "start", period: str | None = None
) -> Prediction:
    answer = Answer(target="mark", value=0.5 * float(inputs["before"] or 0) + 5, naive=10.0, model="m", generation=1)
    return Prediction(
        id=new_id(),
        domain=SCHEMA.name,
        moment=moment,
        inputs=inputs,
        answers=(answer,),
        source="api",
        at=at,
        student=f"pseudonym {new_id()}",
        period=period,
    )


def report_frame(
    workspace: Workspace, schema: DomainSchema, frame: pl.DataFrame, options: ReportOptions = NO_OPTIONS
) -> KeptReport:
    """The stored report of a typed frame, as of a file that holds these rows."""
    return keep_report(workspace, *judge_rows(workspace, schema, Sample(frame, frame.height), options))
