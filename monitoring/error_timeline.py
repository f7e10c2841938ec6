"""How a champion's answers turned out, window by window: errors, calibration, when they changed, and what to expect.

It compares with what the models showed on held-out rows in training. It judges no challenger and decides no retraining.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from database.pairs import Learned, LeftOut, Pair
from database.records import Answer, Prediction
from database.store import PredictionLog
from drift.impact import ErrorChange, ExpectedError
from drift.stream import find_changes
from drift.verdicts import adjust
from errors import Category, GradewatchError
from model.answer_frame import expect_error
from model.artifacts import CorruptArtifact, MissingArtifact
from model.bundle import BrokenBundle, Manifest
from model.registry import load_bundle
from model.scores import Estimate, absolute_errors, as_numbers, mean_with_interval
from model.workspace import Workspace
from monitoring.calibration import ClassCalibration, Coverage, calibrate_classes, measure_coverage
from monitoring.performance import (
    ENOUGH_OUTCOMES,
    FEW_GROUPS,
    FEWEST_TOLD,
    clusters_of,
    count_students,
    evidence_of,
    tellable,
)
from monitoring.row_findings import pairs_of
from preprocessing.schema import DomainSchema, Target

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
By = Literal["day", "week", "month", "period"]
Verdict = Literal["worse than in training", "better than in training", "no change shown", "not enough data"]

FALSE_SHARE = 0.05  # share of false findings among the windows called worse or better (Benjamini–Hochberg)
HALF = 1.959964


class NothingToFollow(GradewatchError):
    """A target or moment that the domain does not have; the message names those it has."""

    category = Category.UNKNOWN


class TimelineSpan(msgspec.Struct, frozen=True, kw_only=True):
    """Predictions of one stretch of time whose outcomes are known. first, last: moments of predictions in it (UTC).

    n outcomes of `students` students in `clusters` clusters (`monitoring.performance.clusters_of`), which intervals
    resample whole; of fewer than FEWEST students no figure is told. mae: mean absolute error in target units, or
    levels. bias: mean of answer - outcome. held_out: the error of the same models in training. excess: mae - held_out,
    with an interval that knows the chance in both. p_adjusted: of no excess, corrected over all windows. calibration:
    of classes. covered: of stated intervals.
    """

    label: str
    first: datetime
    last: datetime
    n: int
    students: int
    clusters: int
    verdict: Verdict
    mae: Estimate | None = None
    bias: Estimate | None = None
    held_out: Estimate | None = None
    excess: Estimate | None = None
    p_adjusted: float | None = None
    calibration: ClassCalibration | None = None
    covered: Coverage | None = None


class ErrorTimeline(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the answers about one target at one moment, oldest window first.

    whole: all windows as one; None without outcomes. left_out: predictions with an outcome that are no evidence, by
    reason.
    expected: an estimate for the rows still without outcome; None where there are none, or no model to judge by.
    """

    domain: str
    target: str
    moment: str
    unit: str
    by: By
    windows: tuple[TimelineSpan, ...]
    whole: TimelineSpan | None
    changes: tuple[ErrorChange, ...]
    waiting: int
    expected: ExpectedError | None
    left_out: LeftOut = LeftOut()


def follow_domain(
    workspace: Workspace,
    domain: str,
    targets: Sequence[str] | None = None,
    moments: Sequence[str] | None = None,
    *,
    by: By = "week",
    since: datetime | None = None,
    limit: int | None = None,
    groups: Sequence[str] | None = None,
) -> list[ErrorTimeline]:
    """The courses of all targets (or these) at all moments (or these) at which there are predictions.

    limit: look at the newest so many predictions, and outcomes, only. groups: at those of these groups only.
    Raises UnknownDomain, NothingToFollow.
    """
    schema = workspace.schemas[domain]
    names = targets or list(schema.target_by_name)
    for word, asked, known in (("target", names, schema.target_by_name), ("moment", moments or (), schema.moments)):
        if unknown := sorted({*asked} - {*known}):
            raise NothingToFollow(f"{domain} has no {word} {', '.join(unknown)}; there are: {', '.join(known)}")
    asked_for = Selection(since, limit, groups)
    there = {prediction.moment for prediction in workspace.store.predictions(domain, **asked_for._asdict())}
    chosen = [moment for moment in schema.moments if moment in there and moment in (moments or schema.moments)]

    options: Any = {"by": by, "asked": asked_for}
    models = KnownModels(_manifests(workspace), workspace.learned)
    found = [follow(workspace.store, schema, name, moment, models, **options) for name in names for moment in chosen]
    return [timeline for timeline in found if timeline.whole or timeline.waiting]


class Selection(NamedTuple):
    """Which predictions are looked at: those from `since` on, the newest so many, of these groups."""

    since: datetime | None = None
    limit: int | None = None
    groups: Sequence[str] | None = None


class KnownModels(NamedTuple):
    """What is known of models by version: manifests, None of one that is lost; and what they learned from."""

    manifests: Callable[[str], Manifest | None]
    learned: Learned


def _manifests(workspace: Workspace) -> Callable[[str], Manifest | None]:
    """Manifests by model version, each read once; None of those whose bundle is lost or broken."""

    @cache
    def manifest(version: str) -> Manifest | None:
        try:
            return load_bundle(workspace.artifacts, version).manifest
        except (MissingArtifact, CorruptArtifact, BrokenBundle):
            return None

    return manifest


class _Answers(NamedTuple):
    """Pairs in the order of their predictions, as arrays of n; errors are absolute."""

    pairs: list[Pair]
    answers: list[Answer]
    truth: Floats
    said: Floats
    clusters: Integers

    def part(self, rows: Sequence[int]) -> _Answers:
        chosen = np.array(rows)
        pairs, answers = [self.pairs[row] for row in rows], [self.answers[row] for row in rows]
        return _Answers(pairs, answers, self.truth[chosen], self.said[chosen], clusters_of(_predictions(pairs)))


def follow(
    log: PredictionLog,
    schema: DomainSchema,
    target: str,
    moment: str,
    models: KnownModels,
    *,
    by: By = "week",
    asked: Selection = Selection(),  # noqa: B008 (frozen)
) -> ErrorTimeline:
    """The course of the answers about `target` at `moment`.

    models: what is known of them. asked: which predictions are looked at.
    Raises KeyError for a target that the schema does not have.
    """
    chosen = schema.target_by_name[target]
    found_pairs = log.pairs(schema.name, target, **asked._asdict())
    pairs = [pair for pair in found_pairs if pair.prediction.moment == moment]
    counted, left_out = evidence_of(target, pairs, models.learned)
    known = _known(chosen, counted)
    logged = [p for p in log.predictions(schema.name, **asked._asdict()) if p.moment == moment]
    matched = {pair.prediction.id for pair in pairs}
    waiting = [p for p in logged if p.id not in matched and _answer(p, target) is not None]
    versions = {answer.model for answer in known.answers} | {_answer_of(p, target).model for p in waiting[:1]}
    found = {one: manifest for one in versions if (manifest := models.manifests(one)) is not None}
    held = {model: _held_out(manifest) for model, manifest in found.items()}
    windows = measure_spans(chosen, known, by, held)
    whole = _measure(chosen, known, "all", held) if known.pairs else None
    return ErrorTimeline(
        domain=schema.name,
        target=target,
        moment=moment,
        unit=_unit(chosen),
        by=by,
        windows=windows,
        whole=whole,
        changes=changes_of(chosen, moment, known, whole.held_out) if whole else (),
        waiting=len(waiting),
        expected=_expected(chosen, waiting, found),
        left_out=left_out,
    )


def _known(target: Target, pairs: Sequence[Pair]) -> _Answers:
    """Answered pairs, oldest prediction first."""
    answered = [pair for pair in pairs if (one := _answer(pair.prediction, target.name)) and one.value is not None]
    ordered = sorted(answered, key=lambda pair: (pair.prediction.at, pair.prediction.id))
    answers = [_answer_of(pair.prediction, target.name) for pair in ordered]
    truth = as_numbers([pair.outcome.value for pair in ordered], target.levels)
    said = as_numbers([answer.value for answer in answers if answer.value is not None], target.levels)
    return _Answers(ordered, answers, truth, said, clusters_of(_predictions(ordered)))


def _predictions(pairs: Sequence[Pair]) -> list[Prediction]:
    return [pair.prediction for pair in pairs]


def _answer(prediction: Prediction, target: str) -> Answer | None:
    return next((answer for answer in prediction.answers if answer.target == target), None)


def _answer_of(prediction: Prediction, target: str) -> Answer:
    return next(answer for answer in prediction.answers if answer.target == target)


def _held_out(manifest: Manifest) -> Estimate:
    return manifest.scores[manifest.candidate].mae


def label_of(prediction: Prediction, by: By) -> str:
    """The window that a prediction belongs to: its day, ISO week or month in UTC, or its period."""
    if by == "period":
        return prediction.period or "(no period)"
    return prediction.at.strftime({"day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m"}[by])


def measure_spans(target: Target, known: _Answers, by: By, held: Mapping[str, Estimate]) -> tuple[TimelineSpan, ...]:
    """The windows of `known`, oldest first, corrected for how many there are. held: model to its held-out error."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, pair in enumerate(known.pairs):
        rows[label_of(pair.prediction, by)].append(row)
    parts = {label: known.part(part) for label, part in rows.items()}
    told = tellable([count_students(_predictions(part.pairs)) for part in parts.values()])
    windows = [
        _measure(target, part, label, held, told=one) for (label, part), one in zip(parts.items(), told, strict=True)
    ]
    tested = [place for place, window in enumerate(windows) if window.p_adjusted is not None]
    adjusted = adjust([windows[place].p_adjusted or 0.0 for place in tested]) if tested else np.empty(0)
    alpha = FALSE_SHARE * max(1, int((adjusted <= FALSE_SHARE).sum())) / max(1, len(tested))
    for place, p_value in zip(tested, adjusted, strict=True):
        windows[place] = _verdict(windows[place], float(p_value), alpha)
    return tuple(windows)


def _verdict(window: TimelineSpan, p_value: float, alpha: float) -> TimelineSpan:
    """The window with its verdict, and with its excess's interval at the level 1 - alpha at which that is given: it
    excludes 0 just where a change is shown (Benjamini and Yekutieli 2005)."""
    from scipy.special import stdtrit  # not needed to serve

    verdict: Verdict = "no change shown"
    if (excess := window.excess) is None:
        return msgspec.structs.replace(window, p_adjusted=p_value, verdict=verdict)
    if p_value <= FALSE_SHARE:
        verdict = "worse than in training" if excess.value > 0 else "better than in training"
    wider = float(stdtrit(window.clusters - 1, 1 - alpha / 2) / stdtrit(window.clusters - 1, 0.975))
    half = (excess.high - excess.value) * wider
    corrected = Estimate(excess.value, excess.value - half, excess.value + half)
    return msgspec.structs.replace(window, p_adjusted=p_value, verdict=verdict, excess=corrected)


def _measure(
    target: Target, known: _Answers, label: str, held: Mapping[str, Estimate], *, told: bool = True
) -> TimelineSpan:
    errors, clusters = absolute_errors(known.truth, known.said), known.clusters
    reference = _reference(known.answers, held)
    window = TimelineSpan(
        label=label,
        first=known.pairs[0].prediction.at,
        last=known.pairs[-1].prediction.at,
        n=len(errors),
        students=count_students(_predictions(known.pairs)),
        clusters=len(np.unique(clusters)),
        verdict="not enough data",
        held_out=reference,
    )
    if window.students < FEWEST_TOLD or not told:
        return window
    mae, few = mean_with_interval(errors, clusters), window.students < ENOUGH_OUTCOMES
    excess, p_value = (None, None) if reference is None else _excess(errors, clusters, mae, reference, few=few)
    window = msgspec.structs.replace(
        window,
        mae=mae,
        bias=mean_with_interval(known.said - known.truth, clusters),
        excess=excess,
        p_adjusted=p_value,
        calibration=_calibration(target, known),
        covered=_covered(known),
    )
    return window if p_value is None else _verdict(window, p_value, FALSE_SHARE)


def _reference(answers: Sequence[Answer], held: Mapping[str, Estimate]) -> Estimate | None:
    """The held-out error of the models that answered, by how often they did; None when one of them is lost."""
    models, counts = np.unique([answer.model for answer in answers], return_counts=True)
    if any(model not in held for model in models):
        return None
    parts = [held[model] for model in models]
    value, low, high = (
        float(np.average([getattr(part, end) for part in parts], weights=counts)) for end in ("value", "low", "high")
    )
    return Estimate(value, low, high)


def _excess(
    errors: Floats, clusters: Integers, mae: Estimate, held: Estimate, *, few: bool
) -> tuple[Estimate, float | None]:
    """errors' mean `mae` above `held`, and the two-sided p of none (cluster-robust, Student's t); None with too `few`
    students or clusters, or where these do not differ."""
    from scipy.special import stdtr, stdtrit  # not needed to serve

    n, number = len(errors), np.unique(clusters, return_inverse=True)[1]
    count, mean = int(number.max()) + 1, float(errors.mean())
    if few or count < FEW_GROUPS or mae.flat:
        return Estimate(mean - held.value, mae.low - held.high, mae.high - held.low), None
    sums = np.bincount(number, weights=errors - mean)
    own = count / (count - 1) * float((sums**2).sum()) / n**2
    error = float(np.sqrt(own + ((held.high - held.low) / (2 * HALF)) ** 2))
    gap, half = mean - held.value, float(stdtrit(count - 1, 0.975)) * error
    p_value = 2 * float(stdtr(count - 1, -abs(gap) / error)) if error else float(gap == 0)
    return Estimate(gap, gap - half, gap + half), p_value


def _calibration(target: Target, known: _Answers) -> ClassCalibration | None:
    told = [row for row, answer in enumerate(known.answers) if answer.probabilities]
    if target.kind == "value" or not told:
        return None
    shares = [known.answers[row].probabilities or {} for row in told]
    probabilities = np.array([[share.get(level, 0.0) for level in target.levels] for share in shares])
    return calibrate_classes(known.truth[told].astype(np.int64), probabilities, known.clusters[told])


def _covered(known: _Answers) -> Coverage | None:
    told = [row for row, answer in enumerate(known.answers) if answer.interval and answer.coverage]
    if not told:
        return None
    ends = np.array([known.answers[row].interval for row in told], dtype=np.float64)
    inside = (ends[:, 0] <= known.truth[told]) & (known.truth[told] <= ends[:, 1])
    stated = float(np.mean([known.answers[row].coverage or 0.0 for row in told]))
    return measure_coverage(inside, stated, known.clusters[told])


def find_error_changes(
    workspace: Workspace,
    schema: DomainSchema,
    targets: Sequence[Target],
    moment: str,
    *,
    since: datetime,
    until: datetime,
) -> tuple[ErrorChange, ...]:
    """When the errors of the answers at a moment changed, of predictions from `since` to before `until`, by target; of
    many, a random sample is looked at."""
    manifests, found = _manifests(workspace), list[ErrorChange]()
    for target in targets:
        pairs = pairs_of(workspace.store, schema.name, target.name, since=since, until=until)
        of_moment = [pair for pair in pairs if pair.prediction.moment == moment]
        known = _known(target, evidence_of(target.name, of_moment, workspace.learned).pairs)
        if not known.pairs:
            continue
        held = {answer.model: manifests(answer.model) for answer in known.answers}
        reference = _reference(known.answers, {model: _held_out(one) for model, one in held.items() if one})
        found += changes_of(target, moment, known, reference)
    return tuple(found)


def changes_of(target: Target, moment: str, known: _Answers, held_out: Estimate | None) -> tuple[ErrorChange, ...]:
    """When the error changed, in the order of predictions."""
    errors = absolute_errors(known.truth, known.said)
    usual = held_out.value if held_out and held_out.value > 0 else float(errors.mean())
    found = find_changes(errors, usual=usual) if usual > 0 else ()
    return tuple(
        ErrorChange(
            target=target.name,
            moment=moment,
            unit=_unit(target),
            at=known.pairs[one.start].prediction.at,
            noticed=known.pairs[one.noticed].prediction.at,
            n_before=one.n_before,
            n_after=one.n_after,
            before=one.before,
            after=one.after,
            low=one.low,
            high=one.high,
        )
        for one in found
        if min(one.n_before, one.n_after) >= FEWEST_TOLD
    )


def _unit(target: Target) -> str:
    return target.unit if target.kind == "value" else "levels"


def _expected(target: Target, waiting: Sequence[Prediction], found: Mapping[str, Manifest]) -> ExpectedError | None:
    """The error to expect of the newest model's answers that still wait for their outcome."""
    answers = [_answer_of(prediction, target.name) for prediction in waiting]
    manifest = found.get(answers[0].model) if answers else None
    if manifest is None or manifest.errors is None:
        return None
    told = [answer for answer in answers if answer.model == answers[0].model and answer.value is not None]
    if target.kind == "value":
        outputs = as_numbers([answer.value for answer in told if answer.value is not None], ())[:, np.newaxis]
    else:
        outputs = np.array([[(one.probabilities or {}).get(level, 0.0) for level in target.levels] for one in told])
    outside = float(np.mean([bool(answer.out_of_range) for answer in told])) if told else 0.0
    return expect_error(target, manifest.errors, outputs, outside=outside)
