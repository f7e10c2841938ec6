"""Predictions for the rows of a file, and answers as CSV. The road to the answer is `model.service`."""

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

from database.records import Answer, Factor, Prediction
from model.service import PredictionService
from preprocessing.read import read_table
from preprocessing.validate import rows_of

CHUNK = 10_000


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
) -> list[Prediction]:
    """One logged prediction per row of a file, in file order; explain: with at most so many factors per answer.

    Raises UnreadableFile, BadData, NoChampion.
    """
    from preprocessing.validate import validate_table

    schema = service.schema(domain)
    raw = read_table(source, name=name)
    validated = validate_table(raw, schema, secret=secret, moment=moment, with_targets="ignored").require_clean()
    rows = rows_of(validated.frame, schema)
    predictions: list[Prediction] = []
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        predictions += service.answer(schema, part, source=origin, actor=actor, explain=explain)
        progress(f"{len(predictions)} of {len(rows)} rows")
    return predictions


def answers_csv(predictions: Sequence[Prediction]) -> str:
    """One line per prediction: id, moment, and per target the answer, its interval, the naive answer, the model, which
    inputs lay outside the training range or were missing, and the factors that were asked for, the strongest first."""
    text = io.StringIO()
    targets = list(dict.fromkeys(answer.target for prediction in predictions for answer in prediction.answers))
    factors = max((len(answer.factors) for prediction in predictions for answer in prediction.answers), default=0)
    parts = ["", "_low", "_high", "_naive", "_model", "_out_of_range", "_insufficient"]
    parts += [f"_factor_{number}" for number in range(1, factors + 1)]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["row", "prediction_id", "moment", *(f"{target}{part}" for target in targets for part in parts)])
    for number, prediction in enumerate(predictions, start=1):
        answers = {answer.target: answer for answer in prediction.answers}
        cells: list[object] = [number, prediction.id, prediction.moment]
        for target in targets:
            cells += _cells(answers[target], factors) if target in answers else [""] * len(parts)
        writer.writerow(cells)
    return text.getvalue()


def _cells(answer: Answer, factors: int) -> list[object]:
    """What one answer says, with room for `factors` of them."""
    numbers = (answer.value, *(answer.interval or ("", "")), answer.naive)
    named = [_words(factor) for factor in answer.factors]
    return [
        *("" if number is None else _rounded(number) for number in numbers),
        answer.model[:12],
        " ".join(answer.out_of_range),
        " ".join(answer.insufficient),
        *named,
        *[""] * (factors - len(named)),
    ]


def _words(factor: Factor) -> str:
    """A factor in one cell: "G2 = 8 (-1.9)"; the number is its effect."""
    value = (
        factor.value if isinstance(factor.value, str) else "missing" if factor.value is None else f"{factor.value:g}"
    )
    return f"{factor.feature} = {value} ({factor.effect:+.3g})"


def _rounded(value: float | str) -> float | str:
    """Four decimals: more than any mark has, and fewer than a float shows."""
    return value if isinstance(value, str) else round(value, 4)
