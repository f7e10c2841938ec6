"""Models and champions as text for a terminal. Computes nothing."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from rich import box
from rich.table import Table

from database.records import ModelVersion, Succession
from model.scores import Estimate
from model.trial import Trial
from model.version_names import version_names


def models_table(
    models: Sequence[ModelVersion], champions: Sequence[Succession], withdrawn: Mapping[str, int]
) -> Table:
    """One line per version; the champion's generation where it serves. models: all of a key, of as many keys as there
    are. withdrawn: rows, by version, that it learned and that were withdrawn since."""
    names = version_names(models)
    serving = {(champion.key, champion.version): champion.generation for champion in champions}
    table = _table("version", "model of", "score", "plain rule", "trained on", "serves")
    for model in models:
        generation = serving.get((model.key, model.version))
        table.add_row(
            f"{names[model.version]}\n{model.version[:12]}",
            f"{model.key}\n{model.candidate}",
            headline(model).replace(" [", "\n[").replace("], ", "]\n"),
            _naive(model),
            f"{model.lineage['rows']} {model.lineage['source']}\n{_minute(model.at)[:16]}{_gone(model, withdrawn)}",
            "" if generation is None else f"generation {generation}",
        )
    return table


def _gone(model: ModelVersion, withdrawn: Mapping[str, int]) -> str:
    gone = withdrawn.get(model.version, 0)
    return f"\n{gone:,} withdrawn since" if gone else ""


def headline(model: ModelVersion) -> str:
    """The score that chose the model, with its n and 95 % interval."""
    words, score = _deciding(model.scores)
    return f"{words} {score}, n = {model.scores['n']}"


def _naive(model: ModelVersion) -> str:
    """The same score of the plain rule on the same rows, with the rule."""
    naive = model.scores.get("naive")
    if naive is None:
        return "not kept"  # of a model from before it was
    _, score = _deciding(naive)
    return f"{score.value:.3f}\n[{score.low:.3f}, {score.high:.3f}]\n{naive['rule']}"


def _deciding(scores: Mapping[str, Any]) -> tuple[str, Estimate]:
    name, words = ("rmse", "RMSE") if "rmse" in scores else ("weighted_f1", "weighted F1")
    return words, msgspec.convert(scores[name], Estimate)


def lineage_table(model: ModelVersion) -> Table:
    """Where a model comes from."""
    table = Table("lineage", "", show_header=False)
    for name, value in model.lineage.items():
        words = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
        table.add_row(name, words)
    return table


def history_table(successions: Sequence[Succession]) -> Table:
    """Who was champion when, by whom and why."""
    table = _table("generation", "version", "action", "by", "at (UTC)", "because")
    for one in successions:
        table.add_row(str(one.generation), one.version[:12], one.action, one.actor, _minute(one.at), one.reason)
    return table


def trials_table(found: Sequence[Trial]) -> Table:
    """One line per trial."""
    table = _table("trial", "of", "challenger", "how", "since (UTC)", "ended")
    for one in found:
        how = one.mode if one.mode == "shadow" else f"split, {one.share:.0%}"
        ended = "runs" if one.ended is None else f"{_minute(one.ended)[:16]}: {one.why}"
        table.add_row(one.id[:12], str(one.key), one.challenger[:12], how, _minute(one.started)[:16], ended)
    return table


def _table(*names: str) -> Table:
    """A table that cuts nothing off: what is too wide goes on in the next line."""
    table = Table(box=box.SIMPLE)
    for name in names:
        table.add_column(name, overflow="fold", no_wrap=name in ("version", "trial", "challenger"))
    return table


def _minute(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S")
