"""What was answered about one student over time, about one target in one place: for whoever looks at how it went.

It compares nothing and answers nobody anew.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from database.records import Answer, Prediction
from model.readable import said_about
from preprocessing.schema import Target


class PastAnswer(NamedTuple):
    """An answer as it was given. another_model: whether a model answered that had not answered before it."""

    at: datetime
    moment: str
    answer: Answer
    another_model: bool


def answer_history(
    predictions: Sequence[Prediction], target: Target, group: str | None, period: str | None
) -> list[PastAnswer]:
    """Of the predictions of one student those of a group and period, the oldest first."""
    there = [one for one in predictions if (one.group, one.period) == (group, period)]
    found: list[PastAnswer] = []
    for one in sorted(there, key=lambda one: (one.at, one.id)):
        answer = said_about(one, target)
        if answer is not None:
            # A model of another moment is another one, too, and no change that anybody has to know of.
            last = next((past for past in reversed(found) if past.moment == one.moment), None)
            found.append(PastAnswer(one.at, one.moment, answer, last is not None and last.answer.model != answer.model))
    return found
