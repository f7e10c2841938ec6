"""Problems of data and schemas as tables for a terminal, problems as CSV. Computes nothing."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from preprocessing.schema import DomainSchema, Feature, Target
from preprocessing.validation.causes import tell_causes
from preprocessing.validation.rules import BadData, Problem, expected

if TYPE_CHECKING:
    from preprocessing.data_summary import DataSummary, UnitSlips


def tell_problems(error: BadData) -> list[str]:
    """What is wrong with a file, a line per cause under a line that counts them all."""
    files = {problem.file for problem in error.problems if problem.file}
    where = f" in {files.pop()}" if len(files) == 1 else ""
    head = f"{error.total:,} problem{'s' if error.total != 1 else ''}{where}:"
    return [head, *(f"  {line}" for line in tell_causes(error.problems, error.total))]


def tell_summary(summary: "DataSummary", schema: DomainSchema) -> list[str]:
    """What a file holds, in lines."""
    counts = [f"{summary.rows:,} rows", f"{summary.good:,} in order"]
    counts += [f"{summary.students:,} students"] if summary.students is not None else []
    counts += [f"{summary.groups:,} groups"] if summary.groups is not None else []
    lines = [f"{summary.file}: {', '.join(counts)}"]
    if summary.periods:
        lines.append(f"periods: {_few([f'{period} ({rows:,})' for period, rows in summary.periods])}")
    if summary.absent:
        lines.append(f"columns of {schema.name} that are not there: {_few(summary.absent)}")
    if summary.ignored:
        lines.append(f"columns that are not needed: {_few(summary.ignored)}")
    if summary.missing:
        lines.append(f"missing: {_few([f'{name} {share:.1%}' for name, share in summary.missing])}")
    else:
        lines.append("missing: nothing")
    if summary.repeated:
        lines.append(f"{summary.repeated:,} rows are of the same student, group and period as another")
    if summary.equal:
        lines.append(f"{summary.equal:,} rows equal another in everything but the student")
    lines += [_slips_line(slips) for slips in summary.slips]
    for name, levels in summary.undeclared:
        told = _few([f"{level} ({rows:,})" for level, rows in levels])
        lines.append(f"levels of {name} that the domain does not list: {told}")
    for one in summary.can_predict:
        moment = schema.moment_titles.get(one.moment, one.moment)
        rows = f"{one.complete:,} rows have all that is needed, {one.labeled:,} of them the outcome"
        lines.append(f"{one.target} from {moment!r} on: {rows}")
    if not summary.can_predict:
        lines.append("nothing can be predicted: columns that every row needs are not there")
    return lines


def _slips_line(slips: "UnitSlips") -> str:
    by = f"times {slips.factor:g}" if slips.factor > 1 else f"divided by {1 / slips.factor:g}"
    values, rows = (_few([f"{one:g}" for one in found]) for found in (slips.values, slips.rows))
    what, which = ("values look", "rows") if len(slips.values) > 1 else ("value looks", "row")
    return (
        f"{slips.column}: {len(slips.values):,} {what} like another unit ({values}, where most lie from "
        f"{slips.low:g} to {slips.high:g}; {by} they would too): {which} {rows}"
    )


def _few(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")


def problems_csv(problems: Iterable[Problem]) -> str:
    """The problems as CSV with a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "row", "column", "value", "rule"])
    for problem in problems:
        cells = [problem.file, problem.row, problem.column, problem.value, problem.rule]
        writer.writerow([harmless_cell(cell) for cell in cells])
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


def harmless_cell(cell: object) -> object:
    """A value that a spreadsheet would run as a formula gets an apostrophe in front."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in "=+-@\t\r" and cell else cell
