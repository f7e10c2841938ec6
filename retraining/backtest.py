"""What a retraining policy would have done to past data, period by period, beside never and always retraining.

It knows at each moment only what was known then, judges by the very functions that judge in earnest, and writes nothing
into any store. The answer is a record; drawing it is `retraining.backtest_render`'s.

The replay, for each period after the first ones: its rows arrive without outcomes, every champion answers them, and
drift is judged. Then the period ends and its outcomes are known: a policy that proposes a retraining trains a
challenger on what is known by now, holds the newest rows out, and decides. Who is promoted answers from the next period
on. "never" keeps the first model; "always" trains on all that is known after every period and swaps without a contest.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from database.ingest import batch_rows, labeled
from database.records import ChampionKey, digest
from model.bundle import Bundle
from model.export import ParityError
from model.predictor import Predictor
from model.scores import (
    Estimate,
    absolute_errors,
    interval_of_paired,
    score_classes,
    score_probabilities,
    score_values,
)
from preprocessing.encode import encode_rows
from preprocessing.leakage import find_suspects, require_no_leak
from preprocessing.read import read_table
from preprocessing.schema import DomainSchema
from preprocessing.split import clusters, period_order
from preprocessing.validate import rows_of, validate_table
from retraining.contest import complete_rows, contest, drift_since, outcomes_of
from retraining.holdout import hold_out, ordered_frame
from retraining.policies import BadPolicy, Policies, read_policies
from retraining.policy import PromotionDecision
from retraining.trigger import Proposal, Verdict, WindowVerdict, propose, verdict_of
from training.train import NotTrainable, train

SCHEMA_VERSION = 1
PSEUDONYMS = b"a replay keeps no row"
NEVER, ALWAYS, NAIVE = "never", "always", "naive rule"
CLOCK = datetime(2000, 1, 3, tzinfo=UTC)  # periods have an order but no dates; theirs are counted from here
Floats = NDArray[np.float64]


class BadBacktest(ValueError):
    """The history or the policies cannot be replayed; the message says why and what to do."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy in one period. scores: by name, over `n` rows in `clusters` clusters, with 95 % intervals.

    learned_from: the last period that its champion has rows of. verdict: of drift within the period. proposed,
    retrained, promoted: after its end, `reasons` saying why. gain: how much smaller its errors are than those of
    "never" and "always" on the same rows, by strategy and score.
    """

    period: str
    n: int
    clusters: int
    learned_from: str
    scores: dict[str, Estimate]
    gain: dict[str, dict[str, Estimate]] = {}
    verdict: Verdict | None = None
    drift: str = ""
    proposed: bool = False
    retrained: bool = False
    promoted: bool = False
    reasons: tuple[str, ...] = ()


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy through all periods; scores and gain over all of their rows together."""

    name: str
    kind: Literal["naive", "never", "always", "policy"]
    steps: tuple[Step, ...]
    n: int
    clusters: int
    scores: dict[str, Estimate]
    gain: dict[str, dict[str, Estimate]]
    alarms: int
    proposals: int
    retrainings: int
    promotions: int


class Backtest(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a replay. begun_with: the periods that the first model learned from. remarks: what to look at twice.

    main: the score that a promotion is decided by. left_out: columns that are known only later than `moment`.
    """

    schema_version: int = SCHEMA_VERSION
    domain: str
    target: str
    moment: str
    unit: str
    main: str = "MAE"
    seed: int
    rows: int
    begun_with: tuple[str, ...]
    period_days: float
    policies: dict[str, Policies]
    courses: tuple[Course, ...]
    remarks: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


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


@dataclass
class _Strategy:
    """A strategy on its way: its champion, what it has seen, and what it did."""

    name: str
    kind: Literal["never", "always", "policy"]
    policies: Policies
    champion: Bundle
    learned_from: str
    windows: list[WindowVerdict] = field(default_factory=list)
    last: datetime | None = None
    last_period: str = ""
    steps: list[Step] = field(default_factory=list)
    said: list["_Said"] = field(default_factory=list)


@dataclass(frozen=True)
class _Said:
    """Answers in one period: numbers and absolute errors (n,), probabilities (n, levels) where there are any."""

    numbers: Floats
    errors: Floats
    probabilities: Floats | None


@dataclass(frozen=True)
class _Now:
    """One period as it passes. known: all rows with outcomes at its end, oldest first; last: nothing comes after it.

    bundles: what was trained at its end, by the rows it learned from: strategies that agree share a training.
    """

    period: str
    number: int
    rows: pl.DataFrame
    truth: Floats
    clusters: NDArray[np.int64]
    known: pl.DataFrame
    last: bool
    bundles: dict[str, Bundle] = field(default_factory=dict)
    answers: dict[int, _Said] = field(default_factory=dict)


def backtest(replay: Replay, frame: pl.DataFrame, policies: Mapping[str, Policies]) -> Backtest:
    """The courses of the naive rule, of never, of always, and of each of `policies` over a typed labelled frame.

    Raises BadBacktest, and Leaking where a column holds the future, before anything is trained.
    """
    schema, key = replay.schema, replay.key
    require_replayable(replay, policies)
    rows = _ordered(replay, frame)
    periods = sorted(set(rows["_period"].to_list()), key=period_order)
    if len(periods) < replay.first + 2:
        raise BadBacktest(
            f"{len(periods)} periods ({', '.join(periods)}): a replay that begins with {replay.first} needs "
            f"{replay.first + 2} or more, to retrain after one and see what it does in the next"
        )
    suspects = find_suspects(rows, schema.target_by_name[key.target], schema.inputs_at(key.moment))
    require_no_leak(suspects)
    strategies = _begin(replay, rows, periods, policies)
    naive: list[tuple[_Now, _Said]] = []
    for number, period in enumerate(periods[replay.first :]):
        now = _now(replay, rows, periods[: replay.first + number + 1], number, last=period == periods[-1])
        naive.append((_measured(now), _naive(schema, strategies[0].champion, now)))
        _pass(replay, now, strategies, share=number / (len(periods) - replay.first))
    replay.progress("scores", 1.0)
    return _conclude(replay, strategies, naive, policies, periods, tuple(map(str, suspects)), rows)


def read_history(source: Path | bytes, schema: DomainSchema, *, name: str = "") -> pl.DataFrame:
    """The typed labelled rows of a file. Nothing is kept of it, so that its pseudonyms need no secret, and the same
    file gives the same replay everywhere. Raises UnreadableFile, BadData."""
    raw = read_table(source, name=name)
    return validate_table(raw, schema, secret=PSEUDONYMS, with_targets="required").require_clean().frame


def read_strategies(paths: Sequence[Path]) -> dict[str, Policies]:
    """The policies of TOML files by their names without ending. Raises BadPolicy with everything wrong in all."""
    problems, found = [], {}
    for path in paths:
        if path.stem in found:
            problems.append(f"{path}: another policy is called {path.stem!r} too; rename one")
        try:
            found[path.stem] = read_policies(path)
        except BadPolicy as error:
            problems.append(str(error))
    if problems:
        raise BadPolicy("\n".join(problems))
    return found


def require_replayable(replay: Replay, policies: Mapping[str, Policies]) -> None:
    """Raises BadBacktest, with everything that is wrong, before any file is read for long."""
    problems = []
    if replay.schema.period is None:
        problems.append(f"domain {replay.schema.name} has no period column: nothing says what came first")
    if replay.first < 1 or not replay.period_days > 0:
        problems.append("begin with one period or more, each longer than no day")
    for name, policy in policies.items():
        if name in (NEVER, ALWAYS, NAIVE):
            problems.append(f"a policy may not be called {name!r}: rename its file")
        gap = policy.trigger.longest_gap_days
        if policy.trigger.alarms > 1 and gap < replay.period_days:
            problems.append(
                f"policy {name}: periods are {replay.period_days:g} days apart and windows further back than "
                f"longest_gap_days = {gap:g} do not count, so {policy.trigger.alarms} alarms never come together"
            )
    if problems:
        raise BadBacktest("; ".join(problems))


def _ordered(replay: Replay, frame: pl.DataFrame) -> pl.DataFrame:
    """The complete rows as a retraining run orders them, with record ids. Raises BadBacktest where none can be used."""
    schema = replay.schema
    if frame["_period"].null_count():
        raise BadBacktest(f"{frame['_period'].null_count()} rows have no {schema.period}: they belong to no time")
    records = labeled(schema.name, batch_rows(frame, schema, "labeled"))
    rows = complete_rows(ordered_frame(records, schema), schema, replay.key)
    if rows.is_empty():
        raise BadBacktest(f"no row has all that {replay.key} needs: its outcome and every input that is not optional")
    return rows


def _begin(
    replay: Replay, rows: pl.DataFrame, periods: Sequence[str], policies: Mapping[str, Policies]
) -> list[_Strategy]:
    """Every strategy with the same first model, of the first periods alone."""
    begun = periods[: replay.first]
    replay.progress(f"first model, from {', '.join(begun)}", 0.0)
    known = rows.filter(pl.col("_period").is_in(begun)).tail(replay.window)
    try:
        first = _fit(replay, known)
    except (NotTrainable, ParityError) as error:
        raise BadBacktest(f"no model to begin with: {error}. Begin with more periods (--first)") from error
    kinds: list[tuple[str, Literal["never", "always", "policy"], Policies]]
    kinds = [(NEVER, "never", Policies()), (ALWAYS, "always", Policies())]
    kinds += [(name, "policy", policy) for name, policy in policies.items()]
    return [_Strategy(name, kind, policy, first, begun[-1]) for name, kind, policy in kinds]


def _fit(replay: Replay, rows: pl.DataFrame) -> Bundle:
    return train(replay.schema, replay.key, rows, seed=replay.seed, jobs=replay.jobs).bundle


def _now(replay: Replay, rows: pl.DataFrame, past: Sequence[str], number: int, *, last: bool) -> _Now:
    here = rows.filter(pl.col("_period") == past[-1])
    return _Now(
        period=past[-1],
        number=number,
        rows=here,
        truth=outcomes_of(here, replay.schema, replay.key.target),
        clusters=clusters(here, replay.schema),
        known=rows.filter(pl.col("_period").is_in(past)),
        last=last,
    )


def _measured(now: _Now) -> _Now:
    """The period without its rows: what is kept of it until the end."""
    return replace(now, rows=now.rows.clear(), known=now.known.clear(), bundles={}, answers={})


# One period ---------------------------------------------------------------------------------------------------------


def _pass(replay: Replay, now: _Now, strategies: Sequence[_Strategy], *, share: float) -> None:
    """The period for every strategy: answers and drift while it lasts, retraining when it is over."""
    for strategy in strategies:
        replay.progress(f"{now.period}, {strategy.name}", share)
        said = _answer(replay.schema, strategy.champion, now)
        strategy.said.append(said)
        step = Step(
            period=now.period,
            n=now.rows.height,
            clusters=len(np.unique(now.clusters)),
            learned_from=strategy.learned_from,
            scores=_scores(replay, now.truth, said, now.clusters),
        )
        if strategy.kind == "always":
            step = _always(replay, now, strategy, step)
        elif strategy.kind == "policy":
            step = _by_policy(replay, now, strategy, step)
        strategy.steps.append(step)


def _answer(schema: DomainSchema, champion: Bundle, now: _Now) -> _Said:
    """What a champion answers to the period's rows; their outcomes only measure it."""
    if id(champion) not in now.answers:
        predictor = Predictor(champion, "")
        rows = [row.inputs for row in rows_of(now.rows, schema)]
        outputs = predictor.outputs(encode_rows(champion.manifest.encoding, rows))
        value = champion.manifest.target.kind == "value"
        numbers = outputs[:, 0] if value else outputs.argmax(axis=1).astype(np.float64)
        now.answers[id(champion)] = _Said(numbers, absolute_errors(now.truth, numbers), None if value else outputs)
    return now.answers[id(champion)]


def _naive(schema: DomainSchema, first: Bundle, now: _Now) -> _Said:
    numbers = Predictor(first, "").naive_numbers([row.inputs for row in rows_of(now.rows, schema)])
    return _Said(numbers, absolute_errors(now.truth, numbers), None)


def _always(replay: Replay, now: _Now, strategy: _Strategy, step: Step) -> Step:
    if now.last:
        return step
    try:
        bundle = _trained(replay, now, now.known.tail(replay.window))
    except (NotTrainable, ParityError) as error:
        return msgspec.structs.replace(step, proposed=True, retrained=True, reasons=(str(error),))
    strategy.champion, strategy.learned_from = bundle, now.period
    return msgspec.structs.replace(step, proposed=True, retrained=True, promoted=True)


def _trained(replay: Replay, now: _Now, rows: pl.DataFrame) -> Bundle:
    name = digest(sorted(rows["_record"]))
    if name not in now.bundles:
        now.bundles[name] = _fit(replay, rows)
    return now.bundles[name]


def _by_policy(replay: Replay, now: _Now, strategy: _Strategy, step: Step) -> Step:
    """Drift of the period's rows without outcomes, the proposal, and the retraining that follows from it."""
    policies, at = strategy.policies, CLOCK + timedelta(days=replay.period_days * now.number)
    arrived = now.rows.drop([name for name in replay.schema.target_by_name if name in now.rows.columns])
    report = drift_since(replay.schema, strategy.champion, arrived, policies.drift)
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
    strategy.last, strategy.last_period = at, now.period
    return _retrain(replay, now, strategy, step, proposal)


def _proposed(strategy: _Strategy) -> Proposal:
    """As in earnest, but for the date of the last proposal, which nobody knows: its period is named instead."""
    proposal = propose(strategy.windows, strategy.policies.trigger, last=strategy.last)
    if strategy.last is None:
        return proposal
    reason = proposal.reason.replace(f"on {strategy.last:%Y-%m-%d}", f"after {strategy.last_period}")
    return msgspec.structs.replace(proposal, reason=reason)


def _retrain(replay: Replay, now: _Now, strategy: _Strategy, step: Step, proposal: Proposal) -> Step:
    if now.last:
        return msgspec.structs.replace(step, reasons=(proposal.reason, "not carried out: no period comes after it"))
    policies, champion = strategy.policies, strategy.champion
    window = policies.training.window or replay.window
    holdout = hold_out(now.known.tail(window), replay.schema, champion.rows, share=policies.promotion.holdout_share)
    held = contest(
        replay.schema,
        replay.key,
        champion,
        holdout,
        policies.promotion,
        lambda rows: _trained(replay, now, rows),
    )
    promoted = held.decision.verdict == "promote" and held.challenger is not None
    if promoted and held.challenger is not None:
        strategy.champion, strategy.learned_from = held.challenger, now.period
    reasons = (proposal.reason, *held.decision.reasons, *_evidence(held.decision))
    return msgspec.structs.replace(step, retrained=True, promoted=promoted, reasons=reasons)


def _evidence(decision: PromotionDecision) -> tuple[str, ...]:
    if decision.gain is None:
        return ()
    return (
        f"on {decision.n:,} held-out rows in {decision.clusters} clusters: champion {decision.champion_mae}, "
        f"challenger {decision.challenger_mae}, naive rule {decision.naive_mae}",
    )


# Scores -------------------------------------------------------------------------------------------------------------


def _scores(replay: Replay, truth: Floats, said: _Said, groups: NDArray[np.int64]) -> dict[str, Estimate]:
    """The product's own scores by name, MAE first."""
    target = replay.schema.target_by_name[replay.key.target]
    if target.kind == "value":
        values = score_values(truth, said.numbers, groups)
        return {"MAE": values.mae, "RMSE": values.rmse, "R²": values.r2}
    numbers = truth.astype(np.int64)
    classes = score_classes(numbers, said.numbers.astype(np.int64), said.probabilities, target.levels, groups)
    found = {"MAE": classes.mae, "accuracy": classes.accuracy}
    if said.probabilities is None:
        return found
    cut = int(target.cut_points[0]) if target.cut_points else 1
    told = score_probabilities(numbers, said.probabilities, groups, cut=cut)
    return found | {"log loss": told.log_loss, "Brier": told.brier} | ({"AUC": told.auc} if told.auc else {})


def _gain(truth: Floats, base: _Said, said: _Said, groups: NDArray[np.int64]) -> dict[str, Estimate]:
    """How much smaller the errors of `said` are than those of `base` on the same rows; above 0 is better."""
    found = {"MAE": interval_of_paired(base.errors, said.errors, groups)}
    if base.probabilities is not None and said.probabilities is not None:
        happened = np.eye(base.probabilities.shape[1])[truth.astype(np.int64)]
        first, second = (((one - happened) ** 2).mean(axis=1) for one in (base.probabilities, said.probabilities))
        found["Brier"] = interval_of_paired(first, second, groups)
    return found


@dataclass(frozen=True)
class _All:
    """The rows of all periods together; clusters of different periods are different clusters."""

    truth: Floats
    clusters: NDArray[np.int64]


def _together(nows: Sequence[_Now]) -> _All:
    offset, groups = 0, []
    for now in nows:
        groups.append(now.clusters + offset)
        offset += int(now.clusters.max()) + 1
    return _All(np.concatenate([now.truth for now in nows]), np.concatenate(groups))


def _joined(said: Sequence[_Said]) -> _Said:
    shares = [one.probabilities for one in said if one.probabilities is not None]
    return _Said(
        np.concatenate([one.numbers for one in said]),
        np.concatenate([one.errors for one in said]),
        np.concatenate(shares) if shares else None,
    )


def _conclude(
    replay: Replay,
    strategies: Sequence[_Strategy],
    naive: Sequence[tuple[_Now, _Said]],
    policies: Mapping[str, Policies],
    periods: Sequence[str],
    remarks: tuple[str, ...],
    rows: pl.DataFrame,
) -> Backtest:
    nows = [now for now, _ in naive]
    bases = {one.name: one.said for one in strategies if one.kind != "policy"}
    simple = _course(replay, nows, NAIVE, "naive", _naive_steps(replay, naive), [said for _, said in naive], bases)
    courses = [_course(replay, nows, one.name, one.kind, one.steps, one.said, bases) for one in strategies]
    target = replay.schema.target_by_name[replay.key.target]
    known = {feature.name for feature in replay.schema.features_at(replay.key.moment)}
    return Backtest(
        domain=replay.schema.name,
        target=replay.key.target,
        moment=replay.key.moment,
        unit=target.unit or ("levels" if target.levels else ""),
        seed=replay.seed,
        rows=rows.height,
        begun_with=tuple(periods[: replay.first]),
        period_days=replay.period_days,
        policies=dict(policies),
        courses=(simple, *courses),
        remarks=remarks,
        left_out=tuple(f.name for f in replay.schema.features if f.name in rows.columns and f.name not in known),
    )


def _naive_steps(replay: Replay, naive: Sequence[tuple[_Now, _Said]]) -> list[Step]:
    return [
        Step(
            period=now.period,
            n=len(now.truth),
            clusters=len(np.unique(now.clusters)),
            learned_from="",
            scores=_scores(replay, now.truth, said, now.clusters),
        )
        for now, said in naive
    ]


def _course(
    replay: Replay,
    nows: Sequence[_Now],
    name: str,
    kind: Any,
    steps: Sequence[Step],
    said: Sequence[_Said],
    bases: Mapping[str, Sequence[_Said]],
) -> Course:
    """The course with its gains against never and always, period by period and over all rows."""
    compared = {base: answers for base, answers in bases.items() if base != name}
    stepped = [
        msgspec.structs.replace(
            step,
            gain={base: _gain(now.truth, answers[i], said[i], now.clusters) for base, answers in compared.items()},
        )
        for i, (step, now) in enumerate(zip(steps, nows, strict=True))
    ]
    whole, answered = _together(nows), _joined(said)
    return Course(
        name=name,
        kind=kind,
        steps=tuple(stepped),
        n=len(whole.truth),
        clusters=len(np.unique(whole.clusters)),
        scores=_scores(replay, whole.truth, answered, whole.clusters),
        gain={base: _gain(whole.truth, _joined(a), answered, whole.clusters) for base, a in compared.items()},
        alarms=sum(step.verdict == "alarm" for step in steps),
        proposals=sum(step.proposed for step in steps),
        retrainings=sum(step.retrained for step in steps),
        promotions=sum(step.promoted for step in steps),
    )
