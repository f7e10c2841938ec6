"""Answers as files that people open: CSV in the dialect of their country, Excel, Parquet.

Numbers are rounded as the target's unit is read and versions shortened, but in Parquet, which programs read and which
keeps all. What the answers are is said by `model.answer_frame`.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import polars as pl

from database.records import Prediction
from errors import Category, GradewatchError
from model.answer_frame import frame_of_predictions, words_of_factor
from model.readable import decimals_of
from preprocessing.excel import excel_bytes
from preprocessing.schema import Target

VERSION_LETTERS = 12
"""Of a version's digest, where people read it; every command takes as many."""
SHARE_DECIMALS = 3
SHEET = "answers"
POINT_LANGUAGES = frozenset({"en", "ga", "he", "hi", "ja", "ko", "mt", "th", "zh"})
COMMA_LANGUAGES = frozenset(
    {
        *("bg", "ca", "cs", "da", "de", "el", "es", "et", "eu", "fi", "fr", "gl", "hr", "hu", "id", "is", "it"),
        *("lt", "lv", "nb", "nl", "nn", "no", "pl", "pt", "ro", "ru", "sk", "sl", "sr", "sv", "tr", "uk", "vi"),
    }
)


class UnknownLocale(GradewatchError):
    """A locale that we do not know how to write numbers in."""

    category = Category.INVALID


class UnusableOutput(GradewatchError):
    """An output that cannot be written as asked; the message says what can."""


class Dialect(NamedTuple):
    """How a CSV file is written. comma: decimal commas, and a byte order mark, so that Excel reads it as it is."""

    separator: str = ","
    comma: bool = False


def dialect_of(locale: str, separator: str = "") -> Dialect:
    """The dialect of a locale ("fr", "de_DE"), or with "auto" that of a file whose cells `separator` parts.

    Raises UnknownLocale.

    >>> dialect_of("fr_FR")
    Dialect(separator=';', comma=True)
    >>> dialect_of("auto", ",")
    Dialect(separator=',', comma=False)
    """
    language = locale.replace("-", "_").split("_")[0].lower()
    if language == "auto":
        return Dialect(";", comma=True) if separator == ";" else Dialect()
    if language in COMMA_LANGUAGES:
        return Dialect(";", comma=True)
    if language in POINT_LANGUAGES:
        return Dialect()
    raise UnknownLocale(f"locale {locale!r} is not known; say a language such as en, de or fr, or auto")


def answers_table(
    rows: Sequence[int],
    predictions: Sequence[Prediction],
    targets: Sequence[Target],
    kept: pl.DataFrame | None = None,
    *,
    dialect: Dialect = Dialect(),  # noqa: B008 (frozen)
) -> pl.DataFrame:
    """A row per prediction as people read it. rows: their numbers in the file; targets: the domain's; kept: columns of
    the user's own file, in the order of the predictions. dialect: how numbers within texts are written.

    Factors, where any were asked for, stand in one more column per target, the strongest first.
    """
    given = {answer.target for prediction in predictions for answer in prediction.answers}
    answered = [target for target in targets if target.name in given]
    frame = frame_of_predictions(rows, predictions, answered)
    factors = [{answer.target: answer.factors for answer in p.answers if answer.factors} for p in predictions]
    for name in dict.fromkeys(name for found in factors for name in found):
        words = partial(words_of_factor, comma=dialect.comma)
        told = ["; ".join(map(words, found.get(name, ()))) for found in factors]
        frame = frame.with_columns(pl.Series(f"{name}_factors", told, dtype=pl.String()))
    return with_kept(readable(frame.lazy(), answered).collect(), kept)


def readable(answers: pl.LazyFrame, targets: Sequence[Target]) -> pl.LazyFrame:
    """Answers with numbers to the decimals that their unit is read with, and versions of twelve letters.

    No answer is rounded over a cut point: 59.96 beside the grade below 60 is shown as 59.9.
    """
    rounded = [
        _rounded(pl.col(name), decimals, target.cut_points if name == target.name else ()).alias(name)
        for target in targets
        for name, decimals in _decimals(target).items()
    ]
    versions = [pl.col(f"{target.name}_model").str.slice(0, VERSION_LETTERS) for target in targets]
    return answers.with_columns(rounded + versions)


def _rounded(value: pl.Expr, decimals: int, cuts: Sequence[float]) -> pl.Expr:
    shown, step = value.round(decimals), 10.0**-decimals
    if not cuts:
        return shown
    exact, read = (pl.sum_horizontal(one >= cut for cut in cuts) for one in (value, shown))
    return (
        pl.when(read > exact).then(shown - step).when(read < exact).then(shown + step).otherwise(shown).round(decimals)
    )


def _decimals(target: Target) -> dict[str, int]:
    shares = {f"{target.name}_below_pass": SHARE_DECIMALS} if target.cut_points else {}
    if target.kind != "value":
        return shares | {f"{target.name}_p_{level}": SHARE_DECIMALS for level in target.levels}
    return shares | {f"{target.name}{part}": decimals_of(target) for part in ("", "_low", "_high", "_naive")}


def with_kept(answers: pl.DataFrame, kept: pl.DataFrame | None) -> pl.DataFrame:
    """The answers with the user's own columns after the row's number, under names that no column of ours has."""
    if kept is None or not kept.width:
        return answers
    own = kept.rename({name: kept_name(name, answers.columns) for name in kept.columns})
    return pl.concat([answers.select("row"), own, answers.drop("row")], how="horizontal")


def kept_name(name: str, ours: Sequence[str]) -> str:
    """What a kept column is called among ours.

    >>> kept_name("class", ["row", "student"]), kept_name("student", ["row", "student"])
    ('class', 'student (file)')
    """
    return f"{name} (file)" if name in ours else name


def csv_bytes(frame: pl.DataFrame, dialect: Dialect, *, bom: bool = True) -> bytes:
    """A table as CSV. bom: false where it is no file."""
    text = io.BytesIO()
    mark = bom and dialect.comma
    frame.write_csv(text, separator=dialect.separator, decimal_comma=dialect.comma, include_bom=mark)
    return text.getvalue()


def write_answers(frame: pl.DataFrame, output: Path, dialect: Dialect) -> None:
    """A table of answers into a .csv, .xlsx or .parquet file. Raises UnusableOutput."""
    output.parent.mkdir(parents=True, exist_ok=True)
    kind = output.suffix.casefold()
    if kind in (".parquet", ".pq"):
        frame.write_parquet(output)
    else:
        output.write_bytes(excel_bytes(frame, SHEET) if kind == ".xlsx" else csv_bytes(frame, dialect))


def sink_of(output: Path, targets: Sequence[Target], dialect: Dialect) -> Callable[[pl.LazyFrame, Path], object]:
    """What writes answers that are longer than memory into a file of the output's kind. Raises UnusableOutput."""
    sinks: Mapping[str, Callable[[pl.LazyFrame, Path], object]] = {
        ".csv": lambda answers, path: readable(answers, targets).sink_csv(
            path, separator=dialect.separator, decimal_comma=dialect.comma, include_bom=dialect.comma
        ),
        ".xlsx": lambda answers, path: path.write_bytes(excel_bytes(readable(answers, targets).collect(), SHEET)),
        ".parquet": lambda answers, path: answers.sink_parquet(path, compression_level=1),
    }
    kind = output.suffix.casefold()
    try:
        return sinks[".parquet" if kind == ".pq" else kind]
    except KeyError:
        raise UnusableOutput(f"answers are written as .csv, .xlsx or .parquet; {output.name!r} is none") from None
