"""Problems of data and schemas as tables for a terminal, problems as CSV. Computes nothing."""

import csv
import io
from collections.abc import Iterable

from rich.table import Table

from preprocessing.schema import DomainSchema, Feature, Target
from preprocessing.validation.causes import tell_causes
from preprocessing.validation.rules import BadData, Problem, expected


def tell_problems(error: BadData) -> list[str]:
    """What is wrong with a file, a line per cause under a line that counts them all."""
    files = {problem.file for problem in error.problems if problem.file}
    where = f" in {files.pop()}" if len(files) == 1 else ""
    head = f"{error.total:,} problem{'s' if error.total != 1 else ''}{where}:"
    return [head, *(f"  {line}" for line in tell_causes(error.problems, error.total))]


def problems_csv(problems: Iterable[Problem]) -> str:
    """The problems as CSV with a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "row", "column", "value", "rule"])
    for problem in problems:
        cells = [problem.file, problem.row, problem.column, problem.value, problem.rule]
        writer.writerow([_harmless(cell) for cell in cells])
    return text.getvalue()


def render_schema(schema: DomainSchema) -> Table:
    """Every column of a domain: what it may hold, from when it is known, what it is for."""
    table = Table("column", "role", "values", "known at", "meaning", title=f"{schema.name}: {schema.title}")
    if schema.student:
        table.add_row(schema.student.name, "student key", "any key", "", schema.student.description)
    for context in schema.context:
        role = "group" if context.name in schema.group else "period" if context.name == schema.period else "context"
        table.add_row(context.name, role, "text", "", context.description)
    for feature in schema.features:
        role = "protected" if feature.protected else "input"
        role += ", optional" if feature.optional else ""
        moment = feature.known_at or schema.moments[0]
        moment = schema.moment_titles.get(moment, moment)
        table.add_row(feature.name, role, _values(feature), moment, feature.description)
    for target in schema.targets:
        table.add_row(target.name, "target", _values(target), "end", target.description)
    return table


def _values(column: Feature | Target) -> str:
    """What a column may hold, what its levels mean, and what else a file may write."""
    parts = [expected(column)]
    if column.labels:
        parts.append(", ".join(f"{level} = {label}" for level, label in column.labels.items()))
    if column.accepts:
        parts.append(f"also written with {' '.join(column.accepts)}")
    if column.missing:
        parts.append(f"missing is also {', '.join(column.missing)}")
    if column.level_aliases:
        parts.append(", ".join(f"{spelling!r} is {level}" for spelling, level in column.level_aliases.items()))
    return "; ".join(parts)


def _harmless(cell: object) -> object:
    """A value that a spreadsheet would run as a formula gets an apostrophe in front."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in "=+-@\t\r" and cell else cell
