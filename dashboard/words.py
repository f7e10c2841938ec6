"""Words and signs that several pages share. It draws nothing and asks nothing."""

import re

from language import _, worded
from language.format import number
from model.scores import ClassScores, Estimate, Scores
from preprocessing.schema import Feature, Target


def measure(scores: Scores) -> str:
    """What the score is called that candidates are chosen by."""
    return _("weighted F1") if isinstance(scores, ClassScores) else "RMSE"


def deciding(scores: Scores) -> Estimate:
    """The score that candidates are chosen by: weighted F1 of classes, RMSE of values."""
    return scores.weighted_f1 if isinstance(scores, ClassScores) else scores.rmse


def space(unit: str) -> str:
    """A unit as it follows a number; nothing where there is none."""
    return f" {worded(unit)}" if unit else ""


def span(column: Feature | Target) -> str:
    """A column's range and unit, as '0 to 20 points'; empty where neither is known."""
    unit = "" if column.unit == "level" else worded(column.unit)
    if column.minimum is None or column.maximum is None:
        return unit
    ends = _("{low} to {high}").format(low=number(column.minimum, 3), high=number(column.maximum, 3))
    return f"{ends}{space(unit)}"


def plain(text: str) -> str:
    """A text with the derived columns of a drift report named for people: '_prediction:G3' as 'prediction of G3'."""
    text = re.sub(r"_prediction:(\w+)", lambda found: _("prediction of {target}").format(target=found[1]), text)
    return re.sub(r"_error:(\w+)", lambda found: _("error of {target}").format(target=found[1]), text)


def candidate(name: str) -> str:
    """A candidate's name for people: 'hist_gradient_boosting' as 'hist gradient boosting'."""
    known = {"naive": _("plain rule"), "plain_rule": _("plain rule"), "mean_of_trees": _("mean of trees")}
    return known.get(name) or name.replace("_", " ")


def harmless(text: str) -> str:
    """A text whose signs mean nothing to Markdown: what it says is data.

    >>> harmless("a_b [x](y)")
    'a\\\\_b \\\\[x\\\\](y)'
    """
    return re.sub(r"([\\`*_\[\]#$:<>|~])", r"\\\1", text)


def version(digest: str) -> str:
    """The beginning of a version's digest, as every command accepts it."""
    return digest[:12]
