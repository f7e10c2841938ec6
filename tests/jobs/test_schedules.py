"""What stands on a schedule is asked for once at each due time, however often and by whomever it is looked at."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from clock import now
from database.store import RecordStore
from jobs.child import Claim, do_job
from jobs.job_settings import JobSettings
from jobs.queue import DELIVERY, RETRAINING
from jobs.schedule import Schedule
from jobs.schedules import NoSuchSchedule, ScheduledJob, put_schedule, remove_schedule, schedules
from jobs.tick import CHORES, Pass, tick
from model.workspace import Workspace
from monitoring.alerts import deliver, next_delivery, post_test
from monitoring.channels import open_channels
from tests.monitoring.receivers import Hook

MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)
DAILY = ScheduledJob(name="r", kind=RETRAINING, when=Schedule(every=timedelta(days=1)), domain="school")


def end_all(store: RecordStore) -> None:
    while job := store.claim_job((RETRAINING,), "w", 60):
        store.end_job(job.id, job.token, "done")


def test_a_job_is_asked_for_once_at_each_due_time_and_not_heaped_up(store: RecordStore) -> None:
    put_schedule(store, DAILY)
    for hours in (0, 0, 1, 24, 49):  # nobody works: the first one waits
        tick(Pass(store, at=MONDAY + timedelta(hours=hours)))
    [job] = store.jobs()
    assert (job.kind, job.domain, job.actor, job.arguments["due"]) == (
        RETRAINING, "school", "schedule r", "2026-03-02T00:00:00+00:00")  # fmt: skip
    end_all(store)
    for _ in range(2):
        tick(Pass(store, at=MONDAY + timedelta(hours=49)))
        end_all(store)
    assert [one.arguments["due"][:10] for one in store.jobs()] == ["2026-03-04", "2026-03-02"]
    put_schedule(store, DAILY)  # said again, nothing is done again
    tick(Pass(store, at=MONDAY + timedelta(hours=50)))
    assert len(store.jobs()) == 2
    remove_schedule(store, "r")
    assert schedules(store) == []
    with pytest.raises(NoSuchSchedule, match="none"):
        remove_schedule(store, "r")


def test_a_pass_that_was_killed_before_it_remembered_asks_for_the_same_job(
    store: RecordStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_schedule(store, DAILY)
    with monkeypatch.context() as patched:
        patched.setattr(store, "put_document", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            tick(Pass(store, at=MONDAY))
    end_all(store)
    tick(Pass(store, at=MONDAY))
    assert len(store.jobs()) == 1
    assert schedules(store)[0].last == store.jobs()[0].id


def test_one_chore_that_fails_keeps_none_of_the_others(store: RecordStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Pass) -> list[object]:
        raise NoSuchSchedule("out of order")

    put_schedule(store, DAILY)
    monkeypatch.setattr("jobs.tick.CHORES", {"broken": refuse, **CHORES})
    passed = tick(Pass(store, JobSettings(), MONDAY))
    assert list(passed.failed) == ["broken"]
    assert [one.kind for one in passed.asked] == [RETRAINING]


def test_an_alert_that_waits_is_sent_by_a_job_that_a_pass_asks_for(store: RecordStore) -> None:
    hook, nothing = Hook(), cast(Any, None)
    channels = open_channels(webhook=hook.url, secret="a secret of some length")
    post_test(store, channels)
    deliver(store, channels)  # nobody is there yet
    hook.start()
    settings = JobSettings(channels=lambda: channels)
    assert tick(Pass(store, settings)).asked == []  # it is tried again after a pause
    due = next_delivery(store)
    assert due is not None
    for _ in range(2):
        [job] = tick(Pass(store, settings, due)).asked
    hour_later = due + timedelta(hours=1)
    claimed = store.claim_job((DELIVERY,), "w", 60)
    assert claimed is not None
    assert claimed.id == job.id
    time.sleep(max(0.0, (due - now()).total_seconds()))
    do_job(Workspace({}, store, nothing, b""), Claim(claimed.id, claimed.token, 60), settings)
    hook.stop()
    assert len(hook.got) == 1
    assert tick(Pass(store, settings, hour_later)).asked == []
