"""When monitoring proposes a retraining: after k alarms among the last w windows, and not again for a while; and when
errors became credibly worse.

Pure functions over verdicts. A proposal starts an evaluation; a challenger is promoted by `retraining.policy` alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from drift.policy import ALARMING
from drift.records import DriftReport

Verdict = Literal["alarm", "quiet", "undecided"]


class TriggerPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """alarms: k, among the last `windows` w, that propose a retraining. cool_down_days: after a proposal or a
    retraining, for which there is no other. longest_gap_days: windows further back than this from the newest do not
    count. errors: whether errors that became credibly worse propose one as well, whatever windows say. Raises
    ValueError for numbers that make no rule."""

    alarms: int = 2
    windows: int = 4
    cool_down_days: float = 28.0
    longest_gap_days: float = 120.0
    errors: bool = True

    def __post_init__(self) -> None:
        wrong = [] if self.alarms >= 1 else [f"alarms is {self.alarms}, not 1 or more"]
        wrong += (
            [] if self.windows >= self.alarms else [f"windows is {self.windows}, fewer than the {self.alarms} alarms"]
        )
        days = {"cool_down_days": self.cool_down_days, "longest_gap_days": self.longest_gap_days}
        wrong += [f"{name} is {value}, not 0 or more" for name, value in days.items() if not value >= 0]
        if wrong:
            raise ValueError("trigger policy: " + "; ".join(wrong))


class WindowVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What monitoring found in one window. at: its end, or when it was judged (aware, UTC)."""

    at: datetime
    verdict: Verdict


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """Whether to retrain, and why, in a plain sentence. alarms, looked_at: of the windows that counted."""

    retrain: bool
    reason: str
    alarms: int
    looked_at: int


def verdict_of(report: DriftReport) -> Verdict:
    """A report's verdict on its window: undecided where rows are too few to say anything of any column that varies, and
    where the alarm rests on undecided columns alone (`DriftPolicy.together`): that is told, and never retrains."""
    if report.alarm:
        return "alarm" if is_decided(report) else "undecided"
    told = {column.verdict for column in report.columns}
    return "quiet" if "ok" in told or "undecided" not in told else "undecided"


def is_decided(report: DriftReport) -> bool:
    """Whether some verdict alone raises the report's alarm: of a column, of a segment's, or of all columns jointly."""
    columns = [*report.columns, *(column for segment in report.segments for column in segment.columns)]
    joint = report.joint is not None and report.joint.verdict in ALARMING
    return joint or any(column.alarming for column in columns)


def propose(
    windows: Sequence[WindowVerdict],
    policy: TriggerPolicy,
    *,
    last: datetime | None = None,
    worse: Sequence[str] = (),
) -> Proposal:
    """Whether the newest of `windows` (any order), or errors that became `worse` (in words), should start a retraining.

    last: when one was last proposed or done; for the same window there is no second one. Undecided windows hold their
    place among the last w and count for nothing, so that a string of them never retrains; the newest window must
    itself be an alarm. Errors wait for no second window and no cool-down: outcomes are what decides afterwards, and
    the same outcomes decide once.
    """
    found = _by_windows(windows, policy, last)
    if not (worse and policy.errors):
        return found
    return msgspec.structs.replace(found, retrain=True, reason=" ".join([*worse, f"Inputs: {found.reason}."]))


def _by_windows(windows: Sequence[WindowVerdict], policy: TriggerPolicy, last: datetime | None) -> Proposal:
    ordered = sorted(windows, key=lambda window: window.at)[-policy.windows :]
    if not ordered:
        return Proposal(retrain=False, reason="no window has been judged yet", alarms=0, looked_at=0)
    newest = ordered[-1]
    gap = timedelta(days=policy.longest_gap_days)
    near = [window for window in ordered if newest.at - window.at <= gap]
    alarms = sum(window.verdict == "alarm" for window in near)
    told = f"{alarms} of the last {len(near)} windows raised an alarm; {policy.alarms} of {policy.windows} are needed"
    retrain, reason = alarms >= policy.alarms, told
    if newest.verdict != "alarm":
        retrain, reason = False, f"the newest window is {newest.verdict}; {told}"
    elif retrain and last is not None and newest.at <= last:
        retrain, reason = False, f"{told}, and a retraining was proposed for this window before"
    elif retrain and last is not None and newest.at - last < timedelta(days=policy.cool_down_days):
        rest = f"the last retraining was proposed on {last:%Y-%m-%d}, less than {policy.cool_down_days:g} days before"
        retrain, reason = False, f"{told}, but {rest}"
    return Proposal(retrain=retrain, reason=reason, alarms=alarms, looked_at=len(near))


def replay(windows: Sequence[WindowVerdict], policy: TriggerPolicy) -> list[Proposal]:
    """What `propose` would have said after each window, oldest first, every proposal having been followed."""
    ordered, found, last = sorted(windows, key=lambda window: window.at), [], None
    for place, window in enumerate(ordered):
        found.append(propose(ordered[: place + 1], policy, last=last))
        last = window.at if found[-1].retrain else last
    return found
