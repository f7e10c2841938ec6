"""A look at the newest days: judged against what came before, the policy applied, changes of state announced.

All that must be remembered between looks is in the store. Looking is a job (`jobs.kinds`) that stands on a schedule.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Literal

import msgspec

from clock import new_id, now
from database.errors import Conflict
from database.records import Document, Event
from drift.column import ProfileError
from drift.impact import ErrorChange
from drift.policy import ALARMING
from drift.records import DriftReport, NotComparable, SameSample
from drift.sentences import describe_change, describe_finding
from jobs.schedule import ONE_DAY, Schedule, day_of
from model.registry import NoChampion
from model.workspace import Workspace
from monitoring.alerts import Alert, post, sweep
from monitoring.channels import Channel
from monitoring.drift_days import Against, Days
from monitoring.drift_monitor import report_days
from retraining.first_champions import keys_of
from retraining.policies import Policies
from retraining.run import Result, Run, overdue, retrain
from retraining.trigger import Proposal, WindowVerdict, propose, verdict_of
from training.fit import Progress

WATCH_KIND = "watch"
KEPT_WINDOWS = 400
CATCH_UP = 31  # windows that were missed and are judged after the fact, the newest

Level = Literal["ok", "warn", "drift"]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What is watched and what follows. days: whole days before each look that are judged together.

    window: newest records to retrain on where the policy does not say. retrain: carry proposals out.
    """

    domain: str
    schedule: Schedule
    days: int = 1
    policies: Policies = field(default_factory=Policies)
    against: Against = "auto"
    retrain: bool = False
    window: int = 20_000


class Watching(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered between looks. slot: the scheduled time that was looked at last. level: of the last window
    that was decided. windows: by the end of their days. last: the window that last proposed a retraining. open: a
    proposed retraining is to be carried out. told: by target and moment, when the change of the error that was told
    last had been noticed."""

    slot: datetime | None = None
    level: Level = "ok"
    windows: tuple[WindowVerdict, ...] = ()
    last: datetime | None = None
    open: bool = False
    told: dict[str, datetime] = {}


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What one look found. report: its id in the store, None where nothing could be compared, as `sentence` says.

    changes: of the error, that no look had found before; the newest of each target.
    """

    slot: datetime
    level: Level | None
    before: Level
    sentence: str
    proposal: Proposal
    report: str | None = None
    changes: tuple[ErrorChange, ...] = ()


def level_of(report: DriftReport) -> Level | None:
    """ok, warn or drift; None where too few rows leave it undecided."""
    if report.alarm:
        sure = any("drift" in (c.verdict, c.missing.verdict) for c in report.columns)
        return "drift" if sure or (report.joint is not None and report.joint.verdict == "drift") else "warn"
    return "ok" if verdict_of(report) == "quiet" else None


# One look -----------------------------------------------------------------------------------------------------------


def look(workspace: Workspace, plan: Plan, slot: datetime, channels: Mapping[str, Channel]) -> Look | None:
    """Judge the days before `slot`, store the report, write the alerts into the outbox, remember the look.

    None where this or a later slot has been looked at. Killed anywhere, the next call does it again and announces
    nothing twice. Raises Conflict when another watcher was quicker.
    """
    state, revision = recall(workspace, plan.domain)
    if state.slot is not None and state.slot >= slot:
        return None
    report, kept, sentence = _report(workspace, plan, slot)
    level = level_of(report) if report else None
    verdict = verdict_of(report) if report else "undecided"
    ends = day_of(slot)  # the same days may be looked at several times a day, and count once
    before = [window for window in state.windows if window.at < ends]
    windows = (*before, WindowVerdict(at=ends, verdict=verdict))[-KEPT_WINDOWS:]
    changes = new_changes(report.changes if report else (), state.told)
    worse = [describe_change(change) for change in changes.values() if change.rose and change.low > 0]
    proposal = propose(windows, plan.policies.trigger, last=state.last, worse=worse)
    found = Look(
        slot=slot,
        level=level,
        before=state.level,
        sentence=sentence,
        proposal=proposal,
        report=kept,
        changes=tuple(changes.values()),
    )
    post(workspace.store, alerts_of(plan, found), channels)
    follows = Watching(
        slot=slot,
        level=level or state.level,
        windows=windows,
        last=ends if proposal.retrain else state.last,
        open=state.open or (plan.retrain and (proposal.retrain or bool(overdue(_run(workspace, plan))))),
        told=state.told | {key: change.noticed for key, change in changes.items()},
    )
    _remember(workspace, plan.domain, follows, revision)
    if proposal.retrain:
        details = {"reason": proposal.reason, "report": kept}
        workspace.store.add_event(
            Event(id=new_id(), kind="retraining_proposed", at=now(), domain=plan.domain, details=details)
        )
    return found


def _report(workspace: Workspace, plan: Plan, slot: datetime) -> tuple[DriftReport | None, str | None, str]:
    until: date = slot.astimezone(UTC).date()
    window = Days(since=until - timedelta(days=plan.days), until=until, against=plan.against)
    try:
        watched = report_days(workspace, plan.domain, window, policy=plan.policies.drift)
    except (NotComparable, NoChampion, SameSample, ProfileError) as error:
        return None, None, str(error)
    return watched.report, watched.record.id, sentence_of(watched.report)


def sentence_of(report: DriftReport) -> str:
    """The report in a sentence that holds names of columns and counts, and no value of anybody."""
    names = [column.label for column in report.flagged]
    if report.joint is not None and report.joint.verdict in ALARMING and not names:
        rows = f"{report.n_current:,} rows against {report.n_reference:,}"
        return f"No drift in single columns, but rows can be told from earlier ones ({rows})."
    told = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return describe_finding(report).rstrip(".") + (f": {told}." if told else ".")


def new_changes(changes: Sequence[ErrorChange], told: Mapping[str, datetime]) -> dict[str, ErrorChange]:
    """The newest change of the error of each target, where it began after the one that was told last was noticed."""
    newest = {f"{change.target}@{change.moment}": change for change in sorted(changes, key=lambda one: one.at)}
    return {key: change for key, change in newest.items() if key not in told or change.at > told[key]}


def alerts_of(plan: Plan, found: Look) -> list[Alert]:
    """What there is to tell: a change of level or of the error, and a proposal. Undecided windows change nothing."""
    alerts = []
    if found.level is not None and found.level != found.before:
        subject = f"{plan.domain}: {found.before} → {found.level}"
        body = {"kind": "transition", "from": found.before, "to": found.level, "report": found.report}
        alerts.append(_alert(plan, found, subject, found.sentence, body))
    for change in found.changes:
        subject = f"{plan.domain}: the error for {change.target} at {change.moment} {'rose' if change.rose else 'fell'}"
        body = {"kind": "errors", "target": change.target, "moment": change.moment, "report": found.report}
        alerts.append(_alert(plan, found, subject, describe_change(change), body))
    if found.proposal.retrain:
        what = "retraining starts" if plan.retrain else "retraining is proposed"
        body = {"kind": "proposal", "reason": found.proposal.reason, "report": found.report}
        alerts.append(_alert(plan, found, f"{plan.domain}: {what}", found.proposal.reason, body))
    return alerts


def _alert(plan: Plan, found: Look, subject: str, text: str, body: dict[str, str | None]) -> Alert:
    whole = {"domain": plan.domain, "at": found.slot.isoformat(), "summary": text, **body}
    about = " ".join([found.slot.isoformat(), *(str(body[n]) for n in ("kind", "target", "moment") if n in body)])
    told = f"{subject}\n\n{text}\n\nDays judged (UTC): {words_of_days(plan, found.slot)}.\n"
    return Alert(about=about, domain=plan.domain, subject=f"[gradewatch] {subject}", text=told, body=whole, at=now())


def words_of_days(plan: Plan, slot: datetime) -> str:
    """The whole days that are judged at a due time: "2026-03-02", or "2026-03-02 to 2026-03-08"."""
    end = slot.astimezone(UTC).date()
    first, last = end - timedelta(days=plan.days), end - ONE_DAY
    return str(last) if first == last else f"{first} to {last}"


def recall(workspace: Workspace, domain: str) -> tuple[Watching, int]:
    """What is remembered of a domain's watch, and the revision of that."""
    document = workspace.store.document(WATCH_KIND, domain)
    return (msgspec.convert(document.body, Watching), document.revision) if document else (Watching(), 0)


def _remember(workspace: Workspace, domain: str, state: Watching, revision: int) -> None:
    body = msgspec.to_builtins(state)
    workspace.store.put_document(
        Document(kind=WATCH_KIND, name=domain, revision=revision + 1, body=body, at=now(), domain=domain)
    )


def carry_out(
    workspace: Workspace, plan: Plan, *, holder: str = "", progress: Progress = lambda _: None
) -> list[Result]:
    """The retraining that was proposed, or is owed to records of one's own, and not done yet. Done twice, it changes
    nothing twice. holder: as `retraining.run.Run` has it. Raises Busy: then it stays open."""
    state, _ = recall(workspace, plan.domain)
    if not (state.open and plan.retrain):
        return []
    run = replace(_run(workspace, plan), holder=holder, progress=progress)
    results = retrain(run, keys_of(run.schema))
    state, revision = recall(workspace, plan.domain)
    _remember(workspace, plan.domain, msgspec.structs.replace(state, open=False), revision)
    return results


def _run(workspace: Workspace, plan: Plan) -> Run:
    schema, rules = workspace.service.schema(plan.domain), plan.policies
    window = rules.training.window or plan.window
    return Run(workspace, schema, window, policy=rules.promotion, drift_policy=rules.drift, actor="watch")


def look_and_act(
    workspace: Workspace,
    plan: Plan,
    channels: Mapping[str, Channel],
    say: Say,
    *,
    holder: str = "",
    progress: Progress = lambda _: None,
) -> None:
    """Look at everything that is due, carry out what follows, and say what was found. Raises Busy where another
    retraining has the domain."""
    try:
        for slot in _slots(workspace, plan, say):
            progress(f"looking at {words_of_days(plan, slot)}")
            if found := look(workspace, plan, slot, channels):
                say(describe_look(plan, found))
                sweep(workspace.store)
        for result in carry_out(workspace, plan, holder=holder, progress=progress):
            say(f"{result.key}: {result.decision.verdict}: {'; '.join(result.decision.reasons)}")
    except Conflict:
        say("another watcher was quicker")


def _slots(workspace: Workspace, plan: Plan, say: Say) -> list[datetime]:
    """What to look at: the newest due time, and before it those that were missed since the last look, 31 at most."""
    instant, last = now(), recall(workspace, plan.domain)[0].slot
    newest = plan.schedule.due(instant)
    if last is None or last >= newest:
        return [newest]
    missed = plan.schedule.missed(last, instant)
    if missed:
        judged, one = min(len(missed), CATCH_UP), len(missed) == 1
        told = f"{len(missed)} {'window was' if one else 'windows were'} missed while nobody looked; judging"
        which = "it now" if one else "them now, oldest first" if judged == len(missed) else f"the newest {judged} now"
        say(f"{plan.domain}: {told} {which}")
    return [*missed[-CATCH_UP:], newest]


def describe_look(plan: Plan, found: Look) -> str:
    """What a look found, on one line."""
    level = found.level or "undecided"
    change = f" (was {found.before})" if found.level and found.level != found.before else ""
    changed = "".join(f" {describe_change(change)}" for change in found.changes)
    proposed = f" {found.proposal.reason}: retraining {'starts' if plan.retrain else 'is proposed'}."
    days = words_of_days(plan, found.slot)
    return (
        f"{plan.domain}, {days}: {level}{change}. {found.sentence}{changed}{proposed if found.proposal.retrain else ''}"
    )
