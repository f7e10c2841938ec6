"""How the dashboard says things: numbers with their units, scores with their intervals, events as sentences.

It decides nothing and draws nothing; every text here is made from a record.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

from database.records import DecisionRecord
from model.bundle import Manifest
from model.naive import RULE
from model.scores import ClassScores, Estimate, Scores
from preprocessing.schema import Feature, Target

RMSE = (
    "Root mean squared error: the typical distance between answer and outcome, in the target's own unit, with large "
    "errors counting more. Lower is better."
)
MAE = "Mean absolute error: how far answers are from outcomes on average, in the target's own unit. Lower is better."
F1 = (
    "Weighted F1: how well the classes are told apart, from 0 (never right) to 1 (always right), each class counting "
    "by its number of students. Higher is better."
)
OUT_OF_FOLD = (
    "Scored on rows that the model had not seen when it answered them (cross-validation). The bracket is the 95 % "
    "interval: with other students, the score may lie anywhere in it."
)
STANDING = (
    "By the score that chose the model. Where the 95 % intervals of model and plain rule overlap, being ahead may be "
    "luck of these students."
)
PLAIN_RULE_HELP = "What a careful person would say without any model: the last known grade, or else the average."

Standing = Literal["ahead", "close", "behind", "rule"]


class Headline(msgspec.Struct, frozen=True, kw_only=True):
    """The score that a champion was chosen by. name: short; help: what it means; naive: the plain rule's."""

    name: str
    help: str
    unit: str
    model: Estimate
    naive: Estimate
    n: int
    beats_naive: bool
    is_rule: bool = False

    @property
    def standing(self) -> Standing:
        """Against the plain rule: "ahead" only where the two intervals do not even touch."""
        apart = self.model.high < self.naive.low or self.model.low > self.naive.high
        if self.is_rule:
            return "rule"
        if not self.beats_naive:
            return "behind"
        return "ahead" if apart else "close"


STANDINGS: Mapping[Standing, str] = {
    "ahead": "beats the plain rule",
    "close": "ahead of the plain rule, maybe by luck",
    "behind": "does not beat the plain rule",
    "rule": "is the plain rule itself",
}


def headline(manifest: Manifest) -> Headline:
    """The score that decided between the candidates, beside the plain rule's."""
    model, naive = manifest.scores[manifest.candidate], manifest.scores["naive"]
    name, explained = ("weighted F1", F1) if isinstance(model, ClassScores) else ("RMSE", RMSE)
    return Headline(
        name=name,
        help=explained,
        unit="" if isinstance(model, ClassScores) else manifest.target.unit,
        model=deciding(model),
        naive=deciding(naive),
        n=model.n,
        beats_naive=manifest.beats_naive,
        is_rule=manifest.candidate == RULE,
    )


def deciding(scores: Scores) -> Estimate:
    """The score that candidates are chosen by: weighted F1 of classes, RMSE of values."""
    return scores.weighted_f1 if isinstance(scores, ClassScores) else scores.rmse


def with_interval(estimate: Estimate, unit: str = "") -> str:
    """A score with its 95 % interval: '1.29 points [1.17 to 1.41]'."""
    return f"{number(estimate.value)}{space(unit)} [{number(estimate.low)} to {number(estimate.high)}]"


def number(value: float) -> str:
    """At most three decimals, and no more digits than anyone reads: 12, 12.4, 0.813, 1,234."""
    size = abs(value)
    places = 0 if size >= 1000 or value == int(value) else 1 if size >= 100 else 2 if size >= 1 else 3
    return f"{value:,.{places}f}"


def space(unit: str) -> str:
    """A unit as it follows a number; nothing where there is none."""
    return f" {unit}" if unit else ""


def pass_mark(target: Target) -> str:
    """The least outcome that passes."""
    mark = target.pass_mark or 0
    return target.levels[int(mark)] if target.levels else f"{number(mark)}{space(target.unit)}"


def span(column: Feature | Target) -> str:
    """A column's range and unit, as '0 to 20 points'; empty where neither is known."""
    unit = "" if column.unit == "level" else column.unit
    if column.minimum is None or column.maximum is None:
        return unit
    return f"{column.minimum:g} to {column.maximum:g}{space(unit)}"


def column_name(name: str) -> str:
    """A column of a drift report for people: '_prediction:G3' as 'prediction of G3'."""
    return plain(name)


def plain(text: str) -> str:
    """A report's sentence with the derived columns named for people."""
    return text.replace("_prediction:", "prediction of ").replace("_error:", "error of ")


def candidate(name: str) -> str:
    """A candidate's name for people: 'hist_gradient_boosting' as 'hist gradient boosting'."""
    return "plain rule" if name == "naive" else name.replace("_", " ")


def harmless(text: str) -> str:
    """A text whose signs mean nothing to Markdown: what it says is data.

    >>> harmless("a_b [x](y)")
    'a\\\\_b \\\\[x\\\\](y)'
    """
    return re.sub(r"([\\`*_\[\]#$:<>|~])", r"\\\1", text)


def person(actor: str) -> str:
    """Who did something, without the kind of account."""
    return actor.removeprefix("user:")


def version(digest: str) -> str:
    """The beginning of a version's digest, as every command accepts it."""
    return digest[:12]


def when(at: datetime) -> str:
    """A time to the minute."""
    return f"{at:%d %b %Y, %H:%M} UTC"


def rows(count: int, noun: str = "row") -> str:
    """'1 row', '2,000 rows'."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


VERDICTS: Mapping[str, str] = {
    "drift": "changed clearly",
    "warn": "probably changed",
    "undecided": "undecided",
    "ok": "still the same",
    "constant": "one value only",
}
"""What a drift verdict means, in words."""

DOUBTS: Mapping[str, str] = {
    "few rows": "too few rows to tell",
    "no sign": "no sign of change",
    "at the limit": "changed by about the limit",
    "untested": "not tested",
}
"""Why a drift verdict is undecided, in words."""

DECISION_WORDS: Mapping[str, str] = {
    "promote": "Challenger promoted",
    "shadow": "Challenger kept in shadow",
    "keep": "Champion kept",
}
"""What a retraining decision means, in words."""


def decided(decision: DecisionRecord) -> str:
    """A decision in words; where there was no champion, none was kept."""
    if decision.verdict == "keep" and decision.champion is None:
        return "Nobody to replace"
    return DECISION_WORDS.get(decision.verdict, decision.verdict)
