"""Is it still right, and should it be retrained? Drift, errors measured and to be expected, a verdict, and what the
policy makes of it.

It puts together what others find (`monitoring.drift_monitor`, `monitoring.error_timeline`) and lets `retraining.run`
retrain; why nothing was retrained is always among what it returns.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Literal, NamedTuple

import msgspec

from clock import now
from drift.column import ProfileError
from drift.policy import DriftPolicy
from drift.records import DriftReport, NotComparable, SameSample
from drift.sentences import describe_change
from drift.verdicts import adjust
from model.registry import NoChampion
from model.workspace import Workspace
from monitoring.days import midnight
from monitoring.drift_days import Days
from monitoring.drift_files import keep_report
from monitoring.drift_monitor import judge_days
from monitoring.error_timeline import FALSE_SHARE, ErrorTimeline, follow_domain
from retraining.first_champions import keys_of
from retraining.policies import Policies
from retraining.run import Result, Run, retrain, with_new_labels
from retraining.trigger import Proposal, TriggerPolicy, WindowVerdict, propose, verdict_of
from training.fit import Progress

Standing = Literal["quiet", "drift", "worse", "not enough data"]
NOT_JUDGED = (NotComparable, NoChampion, SameSample, ProfileError)
"""Why days cannot be compared with anything."""


@dataclass(frozen=True)
class LookBack:
    """What is looked at: the predictions of so many whole days (UTC) before today, or up to now with `today`.

    fewest: predictions from which inputs are judged, and outcomes from which errors are. retrain: carry out what the
    policy proposes. window: newest records to learn from where the policy does not say.
    """

    days: int = 30
    fewest: int = 50
    policies: Policies = field(default_factory=Policies)
    today: bool = False
    retrain: bool = False
    window: int = 20_000

    def ends(self, today: date) -> date:
        """The day before which days are looked at."""
        return today + timedelta(days=self.today)


class Monitored(msgspec.Struct, frozen=True, kw_only=True):
    """What was found of a domain from `since` to before `until`, whole days (UTC), of `rows` predictions.

    drift: the report, `report` its id in the store; None where there is none, as `no_drift` says. errors: of each
    target and moment, measured where outcomes are in, to be expected where they are not. worse: which errors credibly
    rose, in sentences. results: of a retraining, where one was carried out. why: why no champion was replaced, and
    what would make it.
    """

    domain: str
    since: date
    until: date
    rows: int
    verdict: Standing
    errors: tuple[ErrorTimeline, ...]
    proposal: Proposal
    drift: DriftReport | None = None
    report: str | None = None
    no_drift: str = ""
    worse: tuple[str, ...] = ()
    results: tuple[Result, ...] = ()
    why: tuple[str, ...] = ()

    @property
    def retrained(self) -> bool:
        """Whether a champion was replaced."""
        return any(one.promoted for one in self.results)


def loosened(policy: DriftPolicy, threshold: float) -> DriftPolicy:
    """The policy with `threshold` as the effect that any column must show, of those without a limit of their own; rows
    are told apart by half of it beyond chance, as a share of rows that moved lets them be. Raises ValueError.

    >>> loosened(DriftPolicy(), 0.3).auc_threshold
    0.65
    """
    return msgspec.structs.replace(
        policy,
        ks_threshold=threshold,
        cramers_v_threshold=threshold,
        auc_threshold=min(0.99, 0.5 + threshold / 2),
    )


def monitor(
    workspace: Workspace, domain: str, look_back: LookBack, *, progress: Progress = lambda _: None
) -> Monitored:
    """Look at a domain, and retrain where that is asked for and the policy says so. Raises Busy, UnknownDomain."""
    workspace.service.schema(domain)
    until = look_back.ends(now().astimezone(UTC).date())
    since = until - timedelta(days=look_back.days)
    rows = workspace.store.count_predictions(domain, since=midnight(since), until=midnight(until))
    progress(f"{domain}: drift of {rows:,} predictions")
    judged = _judge(workspace, domain, look_back, (since, until), rows)
    progress(f"{domain}: errors")
    errors = follow_domain(workspace, domain, since=midnight(since))
    worse = became_worse(errors, look_back.fewest)
    windows = _windows(workspace, domain, look_back, until, judged)
    last = next((one.at for one in workspace.store.decisions(domain, limit=1)), None)
    found = Monitored(
        domain=domain,
        since=since,
        until=until,
        rows=rows,
        verdict=_verdict(judged.report, errors, worse, look_back.fewest),
        errors=tuple(errors),
        proposal=propose(windows, look_back.policies.trigger, last=last, worse=worse),
        drift=judged.report,
        report=judged.id,
        no_drift=judged.why_not,
        worse=worse,
    )
    if not found.proposal.retrain:
        return msgspec.structs.replace(found, why=_not_proposed(found, look_back.policies.trigger, last))
    if not look_back.retrain:
        why = (f"it is proposed: {found.proposal.reason}", f"--auto-retrain would make it, or {_by_hand(domain)}")
        return msgspec.structs.replace(found, why=why)
    return _retrain(workspace, found, look_back, progress)


class _Judged(NamedTuple):
    """The stored report of all days at the moment with most rows, or why there is none."""

    report: DriftReport | None = None
    id: str | None = None
    moment: str | None = None
    why_not: str = ""


def _judge(workspace: Workspace, domain: str, look_back: LookBack, days: tuple[date, date], rows: int) -> _Judged:
    if rows < look_back.fewest:
        return _Judged(why_not=f"{rows:,} predictions in these days; {look_back.fewest:,} are the least")
    window = Days(since=days[0], until=days[1])
    try:
        report, compared = judge_days(workspace, domain, window, policy=look_back.policies.drift)
    except NOT_JUDGED as error:
        return _Judged(why_not=str(error))
    kept = keep_report(workspace, report)
    return _Judged(report, kept.record.id, compared.moment)


def became_worse(errors: Sequence[ErrorTimeline], fewest: int) -> tuple[str, ...]:
    """Which errors are credibly above those in training, corrected for how many are looked at, or rose meanwhile."""
    found = [(one, one.whole.p_adjusted) for one in errors if one.whole and one.whole.n >= fewest]
    tested = [(one, p) for one, p in found if p is not None]
    chances = adjust([p for _, p in tested]) if tested else ()
    said = [_above_training(one) for (one, _), p in zip(tested, chances, strict=True) if p <= FALSE_SHARE]
    rose = [describe_change(one) for line in errors for one in line.changes if one.rose and one.low > 0]
    return (*filter(None, said), *rose)


def _above_training(line: ErrorTimeline) -> str:
    whole = line.whole
    if whole is None or whole.mae is None or whole.excess is None or whole.excess.value <= 0:
        return ""
    unit = f" {line.unit}" if line.unit else ""
    return (
        f"The mean error for {line.target} at {line.moment} is {whole.mae.value:.3g}{unit} over {whole.n:,} outcomes, "
        f"{whole.excess.value:.2g} above that in training (95% interval {whole.excess.low:+.2g} to "
        f"{whole.excess.high:+.2g})."
    )


def _windows(
    workspace: Workspace, domain: str, look_back: LookBack, until: date, judged: _Judged
) -> list[WindowVerdict]:
    """The look-back as the policy's trigger sees it: where all of it raises an alarm, cut into as many windows as that
    looks at, so that what lasts is told from what passed."""
    report = judged.report
    if report is None:
        return []
    parts = min(look_back.policies.trigger.windows, look_back.days)
    if not report.alarm or parts == 1:
        return [WindowVerdict(at=midnight(until), verdict=verdict_of(report))]
    length, windows = look_back.days // parts, []
    for part in range(parts):
        end = until - timedelta(days=part * length)
        days = Days(since=end - timedelta(days=length), until=end, moment=judged.moment)
        try:
            verdict = verdict_of(judge_days(workspace, domain, days, policy=look_back.policies.drift)[0])
        except NOT_JUDGED:
            verdict = "undecided"
        windows.append(WindowVerdict(at=midnight(end), verdict=verdict))
    return windows


def _verdict(
    report: DriftReport | None, errors: Sequence[ErrorTimeline], worse: Sequence[str], fewest: int
) -> Standing:
    if worse:
        return "worse"
    if report is not None and report.alarm:
        return "drift"
    measured = any(one.whole and one.whole.n >= fewest and one.whole.p_adjusted is not None for one in errors)
    judged = report is not None and verdict_of(report) != "undecided"
    return "quiet" if measured or judged else "not enough data"


# What follows --------------------------------------------------------------------------------------------------------


def _by_hand(domain: str) -> str:
    return f"by hand: gradewatch retrain --domain {domain}"


def _not_proposed(found: Monitored, policy: TriggerPolicy, last: datetime | None) -> tuple[str, str]:
    """Why no retraining is proposed, and what would make one."""
    said = f"inputs were not judged: {found.no_drift}" if found.no_drift else found.proposal.reason
    alarms = f"{policy.alarms} of {policy.windows} windows with an alarm, the newest among them,"
    made = "an alarm" if policy.windows == 1 else alarms
    made += " or errors that credibly rise" if policy.errors else ""
    over = None if last is None else last + timedelta(days=policy.cool_down_days)
    waits = f" (alarms from {over:%Y-%m-%d} on)" if over and over > now() else ""
    return f"it is not proposed: {said}", f"{made} would make it{waits}, or {_by_hand(found.domain)}"


def _retrain(workspace: Workspace, found: Monitored, look_back: LookBack, progress: Progress) -> Monitored:
    """What was found, with the retraining that it leads to, and why champions stay where they do."""
    domain, rules = found.domain, look_back.policies
    schema = workspace.service.schema(domain)
    run = Run(
        workspace,
        schema,
        rules.training.window or look_back.window,
        policy=rules.promotion,
        drift_policy=rules.drift,
        actor="monitor",
        progress=progress,
    )
    keys = with_new_labels(run, keys_of(schema))
    if not keys:
        nothing_new = (
            f"it is proposed: {found.proposal.reason}",
            "there is no labelled row or outcome that the champions have not learned from or been judged by before",
            f"new ones would make it: gradewatch outcomes FILE --domain {domain}, or gradewatch ingest",
        )
        return msgspec.structs.replace(found, why=nothing_new)
    results = retrain(run, keys)
    why = tuple(f"{one.key} stays: {'; '.join(one.decision.reasons)}" for one in results if not one.promoted)
    more = ("more outcomes would make it, where they show what the policy's [promotion] asks for",) if why else ()
    return msgspec.structs.replace(found, results=tuple(results), why=(*why, *more))
