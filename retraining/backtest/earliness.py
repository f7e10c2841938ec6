"""From when on answers can be trusted: the last period, moment by moment or week by week, answered by models that
learned from the periods before, beside the plain rule.

A row is answered by what was known at its moment or week, by a model whose outcomes were all known before its period
began. It stores nothing.
"""

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from database.ingest import batch_rows, labeled
from database.records import ChampionKey, LabeledRecord
from model.answer_frame import naive_numbers_of
from model.bundle import Bundle
from model.export import ParityError
from model.predictor import Predictor
from model.scores import absolute_errors, interval_of_paired, mean_with_interval
from monitoring.earliness import SHARE_PUT_FIRST, Earliness, EarlyStage, Lead
from monitoring.tails import binomial_interval
from preprocessing.periods import sorted_periods
from preprocessing.schema import Target
from preprocessing.split import clusters, season_of
from retraining.backtest.replay import SEASON, Replay, fit
from retraining.backtest.run import BadBacktest
from retraining.evaluation import complete_rows, outcomes_of
from retraining.holdout import ordered_frame
from training.train import NotTrainable

FEWEST_JUDGED = 10  # rows of a week that are told of

Floats = NDArray[np.float64]
Places = NDArray[np.intp]


class _Answered(msgspec.Struct, frozen=True):
    """(n,) what happened about rows, and what was said of them."""

    truth: Floats
    said: Floats
    naive: Floats
    below: Floats | None

    def first(self, n: int, *, naive: bool) -> Places:
        """So many rows that are put first: by chance, else by answer; the rule by its answer."""
        if naive or self.below is None:
            return np.argsort(self.naive if naive else self.said, kind="stable")[:n]
        return np.lexsort((self.said, -self.below))[:n]


def earliness(replay: Replay, frame: pl.DataFrame) -> Earliness:
    """Of a typed labelled frame of two periods or more. Raises BadBacktest, and NotTrainable where no moment has a
    model."""
    return earliness_of(replay, labeled(replay.schema.name, batch_rows(frame, replay.schema, "labeled")))


def earliness_of(replay: Replay, records: Sequence[LabeledRecord]) -> Earliness:
    """The same of records as they are stored."""
    schema, target = replay.schema, replay.schema.target_by_name[replay.key.target]
    if schema.period is None or any(one.period is None for one in records):
        raise BadBacktest(f"domain {schema.name}: a period of every row says what came first")
    rows = ordered_frame(records, schema).with_columns(season_of(schema).alias(SEASON))
    periods = sorted_periods(rows[SEASON].to_list(), schema.period_order)
    if len(periods) < 2:
        raise BadBacktest(f"one period ({', '.join(periods)}): earliness needs one to learn from and one to judge on")
    weekly = bool(schema.reaches)
    moments = [replay.key.moment] if weekly else list(schema.moments)
    stages, left_out, leads = list[EarlyStage](), list[str](), list[tuple[str, pl.DataFrame, _Answered]]()
    for number, moment in enumerate(moments):
        replay.progress(moment, number / len(moments))
        key = ChampionKey(schema.name, target.name, moment)
        known = complete_rows(rows, schema, key)
        before, judged = (known.filter(pl.col(SEASON) != periods[-1]), known.filter(pl.col(SEASON) == periods[-1]))
        try:
            bundle = fit(replace(replay, key=key), before.tail(replay.window))
        except (NotTrainable, ParityError) as error:
            left_out.append(f"{moment}: {error}")
            continue
        weeks = sorted(judged["_period"].unique().to_list()) if weekly else [moment]
        for stage in weeks:
            part = judged.filter(pl.col("_period") == stage) if weekly else judged
            if part.height >= FEWEST_JUDGED:
                answered = _answer(bundle, part, replay, target)
                leads.append((stage, part, answered))
                stages.append(_stage(stage, answered, clusters(part, schema), target))
    if not stages:
        raise NotTrainable("; ".join(left_out) or f"{periods[-1]} has no row that a model could answer")
    return Earliness(
        domain=schema.name,
        target=target.name,
        unit=target.unit or ("levels" if target.levels else ""),
        learned_from=tuple(periods[:-1]),
        judged=periods[-1],
        stages=tuple(stages),
        trusted_from=_trusted_from(stages),
        lead=_lead(leads, target, naive=False) if weekly else None,
        naive_lead=_lead(leads, target, naive=True) if weekly else None,
        left_out=tuple(left_out),
        event=target.is_event,
    )


def _answer(bundle: Bundle, rows: pl.DataFrame, replay: Replay, target: Target) -> _Answered:
    model = Predictor(bundle, "early")
    outputs = model.outputs_of_frame(rows)
    truth, naive = outcomes_of(rows, replay.schema, target.name), naive_numbers_of(bundle.manifest, rows)
    return _Answered(truth, model.as_numbers(outputs), naive, model.chances_of(outputs))


def _capacity(n: int) -> int:
    return max(1, round(SHARE_PUT_FIRST * n))


def _stage(name: str, one: _Answered, groups: NDArray[np.int64], target: Target) -> EarlyStage:
    errors, naive = (absolute_errors(one.truth, said) for said in (one.said, one.naive))
    found = EarlyStage(
        stage=name,
        n=len(one.truth),
        clusters=len(np.unique(groups)),
        mae=mean_with_interval(errors, groups),
        naive_mae=mean_with_interval(naive, groups),
        gain=interval_of_paired(naive, errors, groups),
    )
    if target.pass_mark is None:
        return found
    failed = one.truth < target.pass_mark
    shares = []
    for naive_first in (False, True):
        hits, n = int(failed[one.first(_capacity(len(failed)), naive=naive_first)].sum()), _capacity(len(failed))
        shares.append((hits / n, *binomial_interval(hits, n)))
    gap = None if one.below is None else float((one.below - failed).mean())
    return msgspec.structs.replace(
        found, base=float(failed.mean()), precision=shares[0], naive_precision=shares[1], gap=gap
    )


def _trusted_from(stages: Sequence[EarlyStage]) -> str | None:
    found = None
    for one in reversed(stages):
        if not one.gain.low > 0:
            break
        found = one.stage
    return found


def _lead(weeks: Sequence[tuple[str, pl.DataFrame, _Answered]], target: Target, *, naive: bool) -> Lead | None:
    """Weeks are counted by their order among those that were answered."""
    if target.pass_mark is None:
        return None
    first, last = dict[str, int](), dict[str, int]()
    for number, (_week, rows, one) in enumerate(weeks):
        students = rows["_student"].to_list()
        for place in np.flatnonzero(one.truth < target.pass_mark).tolist():
            last[students[place]] = number
        for place in one.first(_capacity(rows.height), naive=naive).tolist():
            first.setdefault(students[place], number)
    leads = [end - first[who] for who, end in last.items() if who in first and first[who] <= end]
    return Lead(failed=len(last), found=len(leads), weeks=median(leads) if leads else None)
