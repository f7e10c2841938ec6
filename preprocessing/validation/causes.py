"""What is wrong with a file, by cause: a line for all cells of a column that break one rule, however many they are.

Every single problem stays in `rules.BadData`; this is how people are told of them.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from preprocessing.validation.rules import DUPLICATE, Problem

MOST_CAUSES = 20  # that are told; the others are counted
ROWS_NAMED, VALUES_NAMED = 5, 4
REPEATED = "the student, group and period of a row again; a file says each thing once"
HINTS = ("; did you mean ",)
"""Where a rule goes on with words about the single value."""


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Problems of one column that break one rule.

    column: None where whole rows or the whole file are meant. cells: how many. values: what stands there and how often,
    the commonest first. rows: as the user counts, ascending; none where the file as a whole is meant.
    """

    column: str | None
    rule: str
    cells: int
    values: tuple[tuple[str, int], ...]
    rows: tuple[int, ...]

    def __str__(self) -> str:
        if not self.rows:
            named = not self.column or self.rule.startswith("column ")
            return self.rule if named else f"column {self.column!r}: {self.rule}"
        what = "cell" if self.column else "row"
        where = f"{self.cells:,} {what}{'s' if self.cells > 1 else ''}{f' of {self.column!r}' if self.column else ''}"
        found = f", found {self.values_told}" if self.values else ""
        return f"{where}: {self.rule}{found}; row{'s' if len(self.rows) > 1 else ''} {self.rows_told}"

    @property
    def values_told(self) -> str:
        """The commonest values and how often each occurs."""
        named = ", ".join(f"{value!r}{f' ×{n}' if n > 1 else ''}" for value, n in self.values[:VALUES_NAMED])
        others = len(self.values) - VALUES_NAMED
        return f"{named} and {others:,} more" if others > 0 else named

    @property
    def rows_told(self) -> str:
        """The first rows."""
        return ", ".join(map(str, self.rows[:ROWS_NAMED])) + (" …" if len(self.rows) > ROWS_NAMED else "")


def causes(problems: Iterable[Problem]) -> list[Cause]:
    """The problems by column and rule: those of the whole file first, then the commonest.

    >>> cells = [Problem(file="", row=row, column="age", value="abs", rule="must be a number") for row in (2, 7)]
    >>> print(*causes(cells))
    2 cells of 'age': must be a number, found 'abs' ×2; rows 2, 7
    """
    found: dict[tuple[str | None, str], list[Problem]] = {}
    for problem in problems:
        found.setdefault((problem.column, _rule(problem)), []).append(problem)
    grouped = [_cause(column, rule, alike) for (column, rule), alike in found.items()]
    return sorted(grouped, key=lambda cause: (bool(cause.rows), -cause.cells))


def tell_causes(problems: Sequence[Problem], total: int) -> list[str]:
    """At most `MOST_CAUSES` lines on the problems, `total` of which there are."""
    grouped = causes(problems)
    kept = grouped if len(grouped) <= MOST_CAUSES else grouped[: MOST_CAUSES - 1]
    lines = [str(cause) for cause in kept]
    if len(kept) < len(grouped):
        left = sum(cause.cells for cause in grouped[len(kept) :])
        lines.append(f"{left:,} more problems of {len(grouped) - len(kept):,} other causes")
    if total > len(problems):
        lines[-1] += f" (counted among the first {len(problems):,} problems of {total:,})"
    return lines


def _rule(problem: Problem) -> str:
    if problem.column is None and problem.rule.endswith(DUPLICATE.rpartition("{}")[2]):
        return REPEATED
    return min((problem.rule.partition(hint)[0] for hint in HINTS), key=len)


def _cause(column: str | None, rule: str, alike: Sequence[Problem]) -> Cause:
    values = Counter(problem.value for problem in alike if problem.value is not None)
    rows = {problem.row for problem in alike if problem.row is not None}
    return Cause(
        column=column, rule=rule, cells=len(alike), values=tuple(values.most_common()), rows=tuple(sorted(rows))
    )
