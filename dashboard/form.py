"""The form that a schema describes: which fields at which moment, what they are called, what a typical student has.

It draws the fields and reads them back; validating and answering is `model.service`'s.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st

from dashboard import words
from drift.column import BinnedColumn, CategoricalColumn, NumericColumn
from drift.profile import Profile
from language import _, ngettext
from language.format import count, parse_number
from model.bundle import Manifest
from model.predictor import importance_shares
from preprocessing.schema import ContextColumn, DomainSchema, Feature, described, label_of, title_of

PER_ROW = 3
FIRST_FIELDS = 6
"""Fields that stand open: those on which the answer rests most."""

LONGEST_LABEL = 30  # letters

MOST_CHOICES = 12  # numbers with labels that are chosen from a list


def field(schema: DomainSchema, name: str) -> str:
    """Where a field's value lives in the visitor's session."""
    return f"field:{schema.name}:{name}"


def by_importance(schema: DomainSchema, moment: str, manifest: Manifest) -> list[Feature]:
    """The fields known at a moment: those on which the answer rests most first, then in the order of the schema; the
    protected ones, which no model sees, last."""
    shares = importance_shares(manifest.importance)
    known = schema.features_at(moment)
    return sorted(known, key=lambda one: (one.protected, -shares.get(one.name, 0.0)))


def draw_fields(schema: DomainSchema, fields: Sequence[Feature], *, unfold: bool) -> None:
    """The first fields open, the others folded, then who and when. unfold: whether something folded is asked for."""
    _grid(schema, fields[:FIRST_FIELDS])
    others = fields[FIRST_FIELDS:]
    if others:
        needed = sum(not one.optional for one in others)
        said = ngettext("{n} more field", "{n} more fields", len(others)).format(n=count(len(others)))
        told = _("{fields}, {needed} of them needed").format(fields=said, needed=count(needed)) if needed else said
        with st.expander(told, expanded=unfold):
            _grid(schema, [one for one in others if not one.protected])
            if protected := [one for one in others if one.protected]:
                st.caption(_("Stored for audits and never seen by the model:"))
                _grid(schema, protected)
    _who(schema)


def _grid(schema: DomainSchema, features: Sequence[Feature]) -> None:
    for start in range(0, len(features), PER_ROW):
        for cell, feature in zip(st.columns(PER_ROW), features[start : start + PER_ROW], strict=False):
            with cell:
                _draw(schema, feature)


def choices(feature: Feature) -> tuple[str, ...] | tuple[float, ...]:
    """What a field is chosen from: levels, or numbers that all have a label; empty where something is typed."""
    if feature.kind == "categorical":
        return feature.levels
    if not feature.labels or not feature.integer or feature.minimum is None or feature.maximum is None:
        return ()
    values = tuple(float(one) for one in range(int(feature.minimum), int(feature.maximum) + 1))
    return values if len(values) <= MOST_CHOICES and all(f"{one:g}" in feature.labels for one in values) else ()


def _draw(schema: DomainSchema, feature: Feature) -> None:
    key, help_text = field(schema, feature.name), explain(feature)
    if feature.kind == "categorical" or choices(feature):
        st.selectbox(
            label(feature),
            choices(feature),
            format_func=lambda level: label_of(level, feature.labels),
            index=None,
            placeholder=_("choose or type") if feature.open else _("choose"),
            accept_new_options=feature.open,
            key=key,
            help=help_text,
            persist_state="session",
        )
        return
    st.text_input(
        label(feature),
        placeholder=words.span(feature) or _("number"),
        key=key,
        help=help_text,
        autocomplete="off",
        persist_state="session",
    )


def label(feature: Feature) -> str:
    """What stands above a field."""
    if feature.optional:
        return _("{field} (optional)").format(field=title_of(feature))
    return title_of(feature)


def explain(feature: Feature) -> str:
    """What a field means, its range and unit, and the name of its column in files."""
    told = described(feature)
    parts = [told[0].upper() + told[1:]]
    if feature.kind == "numeric" and words.span(feature):
        parts.append(words.span(feature))
    if feature.optional:
        parts.append(_("Left empty it is unknown"))
    if feature.open:
        parts.append(_("Others may be typed in"))
    return ". ".join(parts) + ". " + _("Column `{name}`.").format(name=feature.name)


def _who(schema: DomainSchema) -> None:
    if not schema.context_names:
        return
    student = schema.student.name if schema.student else None
    context = {column.name: column for column in schema.context}
    for cell, name in zip(st.columns(PER_ROW), schema.context_names, strict=False):
        if name == student:
            cell.text_input(
                _("Student's key (optional)"),
                key=field(schema, name),
                autocomplete="off",
                help=_(
                    "The institution's own key, never a name. It is turned into a pseudonym before anything is stored, "
                    "is not shown again, and lets the outcome find this prediction later."
                ),
            )
        else:
            about = context[name]
            title = _("{field} (optional)").format(field=_short_title(about))
            told = f"{described(about)}. " + _("Column `{name}`.").format(name=name)
            cell.text_input(title, key=field(schema, name), autocomplete="off", help=told, persist_state="session")


def _short_title(column: ContextColumn) -> str:
    """A column's title where it is one, else its name: a label is no sentence."""
    title = title_of(column)
    return title if len(title) <= LONGEST_LABEL else column.name.replace("_", " ").capitalize()


def read_fields(
    schema: DomainSchema, moment: str, session: Mapping[Any, Any]
) -> tuple[dict[str, object], dict[str, str]]:
    """The row that the visitor has filled in, empty fields left out; and what could not be read, by field."""
    row: dict[str, object] = {}
    faults: dict[str, str] = {}
    features = {feature.name: feature for feature in schema.features_at(moment)}
    for name in [*features, *schema.context_names]:
        value = session.get(field(schema, name))
        if value is None or (isinstance(value, str) and not value.strip()):
            continue
        if name in features and features[name].kind == "numeric":
            try:
                number = parse_number(value) if isinstance(value, str) else float(value)
            except ValueError as error:
                faults[name] = str(error)
                continue
            value = int(number) if number == int(number) else number
        row[name] = value
    return row, faults


def typical(schema: DomainSchema, moment: str, profile: Profile) -> dict[str, float | str]:
    """A middle value for every field at `moment`: the median or the most frequent level of the reference profile."""
    found: dict[str, float | str] = {}
    for feature in schema.features_at(moment):
        column = profile.columns.get(feature.name)
        if column is None or not column.present:
            continue
        if isinstance(column, CategoricalColumn):
            found[feature.name] = column.levels[int(column.counts.argmax())]
        else:
            value = _median(column)
            found[feature.name] = round(value) if feature.integer else round(value, 2)
    return found


def as_typed(feature: Feature, value: float | str) -> float | str:
    """A value as its field holds it: numbers as text, but for those that are chosen."""
    return value if isinstance(value, str) else float(value) if choices(feature) else f"{value:g}"


def _median(column: NumericColumn | BinnedColumn) -> float:
    if isinstance(column, NumericColumn):
        return float(column.quantiles(np.array([0.5]))[0])
    middle = np.searchsorted(np.cumsum(column.counts), column.present / 2)
    return float(min(column.edges[middle], column.high))
