"""Checks a whole file of any length against a domain's rules before anything is done with it, in bounded memory.

The good rows go to the caller chunk by chunk, as they are found. It keeps no row and stores nothing.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from preprocessing.reading.chunks import FileSource, read_chunks
from preprocessing.reading.raw_table import RawTable, UnreadableFile
from preprocessing.schema import DomainSchema, Feature, Target
from preprocessing.validation import rules
from preprocessing.validation.left_out import OutcomesLeftOut
from preprocessing.validation.results import Validated
from preprocessing.validation.rules import BadData, Known, Problem
from preprocessing.validation.tables import Identities, Noticed, check_piece, comma_rules

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class CheckedFile:
    """What a file holds. rows: not blank, and saying more than an earlier one. good: of them without any problem of
    their own. repeated: numbers of the rows that are left out because another is about the same student, group and
    period; of those that say the same the first stays. moments: of all rows without a problem of their own, those
    that the caller's `sieve` took out included. problems: in file order, at most `rules.PROBLEMS_KEPT`; problem_count
    counts all. separator: `RawTable.separator`. dependent: what must be said where bad rows are left out of it, which
    depends on outcomes."""

    digest: str
    rows: int
    good: int
    repeated: NDArray[np.int64]
    moments: tuple[str, ...]
    problems: tuple[Problem, ...]
    problem_count: int
    ignored_columns: tuple[str, ...]
    notes: tuple[str, ...]
    separator: str
    dependent: tuple[str, ...]

    def require_clean(self) -> None:
        """Raises BadData when anything is wrong."""
        if self.problems:
            raise BadData(self.problems, self.problem_count)


def check_file(  # noqa: PLR0913 - what `score` may ask of a file
    source: FileSource,
    schema: DomainSchema,
    *,
    secret: bytes,
    moment: str | None = None,
    with_targets: Known = "ignored",
    asked: Collection[str] = (),
    columns: Sequence[str] = (),
    sieve: Callable[[Validated, str], Validated] = lambda checked, _: checked,
    keep: Callable[["pl.DataFrame"], object],
    progress: Callable[[float], None] = lambda _: None,
) -> CheckedFile:
    """Reads a file to its end. with_targets: as `validate.validate_table` has it. asked: targets that something is
    asked of; all where none is named. keep: gets the good rows of each chunk, typed as `validate.Validated` says; rows
    that turn out to be repeated are among them. progress: hears which share is read. columns: of the file that `keep`
    gets as well, as text, under `own_column` of their names. sieve: takes out rows that are problems for a reason of
    the caller's; gets the file's name, too.

    Raises UnreadableFile; TooManyRows; NoSuchColumn; BadData where the file as a whole is refused (a missing column,
    one that names people); ValueError for an unknown moment.
    """
    commas = _comma_rules(source, schema, with_targets)
    problems: list[Problem] = []
    seen: list[Identities] = []
    moments: set[str] = set()
    rows = good = count = 0
    ignored: tuple[str, ...] = ()
    notes: dict[str, None] = {}
    noticed, left, separator = Noticed(), OutcomesLeftOut(schema), ""
    for piece, done in read_chunks(source):
        table = piece.handing_back(columns)
        checked, identities = check_piece(
            table, schema, secret=secret, moment=moment, with_targets=with_targets, commas=commas, asked=asked
        )
        if any(problem.row is None for problem in checked.problems):
            raise BadData([*problems, *checked.problems][: rules.PROBLEMS_KEPT], count + checked.problem_count)
        moments |= set(checked.frame["_moment"].unique())
        checked = sieve(checked, source.name)
        problems += checked.problems[: rules.PROBLEMS_KEPT - len(problems)]
        seen.append(identities)
        noticed.see(checked.frame, schema)
        left.see(checked)
        rows, good, count = rows + checked.rows, good + checked.frame.height, count + checked.problem_count
        ignored, notes = checked.ignored_columns, notes | dict.fromkeys(checked.notes)
        separator = table.separator
        if checked.frame.height:
            keep(_with_own(checked.frame, table, columns))
        progress(done)
    if not rows:
        raise UnreadableFile(f"{source.name}: there is a header and no row under it")
    contradicting, again = _repeated(seen)
    problems = _with_repeated(source.name, problems, contradicting)
    known = tuple(name for name in schema.moments if name in moments)
    told = (*notes, *([rules.said_again(again)] if again else ()), *noticed.notes(schema))
    numbers = np.sort(np.array([*contradicting["row"], *again], dtype=np.int64))
    rows, count = rows - len(again), count + contradicting.height
    found = (tuple(problems), count, ignored, told, separator, left.sentences())
    return CheckedFile(source.digest, rows, good, numbers, known, *found)


def own_column(name: str) -> str:
    """What a column of the user's file is called among the typed ones."""
    return f"_own:{name}"


def _with_own(frame: "pl.DataFrame", table: RawTable, columns: Sequence[str]) -> "pl.DataFrame":
    """The typed rows with columns of the file as they stand there."""
    if not columns:
        return frame
    own = table.kept(columns)[(frame["_row"] - table.first_row)]
    return frame.hstack(own.rename(own_column))


def _comma_rules(source: FileSource, schema: DomainSchema, with_targets: Known) -> dict[str, str] | None:
    if not source.commas:
        return None
    columns: list[Feature | Target] = [*schema.features, *(schema.targets if with_targets != "ignored" else ())]
    return comma_rules((chunk.table for chunk in read_chunks(source)), schema, columns)


def _repeated(seen: list[Identities]) -> tuple["pl.DataFrame", list[int]]:
    """`row` and `other`: the rows that say something else than another row of their identity, in file order, each with
    such a row; and the numbers of those that say again what an earlier one says."""
    import polars as pl

    parts = {name: [getattr(part, name) for part in seen] for name in ("hashes", "contents", "numbers")}
    found = pl.DataFrame({name: np.concatenate(arrays) for name, arrays in parts.items()})
    found = found.rename({"hashes": "hash", "numbers": "row"}).filter(pl.col("hash").is_duplicated())
    same = pl.col("contents").n_unique().over("hash") == 1
    again = found.filter(same & ~pl.col("hash").is_first_distinct())["row"].to_list()
    alike = found.filter(~same)
    first, second = pl.col("row").first().over("hash"), pl.col("row").slice(1, 1).first().over("hash")
    other = pl.when(pl.col("row") == first).then(second).otherwise(first)
    return alike.select("row", other.alias("other")).sort("row"), again


def _with_repeated(name: str, problems: list[Problem], repeated: "pl.DataFrame") -> list[Problem]:
    found = [
        Problem(file=name, row=row, column=None, value=None, rule=rules.DUPLICATE.format(*sorted((row, other))))
        for row, other in repeated.head(rules.PROBLEMS_KEPT).iter_rows()
    ]
    return sorted([*problems, *found], key=lambda problem: problem.row or 0)[: rules.PROBLEMS_KEPT]
