"""Types of requests, made from a domain's schema: what a body is decoded into, and what the API's page shows of it.

They accept a part of what `preprocessing.validation.json_rows` accepts (canonical names, values in range) and nothing
else; what they do not accept is read again by the rules, which then say everything that is wrong, or that nothing is.
"""

import math
from typing import Annotated, Any, Literal

import msgspec

from preprocessing.schema import ContextColumn, DomainSchema, Feature
from preprocessing.validation import rules

FIRST_MOMENT = 0  # the moment that every row has reached
LARGEST_EXACT = 2**53  # up to which every whole number is a float


def row_type(schema: DomainSchema, *, ints: bool = False) -> type[msgspec.Struct]:
    """The type of one row: a field per feature in schema order, then the student key and the columns that place it.

    Required are the features that every moment knows; the others may be null or absent (UNSET, so that the fields given
    can be counted). ints: whole numbers that are written as such become `int`: Python keeps one of each small one, and
    makes a `float` anew for every cell.
    """
    columns = ((schema.student,) if schema.student else ()) + schema.context
    names = [feature.name for feature in schema.features] + [column.name for column in columns]
    kinds = [_feature_type(schema, feature, ints=ints) for feature in schema.features]
    kinds += [(_context_type(column), True) for column in columns]
    fields: list[Any] = [
        (f"field_{place}", kind | None | msgspec.UnsetType, msgspec.UNSET) if optional else (f"field_{place}", kind)
        for place, (kind, optional) in enumerate(kinds)
    ]  # a column's name need not be a Python one
    return msgspec.defstruct(
        type_name(schema.name, "Row"),
        fields,
        rename={f"field_{place}": name for place, name in enumerate(names)},
        kw_only=True,
        forbid_unknown_fields=True,
        frozen=True,
        gc=False,  # rows hold texts and numbers: no cycle to look for
    )


def type_name(domain: str, suffix: str) -> str:
    """The name of a domain's type.

    >>> type_name("evening-school", "Row")
    'EveningSchoolRow'
    """
    words = domain.replace("-", "_").split("_")
    return "".join(word[:1].upper() + word[1:] for word in words) + suffix


def _feature_type(schema: DomainSchema, feature: Feature, *, ints: bool) -> tuple[Any, bool]:
    """The type of a feature, and whether it may be absent."""
    kind: Any = _number_type(feature) if feature.kind == "numeric" else _level_type(feature)
    if ints and feature.integer and max(map(abs, rules.bounds(feature))) <= LARGEST_EXACT:
        low, high = rules.bounds(feature)
        kind |= Annotated[int, msgspec.Meta(ge=math.ceil(low), le=math.floor(high))]
    return Annotated[kind, _meta(schema, feature)], not rules.is_required(schema, feature, FIRST_MOMENT)


def _number_type(feature: Feature) -> Any:
    low, high = rules.bounds(feature)
    return Annotated[float, msgspec.Meta(ge=low, le=high, multiple_of=1.0 if feature.integer else None)]


def _level_type(feature: Feature) -> Any:
    if feature.open:
        return Annotated[str, msgspec.Meta(min_length=1, max_length=rules.LONGEST_TEXT)]
    return Literal[feature.levels]


def _meta(schema: DomainSchema, feature: Feature) -> msgspec.Meta:
    words = [feature.description]
    words += [f"known from moment {feature.known_at!r} on"] if rules.moment_index(schema, feature) else []
    words += ["stored for audits, no input of the model"] if feature.protected else []
    unit = {"unit": feature.unit} if feature.unit else {}
    examples = list(feature.levels) if feature.open and feature.levels else [example(feature)]
    return msgspec.Meta(
        description="; ".join(word for word in words if word) or None, examples=examples, extra_json_schema=unit or None
    )


def _context_type(column: ContextColumn) -> Any:
    text = Annotated[str, msgspec.Meta(min_length=1, max_length=rules.LONGEST_TEXT)]
    return Annotated[text | int, msgspec.Meta(description=column.description or None)]


def example(feature: Feature) -> float | str:
    """A value that the feature may have: the middle of its range, or its first level.

    >>> example(Feature(name="age", kind="numeric", minimum=15, maximum=22, integer=True))
    18
    """
    if feature.kind == "categorical":
        return feature.levels[0] if feature.levels else "other"
    low = feature.minimum if feature.minimum is not None else min(0.0, feature.maximum or 0.0)
    high = feature.maximum if feature.maximum is not None else low + 10.0
    middle = (low + high) / 2
    return int(middle) if feature.integer or middle == int(middle) else middle


def example_row(schema: DomainSchema) -> dict[str, float | str]:
    """A row of the last moment that keeps every rule, without a student key.

    >>> from preprocessing.schema import load_domains
    >>> example_row(load_domains()["engagement"])["engagement_time"]
    150
    """
    row: dict[str, float | str] = {feature.name: example(feature) for feature in schema.features}
    return row | {column.name: "1" for column in schema.context}
