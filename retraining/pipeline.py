"""The retraining run: newest records, drift, challenger, decision, promotion. The one orchestrator.

Everything it decides is printed and stored with its reasons; how it decides is in `retraining.policy`, pure.
`python -m retraining.pipeline --domain D [--data FILE]` is the same as `gradewatch retrain`.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec
import numpy as np
import polars as pl

from database.ingest import add_batch, labeled
from database.records import (
    BatchRow,
    ChampionKey,
    DecisionRecord,
    LabeledRecord,
    Succession,
    new_id,
    now,
)
from database.store import Conflict, Journal
from drift.profile import Profile
from drift.report import DriftPolicy, DriftReport, SameSample, compare
from model.artifacts import CorruptArtifact, MissingArtifact
from model.bundle import BrokenBundle, Bundle
from model.home import Home
from model.predictor import Predictor
from model.registry import install, load_bundle
from model.scores import absolute_errors
from preprocessing.schema import DomainSchema
from preprocessing.validate import rows_of
from retraining.champions import register
from retraining.holdout import Holdout, hold_out, ordered_frame
from retraining.policy import Evidence, PromotionDecision, PromotionPolicy, decide, refusal
from retraining.watch import drift_record, profile_for
from training.fit import Progress
from training.train import NotTrainable, train

LEASE_SECONDS = 900.0


class Busy(RuntimeError):
    """Another run is retraining this domain."""


@dataclass(frozen=True)
class Run:
    """What a retraining run works with. window: how many of the newest labelled records. dry: change nothing."""

    home: Home
    schema: DomainSchema
    window: int
    policy: PromotionPolicy = field(default_factory=PromotionPolicy)
    drift_policy: DriftPolicy = field(default_factory=DriftPolicy)
    actor: str = "retraining"
    seed: int = 0
    dry: bool = False
    progress: Progress = lambda _: None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a run found for one champion."""

    key: ChampionKey
    decision: PromotionDecision
    champion: str | None = None
    challenger: str | None = None
    drift: DriftReport | None = None
    promoted: bool = False


def retrain(run: Run, keys: Sequence[ChampionKey], *, data: Sequence[BatchRow] = (), name: str = "") -> list[Result]:
    """Evaluate, and where deserved replace, each of the champions `keys`.

    data: rows of a new labelled batch called `name`, stored first (a dry run only looks at them). Raises Busy when
    another run has the domain.
    """
    with _lease(run):
        if data and not run.dry:
            add_batch(run.home.store, run.schema.name, data, "labeled", name=name)
        records = _records(run, data)
        return [_evaluate(run, key, records) for key in keys]


def retrain_patiently(
    run: Run, keys: Sequence[ChampionKey], *, wait: float, data: Sequence[BatchRow] = (), name: str = ""
) -> list[Result]:
    """As `retrain`, trying again for `wait` seconds while another run has the domain. Raises Busy after that."""
    deadline = time.monotonic() + wait
    while True:
        try:
            return retrain(run, keys, data=data, name=name)
        except Busy:
            if time.monotonic() >= deadline:
                raise
            run.progress("waiting for another run to finish")
            time.sleep(min(1.0, max(0.05, deadline - time.monotonic())))


def _records(run: Run, data: Sequence[BatchRow]) -> list[LabeledRecord]:
    """The newest labelled records, each once; in a dry run those of `data` count as newest."""
    stored = run.home.store.labeled_records(run.schema.name, limit=run.window)
    if not run.dry:
        return stored
    new = {record.id: record for record in labeled(run.schema.name, data)}
    return [*new.values(), *(record for record in stored if record.id not in new)][: run.window]


@contextmanager
def _lease(run: Run) -> Iterator[None]:
    """One retraining run per domain at a time, also across machines; a dead run's lease ends by itself."""
    name, holder = f"retrain:{run.schema.name}", new_id()
    store: Journal = run.home.store
    if other := store.try_lease(name, holder, LEASE_SECONDS):
        raise Busy(f"another run is retraining {run.schema.name} (run {other}); try again when it has finished")
    try:
        yield
    finally:
        store.release_lease(name, holder)


def _evaluate(run: Run, key: ChampionKey, records: Sequence[LabeledRecord]) -> Result:
    """One champion against one challenger, stored unless dry."""
    run.progress(f"{key}: champion")
    history = run.home.store.successions(key)
    if not history:
        return _store(run, Result(key=key, decision=refusal(f"{key} has no champion yet; train one first")))
    champion = history[-1]
    try:
        bundle = load_bundle(run.home.artifacts, champion.version)
    except (MissingArtifact, CorruptArtifact, BrokenBundle) as error:
        return _store(run, Result(key=key, champion=champion.version, decision=refusal(str(error))))
    frame = _complete(ordered_frame(records, run.schema), run.schema, key)
    holdout = hold_out(frame, run.schema, bundle.rows, share=run.policy.holdout_share)
    report = _drift(run, bundle, holdout.unseen)
    return _store(run, _challenge(run, champion, bundle, holdout, report))


def _complete(frame: pl.DataFrame, schema: DomainSchema, key: ChampionKey) -> pl.DataFrame:
    """The rows that a model of `key` can be trained and judged on."""
    needed = [key.target] + [f.name for f in schema.inputs_at(key.moment) if not f.optional]
    if any(name not in frame.columns for name in needed):
        return frame.clear()
    return frame.drop_nulls(needed)


def _drift(run: Run, bundle: Bundle, unseen: pl.DataFrame) -> DriftReport | None:
    """The unseen rows against the champion's reference; None where there is nothing to compare."""
    if unseen.is_empty():
        return None
    reference = Profile.from_bytes(bundle.profile)
    current = profile_for(Predictor(bundle, ""), run.schema, unseen)
    importance = bundle.manifest.importance
    try:
        return compare(reference, current, policy=run.drift_policy, schema=run.schema, importance=importance)
    except SameSample:
        return None


def _challenge(run: Run, champion: Succession, bundle: Bundle, holdout: Holdout, drift: DriftReport | None) -> Result:
    """A challenger trained on the teaching rows, judged on the others, promoted if the policy says so."""
    key, known = champion.key, champion.version
    if holdout.judging.is_empty():
        reason = "not enough data: no labelled rows that the champion has not seen"
        return Result(key=key, champion=known, drift=drift, decision=refusal(reason, verdict="keep"))
    run.progress(f"{key}: challenger")
    try:
        training = train(run.schema, key, holdout.teaching, seed=run.seed, progress=run.progress)
    except NotTrainable as error:
        return Result(key=key, champion=known, drift=drift, decision=refusal(f"no challenger: {error}"))
    target = run.schema.target_by_name[key.target]
    min_gain = target.min_gain if run.policy.min_gain is None else run.policy.min_gain
    evidence = collect_evidence(run.schema, bundle, training.bundle, holdout)
    decision = decide(evidence, run.policy, min_gain=min_gain, unit=target.unit or "levels")
    result = Result(key=key, champion=known, drift=drift, decision=decision)
    return result if run.dry else _succeed(run, champion, training.bundle, result)


def collect_evidence(schema: DomainSchema, champion: Bundle, challenger: Bundle, holdout: Holdout) -> Evidence:
    """Both models and the naive rule on the very same held-out rows."""
    target = challenger.manifest.target
    rows = [row.inputs for row in rows_of(holdout.judging, schema)]
    truth = holdout.judging[target.name]
    if target.kind == "ordered_class":
        truth = truth.replace_strict({level: float(i) for i, level in enumerate(target.levels)})
    outcomes = truth.to_numpy().astype(np.float64)
    old, new = Predictor(champion, "champion"), Predictor(challenger, "challenger")
    protected = [f.name for f in schema.features if f.protected and f.name in holdout.judging.columns]
    return Evidence(
        champion=absolute_errors(outcomes, old.numbers(rows)),
        challenger=absolute_errors(outcomes, new.numbers(rows)),
        naive=absolute_errors(outcomes, new.naive_numbers(rows)),
        clusters=holdout.clusters,
        slices={name: holdout.judging[name].fill_null("(missing)").to_numpy().astype(str) for name in protected},
    )


def _succeed(run: Run, champion: Succession, challenger: Bundle, result: Result) -> Result:
    """The challenger kept, and installed if it is to be promoted and the champion is still the one it was judged by."""
    model = register(run.home.store, run.home.artifacts, challenger)
    result = msgspec.structs.replace(result, challenger=model.version)
    if result.decision.verdict != "promote":
        return result
    reason, expected = "; ".join(result.decision.reasons), {champion.key: champion.generation}
    try:
        install(run.home.store, [model], action="promote", actor=run.actor, reason=reason, expected=expected)
    except Conflict:
        lost = "another champion was installed meanwhile: the comparison no longer holds; run again"
        decision = msgspec.structs.replace(result.decision, verdict="shadow", reasons=(lost, *result.decision.reasons))
        return msgspec.structs.replace(result, decision=decision)
    return msgspec.structs.replace(result, promoted=True)


def _store(run: Run, result: Result) -> Result:
    """The drift report and the decision written down, unless the run is dry."""
    if run.dry:
        return result
    key, at = result.key, now()
    if result.drift:
        run.home.store.add_drift_report(drift_record(result.drift))
    document = msgspec.to_builtins(result.decision)
    run.home.store.add_decision(
        DecisionRecord(
            id=new_id(),
            domain=key.domain,
            target=key.target,
            moment=key.moment,
            verdict=result.decision.verdict,
            champion=result.champion,
            challenger=result.challenger,
            at=at,
            document=document | {"promoted": result.promoted},
        )
    )
    return result


def main() -> None:
    """`python -m retraining.pipeline`: the `retrain` command of the command line."""
    import sys

    from cli import main as command_line  # it owns the options; this module only lends its name

    command_line(["retrain", *sys.argv[1:]])


if __name__ == "__main__":
    main()
