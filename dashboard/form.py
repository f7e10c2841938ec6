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
from preprocessing.schema import DomainSchema, Feature

PER_ROW = 4


def field(schema: DomainSchema, name: str) -> str:
    """Where a field's value lives in the visitor's session."""
    return f"field:{schema.name}:{name}"


def draw_fields(schema: DomainSchema, moment: str) -> None:
    """Every field known at `moment`: what became known last first, then the protected ones, then who and when."""
    known = schema.features_at(moment)
    for then in reversed(schema.moments[: schema.moments.index(moment) + 1]):
        group = [f for f in known if (f.known_at or schema.moments[0]) == then and not f.protected]
        if group and len(schema.moments) > 1:
            st.markdown(f"**{_since(schema, then)}**")
        _grid(schema, group)
    protected = [f for f in known if f.protected]
    if protected:
        st.markdown("**Stored for audits, not used**")
        st.caption("Kept with the prediction so that fairness can be checked later. The model never sees it.")
        _grid(schema, protected)
    _who(schema)


def _since(schema: DomainSchema, moment: str) -> str:
    if moment in schema.moment_titles:
        return f"Known {schema.moment_titles[moment]}"
    return "Known from the start" if moment == schema.moments[0] else f"Known since {moment}"


def _grid(schema: DomainSchema, features: Sequence[Feature]) -> None:
    for start in range(0, len(features), PER_ROW):
        for cell, feature in zip(st.columns(PER_ROW), features[start : start + PER_ROW], strict=False):
            with cell:
                _draw(schema, feature)


def _draw(schema: DomainSchema, feature: Feature) -> None:
    key, help_text = field(schema, feature.name), explain(feature)
    if feature.kind == "categorical":
        st.selectbox(
            label(feature),
            feature.levels,
            format_func=lambda level: words.level_name(feature, level),
            index=None,
            placeholder="choose or type" if feature.open else "choose",
            accept_new_options=feature.open,
            key=key,
            help=help_text,
        )
        return
    kind = int if feature.integer else float
    st.number_input(
        label(feature),
        min_value=None if feature.minimum is None else kind(feature.minimum),
        max_value=None if feature.maximum is None else kind(feature.maximum),
        value=None,
        step=1 if feature.integer else step(feature),
        format="%d" if feature.integer else "%g",
        placeholder=words.span(feature) or "number",
        key=key,
        help=help_text,
    )


def step(feature: Feature) -> float:
    """How far one press of a button moves a number: a hundredth of its range at most, as a power of ten."""
    if feature.minimum is None or feature.maximum is None:
        return 1.0
    return float(10.0 ** np.floor(np.log10((feature.maximum - feature.minimum) / 20)))


def label(feature: Feature) -> str:
    """What stands above a field."""
    return words.title(feature) + (" (optional)" if feature.optional else "")


def explain(feature: Feature) -> str:
    """What a field means, its range and unit, and the name of its column in files."""
    described = feature.description or feature.name
    parts = [described[0].upper() + described[1:]]
    if feature.kind == "numeric" and words.span(feature):
        parts.append(words.span(feature))
    if feature.open:
        parts.append("Others may be typed in")
    return ". ".join(parts) + f". Column `{feature.name}`."


def _who(schema: DomainSchema) -> None:
    if not schema.context_names:
        return
    st.markdown("**Who and when (optional)**")
    student = schema.student.name if schema.student else None
    described = {column.name: column.description for column in schema.context}
    for cell, name in zip(st.columns(PER_ROW), schema.context_names, strict=False):
        if name == student:
            cell.text_input(
                "Student key",
                key=field(schema, name),
                autocomplete="off",
                help="The institution's own key, never a name. It is turned into a pseudonym before anything is "
                "stored, is not shown again, and lets the outcome find this prediction later.",
            )
        else:
            title = name.replace("_", " ").capitalize()
            cell.text_input(title, key=field(schema, name), autocomplete="off", help=described[name])


def read_fields(schema: DomainSchema, moment: str, session: Mapping[Any, Any]) -> dict[str, object]:
    """The row that the visitor has filled in: known columns only, empty fields left out."""
    names = [feature.name for feature in schema.features_at(moment)] + list(schema.context_names)
    row = {name: session.get(field(schema, name)) for name in names}
    return {name: value for name, value in row.items() if value not in (None, "")}


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


def _median(column: NumericColumn | BinnedColumn) -> float:
    if isinstance(column, NumericColumn):
        return float(column.quantiles(np.array([0.5]))[0])
    middle = np.searchsorted(np.cumsum(column.counts), column.present / 2)
    return float(min(column.edges[middle], column.high))
