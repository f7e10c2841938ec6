"""The retraining run: newest records, drift, challenger, decision, promotion. The one orchestrator.

Everything it decides is printed and stored with its reasons; how it decides is in `retraining.policy`, pure.
"""

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import version as library_version
from pathlib import Path

import msgspec
import polars as pl

from advice.helped import HELPED_LEFT_OUT, LearnedFrom, tell_helped, unhelped
from clock import new_id, now
from database.errors import Conflict
from database.ingest import labeled
from database.records import (
    BatchRow,
    ChampionKey,
    DecisionRecord,
    Event,
    LabeledRecord,
    ModelVersion,
    Succession,
    digest,
)
from database.store import Journal
from drift.policy import DriftPolicy
from drift.records import DriftReport
from errors import Category, GradewatchError
from model.artifacts import CorruptArtifact, MissingArtifact
from model.bundle import BrokenBundle, Bundle, content_digest
from model.decision import Condition, PromotionDecision
from model.export import ParityError
from model.partners import in_words, partners_of
from model.registry import find_model, install, load_bundle
from model.trial import NoSuchTrial, Trial, TrialRefused, running_trial, start_trial, stop_trial
from model.workspace import Workspace
from monitoring.drift_files import drift_record
from monitoring.warning_policy import policy_in_use
from preprocessing.schema import DomainSchema
from retraining.evaluation import complete_rows, contest, drift_since, judge_shadow
from retraining.experiments import follow
from retraining.first_champions import learned_rows, register, why_replaced
from retraining.holdout import Holdout, arrivals, hold_out, ordered_frame
from retraining.policy import PromotionPolicy, refusal
from training.fit import Progress
from training.train import NotTrainable, train_rule, train_task

RUN_LEASE_SECONDS = 300.0
"""A run renews its lease at every step, the longest of which is one fit; a dead run is out of the way after that."""


RULE_EVENT = "plain_rule_promoted"


class Busy(GradewatchError):
    """Another run is retraining this domain, or took over from this one while it stood still."""

    category = Category.UNAVAILABLE
    retry_after = 30


@dataclass(frozen=True)
class Run:
    """What a retraining run works with.

    window: how many of the newest labelled records. dry: change nothing. lease: seconds for which a run that gives no
    sign of life keeps others out. id: shared by all models it trains, though each learns from rows of its own; made
    of the records. foundation, temporal, checkpoints: of further models that compete (`training.train`). holder: of the
    lease, where a killed run is to be taken up under the same name. helped_left_out: records that teach nothing, of who
    was helped.
    """

    workspace: Workspace
    schema: DomainSchema
    window: int
    policy: PromotionPolicy = field(default_factory=PromotionPolicy)
    drift_policy: DriftPolicy = field(default_factory=DriftPolicy)
    foundation: Sequence[Path] = ()
    temporal: str = ""
    checkpoints: Path | None = None
    actor: str = "retraining"
    seed: int = 0
    dry: bool = False
    lease: float = RUN_LEASE_SECONDS
    id: str = ""
    holder: str = ""
    helped_left_out: Sequence[LabeledRecord] = ()
    progress: Progress = lambda _: None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a run found for one champion. basis: digest of all that a comparison rests on; empty without one."""

    key: ChampionKey
    decision: PromotionDecision
    champion: str | None = None
    challenger: str | None = None
    drift: DriftReport | None = None
    promoted: bool = False
    basis: str = ""


def retrain(run: Run, keys: Sequence[ChampionKey], *, unstored: Sequence[BatchRow] = ()) -> list[Result]:
    """Evaluate, and where deserved replace, each of the champions `keys`.

    unstored: rows that a dry run counts as the newest; any other learns from what is stored alone. The same call again,
    with no new outcomes since, changes nothing. Raises Busy when another run has the domain.
    """
    with _leased(run) as leased:
        learned = _records(leased, unstored)
        records = learned.records
        identified = replace(leased, id=_id(leased, records), helped_left_out=learned.left_out)
        found = [_evaluate(identified, key, records) for key in _tasks(identified, keys)]
    if not run.dry:
        follow(run.workspace)
    return found


def retrain_patiently(
    run: Run, keys: Sequence[ChampionKey], *, wait: float, unstored: Sequence[BatchRow] = ()
) -> list[Result]:
    """As `retrain`, trying again for `wait` seconds while another run has the domain. Raises Busy after that."""
    deadline = time.monotonic() + wait
    while True:
        try:
            return retrain(run, keys, unstored=unstored)
        except Busy:
            if time.monotonic() >= deadline:
                raise
            run.progress("waiting for another run to finish")
            time.sleep(min(1.0, max(0.05, deadline - time.monotonic())))


def with_new_labels(run: Run, keys: Sequence[ChampionKey]) -> list[ChampionKey]:
    """Those of `keys` about whose champion the newest labelled records may tell something new.

    That is: among them is an outcome that the champion has not learned from, and they are not the very outcomes that
    the last decision about it rested on. A key without a champion is none of them.
    """
    records = _newest(run).records
    return [key for key in keys if _has_new_labels(run, key, records)]


def overdue(run: Run) -> list[ChampionKey]:
    """Champions of generated examples, or of another schema, for which there are new records to learn from."""
    present = {one.key: one for one in run.workspace.store.champions() if one.domain == run.schema.name}
    given_way = [key for key, one in present.items() if why_replaced(run.workspace, run.schema, one)]
    return with_new_labels(run, given_way) if given_way else []


def _has_new_labels(run: Run, key: ChampionKey, records: Sequence[LabeledRecord]) -> bool:
    known = {record.id for record in records if key.target in record.targets}
    history = run.workspace.store.successions(key) if known else ()
    if not history or known <= learned_rows(run.workspace, history[-1]):
        return False
    return _settled(run, history[-1], _basis(run, key, records)) is None


def _tasks(run: Run, keys: Sequence[ChampionKey]) -> list[ChampionKey]:
    """The keys to judge by: of champions that are one task, the value's decides for all."""
    store = run.workspace.store
    found: dict[ChampionKey, None] = {}
    serving = {one.key: one.version for one in store.champions()}
    for key in keys:
        leader = ChampionKey(key.domain, run.schema.leader(key.target), key.moment)
        if leader != key and {leader, key} <= serving.keys():
            model = find_model(store, serving[leader], leader)
            partners = {one.key: one.version for one in partners_of(store, model)}
            found[leader if partners.get(key) == serving[key] else key] = None
        else:
            found[key] = None
    return list(found)


def _newest(run: Run, unstored: Sequence[BatchRow] = ()) -> LearnedFrom:
    """The newest labelled records, each once, those not stored first, without who was helped as far as the policy says
    so."""
    stored = run.workspace.store.labeled_records(run.schema.name, limit=run.window)
    new = {record.id: record for record in labeled(run.schema.name, unstored)}
    records = [*new.values(), *(record for record in stored if record.id not in new)][: run.window]
    return unhelped(run.workspace.store, run.schema.name, records, run.policy.helped)


def _records(run: Run, unstored: Sequence[BatchRow]) -> LearnedFrom:
    """What a run learns from and judges by; in a dry run what is not stored counts as newest."""
    found = _newest(run, unstored if run.dry else ())
    if not run.dry:
        tell_helped(run.workspace.store, run.schema.name, found)
    return found


@contextmanager
def _leased(run: Run) -> Iterator[Run]:
    """The run with its domain to itself, also across machines. It renews its lease with every word of progress.

    A dead run's lease ends by itself; one that stood still too long finds that out at its next step and stops.
    """
    name, holder = f"retrain:{run.schema.name}", run.holder or new_id()
    store: Journal = run.workspace.store

    def hold(step: str) -> None:
        if other := store.try_lease(name, holder, run.lease):
            raise Busy(f"another run is retraining {run.schema.name} (run {other}); try again when it has finished")
        run.progress(step)

    try:
        hold(f"{run.schema.name}: newest records")
        yield replace(run, progress=hold)
    finally:
        store.release_lease(name, holder)


def _evaluate(run: Run, key: ChampionKey, records: Sequence[LabeledRecord]) -> Result:
    """One champion against one challenger, stored unless dry or settled before."""
    run.progress(f"{key}: champion")
    history = run.workspace.store.successions(key)
    if not history:
        return _store(run, Result(key=key, decision=refusal(f"{key} has no champion yet; train one first")))
    champion, basis = history[-1], _basis(run, key, records)
    if settled := _settled(run, champion, basis):
        return settled
    if reason := why_replaced(run.workspace, run.schema, champion):
        return _store(run, msgspec.structs.replace(_replace(run, champion, records, reason), basis=basis))
    try:
        bundle = load_bundle(run.workspace.artifacts, champion.version)
    except (MissingArtifact, CorruptArtifact, BrokenBundle) as error:
        if error.category is Category.UNAVAILABLE:
            raise
        return _store(run, Result(key=key, champion=champion.version, decision=refusal(str(error))))
    if champion.action == "promote" and bundle.manifest.lineage.training == run.id:
        return _store(run, _promoted_before(history, basis))
    return _store(run, msgspec.structs.replace(_judge(run, champion, bundle, records), basis=basis))


def _judge(run: Run, champion: Succession, bundle: Bundle, records: Sequence[LabeledRecord]) -> Result:
    """A champion against a challenger that is on trial, where that can be judged now, or against a new one."""
    known = ordered_frame(records, run.schema)
    frame = complete_rows(known, run.schema, champion.key)
    seen, share, arrived = bundle.rows, run.policy.holdout_share, arrivals(records)
    holdout = hold_out(frame, run.schema, champion.key, seen, share=share, arrived=arrived)
    if run.helped_left_out:
        holdout = replace(holdout, left_out={**holdout.left_out, HELPED_LEFT_OUT: len(run.helped_left_out)})
    if judged := _judge_trial(run, champion, bundle, frame, records):
        return judged
    came = _with_helped(run, champion.key, holdout.unseen, seen)
    report = drift_since(run.schema, bundle, came, run.drift_policy, version=champion.version)
    others = known.filter(~pl.col("_record").is_in(frame["_record"].to_list()))
    return _challenge(run, champion, bundle, holdout, others, report)


def _with_helped(run: Run, key: ChampionKey, unseen: pl.DataFrame, seen: Collection[str]) -> pl.DataFrame:
    """What came since the champion learned, of helped students, too: who is helped is no change of the population."""
    if not run.helped_left_out:
        return unseen
    helped = complete_rows(ordered_frame(run.helped_left_out, run.schema), run.schema, key)
    return pl.concat([unseen, helped.filter(~pl.col("_record").is_in(list(seen)))])


def _replace(run: Run, champion: Succession, records: Sequence[LabeledRecord], reason: str) -> Result:
    """A model of the records in the place of a champion that no contest is owed: it stands for no row of theirs. What
    that one learned from is of another schema where it is of records, and teaches nothing any more."""
    key, before = champion.key, learned_rows(run.workspace, champion)
    run.progress(f"{key}: first model of records")
    try:
        frame = ordered_frame([one for one in records if one.id not in before], run.schema)
        bundle, others = _train(run, key, frame)
    except (NotTrainable, ParityError) as error:
        return Result(key=key, champion=champion.version, decision=refusal(f"no model of records: {error}"))
    decision = refusal(f"{reason}: it learned from {bundle.manifest.lineage.rows} records", verdict="promote")
    result = Result(key=key, champion=champion.version, decision=decision)
    if run.dry:
        return _would_be(result, bundle)
    model, *_ = [register(run.workspace.store, run.workspace.artifacts, one) for one in (bundle, *others)]
    return _succeed(run, champion, model, msgspec.structs.replace(result, challenger=model.version))


def _train(run: Run, key: ChampionKey, frame: pl.DataFrame, *, plain_rule: bool = False) -> tuple[Bundle, list[Bundle]]:
    """The model of a key, and those that are one task with it."""
    if plain_rule:
        found = train_rule(run.schema, key, frame, seed=run.seed)
    else:
        found = train_task(
            run.schema,
            key,
            frame,
            seed=run.seed,
            max_megabytes=run.policy.max_megabytes,
            foundation=run.foundation,
            temporal=run.temporal,
            checkpoints=run.checkpoints,
            progress=run.progress,
        )
    bundles = {one.bundle.manifest.target.name: _of_run(run.id, one.bundle) for one in found}
    return bundles.pop(key.target), list(bundles.values())


def _promoted_before(history: Sequence[Succession], basis: str) -> Result:
    """What this very run decided on the same records, before it was killed and could write it down."""
    *before, champion = history
    decision = refusal(champion.reason, verdict="promote")
    previous = before[-1].version if before else None
    return Result(
        key=champion.key,
        champion=previous,
        challenger=champion.version,
        decision=decision,
        promoted=True,
        basis=basis,
    )


def _id(run: Run, records: Sequence[LabeledRecord]) -> str:
    """The same for the same schema, seed, records and outcomes, so that bundles come out the same."""
    outcomes = sorted((record.id, sorted(record.targets.items())) for record in records)
    return digest([run.schema.fingerprint, run.seed, library_version("gradewatch"), outcomes])


def _basis(run: Run, key: ChampionKey, records: Sequence[LabeledRecord]) -> str:
    """Equal for two runs that would compare the same things: schema, policy, seed, records and their outcomes."""
    outcomes = sorted((record.id, record.targets[key.target]) for record in records if key.target in record.targets)
    policy = msgspec.to_builtins(run.policy)
    return digest([run.schema.fingerprint, policy, run.seed, library_version("gradewatch"), outcomes])


def _settled(run: Run, champion: Succession, basis: str) -> Result | None:
    """The answer to a question that was decided before, about the champion of then or the challenger it made champion.

    So a job delivered twice changes nothing twice, and what was rolled back does not come back on the same evidence.
    """
    key = champion.key
    last = next(iter(run.workspace.store.decisions(key=key, limit=1)), None)
    if last is None or last.document.get("basis") != basis or champion.version not in (last.champion, last.challenger):
        return None
    when = f"{last.at:%Y-%m-%d %H:%M} UTC"
    reason = f"these outcomes were judged before, at {when} (then: {last.verdict}); new ones may say otherwise"
    return Result(key=key, champion=champion.version, decision=refusal(reason))


def _challenge(
    run: Run,
    champion: Succession,
    bundle: Bundle,
    holdout: Holdout,
    others: pl.DataFrame,
    drift: DriftReport | None,
) -> Result:
    """A challenger trained on the teaching rows, judged on the others, promoted if the policy says so.

    others: incomplete rows. They teach nothing, and belong to the population that the challenger comes from.
    """
    key, known = champion.key, champion.version
    partners: list[Bundle] = []

    def fit(teaching: pl.DataFrame, *, plain_rule: bool = False) -> Bundle:
        run.progress(f"{key}: {'plain rule' if plain_rule else 'challenger'}")
        offered = pl.concat([teaching, others])
        bundle, partners[:] = _train(run, key, offered, plain_rule=plain_rule)
        return bundle

    warnings = policy_in_use(run.workspace.store, run.schema.name, key.target)
    held = contest(run.schema, key, bundle, holdout, run.policy, fit, warnings=warnings)
    result = Result(key=key, champion=known, drift=drift, decision=held.decision)
    if held.challenger is None:
        return result
    if run.dry:
        return _would_be(result, held.challenger)
    model, *_ = [register(run.workspace.store, run.workspace.artifacts, one) for one in (held.challenger, *partners)]
    result = msgspec.structs.replace(result, challenger=model.version)
    if held.decision.verdict == "promote":
        return _succeed(run, champion, model, result)
    return _try_on(run, model, result) if held.decision.verdict == "shadow" else result


def _would_be(result: Result, bundle: Bundle) -> Result:
    """The result of a dry run, with the version that the challenger would have had."""
    return msgspec.structs.replace(result, challenger=content_digest(bundle.files()))


def _of_run(id: str, bundle: Bundle) -> Bundle:
    """The bundle with the run's id in its lineage, so that `activate` finds what was trained with it."""
    lineage = msgspec.structs.replace(bundle.manifest.lineage, training=id)
    return msgspec.structs.replace(bundle, manifest=msgspec.structs.replace(bundle.manifest, lineage=lineage))


def _succeed(run: Run, champion: Succession, model: ModelVersion, result: Result) -> Result:
    """`model` installed, if the champion is still the one that it was judged by."""
    run.progress(f"{champion.key}: promotion")
    partners = partners_of(run.workspace.store, model)
    if words := in_words(partners):
        decision = msgspec.structs.replace(result.decision, reasons=(*result.decision.reasons, words))
        result = msgspec.structs.replace(result, decision=decision)
    reason, expected = "; ".join(result.decision.reasons), {champion.key: champion.generation}
    others = {one.key for one in partners}
    expected |= {one.key: one.generation for one in run.workspace.store.champions() if one.key in others}
    try:
        install(
            run.workspace.store,
            [model, *partners],
            action="promote",
            actor=run.actor,
            reason=reason,
            expected=expected,
        )
    except Conflict:
        lost = "another champion was installed meanwhile: the comparison no longer holds; run again"
        decision = msgspec.structs.replace(result.decision, verdict="shadow", reasons=(lost, *result.decision.reasons))
        return msgspec.structs.replace(result, decision=_with_swap(decision, done=False))
    if result.decision.winner == "plain rule":
        told = {"target": model.target, "moment": model.moment, "version": model.version, "why": reason}
        event = Event(id=new_id(), kind=RULE_EVENT, at=now(), domain=model.domain, details=told)
        run.workspace.store.add_event(event)
    return msgspec.structs.replace(result, promoted=True, decision=_with_swap(result.decision, done=True))


def _with_swap(decision: PromotionDecision, *, done: bool) -> PromotionDecision:
    """The decision with its last condition, where there were others: that the champion was still the judged one."""
    conditions = decision.conditions and (*decision.conditions, Condition(name="same champion", met=done))
    return msgspec.structs.replace(decision, conditions=conditions)


def _try_on(run: Run, model: ModelVersion, result: Result) -> Result:
    """The result with words on the challenger's trial: begun, or not because another one is gathering evidence."""
    if not run.policy.trial_rows:
        return result
    try:
        started = start_trial(
            run.workspace.store,
            model,
            mode="shadow",
            actor=run.actor,
            reason="; ".join(result.decision.reasons),
            needed=run.policy.trial_rows,
        )
        said = f"it is tried in shadow from now on (trial {started.id})"
    except (TrialRefused, Conflict) as error:
        said = f"it is not tried in shadow: {error}"
    decision = msgspec.structs.replace(result.decision, reasons=(*result.decision.reasons, said))
    return msgspec.structs.replace(result, decision=decision)


def _judge_trial(
    run: Run, champion: Succession, bundle: Bundle, frame: pl.DataFrame, records: Sequence[LabeledRecord]
) -> Result | None:
    """What came of a shadow trial, where it promotes its challenger; None where it needs more outcomes, or has failed.

    It is judged once, on outcomes that came after its beginning: looking often would make luck likelier. One that fails
    then ends, and makes room for a challenger that knows more.
    """
    trial = running_trial(run.workspace.store, champion)
    if trial is None or trial.mode != "shadow":
        return None
    try:
        challenger = load_bundle(run.workspace.artifacts, trial.challenger)
    except (MissingArtifact, CorruptArtifact, BrokenBundle) as error:
        if error.category is Category.UNAVAILABLE:  # it is there; the next run finds it
            raise
        _end_trial(run, trial, str(error))
        return None
    arrived = arrivals(records)
    fresh = {record.id for record in records if record.at > trial.started}
    warnings = policy_in_use(run.workspace.store, run.schema.name, champion.target)
    sides = bundle, challenger, frame, fresh, run.policy
    decision = judge_shadow(run.schema, champion.key, *sides, arrived=arrived, warnings=warnings)
    if decision is None:
        return None
    if decision.verdict != "promote" or decision.winner != "challenger":
        _end_trial(run, trial, f"on {decision.n} new rows " + "; ".join(decision.reasons))
        return None
    decision = msgspec.structs.replace(decision, reasons=(f"shadow trial {trial.id}", *decision.reasons))
    result = Result(key=champion.key, champion=champion.version, challenger=trial.challenger, decision=decision)
    if run.dry:
        return result
    return _succeed(run, champion, find_model(run.workspace.store, trial.challenger, champion.key), result)


def _end_trial(run: Run, trial: Trial, why: str) -> None:
    if not run.dry:
        with suppress(NoSuchTrial, Conflict):  # someone else ended it
            stop_trial(run.workspace.store, trial.id, actor=run.actor, why=why)


def _store(run: Run, result: Result) -> Result:
    """The drift report and the decision written down, unless the run is dry."""
    if run.dry:
        return result
    key, at = result.key, now()
    if result.drift:
        run.workspace.store.add_drift_report(drift_record(result.drift))
    document = msgspec.to_builtins(result.decision)
    run.workspace.store.add_decision(
        DecisionRecord(
            id=new_id(),
            domain=key.domain,
            target=key.target,
            moment=key.moment,
            verdict=result.decision.verdict,
            champion=result.champion,
            challenger=result.challenger,
            at=at,
            document=document | {"promoted": result.promoted, "basis": result.basis},
        )
    )
    return result
