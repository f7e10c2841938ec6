"""A class list of the reader's own: which pseudonym stands for which key of the institution, while a report is shown.

It is read, used and forgotten: nothing of it is stored, and no key can be guessed back from a pseudonym without it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from errors import Category, GradewatchError
from preprocessing.schema import DomainSchema, fold
from preprocessing.validation.pii import pseudonym
from reports.tables import Named

if TYPE_CHECKING:
    from preprocessing.reading.raw_table import RawTable


class NoKeys(GradewatchError):
    """A class list without a column of student keys."""

    category = Category.INVALID


LABELS = ("label", "name")
"""Columns of a list that say what its students are called; of two columns the one beside the keys does."""


def read_class_list(source: Path | bytes, schema: DomainSchema, *, secret: bytes, name: str = "") -> Named:
    """Pseudonym to key, of each student in the list's column of student keys, or in its only column.

    Raises UnreadableFile, NoKeys.
    """
    from preprocessing.reading.files import read_table

    return keys_of(read_table(source, name=name), schema, secret=secret)


def keys_of(raw: "RawTable", schema: DomainSchema, *, secret: bytes) -> Named:
    """Pseudonym to key, of each student in a table. Raises NoKeys."""
    return {pseudonym(key, secret): key for key, _ in _listed(raw, _key_column(raw, schema), None)}


def read_names(source: Path | bytes, schema: DomainSchema, *, secret: bytes, name: str = "") -> Named:
    """Pseudonym to what the list calls the student: the label beside the key, or the key itself.

    Raises UnreadableFile, NoKeys.
    """
    from preprocessing.reading.files import read_table

    raw = read_table(source, name=name)
    keys = _key_column(raw, schema)
    others = [column for column in raw.frame.columns if column != keys]
    labels = next((one for one in others if fold(one) in LABELS), others[0] if len(others) == 1 else None)
    return {pseudonym(key, secret): label or key for key, label in _listed(raw, keys, labels)}


def _key_column(raw: "RawTable", schema: DomainSchema) -> str:
    from preprocessing.reading.raw_table import listed
    from preprocessing.validation.rules import match_columns

    columns = raw.frame.columns
    wanted = schema.student.name if schema.student else ""
    found = match_columns(columns, schema).found.get(wanted) or (columns[0] if len(columns) == 1 else None)
    if found is None:
        raise NoKeys(f"{raw.name} has no column {wanted!r}, and more than one: {listed(columns)}")
    return found


def _listed(raw: "RawTable", keys: str, labels: str | None) -> Iterator[tuple[str, str | None]]:
    """Each key once, with the label beside it, if there is one."""
    from preprocessing.validation.rules import is_missing, plain_key
    from preprocessing.validation.tables import as_texts

    named = [None] * len(raw.frame) if labels is None else as_texts(raw.frame[labels]).to_list()
    seen: set[str] = set()
    for text, label in zip(as_texts(raw.frame[keys]).to_list(), named, strict=True):
        key = None if text is None else plain_key(text)
        if key is not None and key not in seen and not is_missing(key):
            seen.add(key)
            yield key, label
