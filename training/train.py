"""Trains one model for one target at one moment: candidates cross-validated, one chosen, proved, bundled.

Saving, registering and promoting are others' work; a refusal here is an answer, raised with its reason.
"""

import math
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version as library_version
from pathlib import Path
from typing import TypedDict, Unpack

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from database.pairs import content_id
from database.records import ChampionKey, digest, digest_in_pieces
from drift.column import PREDICTION
from drift.impact import Said
from drift.profile import Profile, build_profile, count_context
from drift.samples import effective_shares_of, effective_shares_of_context
from errors import Category, GradewatchError
from model.bundle import RECORDS, Bundle, ErrorTable, Lineage, Manifest, MissingPattern
from model.expected_error import hardness, tabulate
from model.export import check_parity, export_graph, nasty_rows
from model.naive import RULE
from model.scores import ClassScores, Overtaken, PairedGain, Scores, absolute_errors, paired_gain
from preprocessing.copies import once
from preprocessing.schema import DomainSchema, Target
from preprocessing.schema_changes import document_of
from preprocessing.split import Rows, clusters, folds, split_kind, students
from preprocessing.validation.leakage import Leaking, Suspect, find_suspects, require_no_leak
from preprocessing.validation.validate import rows_of
from training import evaluate
from training.candidates import ABSOLUTE, Candidate, Mean, candidates_for, foundation_candidates
from training.chance_ranges import chance_ranges
from training.fit import Fitted, Floats, Progress, Task, Unseen, answer_unseen, fit
from training.gate import objections, questions, told_without_error
from training.race import RACED_ROWS, overtaken
from training.rule import fit_rule
from training.window_models import window_candidates

MINIMUM_ROWS = 50
FEWEST_ASIDE = 20
"""Rows without an input, of which a profile is kept: one of fewer says nearly as much about each as the row does."""
TRAINING_FOLDS = 5
FEW_CLUSTERS = 10
"""Among fewer tested groups nothing can be told from luck. Signal is then judged by students: their answers came from
models that had not seen their group, so what is left of its intraclass correlation narrows the bound and leaves the
gain."""
RULE_LEVEL = 0.9
"""Of the bounds by which a new model is compared with the plain rule; that of promotions by default."""
LIBRARIES = ("numpy", "scikit-learn", "skl2onnx", "onnx", "onnxruntime")


class NotTrainable(GradewatchError):
    """There is no model worth serving in these rows; the message says why."""

    category = Category.CONFLICT


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """A trained bundle, and the unseen answers that its scores were made of.

    truth, outputs: (n,) and (n, outputs), NaN in rows that no fold tested. suspects: inputs that tell the outcome so
    well that someone should look whether they are known by then. questions: what else someone should settle.
    """

    bundle: Bundle
    truth: Floats
    outputs: Floats
    suspects: tuple[Suspect, ...] = ()
    questions: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Experiment:
    """A task with its split: rows `tested` were each answered by a model fitted without their fold.

    offered: the typed frame that the task's complete rows are from. complete: the ids of those rows, also of copies,
    which the task holds once.
    """

    schema: DomainSchema
    moment: str
    offered: pl.DataFrame
    complete: frozenset[str]
    task: Task
    pairs: list[tuple[Rows, Rows]]
    groups: NDArray[np.int64]
    run: str
    source: str
    candidates: tuple[Candidate | Mean, ...] = ()

    @cached_property
    def tested(self) -> Rows:
        return np.sort(np.concatenate([test for _, test in self.pairs]))

    @cached_property
    def seen(self) -> Task:
        """The tested rows."""
        return self.task.subset(self.tested)

    @property
    def needed(self) -> list[str]:
        """The inputs without which there is no answer."""
        return [f.name for f in self.schema.inputs_at(self.moment) if not f.optional]

    @property
    def prediction(self) -> str:
        """The column of the target's predictions."""
        return PREDICTION + self.task.target.name

    def score(self, outputs: Floats) -> Scores:
        return evaluate.score(self.seen, outputs[self.tested], self.groups[self.tested])


class TrainingOptions(TypedDict, total=False):
    """Of `train_task`."""

    seed: int
    source: str
    with_protected: bool
    jobs: int | None
    max_megabytes: float
    foundation: Sequence[Path]
    temporal: str
    checkpoints: Path | None
    progress: Progress


def train(
    schema: DomainSchema,
    key: ChampionKey,
    frame: pl.DataFrame,
    **options: Unpack[TrainingOptions],
) -> Training:
    """The best model of a target at a moment for the labelled rows of a typed `frame` with `_record` ids.

    Of a class that is bands of a value, the bands of the best model of that value: `train_task`. Raises NotTrainable,
    also where an input holds the future, or ParityError when the exported graph disagrees with the fitted model.
    """
    found = train_task(schema, key, frame, **options)
    return next(one for one in found if one.bundle.manifest.target.name == key.target)


def train_task(  # noqa: PLR0913 (options, each by its name)
    schema: DomainSchema,
    key: ChampionKey,
    frame: pl.DataFrame,
    *,
    seed: int = 0,
    source: str = RECORDS,
    with_protected: bool = False,
    jobs: int | None = None,
    max_megabytes: float = math.inf,
    foundation: Sequence[Path] = (),
    temporal: str = "",
    checkpoints: Path | None = None,
    progress: Progress = lambda _: None,
) -> list[Training]:
    """As `train`, all models of the task that a target belongs to: that of a value, then those of its bands.

    Classes follow from the value where the rows' own do (`BANDED_SHARE`); else each target is a task of its own.
    source: where the rows come from, kept in the lineage. jobs: threads (all cores by default); the result does not
    depend on it. max_megabytes: of a graph; a candidate with a larger one is left out by name (`Manifest.too_large`).
    foundation: checkpoints of TabICL, of which one competes as well where rows are few (`training.foundation`).
    temporal: the size of a recurrent network that competes where columns look back (`training.window_models`); none "".
    checkpoints: a folder in which a network's training finds its place again.
    """
    leader = ChampionKey(key.domain, schema.leader(key.target), key.moment)
    classes = [one for one in schema.banded(leader.target) if _are_bands(schema, leader.target, one, frame)]
    if key.target not in {leader.target, *(one.name for one in classes)}:
        leader, classes = key, []
    task, complete, copied = _task(schema, leader, frame, seed, with_protected)
    suspects = _suspects(str(leader), task)
    _require_none(leader, objections(task))
    experiment = _experiment(schema, leader.moment, frame, complete, task, _run_of(schema, frame, seed), source)
    also = foundation_candidates(foundation, task.target, task.frame.height)
    looking = window_candidates(schema, task.target, task.inputs, temporal, checkpoints)
    experiment = replace(experiment, candidates=(*candidates_for(task.target.kind), *looking, *also))
    training = _chosen(experiment, jobs or os.cpu_count() or 1, max_megabytes, progress)
    asked = tuple(questions(task, copied))
    found = _whole_task(experiment, training, classes)
    return [msgspec.structs.replace(one, suspects=suspects, questions=asked) for one in found]


def _chosen(experiment: _Experiment, jobs: int, max_megabytes: float, progress: Progress) -> Training:
    """The best candidate of an experiment that is not too large. Raises NotTrainable where none tells anything."""
    task = experiment.task
    key = ChampionKey(experiment.schema.name, task.target.name, experiment.moment)
    candidates = experiment.candidates
    with threadpool_limits(1):
        unseen, left = _race(experiment, jobs, progress)
        scores = {name: experiment.score(one.outputs) for name, one in unseen.items()}
        chosen = next(c for c in candidates if c.name == evaluate.choose(scores))
        if _nearer_rule(experiment, unseen[chosen.name].outputs):
            tried = answer_unseen([ABSOLUTE], task, experiment.pairs, jobs=jobs, progress=progress)
            unseen, scores = unseen | tried, scores | {ABSOLUTE.name: experiment.score(tried[ABSOLUTE.name].outputs)}
            chosen = chosen if _nearer_rule(experiment, tried[ABSOLUTE.name].outputs) else ABSOLUTE
        faultless = told_without_error(experiment.seen, unseen[chosen.name].outputs[experiment.tested])
        _require_none(key, [faultless] if faultless else [])
        progress("final model")
        return _small_enough(experiment, chosen, unseen, scores, left, max_megabytes)


def _small_enough(
    experiment: _Experiment,
    chosen: Candidate | Mean,
    unseen: Mapping[str, Unseen],
    scores: dict[str, Scores],
    left: Mapping[str, Overtaken],
    max_megabytes: float,
) -> Training:
    """The chosen candidate fitted to every row, or where its graph is too large the best whose is not.

    Raises NotTrainable where all are too large, and where that one tells nothing.
    """
    task, too_large = experiment.task, dict[str, float]()
    others = [one for one in (*experiment.candidates, ABSOLUTE) if one.name in scores and one != chosen]
    others.sort(key=lambda one: -evaluate.merit(scores[one.name]))
    for candidate in (chosen, *others):
        final = fit(candidate, task)
        graph = export_graph(final.estimator, final.encoding.width, levels=len(task.target.levels))
        if len(graph) <= max_megabytes * 1e6:
            _require_signal(experiment, unseen[candidate.name].outputs)
            experiment = replace(experiment, task=replace(task, inputs=candidate.inputs_of(task.inputs)))
            return _finish(experiment, candidate.name, final, graph, unseen[candidate.name], scores, too_large, left)
        too_large[candidate.name] = round(len(graph) / 1e6, 6)
    sizes = ", ".join(f"{name} {size:.3g} MB" for name, size in too_large.items())
    raise NotTrainable(
        f"{experiment.schema.name}/{task.target.name}@{experiment.moment}: every candidate's graph is above the "
        f"{max_megabytes:g} MB that a model may take in every serving process ({sizes}); allow more (max_megabytes)"
    )


def _race(experiment: _Experiment, jobs: int, progress: Progress) -> tuple[dict[str, Unseen], dict[str, Overtaken]]:
    """The unseen answers of the candidates that answered every fold, and who did not, and why."""
    task, left = experiment.task, dict[str, Overtaken]()

    def judge(outputs: Mapping[str, Floats], tested: Rows, folds: int) -> Collection[str]:
        some = {name: answers[tested] for name, answers in outputs.items()}
        found = overtaken(task.subset(tested), some, experiment.groups[tested], folds=folds)
        stay = {part.name for one in means if one.name in some.keys() - found.keys() for part in one.parts}
        left.update({name: one for name, one in found.items() if name not in stay})
        return left

    candidates = experiment.candidates
    means = [candidate for candidate in candidates if isinstance(candidate, Mean)]
    unseen = answer_unseen(
        candidates,
        task,
        experiment.pairs,
        jobs=jobs,
        progress=progress,
        judge=judge if task.frame.height >= RACED_ROWS else None,
    )
    return {name: one for name, one in unseen.items() if name not in left}, left


def _whole_task(experiment: _Experiment, leader: Training, classes: Sequence[Target]) -> list[Training]:
    """The model of a value, and those of the classes that are its bands."""
    if not classes:
        return [leader]
    manifest = leader.bundle.manifest
    lineage = msgspec.structs.replace(manifest.lineage, task=experiment.task.target.name)
    bands = manifest.bands and msgspec.structs.replace(manifest.bands, sided=True)
    manifest = msgspec.structs.replace(manifest, lineage=lineage, bands=bands)
    bundle = msgspec.structs.replace(leader.bundle, manifest=manifest)
    leader = msgspec.structs.replace(leader, bundle=bundle)
    return [leader, *(_of_bands(experiment, leader, one) for one in classes)]


BANDED_SHARE = 0.95
"""Of rows with both outcomes, those whose class is the band of their value, from which on the one follows from the
other. A few slips of whoever wrote them down leave a rule a rule."""


def _are_bands(schema: DomainSchema, value: str, target: Target, frame: pl.DataFrame) -> bool:
    if value not in frame.columns or target.name not in frame.columns:
        return value in frame.columns
    both = frame.select(value, pl.col(target.name).cast(pl.String)).drop_nulls()
    levels = _bands_of(schema, value, target, both[value])
    return both.is_empty() or float((levels == both[target.name]).mean() or 0.0) >= BANDED_SHARE  # type: ignore[arg-type]


def _bands_of(schema: DomainSchema, value: str, target: Target, values: pl.Series) -> pl.Series:
    """The level of each of `values`."""
    places = np.searchsorted(schema.target_by_name[value].cut_points, values.to_numpy(), side="right")
    return pl.Series(target.name, [target.levels[place] for place in places], dtype=pl.String)


def _of_bands(experiment: _Experiment, leader: Training, target: Target) -> Training:
    """The class of each value: the same graph, and the probabilities of each band about its answers."""
    value, before, seed = experiment.task.target, leader.bundle.manifest, experiment.task.seed
    levels = _bands_of(experiment.schema, value.name, target, experiment.task.frame[value.name])
    frame = experiment.task.frame
    if target.name in frame.columns:
        levels = frame[target.name].cast(pl.String).fill_null(levels)
    frame = frame.with_columns(levels)
    truth = levels.replace_strict({level: float(place) for place, level in enumerate(target.levels)}).to_numpy()
    task = Task(target, experiment.task.inputs, frame, truth.astype(np.float64), seed, banded=True)
    ours = replace(experiment, task=task)
    outputs = evaluate.unseen_shares(experiment.task, leader.outputs[:, 0], experiment.pairs)
    naive = evaluate.answer_naively(task, _naive_column(ours), ours.pairs)[ours.tested]
    scores = {"naive": evaluate.score_naive(ours.seen, naive, ours.groups[ours.tested])}
    scores[before.candidate] = ours.score(outputs)
    errors = _errors(ours, outputs)
    importance = evaluate.in_levels(before.importance, before.errors, errors)
    manifest = msgspec.structs.replace(
        before,
        target=target,
        naive=evaluate.naive_rule(task, _naive_column(ours)),
        half_width=None,
        coverage=None,
        importance=importance,
        errors=errors,
        scores=scores,
        beats_naive=evaluate.better(scores[before.candidate], scores["naive"]),
        against_rule=_against_rule(ours, outputs, naive),
        effective_shares=_effective_shares(ours, outputs),
        said=_probabilities(ours, outputs),
        patterns=evaluate.as_leader(_patterns(ours, outputs, naive, importance), before.patterns),
    )
    profile, aside = _profiles(ours, outputs)
    bundle = msgspec.structs.replace(leader.bundle, manifest=manifest, profile=profile, aside=aside)
    return Training(bundle=bundle, truth=task.truth, outputs=outputs)


def _require_none(key: ChampionKey, objections: Iterable[str]) -> None:
    """Raises NotTrainable where there is an objection."""
    if told := list(objections):
        raise NotTrainable(f"{key}: {'. And '.join(told)}")


def _run_of(schema: DomainSchema, frame: pl.DataFrame, seed: int) -> str:
    """The id of a run over a frame: the same for every target and moment, whatever the order of the rows."""
    outcomes = frame.select("_record", *(name for name in schema.target_by_name if name in frame.columns))
    return digest([schema.fingerprint, outcomes.sort(pl.all()).rows(), seed, library_version("gradewatch")])


def _experiment(
    schema: DomainSchema,
    moment: str,
    offered: pl.DataFrame,
    complete: frozenset[str],
    task: Task,
    run: str,
    source: str,
) -> _Experiment:
    classes = None if task.target.kind == "value" else task.truth.astype(np.int64)
    pairs = folds(task.frame, schema, k=TRAINING_FOLDS, seed=task.seed, classes=classes)
    return _Experiment(schema, moment, offered, complete, task, pairs, clusters(task.frame, schema), run, source)


def _task(
    schema: DomainSchema, key: ChampionKey, frame: pl.DataFrame, seed: int, with_protected: bool
) -> tuple[Task, frozenset[str], int]:
    """What is to be learned, from each complete row of `frame` once; the ids of all, copies as well; and how many
    copies."""
    target = schema.target_by_name[key.target]
    inputs = schema.inputs_at(key.moment, with_protected=with_protected)
    if not inputs:
        raise NotTrainable(f"{key}: no input is known at this moment; there is nothing to predict from")
    needed = [target.name] + [feature.name for feature in inputs if not feature.optional]
    if absent := [name for name in needed if name not in frame.columns]:
        raise NotTrainable(f"{key}: the rows have no column {', '.join(absent)}")
    kinds = {"numeric": pl.Float64, "categorical": pl.String}
    absent_options = [pl.lit(None, kinds[f.kind]).alias(f.name) for f in inputs if f.name not in frame.columns]
    rows = frame.with_columns(absent_options).drop_nulls(needed)
    rows = rows.sort("_record", target.name, *(f.name for f in inputs), maintain_order=True)
    complete = frozenset(rows["_record"])
    counted = once(rows, *schema.contents_of(target.name, key.moment))
    rows, copied = rows.filter(pl.Series(counted)), int((~counted).sum())
    _require_rows(str(key), rows, target.name, copied=copied)
    truth = rows[target.name]
    if target.kind == "ordered_class":
        truth = truth.replace_strict({level: float(i) for i, level in enumerate(target.levels)})
    return Task(target, inputs, rows, truth.to_numpy().astype(np.float64), seed), complete, copied


def _require_rows(what: str, rows: pl.DataFrame, target: str, *, copied: int) -> None:
    if rows.height < MINIMUM_ROWS:
        beside = f" beside {copied} copies" if copied > 0 else ""
        raise NotTrainable(
            f"{what}: not enough data, {rows.height} complete labelled rows{beside}; {MINIMUM_ROWS} are needed"
        )
    if rows[target].n_unique() < 2:
        raise NotTrainable(f"{what}: every outcome is {rows[target][0]}; there is nothing to learn")


def _suspects(what: str, task: Task) -> tuple[Suspect, ...]:
    suspects = find_suspects(task.frame, task.target, task.inputs)
    try:
        require_no_leak(suspects)
    except Leaking as error:
        raise NotTrainable(f"{what}: {error}") from error
    return tuple(suspects)


def _require_signal(experiment: _Experiment, outputs: Floats) -> None:
    task, tested = experiment.task, experiment.tested
    by_student = evaluate.signal(task, outputs, experiment.pairs, tested, students(task.frame))
    few = len(np.unique(experiment.groups[tested])) < FEW_CLUSTERS
    gain = by_student if few else evaluate.signal(task, outputs, experiment.pairs, tested, experiment.groups)
    if gain.lower > 0:
        return
    what = f"{experiment.schema.name}/{task.target.name}@{experiment.moment}"
    side = "below" if gain.mean > 0 else "above"
    told = (
        f"Over {gain.n} unseen rows in {gain.clusters} clusters the best model's mean loss (squared error, or Brier) "
        f"is {abs(gain.mean):.4g} {side} that of a constant answer; its gain has a {gain.level:.0%} lower bound of "
        f"{gain.lower:.4g}, and a model is served only when that is above 0"
    )
    if by_student.lower > 0:
        raise NotTrainable(
            f"{what}: too few groups, or groups that differ too much, to tell a signal from what they have in common. "
            f"{told}. Were rows of different students independent, it would be {by_student.lower:.4g}: bring rows of "
            "more groups, or take the column out of `group` if it only says which subject, form or test a row is of"
        )
    raise NotTrainable(f"{what}: no signal in these inputs. {told}")


def train_rule(
    schema: DomainSchema, key: ChampionKey, frame: pl.DataFrame, *, seed: int = 0, source: str = RECORDS
) -> list[Training]:
    """The plain rule of the rows of `frame` as a model, whatever candidates could do with them, and its bands.

    Raises NotTrainable where it answers everyone alike, or with a level; ParityError.
    """
    task, complete, _ = _task(schema, key, frame, seed, False)
    run = _run_of(schema, frame, seed)
    experiment = _experiment(schema, key.moment, frame, complete, task, run, source)
    column = _naive_column(experiment)
    if column is None or task.target.kind != "value":
        raise NotTrainable(f"{key}: the plain rule answers everyone alike, or with a level; it is not made a model")
    outputs = evaluate.answer_naively(task, column, experiment.pairs).reshape(-1, 1)
    narrow = replace(experiment, task=replace(task, inputs=tuple(f for f in task.inputs if f.name == column)))
    before, _ = narrow.pairs[-1]
    unseen = Unseen(outputs, fit_rule(narrow.task.subset(before)))
    final = fit_rule(narrow.task)
    graph = export_graph(final.estimator, final.encoding.width)
    training = _finish(narrow, RULE, final, graph, unseen, {RULE: narrow.score(outputs)})
    classes = [one for one in schema.banded(key.target) if _are_bands(schema, key.target, one, frame)]
    return _whole_task(narrow, training, classes)


def _finish(
    experiment: _Experiment,
    chosen: str,
    final: Fitted,
    graph: bytes,
    unseen: Unseen,
    scores: dict[str, Scores],
    too_large: Mapping[str, float] | None = None,
    left: Mapping[str, Overtaken] | None = None,
) -> Training:
    """The chosen candidate, as it was fitted on every row and exported: calibrated, proved and bundled."""
    task, seen, outputs = experiment.task, experiment.seen, unseen.outputs
    heat, uncalibrated = 1.0, None
    if isinstance(before := scores[chosen], ClassScores):
        uncalibrated = before.brier
        heat = evaluate.temperature(seen.truth.astype(np.int64), outputs[experiment.tested])
        outputs = evaluate.calibrate_unseen(task, outputs, experiment.pairs)
        scores = scores | {chosen: experiment.score(outputs)}
    said_naively = evaluate.answer_naively(task, _naive_column(experiment), experiment.pairs)[experiment.tested]
    naive = evaluate.score_naive(seen, said_naively, experiment.groups[experiment.tested])
    importance = evaluate.importance(unseen.last, task.subset(experiment.pairs[-1][1]))
    parity = _parity(final, graph, task)
    banded = task.target.kind == "value" and bool(task.target.cut_points)
    manifest = Manifest(
        domain=experiment.schema.name,
        target=task.target,
        moment=experiment.moment,
        schema=experiment.schema.fingerprint,
        inputs=tuple(feature.name for feature in task.inputs),
        encoding=final.encoding,
        candidate=chosen,
        naive=evaluate.naive_rule(task, _naive_column(experiment)),
        center=final.center,
        scale=final.scale,
        temperature=heat,
        half_width=_half_width(seen, outputs[experiment.tested]),
        coverage=evaluate.COVERAGE if task.target.kind == "value" else None,
        ranges=_ranges(task),
        reference=evaluate.reference(task),
        importance=importance,
        errors=_errors(experiment, outputs),
        scores={"naive": naive} | scores,
        overtaken=left or {},
        uncalibrated_brier=uncalibrated,
        beats_naive=evaluate.better(scores[chosen], naive),
        against_rule=_against_rule(experiment, outputs, said_naively),
        parity=parity,
        lineage=_lineage(experiment),
        effective_shares=_effective_shares(experiment, outputs),
        said=_probabilities(experiment, outputs),
        learned=document_of(experiment.schema),
        patterns=_patterns(experiment, outputs, said_naively, importance),
        bands=evaluate.bands(seen, outputs[experiment.tested, 0]) if banded else None,
        too_large=too_large or {},
        chance_ranges=chance_ranges(seen, outputs[experiment.tested], experiment.groups[experiment.tested]),
    )
    return Training(bundle=_bundle(experiment, manifest, graph, outputs), truth=task.truth, outputs=outputs)


def _bundle(experiment: _Experiment, manifest: Manifest, graph: bytes, outputs: Floats) -> Bundle:
    """The model with what it learned from."""
    profile, aside = _profiles(experiment, outputs)
    return Bundle(
        manifest=manifest,
        graph=graph,
        profile=profile,
        rows=experiment.complete,
        aside=aside,
        contents=contents_of(experiment.task.frame, experiment.schema),
        context=_context(experiment),
    )


TELLING = 0.95
"""Share of rows that differ in what a moment sees of them, from which on that tells rows apart: of marks alone, many
honest students have the same."""


def contents_of(frame: pl.DataFrame, schema: DomainSchema) -> frozenset[str]:
    """Ids (`database.pairs.content_id`) of what each moment sees of the rows that name no student, at the moments that
    tell rows apart: such a row is known again where it is asked about earlier than it was learned."""
    rows = rows_of(frame.filter(pl.col("_student").is_null()), schema) if "_student" in frame.columns else []
    found: set[str] = set()
    for place, moment in enumerate(schema.moments):
        names = [feature.name for feature in schema.features_at(moment)]
        seen = [row for row in rows if schema.moments.index(row.moment) >= place]
        ids = {
            content_id(row.group, row.period, moment, {name: row.inputs.get(name) for name in names}) for row in seen
        }
        if len(ids) >= TELLING * len(seen):
            found |= ids
    return frozenset(found)


def _naive_column(experiment: _Experiment) -> str | None:
    return experiment.schema.naive_column(experiment.task.target, experiment.moment)


def _nearer_rule(experiment: _Experiment, outputs: Floats) -> bool:
    """Whether the plain rule is credibly nearer to the values than these unseen answers; of classes not asked."""
    if experiment.task.target.kind != "value":
        return False
    naive = evaluate.answer_naively(experiment.task, _naive_column(experiment), experiment.pairs)
    gain = _against_rule(experiment, outputs, naive[experiment.tested])
    return 2 * gain.mean - gain.lower < 0


def _against_rule(experiment: _Experiment, outputs: Floats, naive: Floats) -> PairedGain:
    """How much smaller the absolute error of the unseen `outputs` is than that of the rule's answers `naive`."""
    unseen, truth = outputs[experiment.tested], experiment.seen.truth
    own = evaluate.answers_of(experiment.task, unseen)
    rule, model = absolute_errors(truth, naive), absolute_errors(truth, own)
    return paired_gain(rule, model, experiment.groups[experiment.tested], level=RULE_LEVEL)


def _patterns(
    experiment: _Experiment, outputs: Floats, naive: Floats, importance: Mapping[str, float]
) -> tuple[MissingPattern, ...]:
    tested = experiment.tested
    return evaluate.missing_patterns(experiment.seen, outputs[tested], naive, importance, experiment.groups[tested])


def _half_width(seen: Task, outputs: Floats) -> float | None:
    if seen.target.kind != "value":
        return None
    return evaluate.half_width(absolute_errors(seen.truth, outputs[:, 0]))


def _errors(experiment: _Experiment, outputs: Floats) -> ErrorTable:
    seen, tested = experiment.seen, experiment.tested
    unseen = outputs[tested]
    answers = evaluate.answers_of(seen, unseen)
    hard = hardness(seen.target, unseen)
    return tabulate(hard, absolute_errors(seen.truth, answers), experiment.groups[tested])


def _parity(final: Fitted, graph: bytes, task: Task) -> float:
    """How far graph and model differ on 20,000 nasty rows. Raises ParityError."""
    seen = {f.name: task.frame[f.name].to_numpy().astype(np.float64) for f in task.inputs if f.kind == "numeric"}
    rows = nasty_rows(task.inputs, final.encoding, seen, seed=task.seed)
    return check_parity(final.estimator, graph, rows, scale=final.scale)


def _ranges(task: Task) -> dict[str, tuple[float, float]]:
    numeric = [task.frame[f.name].drop_nulls().to_numpy() for f in task.inputs if f.kind == "numeric"]
    names = [f.name for f in task.inputs if f.kind == "numeric"]
    known = [(name, values) for name, values in zip(names, numeric, strict=True) if values.size]
    return {name: (float(values.min()), float(values.max())) for name, values in known}


def _profiles(experiment: _Experiment, outputs: Floats) -> tuple[bytes, bytes]:
    """The drift references: of the offered rows that the model would answer, and of those that lack an input.

    Rows without an outcome are among them: those that will be asked about have none either.
    """
    offered, needed = experiment.offered, experiment.needed
    said = _said(experiment.task, outputs)
    answered = _profile(experiment, offered.drop_nulls(needed), [one for one in said if one is not None])
    lacking = offered.filter(pl.any_horizontal(pl.col(needed).is_null())) if needed else offered.clear()
    aside = _profile(experiment, lacking, []).to_bytes() if lacking.height >= FEWEST_ASIDE else b""
    return answered.to_bytes(), aside


def _profile(experiment: _Experiment, rows: pl.DataFrame, said: list[float | str]) -> Profile:
    """Every column known at the moment, the target, and unseen predictions.

    An outcome or a prediction that a row does not have is no missing value: asked rows all have one in the end.
    """
    schema, target = experiment.schema, experiment.task.target
    columns = [f.name for f in schema.features_at(experiment.moment) if f.name in rows.columns]
    profile = build_profile(rows, schema, columns=[*columns, target.name])
    kind = pl.Float64 if target.kind == "value" else pl.String
    answers = build_profile(pl.DataFrame({experiment.prediction: pl.Series(said, dtype=kind)}), schema)
    known = {**profile.columns, **answers.columns}
    known[target.name] = replace(known[target.name], missing=0)
    return replace(profile, columns=dict(sorted(known.items())))


def _context(experiment: _Experiment) -> bytes:
    """The profile of what places the offered rows."""
    placed = count_context(experiment.offered, experiment.schema)
    return placed.to_bytes() if placed.columns else b""


def _effective_shares(experiment: _Experiment, outputs: Floats) -> dict[str, tuple[float, float]]:
    """What rows of the drift reference are worth in independent rows, where one student or group has several."""
    schema, task = experiment.schema, experiment.task
    rows = experiment.offered.drop_nulls(experiment.needed)
    columns = [f.name for f in schema.features_at(experiment.moment) if f.name in rows.columns]
    answers = task.frame.with_columns(pl.Series(experiment.prediction, _said(task, outputs), strict=False))
    found = effective_shares_of(rows, columns) | effective_shares_of(
        answers.drop_nulls(experiment.prediction), [experiment.prediction]
    )
    found |= effective_shares_of(rows.drop_nulls(task.target.name), [task.target.name])
    placed = count_context(experiment.offered, schema).columns
    found |= effective_shares_of_context(experiment.offered, schema, placed)
    return {
        name: (round(effective.values, 6), round(effective.missing, 6)) for name, effective in sorted(found.items())
    }


def _probabilities(experiment: _Experiment, outputs: Floats) -> Said | None:
    """The held-out probabilities of classes; whole groups, or else students, count as independent."""
    if experiment.task.target.kind == "value":
        return None
    tested = experiment.tested
    effective = len(np.unique(experiment.groups[tested])) / len(tested)
    return Said.of(experiment.task.target.levels, outputs[tested], effective)


def _said(task: Task, outputs: Floats) -> list[float | str | None]:
    """The unseen answers as the schema writes them; None in rows that no fold tested."""
    said: list[float | str | None] = []
    for row in outputs:
        if np.isnan(row[0]):
            said.append(None)
        else:
            answer = float(evaluate.answers_of(task, row[np.newaxis, :])[0])
            said.append(answer if task.target.kind == "value" else task.target.levels[int(answer)])
    return said


def _lineage(experiment: _Experiment) -> Lineage:
    """What the model came from; without a clock time, so that the same data and seed give the same bytes."""
    task = experiment.task
    columns = sorted(set(task.frame.columns) - {"_row", "_student"})
    return Lineage(
        data=digest_in_pieces(piece.rows() for piece in task.frame.select(columns).iter_slices()),
        training=experiment.run,
        source=experiment.source,
        rows=task.frame.height,
        split=split_kind(task.frame, experiment.schema),
        seed=task.seed,
        code=library_version("gradewatch"),
        libraries={name: library_version(name) for name in LIBRARIES},
    )
