"""What a domain's data looks like, read from one TOML file per domain.

Everything else is derived from it: request types, upload templates, validation, encoding, drift tests, forms. This
module reads no data and holds no rule of any single domain.

>>> school = load_domains()["school"]
>>> school.moments
('start', 'G1', 'G2')
>>> [feature.name for feature in school.inputs_at("G2")][-2:]
['G1', 'G2']
"""

import hashlib
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from errors import Category, GradewatchError
from language import worded
from language.speech import END_OF_TITLE
from preprocessing.biometrics import refusal_of
from preprocessing.panel.kinds import OBSERVATION_KINDS, ObservationKind

CONTEXT = "_context:"
"""Before the names of columns of typed frames that place a row and are neither its student, group nor period."""
SHIPPED = Path(__file__).parent / "domains"


NUMBER_FORMS = re.compile(r"%|/[0-9]{1,4}|,|1[ ,.']000")
"""How a number may be written: with a percent sign, out of a number ("/20"), with a decimal comma beside points, with
thousands grouped as in "1 000"."""

WORDING = (
    *("title", "description", "aliases", "drift_threshold", "min_gain", "cut_points", "trusted"),
    *("accepts", "missing", "level_aliases", "labels", "moment_titles", "period_order", "allow"),
    *("family", "better", "concern", "theme"),
)
"""Keys that change how a file is read or a page reads, and not what a row means once it is read."""

LATER_WORDS = ("within", "flags", "of", "weeks_before", "weekly", "summed")
"""Keys that came later: without them a row means what it meant before there were any."""

RESERVED = frozenset({
    "jobs", "models", "domains", "reports", "predict", "train", "metrics", "token", "accesses",
})  # fmt: skip
"""Words that stand in addresses where a domain's name does: no domain may be called so."""

Family = Literal["work", "attendance", "study", "result", "before"]
"""What a column says of how a student is getting on: work that was to be handed in, attendance, time and effort of
study, a mark on the way; or what was reached before, which nobody can change any more."""

ACTIONABLE: tuple[Family, ...] = ("work", "attendance", "study")
"""The families whose columns are themselves what a student can do something about."""


LONGEST_TITLE = 60
"""Letters of what a column is called: a longer description is none."""


class SchemaError(GradewatchError):
    """A domain file that cannot be used; the message names the file and everything wrong in it."""

    category = Category.MISUSED


class UnknownDomain(GradewatchError):
    """No schema of that name is loaded."""

    category = Category.UNKNOWN


class Feature(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One column of a domain that is known before the outcome is.

    minimum, maximum: inclusive, in `unit`. levels: the closed list of a categorical column; `open` admits others, which
    the model treats as unknown. level_aliases: other spellings that files have, to the level. labels: what readers see
    of a level, or of a number that stands for one (`label_of`). accepts: how numbers may be written in a file besides
    plainly (`NUMBER_FORMS`). missing: words that stand for "no value" in a file, besides the usual. known_at: the
    moment from which the value is known (the first by default). optional: may be missing. protected: stored for audits,
    no model input unless asked for. trusted: truly known by then, although it nearly tells the outcome: the leakage
    check lets it pass. family: what the column says of how a student is getting on, for advice; only a numeric column
    that is not protected has one. better: which of its values are. concern: a value (of better "higher": below it, else
    above it) that is a reason for advice. of: the column of whose weeks this one is made (`looking_back`), so many
    weeks before; 0 where it sums several. theme: what it says together with others, which are explained as one.
    """

    name: str
    kind: Literal["numeric", "categorical"]
    description: str = ""
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    integer: bool = False
    accepts: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    level_aliases: dict[str, str] = {}
    labels: dict[str, str] = {}
    open: bool = False
    aliases: tuple[str, ...] = ()
    known_at: str = ""
    optional: bool = False
    protected: bool = False
    allow: bool = False
    drift_threshold: float | None = None
    trusted: bool = False
    family: Family | None = None
    better: Literal["higher", "lower"] = "higher"
    concern: float | None = None
    of: str = ""
    weeks_before: int = 0
    theme: str = ""


class Flag(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A condition on a numeric column: that it is below a number, or above one. A missing value meets none."""

    column: str
    below: float | None = None
    above: float | None = None

    def holds(self, value: float | None) -> bool:
        """Whether a value meets it."""
        if value is None:
            return False
        return value < self.below if self.below is not None else value > (self.above or 0.0)

    def __str__(self) -> str:
        return f"{self.column} < {self.below:g}" if self.below is not None else f"{self.column} > {self.above:g}"


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One column to predict.

    kind "value": a number from minimum to maximum in `unit`. kind "ordered_class": one of `levels`, worst first;
    errors are then counted in levels. naive: columns whose value is itself a plausible answer, best first; the rule
    "the answer is that column" is shown beside every model. cut_points: boundaries that readers think in, the first
    being the pass mark (for classes: numbers of levels, so 1 means that only the worst level fails). min_gain: how
    much better (mean absolute error, in target units) a challenger must be. within: of a class that says how soon
    something comes, the weeks until which each level but the last counts: chances of levels up to one add up to that
    of its horizon, so that they never fall from one horizon to the next. flags: of a class, conditions any of which
    has the plain rule answer with the last level that fails; it then reads no `naive` column.
    """

    name: str
    kind: Literal["value", "ordered_class"] = "value"
    description: str = ""
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    integer: bool = False
    accepts: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    level_aliases: dict[str, str] = {}
    labels: dict[str, str] = {}
    aliases: tuple[str, ...] = ()
    naive: tuple[str, ...] = ()
    cut_points: tuple[float, ...] = ()
    min_gain: float = 0.01
    within: tuple[int, ...] = ()
    flags: tuple[Flag, ...] = ()

    @property
    def pass_mark(self) -> float | None:
        """Below which an outcome fails: of a class the number of levels that do."""
        return self.cut_points[0] if self.cut_points else None

    @property
    def is_event(self) -> bool:
        """Whether an outcome below the mark is that something came, and nobody failed."""
        return bool(self.within)


class ContextColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A column that places a row (who, which group, when) and is never a model input. allow: as of a feature."""

    name: str
    description: str = ""
    aliases: tuple[str, ...] = ()
    allow: bool = False


class PanelSchema(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """That a domain's rows are made of what is observed week by week: a row of each entity and period.

    entity: the column that says whose row it is, the domain's student. period: the column of the school week, the
    domain's period. window: school weeks that an answer may look back on. least_weeks: with fewer weeks of data there
    is no answer. sources: the kinds of observation that are asked for. time_zone: by which the days of schools go;
    time_zones: of schools that have another. weekly: columns whose values in each earlier week of the window are
    columns as well, by what they are about. summed: columns of whose last weeks there are means and extremes.
    """

    entity: str
    period: str
    window: int = 20
    least_weeks: int = 4
    sources: tuple[ObservationKind, ...] = OBSERVATION_KINDS
    time_zone: str = "UTC"
    time_zones: dict[str, str] = {}
    weekly: dict[str, tuple[str, ...]] = {}
    summed: tuple[str, ...] = ()

    @property
    def spans(self) -> tuple[int, ...]:
        """Of weeks, that `summed` columns are summed over."""
        return tuple(sorted({span for span in (4, 12) if span < self.window} | {self.window}))

    def zone_of(self, school: str | None) -> ZoneInfo:
        """By which a school's days go."""
        return ZoneInfo(self.time_zones.get(school or "", self.time_zone))


TaskKind = Literal["regression", "classification", "both"]
"""Which targets are meant: values, classes, or all."""


class DomainSchema(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, dict=True):
    """One domain: its columns, when they become known, and what is predicted.

    moments: in time order; a feature belongs to one and is known at it and at all later ones. student: the column
    that identifies a student (stored only as a pseudonym). group: columns whose rows stay together in every split.
    period: the column that orders rows in time; period_order: its values from the oldest on, where their order is not
    to be read off them. moment_titles: what readers see of a moment. allow: columns that are called like something of a
    person's, or hold what looks like names, and do not. panel: where rows are made of observations by week.
    """

    name: str
    title: str
    description: str = ""
    moments: tuple[str, ...] = ("now",)
    moment_titles: dict[str, str] = {}
    student: ContextColumn | None = None
    group: tuple[str, ...] = ()
    period: str | None = None
    period_order: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    context: tuple[ContextColumn, ...] = ()
    features: tuple[Feature, ...]
    targets: tuple[Target, ...]
    panel: PanelSchema | None = None

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of all that changes what a row means; `WORDING` does not, nor whether it is said of a column
        that it is known from the first moment on."""
        document = msgspec.to_builtins(self)
        for feature in document["features"]:
            if feature["known_at"] == self.moments[0]:
                feature["known_at"] = ""
        parts = (document, *document["features"], *document["targets"], *document["context"], document["panel"] or {})
        for part in parts:
            for words in (*WORDING, *(name for name in LATER_WORDS if not part.get(name))):
                part.pop(words, None)
        if document["student"]:
            document["student"] = document["student"]["name"]
        if document["panel"] is None:  # as it was before there were any
            del document["panel"]
        return hashlib.sha256(msgspec.json.encode(document, order="sorted")).hexdigest()

    @cached_property
    def reaches(self) -> bool:
        """Whether an outcome is told over several periods: rows of one student then share what happened to it."""
        return any(target.within for target in self.targets)

    @cached_property
    def feature_by_name(self) -> Mapping[str, Feature]:
        return {feature.name: feature for feature in self.features}

    @cached_property
    def themes(self) -> Mapping[str, tuple[str, ...]]:
        """The columns of each theme, in file order."""
        found: dict[str, tuple[str, ...]] = {}
        for feature in self.features:
            if feature.theme:
                found[feature.theme] = (*found.get(feature.theme, ()), feature.name)
        return found

    @cached_property
    def target_by_name(self) -> Mapping[str, Target]:
        return {target.name: target for target in self.targets}

    @cached_property
    def context_names(self) -> tuple[str, ...]:
        """Names of the student, group and period columns that are not features, in file order."""
        student = (self.student.name,) if self.student else ()
        return student + tuple(column.name for column in self.context)

    @cached_property
    def other_context(self) -> tuple[str, ...]:
        """Names of the columns that place a row and are neither its student, group nor period."""
        return tuple(column.name for column in self.context if column.name not in (*self.group, self.period))

    @cached_property
    def columns(self) -> tuple[Feature | Target | ContextColumn, ...]:
        """Every declared column: the student, the context, the features, the targets."""
        student = (self.student,) if self.student else ()
        return (*student, *self.context, *self.features, *self.targets)

    @cached_property
    def column_by_name(self) -> Mapping[str, Feature | Target | ContextColumn]:
        return {column.name: column for column in self.columns}

    @cached_property
    def group_name(self) -> str | None:
        """What the group is called beside the features; None without one, and where features make it up."""
        return None if {*self.group} <= {*self.feature_by_name} else " / ".join(self.group)

    @cached_property
    def placing(self) -> frozenset[str]:
        """Names of the columns that say whose row it is, in which group and when; features may be among them."""
        return frozenset({*self.context_names, *self.group, *([self.period] if self.period else [])})

    def features_at(self, moment: str) -> tuple[Feature, ...]:
        """All features known at `moment`, protected ones included."""
        last = self.moments.index(moment)
        return tuple(f for f in self.features if self.moments.index(f.known_at or self.moments[0]) <= last)

    def inputs_at(self, moment: str, *, with_protected: bool = False) -> tuple[Feature, ...]:
        """The features a model may see at `moment`."""
        return tuple(f for f in self.features_at(moment) if with_protected or not f.protected)

    def content_of(self, target: str, moment: str) -> list[str]:
        """What makes the content of a row of a target at a moment: all inputs of a model but those that name its group
        (the same rows under other groups are copies all the same), and the outcome."""
        return [*(f.name for f in self.inputs_at(moment) if f.name not in self.group), target]

    def contents_of(self, target: str, moment: str) -> list[list[str]]:
        """By what rows of a moment are seen to be copies: by what is known then, and by all that is known in the end,
        for among a few early columns many honest rows are equal."""
        return [self.content_of(target, one) for one in dict.fromkeys((moment, self.moments[-1]))]

    def moment_of(self, given: Iterable[str]) -> str:
        """The latest moment at which any of the `given` columns becomes known."""
        present = set(given)
        known = [self.moments.index(f.known_at or self.moments[0]) for f in self.features if f.name in present]
        return self.moments[max(known, default=0)]

    def naive_column(self, target: Target, moment: str) -> str | None:
        """The column that the plain rule of `target` answers with at `moment`; None means the mean or the mode."""
        known = {feature.name for feature in self.features_at(moment)}
        return next((name for name in target.naive if name in known), None)

    def banded(self, value: str) -> tuple[Target, ...]:
        """The ordered classes that are bands of the target `value`: its cut points part as many levels as they have.

        >>> [target.name for target in load_domains()["university"].banded("final_marks")]
        ['final_grade']
        """
        target = self.target_by_name[value]
        cuts = len(target.cut_points) if target.kind == "value" else 0
        first = next((one.name for one in self.targets if one.kind == "value" and len(one.cut_points) == cuts), None)
        if not cuts or first != value:
            return ()
        return tuple(one for one in self.targets if one.kind == "ordered_class" and len(one.levels) == cuts + 1)

    def targets_of(self, task: TaskKind) -> tuple[str, ...]:
        """The names of the targets that are values (regression), classes (classification), or either.

        >>> load_domains()["university"].targets_of("classification")
        ('final_grade',)
        """
        kinds = {"regression": ("value",), "classification": ("ordered_class",)}.get(task, ("value", "ordered_class"))
        return tuple(target.name for target in self.targets if target.kind in kinds)

    def leader(self, target: str) -> str:
        """The value that `target` is bands of, or itself: both are one task, and have one model."""
        return next((one.name for one in self.targets if target in {b.name for b in self.banded(one.name)}), target)

    def aliases(self) -> dict[str, str]:
        """Every accepted spelling of a column, folded by `fold`, to its name."""
        spelled: dict[str, str] = {}
        for column in self.columns:
            for spelling in (column.name, *column.aliases):
                spelled[fold(spelling)] = column.name
        return spelled


def title_of(column: Feature | Target | ContextColumn) -> str:
    """What readers call a column, in their language: its description up to the first mark, else its name.

    >>> title_of(load_domains()["school"].feature_by_name["Medu"])
    "Mother's education"
    """
    return _headed(column, worded(beginning_of(column)))


def title_in_file(column: Feature | Target | ContextColumn) -> str:
    """The same as the domain's file says it: what is kept of a column, which its readers are told in their language."""
    return _headed(column, beginning_of(column))


def beginning_of(column: Feature | Target | ContextColumn) -> str:
    """With what the domain's file begins to describe a column, up to the first mark; "" where that is nothing or
    long."""
    words = END_OF_TITLE.split(column.description, maxsplit=1)[0].strip()
    return words if len(words) <= LONGEST_TITLE else ""


def described(column: Feature | Target | ContextColumn) -> str:
    """What a column is, for readers: its whole description in the language that it is written in, its title in others.

    >>> described(load_domains()["school"].target_by_name["G3"])
    'final grade'
    """
    begun = beginning_of(column)
    return (column.description or column.name) if not begun or worded(begun) == begun else title_of(column)


def _headed(column: Feature | Target | ContextColumn, words: str) -> str:
    if not words:
        return column.name
    return words[0].upper() + words[1:]


def label_of(value: float | str, labels: Mapping[str, str]) -> str:
    """What readers see of a value of a column with these labels: its label; without one a level as it is called, a
    number in figures.

    >>> label_of("T", {"T": "together"}), label_of(2.0, {"2": "up to 9th grade"}), label_of(12.5, {})
    ('together', 'up to 9th grade', '12.5')
    """
    called = value if isinstance(value, str) else f"{value:g}"
    return worded(labels[called]) if called in labels else called


def fold(column: str) -> str:
    """A column name without case, spaces, dashes and underscores: 'Mid-term Marks ' and 'midterm_marks' are one."""
    return "".join(character for character in column.casefold() if character.isalnum())


class SchemasByName(dict[str, DomainSchema]):
    """Schemas by name; to ask for another name raises UnknownDomain, naming those there are."""

    def __missing__(self, name: str) -> DomainSchema:
        raise UnknownDomain(f"no domain {name!r}; there are: {', '.join(sorted(self))}")


def load_domains(folder: Path | None = None) -> SchemasByName:
    """The shipped domains and those in `folder`, by name; a file of the user's replaces a shipped one of its name.

    Raises SchemaError with every problem of every file.
    """
    paths = sorted(SHIPPED.glob("*.toml")) + (sorted(folder.glob("*.toml")) if folder else [])
    schemas = SchemasByName()
    problems: list[str] = []
    for path in paths:
        try:
            schema = read_schema(path.read_text(encoding="utf-8"), source=str(path))
        except SchemaError as error:
            problems.append(str(error))
        else:
            schemas[schema.name] = schema
    if problems:
        raise SchemaError("\n".join(problems))
    return schemas


def read_schema(text: str, *, source: str = "schema") -> DomainSchema:
    """The schema that TOML `text` describes. Raises SchemaError, `source` named, listing all that is wrong."""
    try:
        schema = _with_allowed(msgspec.convert(tomllib.loads(text), DomainSchema, strict=False))
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise SchemaError(f"{source}: {error}") from None
    schema = looking_back(schema)
    if problems := find_problems(schema):
        raise SchemaError("\n".join(f"{source}: {problem}" for problem in problems))
    return schema


def looking_back(schema: DomainSchema) -> DomainSchema:
    """The schema with the columns that its panel makes of earlier weeks: numbers like those of the column that they are
    of, and missing where there was no such week."""
    if schema.panel is None:
        return schema
    declared = [feature for feature in schema.features if not feature.of]
    known = {feature.name: feature for feature in declared}
    weekly = [known[name] for names in schema.panel.weekly.values() for name in names if name in known]
    made = [_before(one, weeks) for one in weekly for weeks in range(1, schema.panel.window)]
    summed = [known[name] for name in schema.panel.summed if name in known]
    made += [_sum_of(one, how, span) for one in summed for span in schema.panel.spans for how in SUMS]
    return msgspec.structs.replace(schema, features=(*declared, *made))


SUMS = ("mean", "least", "most")
"""What is said of the last weeks of a column."""


def _before(one: Feature, weeks: int) -> Feature:
    ago = f"{weeks} week{'s' if weeks > 1 else ''} before"
    return _made_of(one, f"{one.name}_{weeks}_before", ago, weeks_before=weeks)


def _sum_of(one: Feature, how: str, span: int) -> Feature:
    return _made_of(one, f"{one.name}_{how}_{span}w", f"{how} of {span} weeks", integer=one.integer and how != "mean")


def _made_of(one: Feature, name: str, said: str, **words: Any) -> Feature:
    words = {"name": name, "of": one.name, "description": f"{one.description or one.name}, {said}"} | words
    return msgspec.structs.replace(one, optional=True, aliases=(), family=None, concern=None, trusted=False, **words)


def _with_allowed(schema: DomainSchema) -> DomainSchema:
    """The schema whose columns know that they are allowed."""
    if not schema.allow:
        return schema
    features = tuple(
        msgspec.structs.replace(feature, allow=feature.allow or feature.name in schema.allow)
        for feature in schema.features
    )
    context = tuple(
        msgspec.structs.replace(column, allow=column.allow or column.name in schema.allow) for column in schema.context
    )
    return msgspec.structs.replace(schema, features=features, context=context)


def find_problems(schema: DomainSchema) -> list[str]:
    """Everything that is inconsistent within a schema, in plain words."""
    problems: list[str] = []
    if not schema.name.replace("-", "").replace("_", "").isalnum():
        problems.append(f"name {schema.name!r}: use letters, digits, - and _ (it becomes part of addresses)")
    if schema.name.casefold() in RESERVED:
        problems.append(f"name {schema.name!r}: addresses have this word for something else; call the domain otherwise")
    names = [column.name for column in schema.columns]
    problems += [f"column {name!r} is declared more than once" for name in sorted(set(names)) if names.count(name) > 1]
    problems += _order_problems(schema)
    problems += [f"{what!r} is named but no such column is declared" for what in _undeclared(schema, set(names))]
    problems += _flag_problems(schema)
    for feature in schema.features:
        problems += _feature_problems(feature, schema.moments)
    for target in schema.targets:
        problems += _target_problems(target)
    problems += [
        f"column {name!r}: {why}"
        for column in schema.columns
        for name in (column.name, *column.aliases)
        if (why := refusal_of(name))
    ]
    if schema.panel is not None:
        problems += _panel_problems(schema, schema.panel)
    if not schema.features or not schema.targets:
        problems.append("a domain needs at least one feature and one target")
    return problems


def _panel_problems(schema: DomainSchema, panel: PanelSchema) -> list[str]:
    problems = []
    if schema.student is None or panel.entity != schema.student.name:
        problems.append(f"panel: entity {panel.entity!r} is not the domain's student")
    if panel.period != schema.period:
        problems.append(f"panel: period {panel.period!r} is not the domain's period")
    if not 1 <= panel.least_weeks <= panel.window:
        problems.append(f"panel: least_weeks {panel.least_weeks} is not between 1 and the window, {panel.window}")
    if not panel.sources:
        problems.append("panel: name at least one source")
    numeric = {feature.name for feature in schema.features if feature.kind == "numeric"}
    asked = [name for names in (*panel.weekly.values(), panel.summed) for name in names]
    wrong = sorted({*asked} - numeric)
    problems += [f"panel: {name!r} (weekly, summed) is no numeric column that is declared" for name in wrong]
    for zone in sorted({panel.time_zone, *panel.time_zones.values()}):
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError):  # none of that name, or no name at all
            problems.append(f"panel: {zone!r} is no time zone, such as Europe/Berlin")
    return problems


def _undeclared(schema: DomainSchema, names: set[str]) -> list[str]:
    named = [*schema.group, *schema.allow, *([schema.period] if schema.period else [])]
    named += [column for target in schema.targets for column in target.naive]
    named += [flag.column for target in schema.targets for flag in target.flags]
    return sorted(set(named) - names)


def _flag_problems(schema: DomainSchema) -> list[str]:
    """Flags look at what every model may see from the first moment on, never at an outcome."""
    inputs = [one for one in schema.features if one.kind == "numeric" and not one.protected]
    seen = {one.name for one in inputs if one.known_at in ("", *schema.moments[:1])}
    named = {flag.column for target in schema.targets for flag in target.flags} & {*schema.column_by_name}
    why = "which is no numeric input from the first moment on"
    return [f"a flag is on {name!r}, {why}" for name in sorted(named - seen)]


def _order_problems(schema: DomainSchema) -> list[str]:
    problems = []
    if schema.period_order and schema.period is None:
        problems.append("period_order needs a period: the column whose values it orders")
    if len(set(schema.period_order)) < len(schema.period_order):
        problems.append("period_order names a period twice")
    if others := sorted(set(schema.moment_titles) - set(schema.moments)):
        problems.append(f"moment_titles: {', '.join(map(repr, others))} is none of the moments {schema.moments}")
    return problems


def _spelling_problems(what: str, column: Feature | Target) -> list[str]:
    """What is wrong with how a column's values may be written and are shown."""
    problems = []
    if wrong := [form for form in column.accepts if not NUMBER_FORMS.fullmatch(form)]:
        problems.append(f'{what}: accepts {wrong[0]!r} is none of "%", "/20", ",", "1 000", "1,000", "1.000", "1\'000"')
    if "," in column.accepts and "1,000" in column.accepts:
        problems.append(f'{what}: a comma cannot be both decimal (",") and group thousands ("1,000")')
    if column.accepts and column.levels:
        problems.append(f"{what}: accepts is for numbers; spellings of levels are level_aliases")
    strange = {*column.level_aliases.values(), *column.labels} - set(column.levels)
    if column.levels and strange:
        problems.append(f"{what}: {', '.join(map(repr, sorted(strange)))} is none of its levels")
    if column.kind in ("numeric", "value") and (none := [name for name in column.labels if not _is_number(name)]):
        problems.append(f"{what}: labels name {none[0]!r}, and its values are numbers")
    return problems


def _is_number(text: str) -> bool:
    try:
        return f"{float(text):g}" == text
    except ValueError:
        return False


def _feature_problems(feature: Feature, moments: tuple[str, ...]) -> list[str]:
    problems = []
    if feature.known_at and feature.known_at not in moments:
        problems.append(f"feature {feature.name!r}: known_at {feature.known_at!r} is none of the moments {moments}")
    if feature.kind == "categorical" and not feature.levels and not feature.open:
        problems.append(f"feature {feature.name!r}: list its levels, or say open = true")
    if feature.kind == "numeric" and feature.levels:
        problems.append(f"feature {feature.name!r}: a numeric column has a range, not levels")
    problems += _family_problems(feature) + _spelling_problems(f"feature {feature.name!r}", feature)
    return problems + _range_problems(f"feature {feature.name!r}", feature.minimum, feature.maximum)


def _family_problems(feature: Feature) -> list[str]:
    """What is wrong with what a column says for advice."""
    what, family = f"feature {feature.name!r}", feature.family
    if family and feature.protected:
        return [f"{what}: a protected column is no reason for advice; leave out its family"]
    if family and feature.kind != "numeric":
        return [f"{what}: only a numeric column has a family: which of its values are better must be plain"]
    problems = []
    if family in ("work", "result") and None in (feature.minimum, feature.maximum):
        problems.append(f"{what}: a column of family {family!r} is a part of the marks so far: give its range")
    if feature.better == "lower" and family not in ACTIONABLE:
        problems.append(f'{what}: better = "lower" is for columns of the families {", ".join(ACTIONABLE)}')
    if feature.concern is not None and family not in ACTIONABLE:
        problems.append(f"{what}: concern is for columns of the families {', '.join(ACTIONABLE)}")
    return problems


def _target_problems(target: Target) -> list[str]:
    problems = []
    if target.kind == "ordered_class" and len(target.levels) < 2:
        problems.append(f"target {target.name!r}: an ordered_class needs at least two levels, worst first")
    if target.kind == "value" and target.levels:
        problems.append(f"target {target.name!r}: levels belong to an ordered_class")
    if target.within and (len(target.within) + 1 != len(target.levels) or not _rises(target.within)):
        problems.append(f"target {target.name!r}: within has rising weeks, one for each level but the last")
    if target.flags and (target.kind != "ordered_class" or not target.cut_points):
        problems.append(f"target {target.name!r}: flags are for an ordered_class with cut_points")
    if any((flag.below is None) == (flag.above is None) for flag in target.flags):
        problems.append(f"target {target.name!r}: a flag has either below or above")
    if target.min_gain < 0:
        problems.append(f"target {target.name!r}: min_gain must not be negative")
    if wrong := _cut_problem(target):
        problems.append(f"target {target.name!r}: cut_points {wrong}")
    problems += _spelling_problems(f"target {target.name!r}", target)
    return problems + _range_problems(f"target {target.name!r}", target.minimum, target.maximum)


def _rises(weeks: tuple[int, ...]) -> bool:
    return all(sooner < later for sooner, later in pairwise((0, *weeks)))


def _cut_problem(target: Target) -> str:
    cuts, levels = target.cut_points, len(target.levels)
    if list(cuts) != sorted(set(cuts)):
        return "rise, each once, from the pass mark on"
    if target.kind == "ordered_class" and not all(cut in range(1, levels) for cut in cuts):
        return f"of a class are numbers of levels that fail: whole, from 1 to {max(1, levels - 1)}"
    low, high = (math.inf * sign if end is None else end for end, sign in ((target.minimum, -1), (target.maximum, 1)))
    if target.kind == "value" and not all(low < cut <= high for cut in cuts):
        return f"lie between {low:g} and {high:g}, or nobody would be on one side"
    return ""


def _range_problems(what: str, minimum: float | None, maximum: float | None) -> list[str]:
    if minimum is not None and maximum is not None and minimum >= maximum:
        return [f"{what}: minimum {minimum:g} is not below maximum {maximum:g}"]
    return []
