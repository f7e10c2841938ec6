"""Whether leaving a column out would change whom we help: two models, with it and without, on the same held-out rows.

Both learn here and are thrown away; nothing is stored and nobody is promoted.
"""

import msgspec
import numpy as np
from msgspec.structs import replace

from advice.helped import unhelped
from database.records import ChampionKey
from errors import Category, GradewatchError
from model.bundle import Bundle
from model.decision import AnswerShift, SliceGain
from model.scores import Estimate, PairedGain, absolute_errors, mean_with_interval
from monitoring.warning_policy import policy_in_use
from preprocessing.schema import DomainSchema
from retraining.evaluation import collect_evidence, complete_rows, shift_of
from retraining.holdout import Holdout, arrivals, hold_out, ordered_frame
from retraining.policy import PromotionEvidence, Side, slice_gains
from retraining.run import Run
from training.train import NotTrainable, train_task


class NothingToLeaveOut(GradewatchError):
    """The column is no input of the model, or there are no rows to find out on."""

    category = Category.INVALID


class WithoutColumn(msgspec.Struct, frozen=True, kw_only=True):
    """What a model without a column does otherwise, on n rows that neither of both has seen.

    mae, mae_without: of both, in `unit`. gain: how much smaller the error is without, shift: how far answers move and
    over the pass mark. failed: outcomes below it; found, found_without: of these, how many are
    warned of. slices: of students of whom there are enough; positive is in favour of the model without.
    event: whether "failed" is said of whoever an event came to.
    """

    key: str
    column: str
    n: int
    unit: str
    mae: Estimate
    mae_without: Estimate
    gain: PairedGain
    shift: AnswerShift
    failed: int | None
    found: int | None
    found_without: int | None
    slices: tuple[SliceGain, ...]
    event: bool = False


def leave_out(run: Run, key: ChampionKey, column: str) -> WithoutColumn:
    """Train with and without `column` on the newest labelled records and compare. Raises NothingToLeaveOut, and what
    training raises."""
    inputs = {feature.name: feature for feature in run.schema.inputs_at(key.moment)}
    if column not in inputs:
        raise NothingToLeaveOut(_why_no_input(run.schema, key, column))
    stored = run.workspace.store.labeled_records(run.schema.name, limit=run.window)
    records = unhelped(run.workspace.store, run.schema.name, stored, run.policy.helped).records
    frame = complete_rows(ordered_frame(records, run.schema), run.schema, key)
    share = run.policy.holdout_share
    holdout = hold_out(frame, run.schema, key, (), share=share, arrived=arrivals(records))
    if holdout.count < run.policy.min_rows:
        raise NothingToLeaveOut(
            f"not enough data: {holdout.count} labelled rows of {run.schema.name} can judge, {run.policy.min_rows} are "
            "the least"
        )
    whole = _learned(run, run.schema, key, holdout)
    try:
        less = _learned(run, without(run.schema, column), key, holdout)
    except NotTrainable as error:
        raise NotTrainable(f"without {column}: {error}") from error
    warnings = policy_in_use(run.workspace.store, run.schema.name, key.target)
    return _compared(run, key, column, collect_evidence(run.schema, whole, less, holdout, warnings))


def without(schema: DomainSchema, column: str) -> DomainSchema:
    """The schema in which no model may see `column`."""
    hidden = [replace(one, protected=True) if one.name == column else one for one in schema.features]
    return replace(schema, features=tuple(hidden))


def _why_no_input(schema: DomainSchema, key: ChampionKey, column: str) -> str:
    feature = schema.feature_by_name.get(column)
    if feature is None:
        there = ", ".join(one.name for one in schema.inputs_at(key.moment))
        return f"{schema.name} has no column {column!r} that a model learns from; there are {there}"
    if feature.protected:
        return f"{column} is protected: no model of {schema.name} ever sees it"
    return f"{column} is known from {feature.known_at!r} on, which a model at {key.moment!r} does not see"


def _learned(run: Run, schema: DomainSchema, key: ChampionKey, holdout: Holdout) -> Bundle:
    run.progress("a model of " + ("every column" if schema is run.schema else "the others"))
    most = run.policy.max_megabytes
    found = train_task(schema, key, holdout.teaching, seed=run.seed, max_megabytes=most, progress=run.progress)
    return next(one.bundle for one in found if one.bundle.manifest.target.name == key.target)


def _compared(run: Run, key: ChampionKey, column: str, evidence: PromotionEvidence) -> WithoutColumn:
    target = run.schema.target_by_name[key.target]
    old, new, mark = evidence.champion, evidence.challenger, target.pass_mark
    failed = evidence.outcomes < mark if mark is not None else np.zeros(len(old), dtype=bool)
    sides: tuple[Side, Side] = ("champion", "challenger")
    found = [None if mark is None else int((evidence.missed_by(side, mark)[failed] == 0).sum()) for side in sides]
    maes = [mean_with_interval(absolute_errors(evidence.outcomes, said), evidence.clusters) for said in (old, new)]
    min_gain = target.min_gain if run.policy.min_gain is None else run.policy.min_gain
    return WithoutColumn(
        key=str(key),
        column=column,
        n=len(old),
        unit=target.unit or ("levels" if target.levels else ""),
        mae=maes[0],
        mae_without=maes[1],
        gain=evidence.gain(old, new, run.policy.level),
        shift=shift_of(old, new, target),
        failed=None if mark is None else int(failed.sum()),
        found=found[0],
        found_without=found[1],
        slices=tuple(slice_gains(evidence, "challenger", run.policy, min_gain)),
        event=target.is_event,
    )
