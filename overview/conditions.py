"""What needs a person? Asked of what is remembered, by indexes, sums and samples, so that every look may ask it.

Each kind of condition has one function here, which gives those that hold; `overview.describing` says them in words.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

import msgspec

from access.roles import Principal
from advice.helped import HELPED_EVENT
from clock import now
from database.ingest import lacking_of, strays_among
from database.records import ChampionKey, DriftRecord, Job, Prediction, Succession
from drift.policy import ALARMING
from errors import Category
from jobs.catching_up import has_uncounted
from jobs.queue import CATCHING_UP, KEPT, UPLOADED, worker_for
from jobs.schedules import late_schedules
from model.bundle import EXAMPLES
from model.trial import running_trials
from model.workspace import Workspace
from monitoring.alerts import troubled_deliveries
from monitoring.days import midnight
from monitoring.feeds import Feed, SilentFeed, silent_now
from monitoring.performance import ENOUGH_OUTCOMES
from monitoring.sampling import endings_of
from overview.acknowledgements import close_what_is_over, known_conditions
from overview.records import Held, OpenCondition, may_see
from overview.standing import AnswerStanding, standings_of, trial_standing, waits_for_decision
from preprocessing.schema import DomainSchema, Target

LAST_WEEK = timedelta(days=7)
SAMPLED = 400  # records that a share is estimated from: it is known to 0.05
GUESSED, STRAYED = 0.2, 0.2  # shares from which on answers outside the known range, and outcomes of nobody, matter
LOOKED_THROUGH = 8  # drift reports, the newest, among which the beginning of an alarm is looked for
REPORTED_TOGETHER = timedelta(minutes=10)  # within which reports are those of one retraining
GREW, MANY_HELPED = 0.1, 0.3  # of records of helped students: the share that it grew by, or is, and matters
LATE = timedelta(hours=1)  # after which something that was due and not begun is late
COLUMNS_NAMED = 3  # columns that a condition names
SENDERS_FAULTS = frozenset({one.value for one in Category} - {"unavailable", "damaged", "misused"})
"""Categories of errors in what was sent: whoever sent it was told."""


@dataclass(frozen=True)
class Looking:
    """For whom conditions are looked for, and where."""

    workspace: Workspace
    viewer: Principal
    domains: Sequence[str]
    at: datetime

    @property
    def groups(self) -> Sequence[str] | None:
        """That the viewer is confined to."""
        return None if self.viewer.groups is None else sorted(self.viewer.groups)

    @cached_property
    def champions(self) -> Mapping[ChampionKey, Succession]:
        """What made each present champion one."""
        return {one.key: one for one in self.workspace.store.champions() if one.domain in self.domains}

    @property
    def schemas(self) -> Iterator[DomainSchema]:
        return (self.workspace.schemas[name] for name in self.domains)


def find_conditions(workspace: Workspace, viewer: Principal, domains: Sequence[str] = ()) -> list[Held]:
    """The conditions that hold and `viewer` is told of, the most harmful first, with who has seen them. domains: in
    these alone.

    What somebody had seen and holds no more is told as over.
    """
    seen = [one for one in workspace.schemas if one in (domains or workspace.schemas) and viewer.may("see", one)]
    looking = Looking(workspace, viewer, seen, now())
    found = [one for find in FINDERS for one in find(looking) if may_see(viewer, one)]
    if viewer.groups is not None:  # what others have seen was told with figures of all groups
        return [Held(condition=one) for one in sorted(found, key=lambda one: one.rank)]
    known = known_conditions(workspace.store)
    if not domains and viewer.domains is None:
        told = [one for one in known.values() if may_see(viewer, one.condition)]
        close_what_is_over(workspace.store, told, found)
    covered = {one.id: known[one.id] for one in found if one.id in known and known[one.id].covers(one)}
    return [Held(condition=one, seen=covered.get(one.id)) for one in sorted(found, key=lambda one: one.rank)]


# Models ---------------------------------------------------------------------------------------------------------------


def _broken_champions(looking: Looking) -> Iterator[OpenCondition]:
    champions = looking.workspace.champions
    stopped = {key: "; ".join(one.why) for key, one in champions.stopped.items()}
    for key, why in {**dict.fromkeys(champions.broken, ""), **stopped}.items():
        if key in looking.champions:
            present = looking.champions[key]
            yield OpenCondition(
                kind="broken champion",
                urgency="act",
                domain=key.domain,
                about=f"{key} {present.generation}",
                since=present.at,
                page="models",
                choice=_choice(key),
                figures={**_of(key), "why": why, "version": present.version, "serves": key in champions.loaded},
            )


def _choice(key: ChampionKey) -> Mapping[str, str]:
    return {"domain": key.domain, "target": key.target, "at": key.moment}


def _of(key: ChampionKey) -> Mapping[str, str]:
    return {"target": key.target, "moment": key.moment}


def _examples(looking: Looking) -> Iterator[OpenCondition]:
    taught: dict[str, datetime] = {}
    for key, one in looking.workspace.champions.loaded.items():
        if key in looking.champions and one.predictor.manifest.lineage.source == EXAMPLES:
            at = looking.champions[key].at
            taught[key.domain] = min(at, taught.get(key.domain, at))
    if taught:
        yield OpenCondition(
            kind="examples",
            urgency="look",
            domain="",
            about=" ".join(sorted(taught)),
            since=min(taught.values()),
            page="upload",
            choice={"domain": min(taught)},
            figures={"domains": sorted(taught)},
        )


def _results(looking: Looking) -> Iterator[OpenCondition]:
    """Promises that were not kept, and answers that the plain rule gives as well."""
    for schema in looking.schemas:
        for target in schema.targets:
            if schema.leader(target.name) != target.name:
                continue  # bands of a value: what is said of that holds of them
            for one in standings_of(looking.workspace, schema, target, looking.groups):
                key = ChampionKey(schema.name, target.name, one.moment)
                yield from _broken_promise(key, one)
                yield from _no_better(key, target, one)


def _broken_promise(key: ChampionKey, one: AnswerStanding) -> Iterator[OpenCondition]:
    if not one.promise_broken or one.covered is None or one.stated is None:
        return
    covered = one.covered
    yield OpenCondition(
        kind="coverage",
        urgency="act",
        domain=key.domain,
        about=f"{key.target} {key.moment} {one.version}",
        since=one.since,
        page="results",
        choice=_choice(key),
        worse=one.stated - covered.value,
        figures={
            **_of(key),
            "version": one.version,
            "n": one.ranges,
            "share": covered.value,
            "low": covered.low,
            "high": covered.high,
            "stated": one.stated,
        },
    )


def _no_better(key: ChampionKey, target: Target, one: AnswerStanding) -> Iterator[OpenCondition]:
    if one.gain is None or one.naive_mae is None or one.gain.value > (0.0 if target.levels else target.min_gain):
        return
    worse = one.gain.high < 0
    yield OpenCondition(
        kind="plain rule",
        urgency="act" if worse else "look",
        domain=key.domain,
        about=f"{key.target} {key.moment} {one.version}",
        since=one.since,
        page="results",
        choice=_choice(key),
        worse=-one.gain.value / one.naive_mae if one.naive_mae else 0.0,
        figures={
            **_of(key),
            "n": one.n,
            "students": one.students,
            "mae": one.mae,
            "naive_mae": one.naive_mae,
            "gain": msgspec.to_builtins(one.gain),
            "unit": one.unit,
            "worse": worse,
        },
    )


def _trials(looking: Looking) -> Iterator[OpenCondition]:
    if looking.groups is not None:
        return
    for key, trial in running_trials(looking.workspace.store, list(looking.champions.values())).items():
        report = trial_standing(looking.workspace, looking.workspace.schemas[key.domain], trial)
        students = min(report.champion.students, report.challenger.students)
        if not waits_for_decision(report):
            continue
        yield OpenCondition(
            kind="trial",
            urgency="look",
            domain=key.domain,
            about=f"{trial.id} {report.verdict}",
            since=trial.started,
            page="models",
            choice={**_choice(key), "trial": trial.id},
            figures={
                **_of(key),
                "trial": trial.id,
                "verdict": report.verdict,
                "gain": msgspec.to_builtins(report.gain),
                "unit": report.unit,
                "students": students,
                "n": report.champion.n,
            },
        )


# Data -----------------------------------------------------------------------------------------------------------------


def _drift(looking: Looking) -> Iterator[OpenCondition]:
    """An alarm of the newest report, unless a model was trained and promoted since."""
    if looking.groups is not None:
        return
    for domain in looking.domains:
        reports = looking.workspace.store.drift_reports(domain, limit=LOOKED_THROUGH)
        newest = [one for one in reports if one.at > reports[0].at - REPORTED_TOGETHER]
        alarms = [one for one in newest if one.alarm]
        promoted = [one.at for one in looking.champions.values() if one.domain == domain and one.action == "promote"]
        if not alarms or (promoted and max(promoted) > alarms[0].at):
            continue
        since = alarms[0].at
        for one in reports:
            if not one.alarm and one not in newest:
                break
            since = one.at if one.alarm else since
        telling = max(alarms, key=lambda one: len(_flagged(one)))
        flagged = _flagged(telling)
        yield OpenCondition(
            kind="drift",
            urgency="look",
            domain=domain,
            about="alarm",
            since=since,
            page="data",
            choice={"domain": domain, "report": telling.id},
            worse=float(len(flagged)),
            figures={
                "report": telling.id,
                "n": telling.document.get("n_current", 0),
                "columns": [one["column"] for one in flagged[:COLUMNS_NAMED]],
                "flagged": len(flagged),
                "compared": len(telling.document.get("columns", ())),
                **_new_level(telling),
            },
        )


def _flagged(report: DriftRecord) -> list[Mapping[str, Any]]:
    """The columns that raise the alarm, those with new levels first."""
    found = [
        one
        for one in report.document.get("columns", ())
        if {one.get("verdict"), (one.get("missing") or {}).get("verdict")} & ALARMING
    ]
    return sorted(found, key=lambda one: not one.get("new_level_count"))


def _new_level(report: DriftRecord) -> Mapping[str, Any]:
    """The commonest level that the model never saw, and in how many rows it stands."""
    for one in _flagged(report):
        for level in one.get("new_levels", ())[:1]:
            return {"new": one["column"], "level": level["level"], "rows": level["rows"]}
    return {}


def _guesses(looking: Looking) -> Iterator[OpenCondition]:
    """Answers of the last week to rows unlike any that the model was trained on."""
    store, since = looking.workspace.store, looking.at - LAST_WEEK
    for domain in looking.domains:
        total = store.count_predictions(domain, since=since, groups=looking.groups)
        if total < ENOUGH_OUTCOMES:
            continue
        some = endings_of(total, SAMPLED)
        asked = store.predictions(domain, since=since, groups=looking.groups, endings=some)
        guessed = [one for one in asked if _outside(one)]
        if not asked or len(guessed) < GUESSED * len(asked):
            continue
        columns = Counter(name for one in guessed for name in _outside(one))
        yield OpenCondition(
            kind="guesses",
            urgency="look",
            domain=domain,
            about="outside the known range",
            since=min(one.at for one in guessed),
            page="students",
            choice={"domain": domain, "only": "guess"},
            worse=len(guessed) / len(asked),
            figures={
                "n": len(asked),
                "of": total,
                "share": len(guessed) / len(asked),
                "count": round(total * len(guessed) / len(asked)),
                "columns": [name for name, _ in columns.most_common(COLUMNS_NAMED)],
            },
        )


def _outside(asked: Prediction) -> set[str]:
    return {name for answer in asked.answers for name in answer.out_of_range}


def _stray_outcomes(looking: Looking) -> Iterator[OpenCondition]:
    """Outcomes that belong to nobody who was asked about."""
    store = looking.workspace.store
    for schema in looking.schemas:
        total = store.count_outcomes(schema.name)
        if total < ENOUGH_OUTCOMES:
            continue
        some = store.outcomes_ending(schema.name, endings_of(total, SAMPLED))
        if looking.groups is not None:
            some = [one for one in some if one.group in looking.groups]
        strays = strays_among(store, some)
        if not some or len(strays) < STRAYED * len(some):
            continue
        yield OpenCondition(
            kind="stray outcomes",
            urgency="look",
            domain=schema.name,
            about="outcomes of nobody",
            since=min(one.at for one in strays),
            page="upload",
            choice={"domain": schema.name, "kind": "outcomes"},
            worse=len(strays) / len(some),
            figures={
                "n": len(some),
                "of": total,
                "share": len(strays) / len(some),
                "count": round(total * len(strays) / len(some)) if looking.groups is None else len(strays),
                "lacking": list(lacking_of(schema, strays)),
            },
        )


def _helped_share(looking: Looking) -> Iterator[OpenCondition]:
    """Records to learn from that are of helped students, where they grew: less and less says what becomes of who is
    left alone."""
    if looking.groups is not None:
        return
    for domain in looking.domains:
        told = looking.workspace.store.events(domain, kind=HELPED_EVENT, limit=LOOKED_THROUGH)
        shares = [one.details["helped"] / one.details["records"] for one in told]
        if not shares or (shares[0] < MANY_HELPED and shares[0] - min(shares[1:], default=0.0) < GREW):
            continue
        yield OpenCondition(
            kind="helped share",
            urgency="look",
            domain=domain,
            about="records",
            since=told[0].at,
            page="results",
            choice={"domain": domain},
            worse=shares[0],
            figures={**told[0].details, "share": shares[0]},
        )


def _silent_feeds(looking: Looking) -> Iterator[OpenCondition]:
    """Records of schools that have stopped coming: those that stopped on the same day together."""
    for schema in looking.schemas:
        together = dict[tuple[Feed, date | None], list[SilentFeed]]()
        for one in silent_now(looking.workspace.store, schema.name) if schema.panel else ():
            if looking.groups is None or one.school in looking.groups:
                together.setdefault((one.feed, one.last), []).append(one)
        for (feed, last), schools in together.items():
            yield OpenCondition(
                kind="silent feed",
                urgency="act",
                domain=schema.name,
                about=f"{feed} since {last}",
                since=None if last is None else midnight(last + timedelta(days=1)),
                page="upload",
                choice={"domain": schema.name},
                worse=max(one.days for one in schools),
                figures={"feed": feed, "schools": [one.school for one in schools], "n": len(schools),
                         "last": None if last is None else last.isoformat(), "days": max(one.days for one in schools)},
            )  # fmt: skip


def _uncounted(looking: Looking) -> Iterator[OpenCondition]:
    """Outcomes whose figures nobody has made yet: conditions that hold may not be known."""
    for schema in looking.schemas:
        if has_uncounted(looking.workspace.store, schema.name):
            yield OpenCondition(
                kind="uncounted",
                urgency="look",
                domain=schema.name,
                about="outcomes",
                page="results",
                choice={"domain": schema.name},
                figures={"worker": worker_for(looking.workspace.store, CATCHING_UP) is not None},
            )


# What runs by itself --------------------------------------------------------------------------------------------------


def _failed_jobs(looking: Looking) -> Iterator[OpenCondition]:
    """Work in the background that failed, and was not done since."""
    store, newest = looking.workspace.store, dict[tuple[str, str], Job]()
    for job in store.jobs(states=("failed",)):
        if (job.finished or job.at) > looking.at - KEPT and not _told_its_sender(job):
            newest.setdefault((job.kind, job.domain or ""), job)
    for (kind, domain), job in newest.items():
        if domain and domain not in looking.domains:
            continue
        later = store.jobs(kind=kind, domain=domain, states=("done",), limit=1)
        if later and later[0].at > job.at:
            continue
        problem = job.problem
        yield OpenCondition(
            kind="failed job",
            urgency="look",
            domain=domain,
            about=job.id,
            since=job.finished or job.at,
            page="settings",
            choice={"domain": domain, "job": job.id},
            figures={"job": job.id, "kind": kind, "why": problem.detail if problem else "", "attempts": job.attempts},
        )


def _told_its_sender(job: Job) -> bool:
    """Whether somebody waits for the job and was told what is wrong with what they sent."""
    by_itself = job.actor == "tick" or (job.actor or "").startswith("schedule ")
    fault = job.problem is not None and job.problem.category in SENDERS_FAULTS
    return job.kind in UPLOADED or (fault and not by_itself)


def _late_schedules(looking: Looking) -> Iterator[OpenCondition]:
    """What stands on a schedule, was due, and nobody began."""
    for one, due in late_schedules(looking.workspace.store, looking.at - LATE):
        if one.domain not in (*looking.domains, ""):
            continue
        yield OpenCondition(
            kind="late schedule",
            urgency="look",
            domain=one.domain,
            about=one.name,
            since=due,
            page="settings",
            choice={"domain": one.domain},
            figures={"schedule": one.name, "job": one.kind, "every": str(one.when)},
        )


def _failed_alerts(looking: Looking) -> Iterator[OpenCondition]:
    """Channels that took nothing since something was to be told."""
    for channel, failed in troubled_deliveries(looking.workspace.store, looking.at).items():
        mine = [one for one in failed if one.alert.domain in (*looking.domains, "")]
        if mine:
            newest = mine[-1]
            yield OpenCondition(
                kind="failed alert",
                urgency="look",
                domain="",
                about=f"{channel} {newest.alert.id}",
                since=mine[0].alert.at,
                page="settings",
                figures={"channel": newest.kind, "n": len(mine), "why": newest.error},
            )


FINDERS: tuple[Callable[[Looking], Iterator[OpenCondition]], ...] = (
    _broken_champions,
    _results,
    _drift,
    _guesses,
    _trials,
    _stray_outcomes,
    _helped_share,
    _silent_feeds,
    _uncounted,
    _failed_jobs,
    _late_schedules,
    _failed_alerts,
    _examples,
)
