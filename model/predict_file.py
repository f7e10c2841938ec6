"""Logged predictions for the rows of a file that fits in memory. Longer ones are `model.score_file`'s, answers
`model.service`'s.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from database.records import Prediction
from model.service import PredictionService
from model.unanswered import require_answers, silent_moments, without_unanswered
from preprocessing.columns import tables_of
from preprocessing.reading.files import read_table
from preprocessing.validation.rules import Problem

if TYPE_CHECKING:
    import polars as pl

ANSWERED_AT_ONCE = 10_000


class AnsweredFile(NamedTuple):
    """Predictions in file order, each with its row's number as the user counts (a file's header is row 1). notes: of
    how the file was read. kept: the columns of the file that were asked for, as they stand there, in the same order;
    separator: `RawTable.separator`. skipped: bad rows that were left out, `problems` those of the file."""

    rows: list[int]
    predictions: list[Prediction]
    notes: tuple[str, ...]
    kept: "pl.DataFrame"
    separator: str = ""
    skipped: int = 0
    problems: tuple[Problem, ...] = ()


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
    sheet: str = "",
    keep: Sequence[str] = (),
    skip_bad_rows: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> AnsweredFile:
    """One logged prediction per row of a file; explain: with at most so many factors per answer.

    sheet: of a workbook, its name or number. keep: columns of the file to hand back beside the answers; they are never
    stored. skip_bad_rows: answer the good rows; a file without any is refused all the same.
    Raises UnreadableFile, NoSuchColumn, BadData, NoChampion.
    """
    from preprocessing.validation.validate import validate_table

    schema = service.schema(domain)
    raw = read_table(source, name=name, sheet=sheet).handing_back(keep)
    own = raw.kept(keep)
    validated = validate_table(raw, schema, secret=secret, moment=moment, with_targets="ignored")
    silent = silent_moments(service, domain)
    require_answers(silent, validated.frame["_moment"].unique(maintain_order=True))
    validated = without_unanswered(service, silent, validated, raw.name)
    validated.require_good(skip=skip_bad_rows)
    predictions: list[Prediction] = []
    for part in validated.frame.iter_slices(ANSWERED_AT_ONCE):
        tables = tables_of(part, schema)
        batches = service.answer_columns(schema, tables, source=origin, actor=actor, explain=explain)
        predictions += sorted(chain.from_iterable(batches), key=lambda one: one.id)  # ids ascend as rows do
        progress(f"{len(predictions)} of {validated.frame.height} rows")
    rows = validated.frame["_row"]
    return AnsweredFile(
        rows.to_list(),
        predictions,
        validated.notes,
        own[rows - raw.first_row] if keep else own,
        raw.separator,
        validated.skipped,
        validated.problems,
    )
