"""What retraining policies would have done to past data, period by period, beside never and always retraining.

It sets the strategies up, leads them through the past and compares them; it writes nothing into any store. What a
strategy does in a period is `retraining.backtest.replay`'s, drawing the answer `retraining.backtest.render`'s.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import polars as pl

from cluster import map_on
from database.ingest import batch_rows, labeled
from errors import GradewatchError
from model.export import ParityError
from preprocessing.copies import once
from preprocessing.periods import sorted_periods
from preprocessing.reading.files import read_table
from preprocessing.schema import DomainSchema
from preprocessing.split import season_of
from preprocessing.validation.leakage import find_suspects, require_no_leak
from preprocessing.validation.results import Validated
from preprocessing.validation.validate import validate_table
from retraining.backtest.replay import SEASON, Period, Replay, Strategy, answer_naively, fit, live_through, make_period
from retraining.backtest.trajectory import Answers, Trajectory, Truth, make_course, make_step
from retraining.evaluation import complete_rows
from retraining.holdout import ordered_frame
from retraining.policies import BadPolicy, Policies, read_policies
from training.train import NotTrainable

BACKTEST_VERSION = 3  # since 2: challengers tried in shadow; since 3: `trajectories`, which were `courses`
PSEUDONYMS = b"a replay keeps no row"
NEVER, ALWAYS, PLAIN_RULE = "never", "always", "plain rule"


class BadBacktest(GradewatchError):
    """The history or the policies cannot be replayed; the message says why and what to do."""


class Backtest(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a replay. begun_with: the periods that the first model learned from. remarks: what to look at twice.

    main: the score that a promotion is decided by. left_out: columns that are known only later than `moment`.
    """

    schema_version: int = BACKTEST_VERSION
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
    trajectories: tuple[Trajectory, ...]
    remarks: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def backtest(
    replay: Replay, frame: pl.DataFrame, policies: Mapping[str, Policies], *, cluster: str | None = None
) -> Backtest:
    """The trajectories of the plain rule, of never, of always, and of each of `policies` over a typed labelled frame.

    cluster: the address of a Dask scheduler, each of whose workers then replays a strategy by itself. Raises
    BadBacktest, and Leaking where a column holds the future, before anything is trained; what `cluster.map_on` raises.
    """
    require_replayable(replay, policies)
    complete = _ordered(replay, frame)
    contents = replay.schema.contents_of(replay.key.target, replay.key.moment)
    rows = complete.filter(pl.Series(once(complete, *contents)))
    periods = _periods(replay, rows)
    suspects = find_suspects(
        rows, replay.schema.target_by_name[replay.key.target], replay.schema.inputs_at(replay.key.moment)
    )
    require_no_leak(suspects)
    trajectories = _trajectories(replay, rows, periods, policies, cluster)
    known = {feature.name for feature in replay.schema.features_at(replay.key.moment)}
    target = replay.schema.target_by_name[replay.key.target]
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
        trajectories=trajectories,
        remarks=(*map(str, suspects), *_copies_said(complete.height - rows.height)),
        left_out=tuple(f.name for f in replay.schema.features if f.name in rows.columns and f.name not in known),
    )


# What is replayed ---------------------------------------------------------------------------------------------------


def read_history(
    source: Path | bytes, schema: DomainSchema, *, name: str = "", sheet: str = "", skip_bad_rows: bool = False
) -> Validated:
    """The labelled rows of a file. Nothing is kept of it, so that its pseudonyms need no secret, and the same file
    gives the same replay everywhere. Raises UnreadableFile, BadData."""
    raw = read_table(source, name=name, sheet=sheet)
    return validate_table(raw, schema, secret=PSEUDONYMS, with_targets="required").require_good(skip=skip_bad_rows)


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
        if name in (NEVER, ALWAYS, PLAIN_RULE):
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
    ordered = ordered_frame(records, schema).with_columns(season_of(schema).alias(SEASON))
    rows = complete_rows(ordered, schema, replay.key)
    if rows.is_empty():
        raise BadBacktest(f"no row has all that {replay.key} needs: its outcome and every input that is not optional")
    return rows


def _copies_said(copied: int) -> tuple[str, ...]:
    return (f"{copied:,} rows are copies of other rows, which count once: they are not replayed",) if copied else ()


def _periods(replay: Replay, rows: pl.DataFrame) -> list[str]:
    """The periods of the rows, or the school years where outcomes reach over weeks, oldest first. Raises BadBacktest
    for too few."""
    periods = sorted_periods(rows[SEASON].to_list(), replay.schema.period_order)
    if len(periods) < replay.first + 2:
        raise BadBacktest(
            f"{len(periods)} periods ({', '.join(periods)}): a replay that begins with {replay.first} needs "
            f"{replay.first + 2} or more, to retrain after one and see what it does in the next"
        )
    return periods


# The replay ---------------------------------------------------------------------------------------------------------


class _History(NamedTuple):
    """What every strategy lives through: the rows of all `periods`, of which the first model knows those before
    `names`."""

    replay: Replay
    rows: pl.DataFrame
    periods: Sequence[str]

    @property
    def names(self) -> Sequence[str]:
        return self.periods[self.replay.first :]

    def period(self, number: int) -> Period:
        """The `number`th period after the first model's."""
        past = self.periods[: self.replay.first + number + 1]
        return make_period(self.replay, self.rows, past, last=len(past) == len(self.periods))


def _trajectories(
    replay: Replay,
    rows: pl.DataFrame,
    periods: Sequence[str],
    policies: Mapping[str, Policies],
    cluster: str | None,
) -> tuple[Trajectory, ...]:
    """All strategies led through all periods, and compared: here side by side, or each on a worker of a cluster."""
    strategies, history = _begin(replay, rows, periods[: replay.first], policies), _History(replay, rows, periods)
    if cluster is None:
        _live(history, strategies)
    else:
        silent = history._replace(replay=dataclasses.replace(replay, progress=_silent))
        lived = map_on(cluster, _live_alone, strategies, silent)
        strategies = [_told(replay, number, len(strategies), one) for number, one in enumerate(lived, start=1)]
    replay.progress("scores", 1.0)
    return _compared(history, strategies)


def _live(history: _History, strategies: Sequence[Strategy]) -> None:
    """Every strategy through every period; those that agree share a training."""
    for number, name in enumerate(history.names):
        period = history.period(number)
        for place, strategy in enumerate(strategies):
            share = (number + place / len(strategies)) / len(history.names)
            history.replay.progress(f"{name}, {strategy.name}", share)
            live_through(history.replay, period, strategy)


def _live_alone(history: _History, strategy: Strategy) -> Strategy:
    """On a worker: one strategy through every period."""
    _live(history, [strategy])
    return strategy


def _silent(_step: str, _share: float) -> None:
    """Nobody hears a worker's progress."""


def _told(replay: Replay, done: int, count: int, strategy: Strategy) -> Strategy:
    replay.progress(strategy.name, done / count)
    return strategy


def _compared(history: _History, strategies: Sequence[Strategy]) -> tuple[Trajectory, ...]:
    """The trajectory of the plain rule and of every strategy, on the same rows."""
    target, first = history.replay.schema.target_by_name[history.replay.key.target], strategies[0].first
    truths, naive = list[Truth](), list[Answers]()
    for number in range(len(history.names)):
        period = history.period(number)
        truths.append(period.truth)
        naive.append(answer_naively(first, period))
    bases = {one.name: one.answers for one in strategies if one.kind != "policy"}
    simple = [make_step(target, *each) for each in zip(history.names, truths, naive, strict=True)]
    return (
        make_course(target, PLAIN_RULE, "naive", simple, truths, naive, bases),
        *(make_course(target, one.name, one.kind, one.steps, truths, one.answers, bases) for one in strategies),
    )


def _begin(
    replay: Replay, rows: pl.DataFrame, begun: Sequence[str], policies: Mapping[str, Policies]
) -> list[Strategy]:
    """Every strategy with the same first model, of the first periods alone."""
    replay.progress(f"first model, from {', '.join(begun)}", 0.0)
    known = rows.filter(pl.col(SEASON).is_in(begun)).tail(replay.window)
    try:
        first = fit(replay, known)
    except (NotTrainable, ParityError) as error:
        raise BadBacktest(f"no model to begin with: {error}. Begin with more periods (--first)") from error
    return [
        Strategy(NEVER, "never", Policies(), first, first, begun[-1]),
        Strategy(ALWAYS, "always", Policies(), first, first, begun[-1]),
        *(Strategy(name, "policy", policy, first, first, begun[-1]) for name, policy in policies.items()),
    ]
