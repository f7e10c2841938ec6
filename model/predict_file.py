"""Logged predictions for the rows of a file that fits in memory. Longer ones are `model.score_file`'s, answers
`model.service`'s.
"""

from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from database.records import Prediction
from model.service import PredictionService
from preprocessing.columns import tables_of
from preprocessing.reading.files import read_table

ANSWERED_AT_ONCE = 10_000


class AnsweredFile(NamedTuple):
    """Predictions in file order, each with its row's number as the user counts (a file's header is row 1). notes: of
    how the file was read."""

    rows: list[int]
    predictions: list[Prediction]
    notes: tuple[str, ...]


def predict_file(  # noqa: PLR0913 - each is an option of a command or a field of a page
    service: PredictionService,
    domain: str,
    source: Path | bytes,
    *,
    secret: bytes,
    name: str = "",
    moment: str | None = None,
    origin: str = "cli",
    actor: str | None = None,
    explain: int = 0,
    progress: Callable[[str], None] = lambda _: None,
) -> AnsweredFile:
    """One logged prediction per row of a file; explain: with at most so many factors per answer.

    Raises UnreadableFile, BadData, NoChampion.
    """
    from preprocessing.validation.validate import validate_table

    schema = service.schema(domain)
    raw = read_table(source, name=name)
    validated = validate_table(raw, schema, secret=secret, moment=moment, with_targets="ignored").require_clean()
    predictions: list[Prediction] = []
    for part in validated.frame.iter_slices(ANSWERED_AT_ONCE):
        tables = tables_of(part, schema)
        batches = service.answer_columns(schema, tables, source=origin, actor=actor, explain=explain)
        predictions += sorted(chain.from_iterable(batches), key=lambda one: one.id)  # ids ascend as rows do
        progress(f"{len(predictions)} of {validated.frame.height} rows")
    return AnsweredFile(validated.frame["_row"].to_list(), predictions, validated.notes)
