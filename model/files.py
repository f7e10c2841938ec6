"""Predictions for the rows of a file, and answers as CSV. The road to the answer is `model.service`."""

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

from database.records import Prediction
from model.service import PredictionService
from preprocessing.read import read_table
from preprocessing.validate import rows_of

CHUNK = 10_000


def predict_file(
    service: PredictionService,
    domain: str,
    source: Path | bytes,
    *,
    secret: bytes,
    name: str = "",
    moment: str | None = None,
    origin: str = "cli",
    progress: Callable[[str], None] = lambda _: None,
) -> list[Prediction]:
    """One logged prediction per row of a file, in file order. Raises UnreadableFile, BadData, NoChampion."""
    from preprocessing.validate import validate_table

    schema = service.schema(domain)
    raw = read_table(source, name=name)
    validated = validate_table(raw, schema, secret=secret, moment=moment, with_targets="ignored").require_clean()
    rows = rows_of(validated.frame, schema)
    predictions: list[Prediction] = []
    for start in range(0, len(rows), CHUNK):
        predictions += service.answer(schema, rows[start : start + CHUNK], source=origin)
        progress(f"{len(predictions)} of {len(rows)} rows")
    return predictions


def answers_csv(predictions: Sequence[Prediction]) -> str:
    """One line per prediction: id, moment, and per target the answer, its interval, the naive answer and the model."""
    text = io.StringIO()
    targets = list(dict.fromkeys(answer.target for prediction in predictions for answer in prediction.answers))
    parts = ("", "_low", "_high", "_naive", "_model")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["row", "prediction_id", "moment", *(f"{target}{part}" for target in targets for part in parts)])
    for number, prediction in enumerate(predictions, start=1):
        answers = {answer.target: answer for answer in prediction.answers}
        cells: list[object] = [number, prediction.id, prediction.moment]
        for target in targets:
            if answer := answers.get(target):
                numbers = (answer.value, *(answer.interval or ("", "")), answer.naive)
                cells += [*(_rounded(number) for number in numbers), answer.model[:12]]
            else:
                cells += [""] * len(parts)
        writer.writerow(cells)
    return text.getvalue()


def _rounded(value: float | str) -> float | str:
    """Four decimals: more than any mark has, and fewer than a float shows."""
    return value if isinstance(value, str) else round(value, 4)
