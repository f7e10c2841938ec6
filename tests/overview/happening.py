"""Makes each condition that needs a person hold in an installation with a champion, by what makes it in real life."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from typing import Any, cast

import msgspec
import numpy as np
import polars as pl

from advice.helped import LearnedFrom, tell_helped
from clock import living_by, new_ids, now
from database.answer_columns import AnswerColumn
from database.ingest import store_outcomes
from database.observed import WEEKS_KIND
from database.packed import Common, PackedPredictions
from database.records import Answer, Document, LabeledRecord, Outcome, Prediction
from database.store import MADE_IN_PASSING
from jobs.catching_up import FEW_DAYS
from jobs.child import Claim, do_job
from jobs.job_settings import JobSettings
from jobs.kinds import JOB_KINDS
from jobs.queue import DRIFT_DAYS, WATCHING, JobRequest, ask
from jobs.schedule import Schedule
from jobs.schedules import ScheduledJob, put_schedule
from model.bundle import EXAMPLES
from model.trial import start_trial
from model.workspace import Workspace
from monitoring.alerts import GIVE_UP, deliver, post_test
from monitoring.channels import open_channels
from monitoring.drift_files import report_file
from monitoring.evidence import answer_about
from monitoring.feeds import SilentFeed
from overview.records import ConditionKind
from preprocessing.columns import Numbers
from preprocessing.schema import DomainSchema, load_domains
from retraining.first_champions import train_domain
from tests.model.registry_making import keep, make_bundle
from tests.monitoring.receivers import free_port
from tests.training.making import GRADE, SCHEMA, make_rows, typed

ENOUGH = 60


def predict(workspace: Workspace, n: int = ENOUGH, *, seed: int = 5, **changes: Any) -> Sequence[Prediction]:
    """Answers for invented students, as the service gives and logs them. changes: of every row."""
    rows = [
        {**one.inputs, "student": f"{seed}-{place}", **changes} for place, one in enumerate(make_rows(n, seed=seed))
    ]
    for row in rows:
        row.pop("midterm")
    return workspace.service.predict(SCHEMA.name, rows, source="api", moment="start")


def turn_out(workspace: Workspace, asked: Sequence[Prediction], mark: Callable[[Answer], float]) -> None:
    """Outcomes of predictions, made of the answer that was given."""
    said = {one.id: answer_about(one.answers, "mark") for one in asked}
    told = [
        Outcome(domain=SCHEMA.name, target="mark", value=mark(answer), at=now(), prediction=of)
        for of, answer in said.items()
    ]
    store_outcomes(workspace.store, SCHEMA, told)


def far_off(answer: Answer) -> float:
    """Outside the range, and no nearer to the plain rule."""
    away = 8.0 if float(answer.value or 0) < 10 else -8.0
    return float(answer.value or 0) + away


def as_the_rule_says(answer: Answer) -> float:
    """What the plain rule had said, and within the range."""
    low, high = answer.interval or (0.0, 20.0)
    return min(max(float(answer.naive or 0), low), high)


def break_coverage(workspace: Workspace) -> None:
    turn_out(workspace, predict(workspace), far_off)


def match_the_rule(workspace: Workspace) -> None:
    turn_out(workspace, predict(workspace), as_the_rule_says)


def drift(workspace: Workspace, hours: float = 39.0, seed: int = 9) -> None:
    """A file of other students is judged."""
    frame = typed(make_rows(300, seed=seed)).select("hours", "before", "support", "subject", "sex")
    report_file(workspace, SCHEMA.name, _csv(frame.with_columns(hours=pl.lit(hours))), name="others.csv")


def _csv(frame: pl.DataFrame) -> bytes:
    file = BytesIO()
    frame.write_csv(file)
    return file.getvalue()


def try_useless(workspace: Workspace) -> None:
    """A challenger that always says the same is tried, and loses."""
    useless = keep(workspace.store, workspace.artifacts, make_bundle(1.0))  # type: ignore[arg-type]
    start_trial(workspace.store, useless, mode="shadow", actor="user:anna", reason="a try")
    workspace.champions.refresh()
    turn_out(workspace, predict(workspace, seed=6), lambda answer: float(answer.value or 0))


def guess(workspace: Workspace) -> None:
    predict(workspace, seed=7, subject="zoology")


def leave_uncounted(workspace: Workspace) -> None:
    """Outcomes of days with more answers than are looked at in passing."""
    said, rows = Numbers(np.full(MADE_IN_PASSING // FEW_DAYS, 10.0)), MADE_IN_PASSING // FEW_DAYS
    for day in range(FEW_DAYS + 1):
        common = Common(SCHEMA.name, "start", "api", now() - timedelta(days=day + 1), None)
        ids = new_ids(rows)
        answers = [AnswerColumn("mark", "m", 1, said, said)]
        workspace.store.add_predictions(batches=[PackedPredictions(common, ids, {"hours": said}, answers)])
        told = Outcome(domain=SCHEMA.name, target="mark", value=10.0, at=now(), prediction=ids[0])
        workspace.store.add_outcomes([told])


def send_strays(workspace: Workspace) -> None:
    told = [
        Outcome(domain=SCHEMA.name, target="mark", value=12.0, at=now(), student=f"nobody {number}")
        for number in range(ENOUGH)
    ]
    store_outcomes(workspace.store, SCHEMA, told)


def fail_a_job(workspace: Workspace) -> None:
    """What stands on a schedule and cannot be done: there is nothing to compare."""
    asked = {"since": "2026-03-02", "until": None, "by": None, "source": "labeled", "moment": None}
    arguments = {**asked, "against": "auto", "exact": False}
    job = ask(workspace.store, JobRequest(DRIFT_DAYS, SCHEMA.name, "schedule nightly", arguments))
    claimed = workspace.store.claim_job(tuple(JOB_KINDS), "w", 60, id=job.id)
    assert claimed is not None
    do_job(workspace, Claim(job.id, claimed.token, 60), JobSettings(1000))


def lose_an_alert(workspace: Workspace) -> None:
    """A webhook that nobody answers, tried until it is given up."""
    channels = open_channels(webhook=f"http://127.0.0.1:{free_port()}/", secret="a secret of some length")
    post_test(workspace.store, channels)
    for days in (0, 1, GIVE_UP.days + 1):
        deliver(workspace.store, channels, at=now() + timedelta(days=days))


def miss_a_look(workspace: Workspace) -> None:
    """A watch every minute for three hours, and nobody who would do it."""
    every = Schedule(every=timedelta(minutes=1))
    planned = ScheduledJob(name="watch invented", kind=WATCHING, when=every, domain=SCHEMA.name)
    with living_by(lambda: datetime.now(UTC) - timedelta(hours=3)):
        put_schedule(workspace.store, planned)


def learn_from_examples(workspace: Workspace) -> None:
    rows = make_rows(120, seed=2)
    list(train_domain(workspace, SCHEMA, typed(rows), [GRADE], actor="setup", source=EXAMPLES))
    workspace.champions.refresh()


def lose_files(workspace: Workspace) -> None:
    workspace.artifacts.sweep(set(), older_than=0.0)
    workspace.champions.refresh()


def _learned(kept: int, helped: int) -> LearnedFrom:
    records = [LabeledRecord(id=f"r{n}", domain=SCHEMA.name, inputs={}, targets={}, at=now()) for n in range(100)]
    return LearnedFrom(records[:kept], records[kept:], helped)


def help_many(workspace: Workspace) -> None:
    tell_helped(workspace.store, SCHEMA.name, _learned(80, 20))
    tell_helped(workspace.store, SCHEMA.name, _learned(67, 33))


def fall_silent(workspace: Workspace) -> None:
    """What a close of a week keeps where a school's attendance stopped (`tests.monitoring.test_weekly_answers`)."""
    cast(dict[str, DomainSchema], workspace.schemas)["k12"] = load_domains(None)["k12"]
    silent = [SilentFeed(school="North", feed="attendance", last=date(2025, 11, 21), days=15)]
    body = {"week": "2025-26 W15", "receipt": 1, "closed": "c", "silent": msgspec.to_builtins(silent)}
    workspace.store.put_document(Document(kind=WEEKS_KIND, name="k12", revision=1, at=now(), domain="k12", body=body))


MAKERS: Mapping[ConditionKind, Callable[[Workspace], None]] = {
    "broken champion": lose_files,
    "coverage": break_coverage,
    "plain rule": match_the_rule,
    "drift": drift,
    "trial": try_useless,
    "guesses": guess,
    "stray outcomes": send_strays,
    "uncounted": leave_uncounted,
    "failed job": fail_a_job,
    "failed alert": lose_an_alert,
    "late schedule": miss_a_look,
    "examples": learn_from_examples,
    "helped share": help_many,
    "silent feed": fall_silent,
}
