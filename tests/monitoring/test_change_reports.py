"""Reports of changes make themselves after a promotion, a policy and a load of data, and tell nothing twice."""

from collections.abc import Mapping
from datetime import timedelta

import msgspec

from access.roles import LOCAL, Principal
from clock import now
from database.records import Job, ModelVersion, Prediction
from database.store import RecordStore
from jobs.inline import do_here
from jobs.job_settings import JobSettings
from jobs.queue import CHANGES_REPORT
from jobs.tick import Pass, tick
from model.workspace import Workspace
from monitoring.change_causes import ToldChanges, keep_told, told_of
from monitoring.change_reports import CHANGES_IN, change_reports
from monitoring.warning_policy import WarningPolicy, activate_policy
from monitoring.what_changed import what_changed
from overview.feed import FeedFilter, read_feed
from preprocessing.schema import DomainSchema
from tests.monitoring.test_what_changed import MARK, installed, students

__all__ = ["installed"]

Installed = tuple[Workspace, DomainSchema, dict[str, ModelVersion]]


def asked_for(store: RecordStore, domain: str) -> list[Job]:
    return [one for one in tick(Pass(store)).asked if (one.kind, one.domain) == (CHANGES_REPORT, domain)]


def write_new_ones(store: RecordStore, said: list[Prediction], hours: int) -> None:
    """The same students, answered once more so many hours ago, each two points higher."""
    by_student = {one.student: one for one in said}
    newer = []
    for number, one in enumerate(by_student.values()):
        (answer,) = one.answers
        raised = msgspec.structs.replace(answer, value=float(answer.value or 0) + 2.0)
        at = now() - timedelta(hours=hours, seconds=number)
        newer.append(msgspec.structs.replace(one, id=f"{one.id[:-4]}{number:04x}", at=at, answers=(raised,)))
    store.add_predictions(newer)


def test_each_change_is_reported_once_by_a_job_and_names_nobody(store: RecordStore, installed: Installed) -> None:
    workspace, schema, models = installed
    assert asked_for(store, schema.name) == [], "the first look only begins"
    told = told_of(store, schema.name, MARK.name)
    assert told is not None
    since = now() - timedelta(days=7)
    before = ToldChanges(at=since, champions={**told.champions, "half": told.champions["half"] - 1}, policy=0)
    keep_told(store, schema.name, MARK.name, before, told.revision + 1)
    store.add_predictions(said := list(students(workspace, schema, models)))
    [job] = asked_for(store, schema.name)
    assert [one.id for one in asked_for(store, schema.name)] == [job.id], "asked for once"
    do_here(workspace, job.id, JobSettings())
    [report] = change_reports(store, schema.name)
    assert report.causes == ("model", "data")
    expected = what_changed(workspace, schema, MARK, report.found.since, most=0, serving_then=True)
    assert report.found == expected
    assert report.found.moved > 20
    assert report.found.by_model, "a third of them were answered by the model before"
    body = str(store.document(CHANGES_IN + schema.name, report.id))
    assert not any(str(one.student) in body for one in said if one.student)
    assert asked_for(store, schema.name) == [], "nothing happened since"
    [entry] = read_feed(store, workspace.schemas, LOCAL, FeedFilter(kinds=["changes"]))
    assert f"{report.found.moved} of {report.found.compared} answers moved" in entry.sentence
    confined = Principal(name="user:tim", permissions=LOCAL.permissions, groups=frozenset({"class 1"}))
    assert read_feed(store, workspace.schemas, confined, FeedFilter(kinds=["changes"])) == [], "it is of all groups"

    activate_policy(store, schema.name, MARK.name, WarningPolicy(threshold=0.1), actor="ann", reason="more of them")
    [job] = asked_for(store, schema.name)
    do_here(workspace, job.id, JobSettings())
    policy = change_reports(store, schema.name)[0]
    assert (policy.causes, policy.found.since) == (("policy",), report.at)
    assert (policy.found.moved, policy.found.by_data, policy.found.by_model) == (0, 0.0, 0.0), "told before"
    assert policy.found.entering.data == policy.found.entering.model == 0
    twice = what_changed(workspace, schema, MARK, report.at, most=0)
    assert twice.by_model, "what answered then was the model before, of whoever was not answered since"


def test_a_load_is_told_when_it_is_over_and_single_answers_are_not(store: RecordStore, installed: Installed) -> None:
    workspace, schema, models = installed
    said = list(students(workspace, schema, models))
    store.add_predictions(said)
    assert asked_for(store, schema.name) == []
    told = told_of(store, schema.name, MARK.name)
    assert told is not None
    begun: Mapping[str, int] = told.champions
    keep_told(store, schema.name, MARK.name, ToldChanges(at=now() - timedelta(hours=12), champions=begun, policy=0), 2)
    write_new_ones(store, said[:1], 2)
    assert asked_for(store, schema.name) == [], "one answer is no load"
    write_new_ones(store, said[1:], 0)
    assert asked_for(store, schema.name) == [], "it may go on"
    later = now() + timedelta(minutes=3)
    [job] = [
        one for one in tick(Pass(store, at=later)).asked if (one.kind, one.domain) == (CHANGES_REPORT, schema.name)
    ]
    assert job.arguments == {"target": MARK.name}
