"""What each strategy of a backtest does in one period of the past, knowing only what was known then.

Drift, proposals, contests and shadow trials are those of the service (`retraining.evaluation`, `retraining.trigger`),
not copies; nothing is stored. How strategies are set up and compared is `retraining.backtest.run`'s.

A period's rows arrive without outcomes, every champion answers them, and drift is judged. Then the period ends and its
outcomes are known: a policy that proposes a retraining first judges the challenger that it has in shadow on the
outcomes that came since, then trains a new one on what is known by now, holds the newest rows out, and decides. Who is
promoted answers from the next period on; who is not gathers evidence in shadow. "never" keeps the first model; "always"
trains on all that is known after every period and swaps without a contest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Literal

import msgspec
import polars as pl

from database.records import ChampionKey, digest
from model.answer_frame import naive_numbers_of
from model.bundle import Bundle
from model.decision import PromotionDecision
from model.export import ParityError
from model.predictor import Predictor
from model.scores import absolute_errors
from preprocessing.schema import DomainSchema
from preprocessing.split import clusters
from retraining.backtest.trajectory import Answers, Step, Truth, make_step
from retraining.evaluation import contest, drift_since, judge_shadow, outcomes_of
from retraining.holdout import hold_out
from retraining.policies import Policies
from retraining.policy import MAX_MEGABYTES
from retraining.trigger import Proposal, Verdict, WindowVerdict, propose, verdict_of
from training.train import NotTrainable, TrainingOptions, train, train_rule

SEASON = "_season"
"""The column of frames that a replay goes by: what the outcome of a row stays within (`preprocessing.split`)."""

REPLAY_BEGINS = datetime(2000, 1, 3, tzinfo=UTC)  # periods have an order but no dates; theirs are counted from here


@dataclass(frozen=True)
class Replay:
    """What is replayed. window: newest records to learn from where a policy does not say. first: periods to begin with.

    period_days: from one period's start to the next, for cool-downs and gaps in days. jobs: threads of training; the
    result does not depend on them. progress: called with what is done and the share of all that is done, 0 to 1.
    """

    schema: DomainSchema
    key: ChampionKey
    window: int = 20_000
    first: int = 1
    period_days: float = 182.0
    seed: int = 0
    jobs: int | None = None
    progress: Callable[[str, float], None] = lambda _step, _share: None


@dataclass(frozen=True)
class Shadow:
    """A challenger that is tried beside the champion. since: the last period that it learned from."""

    challenger: Bundle
    since: str


@dataclass
class Strategy:
    """A strategy on its way: its first model, its champion, its challenger in shadow, what it has seen, what it did."""

    name: str
    kind: Literal["never", "always", "policy"]
    policies: Policies
    first: Bundle
    champion: Bundle
    learned_from: str
    shadow: Shadow | None = None
    windows: list[WindowVerdict] = field(default_factory=list)
    last: datetime | None = None
    last_period: str = ""
    steps: list[Step] = field(default_factory=list)
    answers: list[Answers] = field(default_factory=list)

    def promote(self, bundle: Bundle, learned_from: str) -> None:
        """`bundle` answers from the next period on; a trial ends with its champion."""
        self.champion, self.learned_from, self.shadow = bundle, learned_from, None


@dataclass(frozen=True)
class Period:
    """One period as it passes, the last of `past`. known: all rows with outcomes at its end, oldest first.

    last: nothing comes after it. bundles: what was trained at its end, by the rows it learned from: strategies that
    agree share a training. answers: by champion.
    """

    past: tuple[str, ...]
    rows: pl.DataFrame
    truth: Truth
    known: pl.DataFrame
    last: bool
    bundles: dict[str, Bundle] = field(default_factory=dict)
    answers: dict[int, Answers] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.past[-1]

    def after(self, period: str) -> set[str]:
        """The ids of the rows that came after `period`."""
        later = self.past[self.past.index(period) + 1 :]
        return set(self.known.filter(pl.col(SEASON).is_in(later))["_record"])


def make_period(replay: Replay, rows: pl.DataFrame, past: Sequence[str], *, last: bool) -> Period:
    """The last of the periods `past`; rows: complete and labelled, of all periods, oldest first."""
    at = rows[SEASON] == past[-1]
    here, numbers = rows.filter(at), clusters(rows, replay.schema)  # a student who returns is one cluster
    truth = Truth(outcomes_of(here, replay.schema, replay.key.target), numbers[at.to_numpy()])
    return Period(tuple(past), here, truth, rows.filter(pl.col(SEASON).is_in(past)), last)


def fit(
    replay: Replay, rows: pl.DataFrame, *, plain_rule: bool = False, max_megabytes: float = MAX_MEGABYTES
) -> Bundle:
    """A model of `rows` of this size at most, or their plain rule as one. Raises NotTrainable, Leaking, ParityError."""
    if plain_rule:
        return train_rule(replay.schema, replay.key, rows, seed=replay.seed)[0].bundle
    options: TrainingOptions = {"seed": replay.seed, "jobs": replay.jobs, "max_megabytes": max_megabytes}
    return train(replay.schema, replay.key, rows, **options).bundle


def answer_naively(first: Bundle, period: Period) -> Answers:
    """What the plain rule says, with the mean or most frequent level of the first model's rows where it needs one."""
    numbers = naive_numbers_of(first.manifest, period.rows)
    return Answers(numbers, absolute_errors(period.truth.outcomes, numbers))


def live_through(replay: Replay, period: Period, strategy: Strategy) -> None:
    """The period for one strategy: answers and drift while it lasts, retraining when it is over."""
    answers = _answer(strategy.champion, period)
    target = replay.schema.target_by_name[replay.key.target]
    step = make_step(target, period.name, period.truth, answers, learned_from=strategy.learned_from)
    if strategy.kind == "always":
        step = _always(replay, period, strategy, step)
    elif strategy.kind == "policy":
        step = _by_policy(replay, period, strategy, step)
    strategy.answers.append(answers)
    strategy.steps.append(step)


def _answer(champion: Bundle, period: Period) -> Answers:
    """What a champion answers to the period's rows; their outcomes only measure it."""
    if id(champion) not in period.answers:
        predictor = Predictor(champion, "")
        outputs, value = predictor.outputs_of_frame(period.rows), champion.manifest.target.kind == "value"
        numbers = predictor.as_numbers(outputs)
        errors = absolute_errors(period.truth.outcomes, numbers)
        period.answers[id(champion)] = Answers(numbers, errors, None if value else outputs)
    return period.answers[id(champion)]


def _always(replay: Replay, period: Period, strategy: Strategy, step: Step) -> Step:
    if period.last:
        return step
    try:
        bundle = _trained(replay, period, period.known.tail(replay.window))
    except (NotTrainable, ParityError) as error:
        return msgspec.structs.replace(step, proposed=True, retrained=True, reasons=(str(error),))
    strategy.promote(bundle, period.name)
    return msgspec.structs.replace(step, proposed=True, retrained=True, promoted=True)


def _trained(
    replay: Replay,
    period: Period,
    rows: pl.DataFrame,
    *,
    plain_rule: bool = False,
    max_megabytes: float = MAX_MEGABYTES,
) -> Bundle:
    name = digest([plain_rule, max_megabytes, *sorted(rows["_record"])])
    if name not in period.bundles:
        period.bundles[name] = fit(replay, rows, plain_rule=plain_rule, max_megabytes=max_megabytes)
    return period.bundles[name]


def _by_policy(replay: Replay, period: Period, strategy: Strategy, step: Step) -> Step:
    """Drift of the period's rows without outcomes, the proposal, and the retraining that follows from it."""
    at = REPLAY_BEGINS + timedelta(days=replay.period_days * len(period.past))
    arrived = period.rows.drop([name for name in replay.schema.target_by_name if name in period.rows.columns])
    report = drift_since(replay.schema, strategy.champion, arrived, strategy.policies.drift)
    verdict: Verdict = verdict_of(report) if report else "undecided"
    strategy.windows.append(WindowVerdict(at=at, verdict=verdict))
    proposal = _proposed(strategy)
    step = msgspec.structs.replace(
        step,
        verdict=verdict,
        drift=report.summary if report else "nothing to compare",
        proposed=proposal.retrain,
        reasons=(proposal.reason,),
    )
    if not proposal.retrain:
        return step
    strategy.last, strategy.last_period = at, period.name
    if period.last:
        return msgspec.structs.replace(step, reasons=(proposal.reason, "not carried out: no period comes after it"))
    return _retrain(replay, period, strategy, step)


def _proposed(strategy: Strategy) -> Proposal:
    """As in the service, but for the date of the last proposal, which nobody knows: its period is named instead."""
    proposal = propose(strategy.windows, strategy.policies.trigger, last=strategy.last)
    if strategy.last is None:
        return proposal
    reason = proposal.reason.replace(f"on {strategy.last:%Y-%m-%d}", f"after {strategy.last_period}")
    return msgspec.structs.replace(proposal, reason=reason)


def _retrain(replay: Replay, period: Period, strategy: Strategy, step: Step) -> Step:
    """A run as in `retraining.run`: the challenger in shadow is judged first, then a new one trained."""
    frame = period.known.tail(strategy.policies.training.window or replay.window)
    step = msgspec.structs.replace(step, retrained=True)
    if strategy.shadow:
        step = _judge_shadow(replay, period, strategy, strategy.shadow, frame, step)
        if step.promoted:
            return step
    policy, champion = strategy.policies.promotion, strategy.champion
    holdout = hold_out(frame, replay.schema, replay.key, champion.rows, share=policy.holdout_share)
    train_challenger = partial(_trained, replay, period, max_megabytes=policy.max_megabytes)
    held = contest(replay.schema, replay.key, champion, holdout, policy, train_challenger)
    step = _because(step, held.decision.reasons, held.decision)
    if held.challenger is None:
        return step
    if held.decision.verdict == "promote":
        strategy.promote(held.challenger, period.name)
        return msgspec.structs.replace(step, promoted=True)
    return _try_on(period, strategy, held.challenger, step) if held.decision.verdict == "shadow" else step


def _try_on(period: Period, strategy: Strategy, challenger: Bundle, step: Step) -> Step:
    """The challenger in shadow from now on, unless another one is, or the policy tries none."""
    if not strategy.policies.promotion.trial_rows:
        return step
    if strategy.shadow:
        return _because(step, (f"it is not tried in shadow: the challenger of {strategy.shadow.since} still is",))
    strategy.shadow = Shadow(challenger, period.name)
    return _because(msgspec.structs.replace(step, tried=True), ("it is tried in shadow from now on",))


def _judge_shadow(
    replay: Replay, period: Period, strategy: Strategy, shadow: Shadow, frame: pl.DataFrame, step: Step
) -> Step:
    """What came of the shadow trial, judged once on outcomes from after it began; it goes on while they are few."""
    policy, fresh = strategy.policies.promotion, period.after(shadow.since)
    decision = judge_shadow(replay.schema, replay.key, strategy.champion, shadow.challenger, frame, fresh, policy)
    what = f"the challenger of {shadow.since}, tried in shadow"
    if decision is None:
        return _because(step, (f"{what}, waits for {policy.trial_rows} new outcomes",))
    step = _because(step, (f"{what}, is judged: {'; '.join(decision.reasons)}",), decision)
    if decision.verdict != "promote" or decision.winner != "challenger":
        strategy.shadow = None
        return step
    strategy.promote(shadow.challenger, shadow.since)
    return msgspec.structs.replace(step, promoted=True)


def _because(step: Step, reasons: Sequence[str], decision: PromotionDecision | None = None) -> Step:
    """The step with further reasons and, where there was a comparison, its evidence."""
    evidence = []
    if decision and decision.gain:
        evidence.append(
            f"on {decision.n:,} held-out rows in {decision.clusters} clusters: champion {decision.champion_mae}, "
            f"challenger {decision.challenger_mae}, plain rule {decision.naive_mae}"
        )
    return msgspec.structs.replace(step, reasons=(*step.reasons, *reasons, *evidence))
