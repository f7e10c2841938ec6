"""Facts of a student's row in words: what a column is called, with its value and unit. It knows no student."""

from language import _, worded
from language.format import number
from preprocessing.schema import DomainSchema, Feature, label_of, title_of


def column_words(column: Feature, value: float | str | None) -> str:
    """A column with a value: "Mother's education: up to 9th grade"."""
    return _("{column}: {value}").format(column=title_of(column), value=cell_words(column, value))


def cell_words(column: Feature, value: float | str | None, *, unit: bool = True) -> str:
    """A value with its unit, or what it stands for."""
    if value is None:
        return _("not known")
    if isinstance(value, str) or f"{value:g}" in column.labels:
        return label_of(value, column.labels)
    said = {"percent": "\u00a0%", "level": ""}.get(column.unit, f" {worded(column.unit)}" if column.unit else "")
    return number(value, 2) + (said if unit else "")


def name_words(schema: DomainSchema, name: str) -> str:
    """What a column is called."""
    column = schema.feature_by_name.get(name)
    return title_of(column) if column else name
