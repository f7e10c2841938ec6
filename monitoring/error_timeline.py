"""How a champion's answers turned out, window by window: errors, calibration, when they changed, and what to expect.

It compares with what the models showed on held-out rows in training. It judges no challenger and decides no retraining.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from database.layout import DAY_MICROS, calendar_day, instant
from database.pairs import Learned, LeftOut
from database.records import Prediction
from drift.impact import ErrorChange, ExpectedError
from drift.stream import find_changes
from drift.verdicts import adjust
from errors import Category, GradewatchError
from model.artifacts import CorruptArtifact, MissingArtifact
from model.bundle import BrokenBundle, Manifest
from model.expected_error import expect_error
from model.registry import load_bundle
from model.scores import Estimate, absolute_errors, as_numbers, mean_with_interval
from model.workspace import Workspace
from monitoring.calibration import ClassCalibration, Coverage, calibrate_classes, measure_coverage
from monitoring.evidence import FEW_GROUPS, EvidenceColumns, answer_about, columns_of, evidence_among, hash_text
from monitoring.evidence_archive import EvidenceArchive, Selection
from monitoring.performance import ENOUGH_OUTCOMES, FEWEST_TOLD, tellable
from monitoring.sampling import pairs_of
from monitoring.tails import TAIL_LEVEL, student_p, student_quantile
from preprocessing.schema import DomainSchema, Target

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
By = Literal["day", "week", "month", "period"]
Verdict = Literal["worse than in training", "better than in training", "no change shown", "not enough data"]

FALSE_SHARE = 0.05  # share of false findings among the windows called worse or better (Benjamini–Hochberg)
HALF = 1.959964
LABEL_FORMATS: Mapping[By, str] = {"day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m"}
NO_PERIOD = "(no period)"
NEWEST_WAITING = 5_000  # predictions, the newest, among which those that wait for their outcome are looked for


class NothingToFollow(GradewatchError):
    """A target or moment that the domain does not have; the message names those it has."""

    category = Category.UNKNOWN


class TimelineSpan(msgspec.Struct, frozen=True, kw_only=True):
    """Predictions of one stretch of time whose outcomes are known. first, last: moments of predictions in it (UTC).

    n outcomes of `students` students in `clusters` clusters (`EvidenceColumns.clusters`), which intervals
    resample whole; of fewer than FEWEST students no figure is told. mae: mean absolute error in target units, or
    levels; naive_mae: of the plain rule on the same rows. bias: mean of answer - outcome. held_out: the error of the
    same models in training. excess: mae - held_out, with an interval that knows the chance in both. p_adjusted: of no
    excess, corrected over all windows. calibration: of classes. covered: of stated intervals.
    """

    label: str
    first: datetime
    last: datetime
    n: int
    students: int
    clusters: int
    verdict: Verdict
    mae: Estimate | None = None
    naive_mae: Estimate | None = None
    bias: Estimate | None = None
    held_out: Estimate | None = None
    excess: Estimate | None = None
    p_adjusted: float | None = None
    calibration: ClassCalibration | None = None
    covered: Coverage | None = None


class WaitingSpan(msgspec.Struct, frozen=True, kw_only=True):
    """Predictions of one window that still wait for their outcome, n of those that are looked at, and the error to
    expect of them; None where there is no model to judge by, or they are of fewer than FEWEST students."""

    label: str
    first: datetime
    last: datetime
    n: int
    expected: ExpectedError | None = None


class ErrorTimeline(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the answers about one target at one moment, oldest window first.

    whole: all windows as one; None without outcomes. left_out: predictions with an outcome that are no evidence, by
    reason. waiting: predictions still without outcome, of all or of the domain's newest so many. expected: an estimate
    for these; None where there are none, or no model to judge by. waits: the same by window.
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
    newest: int | None = None
    left_out: LeftOut = LeftOut()
    waits: tuple[WaitingSpan, ...] = ()


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
    chosen, asked = targets_to_follow(schema, targets, moments), Selection(since, limit, groups)
    archive, newest = EvidenceArchive(workspace.store, schema, workspace.learned), newest_of(workspace, domain, asked)
    found = []
    for target in chosen:
        found += follow_target(workspace, schema, target, archive.matched(target, asked), newest, moments, by=by)
    return found


def targets_to_follow(
    schema: DomainSchema, targets: Sequence[str] | None, moments: Sequence[str] | None
) -> list[Target]:
    """All targets or these. Raises NothingToFollow for others, and for moments that the domain does not have."""
    names = targets or list(schema.target_by_name)
    for word, given, known in (("target", names, schema.target_by_name), ("moment", moments or (), schema.moments)):
        if unknown := sorted({*given} - {*known}):
            raise NothingToFollow(f"{schema.name} has no {word} {', '.join(unknown)}; there are: {', '.join(known)}")
    return [schema.target_by_name[name] for name in names]


def follow_target(
    workspace: Workspace,
    schema: DomainSchema,
    target: Target,
    matched: EvidenceColumns,
    newest: Sequence[Prediction],
    moments: Sequence[str] | None = None,
    *,
    by: By = "week",
) -> list[ErrorTimeline]:
    """The courses of one target at all moments (or these) at which there are predictions, as `follow` has them."""
    there = matched.moments | {prediction.moment for prediction in newest}
    chosen = [moment for moment in schema.moments if moment in there and moment in (moments or schema.moments)]
    models = KnownModels(_manifests(workspace), workspace.learned)
    found = [follow(schema, target, moment, models, matched, newest, by=by) for moment in chosen]
    return [timeline for timeline in found if timeline.whole or timeline.waiting]


def newest_of(workspace: Workspace, domain: str, asked: Selection) -> list[Prediction]:
    """The newest predictions, among which those that wait for their outcome are looked for."""
    few = NEWEST_WAITING if asked.limit is None else min(asked.limit, NEWEST_WAITING)
    return workspace.store.predictions(domain, **asked._replace(limit=few)._asdict())


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


def follow(
    schema: DomainSchema,
    target: Target,
    moment: str,
    models: KnownModels,
    matched: EvidenceColumns,
    newest: Sequence[Prediction] = (),
    *,
    by: By = "week",
) -> ErrorTimeline:
    """The course of the answers about `target` at `moment`.

    models: what is known of them. matched: the predictions with an outcome that are looked at. newest: predictions, the
    newest first, among which those still without one are looked for.
    """
    pairs = matched.at_moment(moment)
    counted, left_out = evidence_among(pairs)
    known = counted.take(counted.answered)
    waiting = _waiting(target, moment, pairs, newest)
    versions = {*_models_of(known), *(answer_about(one.answers, target.name).model for one in waiting)}
    found = {one: manifest for one in versions if (manifest := models.manifests(one)) is not None}
    held = {model: _held_out(manifest) for model, manifest in found.items()}
    windows = measure_spans(target, known, by, held)
    whole = _measure(target, known, "all", held) if known.n else None
    return ErrorTimeline(
        domain=schema.name,
        target=target.name,
        moment=moment,
        unit=_unit(target),
        by=by,
        windows=windows,
        whole=whole,
        changes=changes_of(target, moment, known, whole.held_out) if whole else (),
        waiting=len(waiting),
        newest=len(newest) if len(newest) == NEWEST_WAITING else None,
        expected=_expected(target, waiting, found),
        left_out=left_out,
        waits=_waits(target, waiting, by, found),
    )


def _waiting(target: Target, moment: str, matched: EvidenceColumns, newest: Sequence[Prediction]) -> list[Prediction]:
    asked = [one for one in newest if one.moment == moment and any(said.target == target.name for said in one.answers)]
    ids = np.array([hash_text(one.id) for one in asked], dtype=np.uint64)
    there = np.isin(ids, matched.own)
    return [one for one, known in zip(asked, there.tolist(), strict=True) if not known]


def _waits(
    target: Target, waiting: Sequence[Prediction], by: By, found: Mapping[str, Manifest]
) -> tuple[WaitingSpan, ...]:
    """waiting: the newest first."""
    parts: dict[str, list[Prediction]] = {}
    for one in reversed(waiting):
        label = (one.period or NO_PERIOD) if by == "period" else one.at.strftime(LABEL_FORMATS[by])
        parts.setdefault(label, []).append(one)
    told = tellable([len({one.student or one.id for one in part}) for part in parts.values()])
    return tuple(
        WaitingSpan(
            label=label,
            first=part[0].at,
            last=part[-1].at,
            n=len(part),
            expected=_expected(target, part[::-1], found) if tell else None,
        )
        for (label, part), tell in zip(parts.items(), told, strict=True)
    )


def _models_of(known: EvidenceColumns) -> Counter[str]:
    """How many answers each model gave."""
    counts = np.bincount(known.kind, minlength=len(known.kinds))
    found: Counter[str] = Counter()
    for (_, model), count in zip(known.kinds, counts.tolist(), strict=True):
        found[model] += count
    return +found


def _held_out(manifest: Manifest) -> Estimate:
    return manifest.scores[manifest.candidate].mae


def labels_of(known: EvidenceColumns, by: By) -> tuple[list[str], Integers]:
    """The windows that there are, the oldest first, and (n,) which of them each belongs to: a day, ISO week or month in
    UTC, or a period."""
    if by == "period":
        labels, number = [period or NO_PERIOD for _, period in known.places], known.place
    else:
        days, number = np.unique(known.at // DAY_MICROS, return_inverse=True)
        labels = [calendar_day(day).strftime(LABEL_FORMATS[by]) for day in days.tolist()]
    there, first = np.unique(number, return_index=True)
    order: dict[str, int] = {}
    for one in there[np.argsort(first)].tolist():
        order.setdefault(labels[one], len(order))
    return list(order), np.array([order.get(label, 0) for label in labels], dtype=np.int64)[number]


def measure_spans(
    target: Target, known: EvidenceColumns, by: By, held: Mapping[str, Estimate]
) -> tuple[TimelineSpan, ...]:
    """The windows of `known`, oldest first, corrected for how many there are. held: model to its held-out error."""
    labels, number = labels_of(known, by)
    parts = [known.take(number == place) for place in range(len(labels))]
    told = tellable([part.students for part in parts])
    windows = [
        _measure(target, part, label, held, told=one) for label, part, one in zip(labels, parts, told, strict=True)
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
    verdict: Verdict = "no change shown"
    if (excess := window.excess) is None:
        return msgspec.structs.replace(window, p_adjusted=p_value, verdict=verdict)
    if p_value <= FALSE_SHARE:
        verdict = "worse than in training" if excess.value > 0 else "better than in training"
    wider = student_quantile(alpha, window.clusters - 1) / student_quantile(1 - TAIL_LEVEL, window.clusters - 1)
    half = (excess.high - excess.value) * wider
    corrected = Estimate(excess.value, excess.value - half, excess.value + half)
    return msgspec.structs.replace(window, p_adjusted=p_value, verdict=verdict, excess=corrected)


def _measure(
    target: Target, known: EvidenceColumns, label: str, held: Mapping[str, Estimate], *, told: bool = True
) -> TimelineSpan:
    errors, clusters = absolute_errors(known.truth, known.said), known.clusters
    reference = _reference(known, held)
    window = TimelineSpan(
        label=label,
        first=instant(int(known.at[0])),
        last=instant(int(known.at[-1])),
        n=known.n,
        students=known.students,
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
        naive_mae=mean_with_interval(absolute_errors(known.truth, known.naive), clusters),
        bias=mean_with_interval(known.said - known.truth, clusters),
        excess=excess,
        p_adjusted=p_value,
        calibration=_calibration(target, known, clusters),
        covered=_covered(known, clusters),
    )
    return window if p_value is None else _verdict(window, p_value, FALSE_SHARE)


def _reference(known: EvidenceColumns, held: Mapping[str, Estimate]) -> Estimate | None:
    """The held-out error of the models that answered, by how often they did; None when one of them is lost."""
    counts = _models_of(known)
    if any(model not in held for model in counts):
        return None
    value, low, high = (
        float(np.average([getattr(held[model], end) for model in counts], weights=list(counts.values())))
        for end in ("value", "low", "high")
    )
    return Estimate(value, low, high)


def _excess(
    errors: Floats, clusters: Integers, mae: Estimate, held: Estimate, *, few: bool
) -> tuple[Estimate, float | None]:
    """errors' mean `mae` above `held`, and the two-sided p of none (cluster-robust, Student's t); None with too `few`
    students or clusters, or where these do not differ."""
    n, number = len(errors), np.unique(clusters, return_inverse=True)[1]
    count, mean = int(number.max()) + 1, float(errors.mean())
    if few or count < FEW_GROUPS or mae.flat:
        return Estimate(mean - held.value, mae.low - held.high, mae.high - held.low), None
    sums = np.bincount(number, weights=errors - mean)
    own = count / (count - 1) * float((sums**2).sum()) / n**2
    error = float(np.sqrt(own + ((held.high - held.low) / (2 * HALF)) ** 2))
    gap, half = mean - held.value, student_quantile(1 - TAIL_LEVEL, count - 1) * error
    p_value = student_p(gap / error, count - 1) if error else float(gap == 0)
    return Estimate(gap, gap - half, gap + half), p_value


def _calibration(target: Target, known: EvidenceColumns, clusters: Integers) -> ClassCalibration | None:
    told = ~np.isnan(known.shares).any(axis=1)
    if target.kind == "value" or not told.any():
        return None
    return calibrate_classes(known.truth[told].astype(np.int64), known.shares[told], clusters[told])


def _covered(known: EvidenceColumns, clusters: Integers) -> Coverage | None:
    told = ~np.isnan(known.low) & (np.nan_to_num(known.coverage) > 0)
    if not told.any():
        return None
    inside = (known.low <= known.truth) & (known.truth <= known.high)
    return measure_coverage(inside[told], float(known.coverage[told].mean()), clusters[told])


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
        of_moment = columns_of(target, (pair for pair in pairs if pair.prediction.moment == moment), workspace.learned)
        counted, _ = evidence_among(of_moment)
        known = counted.take(counted.answered)
        if not known.n:
            continue
        held = {model: manifests(model) for model in _models_of(known)}
        reference = _reference(known, {model: _held_out(one) for model, one in held.items() if one})
        found += changes_of(target, moment, known, reference)
    return tuple(found)


def changes_of(
    target: Target, moment: str, known: EvidenceColumns, held_out: Estimate | None
) -> tuple[ErrorChange, ...]:
    """When the error changed, in the order of predictions."""
    errors = absolute_errors(known.truth, known.said)
    usual = held_out.value if held_out and held_out.value > 0 else float(errors.mean())
    found = find_changes(errors, usual=usual) if usual > 0 else ()
    return tuple(
        ErrorChange(
            target=target.name,
            moment=moment,
            unit=_unit(target),
            at=instant(int(known.at[one.start])),
            noticed=instant(int(known.at[one.noticed])),
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
    answers = [answer_about(prediction.answers, target.name) for prediction in waiting]
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
