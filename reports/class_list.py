"""A class list of the reader's own: which pseudonym stands for which key of the institution, while a report is shown.

It is read, used and forgotten: nothing of it is stored, and no key can be guessed back from a pseudonym without it.
"""

from pathlib import Path

from errors import Category, GradewatchError
from preprocessing.schema import DomainSchema
from preprocessing.validation.pii import pseudonym
from reports.tables import Named


class NoKeys(GradewatchError):
    """A class list without a column of student keys."""

    category = Category.INVALID


def read_class_list(source: Path | bytes, schema: DomainSchema, *, secret: bytes, name: str = "") -> Named:
    """Pseudonym to key, of each student in the list's column of student keys, or in its only column.

    Raises UnreadableFile, NoKeys.
    """
    from preprocessing.reading.files import read_table
    from preprocessing.reading.raw_table import listed
    from preprocessing.validation.rules import is_missing, match_columns, plain_key
    from preprocessing.validation.tables import as_texts

    raw = read_table(source, name=name)
    columns = raw.frame.columns
    wanted = schema.student.name if schema.student else ""
    found = match_columns(columns, schema).found.get(wanted) or (columns[0] if len(columns) == 1 else None)
    if found is None:
        raise NoKeys(f"{raw.name} has no column {wanted!r}, and more than one: {listed(columns)}")
    keys = [plain_key(text) for text in as_texts(raw.frame[found]).drop_nulls().unique(maintain_order=True)]
    return {pseudonym(key, secret): key for key in keys if not is_missing(key)}
