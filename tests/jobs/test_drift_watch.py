"""A watch looks once at each due time, tells changes and not states, and survives being killed, doubled and late."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clock import now
from database.errors import Conflict
from database.ingest import add_batch
from database.records import Document, Outcome
from drift.policy import DriftPolicy
from drift.records import DriftReport
from jobs.child import Claim, do_job
from jobs.drift_watch import Look, Plan, carry_out, describe_look, level_of, look, recall, sentence_of
from jobs.job_settings import JobSettings
from jobs.queue import WATCHING
from jobs.schedule import BadSchedule, Schedule, plan_schedule
from jobs.schedules import ScheduledJob, put_schedule
from jobs.tick import Pass, tick
from model.bundle import EXAMPLES
from model.registry import install
from model.workspace import Workspace
from monitoring.alerts import deliveries
from monitoring.channels import Channel, open_channels
from monitoring.days import midnight
from retraining.policies import Policies
from retraining.trigger import TriggerPolicy
from tests.model.registry_making import keep, make_bundle
from tests.monitoring.asking import asked
from tests.monitoring.receivers import free_port
from tests.training.making import MARK, SCHEMA, make_rows

MONDAY = date(2026, 3, 2)
WEEK = timedelta(days=7)
RULES = Policies(
    drift=DriftPolicy(ks_threshold=0.5, cramers_v_threshold=0.5, auc_threshold=0.95, together=9),
    trigger=TriggerPolicy(alarms=2, windows=3, cool_down_days=30),
)
PLAN = Plan(SCHEMA.name, Schedule(every=WEEK), days=7, policies=RULES, against="champion")
NOBODY: Mapping[str, Channel] = {}


@pytest.fixture
def channels() -> dict[str, Channel]:
    """A webhook that nobody answers."""
    return open_channels(webhook=f"http://127.0.0.1:{free_port()}/", secret="a secret of some length")


def ask(workspace: Workspace, weeks: str) -> None:
    """Predictions week by week: o as in training, D with other hours, u too few to tell."""
    for number, kind in enumerate(weeks):
        day, n = MONDAY + number * WEEK, 5 if kind == "u" else 300
        workspace.store.add_predictions(asked(day, n, seed=number + 50, hours=40.0 if kind == "D" else 0.0))


def slot(number: int) -> datetime:
    """The end of a week."""
    return midnight(MONDAY + (number + 1) * WEEK)


def look_at(workspace: Workspace, weeks: int, channels: Mapping[str, Channel], plan: Plan = PLAN) -> list[Look]:
    found = [look(workspace, plan, slot(number), channels) for number in range(weeks)]
    assert None not in found
    return [one for one in found if one]


def told(workspace: Workspace) -> list[str]:
    return [one.alert.subject.removeprefix("[gradewatch] invented: ") for one in reversed(deliveries(workspace.store))]


def test_changes_are_told_and_states_are_not(workspace: Workspace, channels: dict[str, Channel]) -> None:
    ask(workspace, "ooDDuo")
    found = look_at(workspace, 6, channels)
    assert [one.level for one in found] == ["ok", "ok", "drift", "drift", None, "ok"]
    assert told(workspace) == ["ok → drift", "retraining is proposed", "drift → ok"]
    assert len(workspace.store.drift_reports()) == 6
    assert workspace.store.events("invented", kind="retraining_proposed")


def test_after_a_proposal_there_is_none_for_a_while_and_undecided_never_proposes(workspace: Workspace) -> None:
    ask(workspace, "DDDuD")
    found = look_at(workspace, 5, NOBODY)
    assert [one.proposal.retrain for one in found] == [False, True, False, False, False]
    assert "the newest window is undecided" in found[3].proposal.reason
    assert "less than 30 days before" in found[4].proposal.reason


def test_days_that_are_looked_at_several_times_count_once(workspace: Workspace) -> None:
    workspace.store.add_predictions(asked(MONDAY, 300, seed=50, hours=40.0))
    end, plan = midnight(MONDAY + timedelta(days=1)), Plan(SCHEMA.name, Schedule(every=timedelta(hours=6)), 1, RULES)
    found = [look(workspace, plan, end + timedelta(hours=6 * number), NOBODY) for number in range(3)]
    assert [(one.level, one.proposal.alarms) for one in found if one] == [("drift", 1)] * 3
    at_once = Policies(drift=RULES.drift, trigger=TriggerPolicy(alarms=1, windows=1, cool_down_days=0))
    plan = Plan(SCHEMA.name, plan.schedule, 1, at_once)
    found = [look(workspace, plan, end + timedelta(hours=18 + number), NOBODY) for number in range(2)]
    assert [one.proposal.retrain for one in found if one] == [True, False]


def test_a_look_reads_what_only_rows_tell_and_an_alarm_by_no_single_column_is_told_as_what_it_is(
    workspace: Workspace,
) -> None:
    ask(workspace, "D")
    look(workspace, PLAN, slot(0), NOBODY)
    report = DriftReport.from_document(workspace.store.drift_reports()[0].document)
    assert report.expected is not None
    assert report.joint is not None
    joint = msgspec.structs.replace(report, columns=(), joint=msgspec.structs.replace(report.joint, verdict="warn"))
    assert "Drift in 0" not in sentence_of(joint)
    assert sentence_of(joint).startswith("No drift in single columns, but rows can be told from earlier ones")
    assert level_of(joint) == "warn"


def answer_weeks(workspace: Workspace, errors: Sequence[float], rows: int = 150) -> None:
    """Weeks of predictions that look as in training, whose outcomes miss the answers by these errors on the mean."""
    draw = np.random.default_rng(5)
    champion = next(one.version for one in workspace.store.champions() if (one.target, one.moment) == ("mark", "start"))
    for number, error in enumerate(errors):
        predictions = [
            msgspec.structs.replace(one, answers=(msgspec.structs.replace(one.answers[0], model=champion),))
            for one in asked(MONDAY + number * WEEK, rows, seed=number + 50)
        ]
        workspace.store.add_predictions(predictions)
        outcomes = [
            Outcome(
                domain=SCHEMA.name,
                target="mark",
                value=float(one.answers[0].value or 0) + float(draw.normal(0, error)),
                at=one.at,
                prediction=one.id,
            )
            for one in predictions
        ]
        workspace.store.add_outcomes(outcomes)


def test_a_real_change_of_the_error_is_in_the_report_and_told_once(
    workspace: Workspace, channels: dict[str, Channel]
) -> None:
    answer_weeks(workspace, [0.8, 0.8, 0.8, 2.4, 2.4, 2.4])
    found = look_at(workspace, 6, channels)
    assert [one.level for one in found] == ["ok"] * 6  # the inputs look as ever: only the outcomes tell
    assert not any(one.changes for one in found[:3])  # what came after a window does not tell in its report
    (change,) = [change for one in found for change in one.changes]
    assert (change.target, change.moment, change.rose) == ("mark", "start", True)
    assert abs(change.at - slot(2)) < timedelta(days=2)
    assert change.low > 0
    assert told(workspace) == ["the error for mark at start rose", "retraining is proposed"]
    assert [one.proposal.retrain for one in found if one.changes] == [True]
    assert not any(one.proposal.retrain for one in found if not one.changes)
    kept = [DriftReport.from_document(one.document) for one in workspace.store.drift_reports()]
    report = next(one for one in kept if one.changes)
    assert "The mean error for mark rose at about 2026-03-2" in report.summary
    assert not report.alarm
    seen = next(one for one in found if one.changes)
    assert "The mean error for mark rose" in describe_look(PLAN, seen)


def test_without_a_change_of_the_error_nothing_is_told(workspace: Workspace, channels: dict[str, Channel]) -> None:
    answer_weeks(workspace, [0.8] * 6)
    assert [one.changes for one in look_at(workspace, 6, channels)] == [()] * 6
    assert told(workspace) == []
    assert "mean error for mark rose" not in str(workspace.store.drift_reports()[0].document["summary"])


def test_no_row_at_all_is_said_and_changes_nothing(workspace: Workspace, channels: dict[str, Channel]) -> None:
    found = look(workspace, PLAN, slot(0), channels)
    assert found is not None
    assert (found.level, found.report, found.proposal.retrain) == (None, None, False)
    assert "no rows of invented in predictions from 2026-03-02 to before 2026-03-09" in found.sentence
    assert told(workspace) == []


def test_an_alert_names_columns_and_no_value_of_anybody(workspace: Workspace, channels: dict[str, Channel]) -> None:
    club = "club of one person"
    workspace.store.add_predictions(asked(MONDAY, 300, seed=1, hours=40.0, change=lambda row: row | {"subject": club}))
    look(workspace, PLAN, slot(0), channels)
    (delivery,) = deliveries(workspace.store)
    whole = delivery.alert.text + json.dumps(dict(delivery.alert.body))
    assert "hours" in whole
    assert club not in whole
    assert "pseudonym" not in whole


def test_a_due_time_is_looked_at_once(workspace: Workspace, channels: dict[str, Channel]) -> None:
    ask(workspace, "D")
    assert look(workspace, PLAN, slot(0), channels) is not None
    assert look(workspace, PLAN, slot(0), channels) is None
    assert look(workspace, PLAN, slot(0) - WEEK, channels) is None
    assert len(workspace.store.drift_reports()) == 1


def test_a_watch_that_died_before_it_remembered_tells_nothing_twice(
    workspace: Workspace, channels: dict[str, Channel], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(workspace, "D")
    put = workspace.store.put_document

    def die(document: Document) -> None:
        if document.kind == "watch":
            raise KeyboardInterrupt
        put(document)

    with monkeypatch.context() as patched:
        patched.setattr(workspace.store, "put_document", die)
        with pytest.raises(KeyboardInterrupt):
            look(workspace, PLAN, slot(0), channels)
    assert recall(workspace, "invented")[0].slot is None
    assert look(workspace, PLAN, slot(0), channels) is not None
    assert told(workspace) == ["ok → drift"]


def test_of_two_that_look_at_once_one_finds_that_the_other_was_quicker(
    workspace: Workspace, channels: dict[str, Channel], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(workspace, "D")
    real = recall(workspace, "invented")
    look(workspace, PLAN, slot(0), channels)
    monkeypatch.setattr("jobs.drift_watch.recall", lambda *_: real)
    with pytest.raises(Conflict):
        look(workspace, PLAN, slot(0), channels)
    assert told(workspace) == ["ok → drift"]


def test_a_proposal_is_carried_out_once_by_the_policy_also_after_a_stop(workspace: Workspace) -> None:
    ask(workspace, "DD")
    plan = Plan(**(vars(PLAN) | {"retrain": True}))
    add_batch(workspace.store, SCHEMA.name, make_rows(200, seed=2, first=2000), "labeled", name="new.csv")
    look_at(workspace, 2, NOBODY, plan)
    assert recall(workspace, "invented")[0].open

    def stop(_: str) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        carry_out(workspace, plan, progress=stop)  # its process ends at its first step
    assert workspace.store.decisions() == []
    results = carry_out(workspace, plan)
    decided = next(one for one in results if one.key == MARK)
    assert decided.promoted
    assert workspace.store.successions(MARK)[-1].actor == "watch"
    assert carry_out(workspace, plan) == []


def test_a_watch_lets_own_records_replace_a_model_of_examples_without_waiting_for_drift(workspace: Workspace) -> None:
    bundle = make_bundle(5.0)
    lineage = msgspec.structs.replace(bundle.manifest.lineage, source=EXAMPLES)
    manifest = msgspec.structs.replace(bundle.manifest, lineage=lineage)
    model = keep(workspace.store, workspace.artifacts, msgspec.structs.replace(bundle, manifest=manifest))
    install(workspace.store, [model], action="promote", actor="test", reason="the first")
    for retraining in (False, True):
        plan = Plan(**(vars(PLAN) | {"retrain": retraining}))
        look(workspace, plan, slot(retraining), NOBODY)
        assert recall(workspace, "invented")[0].open == retraining
    (done,) = [one for one in carry_out(workspace, plan) if one.key == MARK]
    assert (done.promoted, done.champion) == (True, model.version)
    look(workspace, plan, slot(2), NOBODY)
    assert not recall(workspace, "invented")[0].open


def watched(workspace: Workspace, plan: Plan, channels: Mapping[str, Channel] = NOBODY, times: int = 2) -> list[str]:
    """What workers said who had the watch on a schedule, a pass of the tick and all its jobs at a time."""
    arguments = {"plan": msgspec.to_builtins(plan)}
    wanted = ScheduledJob(name="w", kind=WATCHING, when=plan.schedule, domain=plan.domain, arguments=arguments)
    put_schedule(workspace.store, wanted)
    for _ in range(times):
        tick(Pass(workspace.store))
        while job := workspace.store.claim_job((WATCHING,), "w", 60):
            do_job(workspace, Claim(job.id, job.token, 60), JobSettings(channels=lambda: channels))
    ended = workspace.store.jobs(kind=WATCHING)
    assert {one.state for one in ended} <= {"done"}
    return [line for one in ended[::-1] for line in (one.result or {})["words"].splitlines()]


def test_a_watch_on_a_schedule_judges_what_was_missed_once(workspace: Workspace, channels: dict[str, Channel]) -> None:
    plan = Plan(SCHEMA.name, Schedule(every=timedelta(days=1)), policies=RULES)
    today = now().astimezone(UTC).date()
    look(workspace, plan, midnight(today) - timedelta(days=9), channels)  # the last look before a long pause
    said = watched(workspace, plan, channels)
    assert said[0] == "invented: 8 windows were missed while nobody looked; judging them now, oldest first"
    judged = [line.split(":")[0] for line in said if "no rows" in line]
    assert judged == [f"invented, {today - timedelta(days=back)}" for back in range(9, 0, -1)]
    assert len(recall(workspace, "invented")[0].windows) == 10
    assert len(workspace.store.jobs(kind=WATCHING)) == 1  # the second pass had nothing to ask for


def test_what_was_missed_is_told_in_order_and_only_where_it_changed(
    workspace: Workspace, channels: dict[str, Channel]
) -> None:
    plan = Plan(SCHEMA.name, Schedule(every=timedelta(days=1)), policies=RULES, against="champion")
    today = now().astimezone(UTC).date()
    for back, hours in zip(range(6, 0, -1), (0.0, 0.0, 40.0, 40.0, 0.0, 0.0), strict=True):
        workspace.store.add_predictions(asked(today - timedelta(days=back), 300, seed=back, hours=hours))
    look(workspace, plan, midnight(today - timedelta(days=5)), channels)
    assert len(watched(workspace, plan, channels)) > 5
    assert told(workspace) == ["ok → drift", "retraining is proposed", "drift → ok"]
    assert len(workspace.store.drift_reports()) == 6


def test_after_a_very_long_pause_the_newest_windows_are_judged_and_that_is_said(workspace: Workspace) -> None:
    plan = Plan(SCHEMA.name, Schedule(every=timedelta(days=1)), policies=RULES)
    look(workspace, plan, midnight(now().astimezone(UTC).date()) - timedelta(days=100), NOBODY)
    said = watched(workspace, plan)
    assert said[0] == "invented: 99 windows were missed while nobody looked; judging the newest 31 now"
    assert len(recall(workspace, "invented")[0].windows) == 1 + 31 + 1


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2020, 3, 1), timezones=st.just(UTC)),  # noqa: DTZ001 (as above)
    st.timedeltas(timedelta(0), timedelta(days=60)),
    st.one_of(
        st.builds(Schedule, every=st.timedeltas(timedelta(minutes=30), timedelta(days=9))),
        st.builds(Schedule, at=st.times()),
    ),
)
def test_missed_due_times_are_in_order_and_each_ends_another_day(
    last: datetime, pause: timedelta, schedule: Schedule
) -> None:
    last = schedule.due(last)
    missed, newest = schedule.missed(last, last + pause), schedule.due(last + pause)
    assert missed == sorted(missed)
    days = [slot.date() for slot in (last, *missed, newest)]
    assert len(set(days[:-1])) == len(days) - 1
    assert newest.date() not in days[1:-1]
    assert all(schedule.due(slot) == slot for slot in missed)
    every_day = {schedule.due(last + timedelta(days=n)).date() for n in range(pause.days + 1)}
    assert every_day <= set(days)  # no day at whose end a look was due is left out


MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 (hypothesis adds it)


@given(MOMENTS, st.timedeltas(timedelta(minutes=1), timedelta(days=40)))
def test_the_due_time_is_the_last_multiple(moment: datetime, every: timedelta) -> None:
    schedule = Schedule(every=every)
    due = schedule.due(moment)
    assert due <= moment < due + every
    assert schedule.due(due) == due


@given(MOMENTS, st.times())
def test_the_due_time_of_a_day_is_the_last_one(moment: datetime, at: clock) -> None:
    due = Schedule(at=at).due(moment)
    assert due <= moment < due + timedelta(days=1)
    assert due.time() == at


@pytest.mark.parametrize(
    ("every", "at"),
    [(timedelta(days=1), "06:00"), (None, "noon"), (timedelta(seconds=1), None), (timedelta(hours=36), None)],
)
def test_what_is_no_schedule_is_refused(every: timedelta | None, at: str | None) -> None:
    with pytest.raises(BadSchedule):
        plan_schedule(every, at)


def test_a_schedule_judges_the_days_between_two_looks() -> None:
    assert plan_schedule(timedelta(hours=12), None) == (Schedule(every=timedelta(hours=12)), 1)
    assert plan_schedule(timedelta(days=3), None) == (Schedule(every=timedelta(days=3)), 3)
    assert plan_schedule(None, "06:30") == (Schedule(at=clock(6, 30)), 1)
