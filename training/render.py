"""Training results as text for a terminal. Computes nothing."""

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from model.bundle import EXAMPLES, Manifest, MissingPattern
from model.naive import RULE
from model.scores import ClassScores, Scores, ValueScores, deciding, told_against_rule, told_overtaken
from preprocessing.schema import Target


def render_training(manifest: Manifest) -> RenderableType:
    """What a training found: every candidate beside the plain rule, and plain words about the chosen one."""
    lines = [Text(line) for line in summary(manifest)]
    parts: list[RenderableType] = [candidate_table(manifest.scores, manifest.candidate), *lines]
    scores = manifest.scores[manifest.candidate]
    if isinstance(scores, ClassScores):
        parts += [confusion_table(scores), class_table(scores)]
    return Group(*parts)


def candidate_table(scores: Mapping[str, Scores], chosen: str) -> Table:
    """One row per candidate, the plain rule first; 95 % intervals."""
    numeric = isinstance(scores[chosen], ValueScores)
    names = ("MAE", "RMSE", "R²") if numeric else ("accuracy", "weighted F1", "MAE (levels)", "Brier")
    table = Table("candidate", *names, title=f"out-of-fold scores, n = {scores[chosen].n}, 95 % intervals")
    for name, one in sorted(scores.items(), key=lambda item: item[0] != "naive"):
        if isinstance(one, ValueScores):
            cells = [str(one.mae), str(one.rmse), str(one.r2)]
        else:
            brier = "no probabilities" if one.brier is None else f"{one.brier:.3f}"
            cells = [str(one.accuracy), str(one.weighted_f1), str(one.mae), brier]
        shown = "plain rule" if name == "naive" else name
        table.add_row(f"{shown} (chosen)" if name == chosen else shown, *cells, style="bold" if name == chosen else "")
    return table


def summary(manifest: Manifest) -> list[str]:
    """What a reader must know about the chosen model, a sentence each."""
    said = [f"plain rule: {manifest.naive}", *_against_naive(manifest)]
    measure, _ = deciding(manifest.scores[manifest.candidate])
    said += [told_overtaken(name, one, measure) for name, one in manifest.overtaken.items()]
    if manifest.half_width is not None and manifest.coverage is not None:
        said.append(
            f"an outcome lies within ±{manifest.half_width:.3g} of the answer in {manifest.coverage:.0%} of rows"
        )
    said += [
        f"{name} is better, and left out: its graph of {size:.3g} MB is above what a model may take in every process"
        for name, size in manifest.too_large.items()
    ]
    said += [_of_pattern(one, manifest.target) for one in manifest.patterns]
    if manifest.uncalibrated_brier is not None:
        calibrated = manifest.scores[manifest.candidate]
        assert isinstance(calibrated, ClassScores)  # noqa: S101 - only classes are calibrated
        said.append(
            f"calibrated with temperature {manifest.temperature:g}: Brier {manifest.uncalibrated_brier:.4f} before, "
            f"{calibrated.brier:.4f} after"
        )
    said.append(f"rows split by {manifest.lineage.split}; graph and model agree within {manifest.parity:.1g}")
    if manifest.lineage.source == EXAMPLES:
        said.append("trained on generated examples: for trying out, not for real students")
    return said


def _of_pattern(one: MissingPattern, target: Target) -> str:
    """What comes of rows that lack most of what the model rests on."""
    unit = target.unit if target.kind == "value" else "levels"
    told = "not answered: the rule is better" if one.verdict == "worse" else "answered"
    return (
        f"rows without {', '.join(one.missing)} ({one.n:,} unseen) are off by {one.mae:.3g} {unit}, by the plain rule "
        f"{one.naive_mae:.3g}: {told}"
    )


def _against_naive(manifest: Manifest) -> list[str]:
    """Whether the model beats the rule by the score that chose it, and by the mean absolute error that promotes."""
    model, naive, name = manifest.scores[manifest.candidate], manifest.scores["naive"], manifest.candidate
    if name == RULE:
        return ["this model is the plain rule itself."]
    (chooses, first), (_, second) = deciding(model), deciding(naive)
    numbers = f"{chooses} {first.value:.3f} against {second.value:.3f}"
    said = f"{name} beats the plain rule: {numbers}."
    if not manifest.beats_naive:
        said = f"{name} does NOT beat the plain rule ({numbers}): the rule is as good an answer as the model."
    if manifest.against_rule is None:
        return [said]
    by_error = told_against_rule(manifest.against_rule, "levels" if manifest.target.levels else manifest.target.unit)
    return [said, f"by mean error (MAE) {by_error}: {model.mae.value:.3f} against {naive.mae.value:.3f}."]


def confusion_table(scores: ClassScores) -> Table:
    """True levels in rows, answers in columns."""
    table = Table("true \\ answered", *scores.levels, title="confusion matrix")
    for level, counts in zip(scores.levels, scores.confusion, strict=True):
        table.add_row(level, *(str(count) for count in counts))
    return table


def class_table(scores: ClassScores) -> Table:
    """Precision, recall, F1, Brier and balance per class."""
    table = Table("class", "precision", "recall", "F1", "Brier", "rows", "share", title="per class")
    for level, one in scores.report.items():
        brier = "–" if one.brier is None else f"{one.brier:.3f}"
        numbers = (f"{one.precision:.3f}", f"{one.recall:.3f}", f"{one.f1:.3f}", brier, str(one.n), f"{one.share:.1%}")
        table.add_row(level, *numbers)
    return table
