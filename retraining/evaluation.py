"""One champion against one challenger on the same held-out rows: what a retraining run and a replay of history share.

It trains and judges; it knows no store, promotes nobody and writes nothing down.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from database.records import ChampionKey
from drift.compare import Findings, compare
from drift.policy import DriftPolicy
from drift.profile import Profile
from drift.records import DriftReport, NotComparable, SameSample
from drift.samples import effective_shares_of
from model.answer_frame import naive_numbers_of
from model.bundle import Bundle
from model.decision import AnswerShift, Condition, PromotionDecision, compared
from model.export import ParityError
from model.predictor import Predictor
from monitoring.drift_monitor import profile_for
from monitoring.row_findings import changed_of, effective_shares_of_model, origin_of, reference_of, with_answers
from monitoring.warned_rows import AnswerRows, warned_rows
from monitoring.warning_policy import USUAL_WARNINGS, WarningPolicy
from preprocessing.schema import DomainSchema, Target
from retraining.holdout import COPIES, Holdout, among, hold_out
from retraining.policy import PromotionEvidence, PromotionPolicy, Side, decide, refusal, with_the_unasked
from training.train import NotTrainable

NOT_MADE = Condition(name="made", met=False)
SHIFT_BINS = 20  # of a value's answers, from the lowest to the highest of both


Floats = NDArray[np.float64]


class Fit(Protocol):
    """Trains a challenger on the rows that teach, or makes their plain rule a model. Raises NotTrainable,
    ParityError."""

    def __call__(self, teaching: pl.DataFrame, *, plain_rule: bool = False) -> Bundle: ...


@dataclass(frozen=True)
class Contest:
    """What was decided, and the challenger that it was decided about, or the plain rule where that won; None where
    there was none to judge.

    decision: with the unseen rows that could not judge, by reason.
    """

    decision: PromotionDecision
    challenger: Bundle | None = None


def contest(
    schema: DomainSchema,
    key: ChampionKey,
    champion: Bundle,
    holdout: Holdout,
    policy: PromotionPolicy,
    fit: Fit,
    *,
    warnings: WarningPolicy = USUAL_WARNINGS,
) -> Contest:
    """A challenger trained by `fit` on the teaching rows, judged with the champion on the others. warnings: the policy
    by which help is missed or not."""
    if holdout.judging.is_empty():
        why = _nothing_to_judge(holdout, schema)
        asked = with_the_unasked([compared("rows", 0, policy.min_rows)])
        return Contest(refusal(why, verdict="keep", left_out=holdout.left_out, conditions=asked))
    try:
        challenger = fit(holdout.teaching)
    except (NotTrainable, ParityError) as error:
        why = f"no challenger: {error}"
        return Contest(refusal(why, left_out=holdout.left_out, conditions=with_the_unasked([NOT_MADE])))
    decision = judge(schema, key, champion, challenger, holdout, policy, warnings=warnings)
    if decision.winner == "challenger":
        return Contest(decision, challenger)
    try:
        return Contest(decision, fit(holdout.teaching, plain_rule=True))
    except (NotTrainable, ParityError) as error:
        said = (*decision.reasons, f"it was not made a model: {error}")
        asked = (NOT_MADE, *decision.conditions)
        return Contest(msgspec.structs.replace(decision, verdict="keep", reasons=said, conditions=asked), challenger)


def judge(
    schema: DomainSchema,
    key: ChampionKey,
    champion: Bundle,
    challenger: Bundle,
    holdout: Holdout,
    policy: PromotionPolicy,
    *,
    warnings: WarningPolicy = USUAL_WARNINGS,
) -> PromotionDecision:
    """The decision of `retraining.policy` on the errors of both on the judging rows, in the target's unit."""
    target = schema.target_by_name[key.target]
    min_gain = target.min_gain if policy.min_gain is None else policy.min_gain
    evidence = collect_evidence(schema, champion, challenger, holdout, warnings)
    decision = decide(evidence, policy, min_gain=min_gain, unit=target.unit or ("levels" if target.levels else ""))
    said = evidence.naive if decision.winner == "plain rule" else evidence.challenger
    shift = shift_of(evidence.champion, said, target) if decision.gain else None
    return msgspec.structs.replace(decision, left_out=holdout.left_out, shift=shift)


def shift_of(old: Floats, new: Floats, target: Target) -> AnswerShift:
    """How (n,) answers, in target units or level numbers, would change; rows are counted, none is told."""
    low, high = (
        (0.0, float(len(target.levels))) if target.levels else (min(old.min(), new.min()), max(old.max(), new.max()))
    )
    step = 1.0 if target.levels else (float(high - low) / SHIFT_BINS or 1.0)
    bins = np.stack([np.minimum((said - low) // step, (high - low) // step).astype(int) for said in (old, new)])
    cells, counts = np.unique(bins, axis=1, return_counts=True)
    apart, mark = np.abs(new - old), target.pass_mark
    return AnswerShift(
        low=float(low),
        step=step,
        cells=tuple((int(a), int(b), int(n)) for (a, b), n in zip(cells.T, counts, strict=True)),
        mean=float(apart.mean()),
        largest=float(apart.max()),
        mark=mark,
        rising=None if mark is None else int(((old < mark) & (new >= mark)).sum()),
        falling=None if mark is None else int(((old >= mark) & (new < mark)).sum()),
    )


def judge_shadow(  # noqa: PLR0913 - what a trial is judged on
    schema: DomainSchema,
    key: ChampionKey,
    champion: Bundle,
    challenger: Bundle,
    frame: pl.DataFrame,
    fresh: Collection[str],
    policy: PromotionPolicy,
    *,
    arrived: Mapping[str, int] | None = None,
    warnings: WarningPolicy = USUAL_WARNINGS,
) -> PromotionDecision | None:
    """What a shadow trial came to, on those rows of an ordered typed `frame` whose ids are `fresh`, from after its
    beginning; None while there are fewer than the policy's `trial_rows`, or all are of one cluster. arrived: when each
    record came, where that is known."""
    seen = champion.rows | challenger.rows
    holdout = among(hold_out(frame, schema, key, seen, share=1.0, arrived=arrived), fresh)
    if holdout.count < max(1, policy.trial_rows) or len(np.unique(holdout.clusters)) < 2:
        return None
    return judge(schema, key, champion, challenger, holdout, policy, warnings=warnings)


def complete_rows(frame: pl.DataFrame, schema: DomainSchema, key: ChampionKey) -> pl.DataFrame:
    """The rows that a model of `key` can be trained and judged on."""
    needed = [key.target] + [f.name for f in schema.inputs_at(key.moment) if not f.optional]
    if any(name not in frame.columns for name in needed):
        return frame.clear()
    return frame.drop_nulls(needed)


def drift_since(
    schema: DomainSchema, champion: Bundle, rows: pl.DataFrame, policy: DriftPolicy | None, *, version: str = ""
) -> DriftReport | None:
    """Typed rows against what the champion was trained on; None where there is nothing to compare, or nothing new."""
    if rows.is_empty():
        return None
    predictor, manifest = Predictor(champion, version), champion.manifest
    answered = with_answers(predictor, schema, rows)
    current = profile_for(predictor, schema, answered)
    effective = effective_shares_of_model(manifest), effective_shares_of(answered, current.columns)
    try:
        changed = changed_of(manifest, schema)
        findings = Findings(
            importance=manifest.importance,
            effective=effective,
            not_compared=changed,
            origin=origin_of(predictor),
        )
        reference = reference_of(manifest, Profile.from_bytes(champion.profile), schema)
        return compare(reference, current, schema, policy, rows=findings)
    except (SameSample, NotComparable):  # nothing new, or nothing in common: labels decide all the same
        return None


def _nothing_to_judge(holdout: Holdout, schema: DomainSchema) -> str:
    """Why no row can judge, and what would let the next ones: there is no new row, or the champion knows them all."""
    repeated = holdout.left_out.get(COPIES, 0)
    if holdout.unseen.is_empty():
        beside = f" ({repeated} new rows are {COPIES})" if repeated else ""
        return f"not enough data: no labelled rows that the champion has not seen{beside}"
    rows, kind = holdout.unseen, holdout.kind
    what = " and ".join(schema.group) if kind == "group" else "student"
    found = f"not enough data: all {rows.height} new labelled rows belong to a {what} that the champion was trained on"
    return f"{found}; {_remedy(rows, schema, kind)}"


def _remedy(rows: pl.DataFrame, schema: DomainSchema, kind: str) -> str:
    if schema.period is None:
        return f"give the domain a period column: rows of a later period judge, whatever the {kind} is called"
    if undated := rows["_period"].null_count():
        aside = ", or with students whom no model knows, uploaded after the rows that it learned from"
        return f"{undated} of them name no {schema.period}: with it, rows of a later {schema.period} judge" + (
            aside if kind == "group" else ""
        )
    return f"only rows of a later {schema.period} than all that it learned from judge, or of another {kind}"


def collect_evidence(
    schema: DomainSchema,
    champion: Bundle,
    challenger: Bundle,
    holdout: Holdout,
    warnings: WarningPolicy = USUAL_WARNINGS,
) -> PromotionEvidence:
    """Both models and the plain rule on the very same held-out rows, and whom each gives the policy cause to warn of.
    Slices: protected columns, groups, and of a class
    what it turned out to be: no grade may be told credibly worse than before."""
    rows = holdout.judging
    outcomes = outcomes_of(rows, schema, challenger.manifest.target.name)
    old, new = Predictor(champion, "champion"), Predictor(challenger, "challenger")
    parted = [f.name for f in schema.features if f.protected and f.name in rows.columns]
    parted += ["_group"] if schema.group else []
    slices = {name: rows[name].fill_null("(missing)").to_numpy().astype(str) for name in parted}
    target = challenger.manifest.target
    if target.kind == "ordered_class":
        slices[target.name] = rows[target.name].to_numpy().astype(str)
    both: dict[Side, Predictor] = {"champion": old, "challenger": new}
    outputs = {side: one.outputs_of_frame(rows) for side, one in both.items()}
    said = {side: one.as_numbers(outputs[side]) for side, one in both.items()}
    said["naive"] = naive_numbers_of(new.manifest, rows)
    below = {side: one.chances_of(outputs[side]) for side, one in both.items()}
    return PromotionEvidence(
        outcomes=outcomes,
        champion=said["champion"],
        challenger=said["challenger"],
        naive=said["naive"],
        causes=_causes(warnings, target.pass_mark, rows, said, below),
        clusters=holdout.clusters,
        slices=slices,
        megabytes=challenger.megabytes,
        units=holdout.units,
        pass_mark=target.pass_mark,
        event=target.is_event,
    )


def _causes(
    warnings: WarningPolicy,
    mark: float | None,
    rows: pl.DataFrame,
    said: Mapping[Side, Floats],
    below: Mapping[Side, Floats | None],
) -> dict[Side, NDArray[np.bool_]]:
    """Of each side, (n,) rows that give the policy cause to warn."""
    if mark is None:
        return {}
    named = [name for name in ("_group", "_period") if name in rows.columns]
    place = rows.select(pl.struct(named).rank("dense")).to_series().to_numpy() if named else np.zeros(rows.height)
    nobody, each = np.zeros(rows.height, dtype=bool), np.arange(rows.height)
    found: dict[Side, NDArray[np.bool_]] = {}
    for side, numbers in said.items():
        chances = below.get(side)
        told = np.full(rows.height, np.nan) if chances is None else chances
        found[side] = warned_rows(warnings, mark, AnswerRows(numbers, told, nobody, place.astype(np.int64), each))
    return found


def outcomes_of(frame: pl.DataFrame, schema: DomainSchema, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """(n,) outcomes of a target as numbers: values in its unit, or level numbers."""
    target, truth = schema.target_by_name[name], frame[name]
    if target.kind == "ordered_class":
        truth = truth.replace_strict({level: float(i) for i, level in enumerate(target.levels)})
    return np.asarray(truth.to_numpy(), dtype=np.float64)
