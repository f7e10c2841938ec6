"""A model's card: what it is for and what it is not for, what it learned from, how good it was, and where it ends.

Everything in it is recorded with the model, its contests and its domain; nothing is measured anew. Its forms are
`model.card_forms`'.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import msgspec

from database.records import DecisionRecord, ModelVersion, Succession
from database.store import RecordStore
from database.withdrawal import rows_withdrawn
from language import _, worded
from language.format import count
from model.artifacts import Artifacts
from model.bundle import EXAMPLES, Lineage, Manifest, MissingPattern
from model.decision import SliceGain, decision_of, own_slices
from model.naive import RULE
from model.purpose import MISUSES
from model.registry import load_bundle
from model.standing import Reign, VersionStanding, before_of, reigns_of, standing_of
from model.version_names import version_names
from preprocessing.schema import DomainSchema, described, title_of

LEADING = 8  # columns that are told each by itself


class Leaning(msgspec.Struct, frozen=True, kw_only=True):
    """What a model looks at: column to the rise of the mean absolute error when its values are shuffled, the leading
    ones. others: how many more there are; together: the sum of theirs."""

    leading: Mapping[str, float]
    others: int = 0
    together: float = 0.0


class ModelCard(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that there is to say of one version.

    name: "v3". called: columns to what readers call them. what: the target in words, unit: of it or "levels".
    registered: when it was made. reigns: when it was champion. withdrawn: rows that it learned from and that were taken
    back since. training: how it did on the rows held out in its training; contest: on rows that neither it nor another
    version had seen, None where it was in none; groups: the gain of each slice of students in that contest, which is
    the challenger's. half_width: with `coverage` as share, how far an outcome may be from the answer. ranges: of what
    it has seen. missing: how it did on rows that lacked what it rests on. event: whether the target is when an event
    comes, so that nobody fails.
    """

    version: str
    name: str
    domain: str
    title: str
    target: str
    what: str
    unit: str
    moment: str
    candidate: str
    registered: datetime
    serves: bool
    reigns: tuple[Reign, ...]
    lineage: Lineage
    called: Mapping[str, str]
    withdrawn: int
    rule: str
    training: VersionStanding
    contest: VersionStanding | None
    groups: tuple[SliceGain, ...]
    event: bool
    coverage: float | None
    half_width: float | None
    leaning: Leaning
    ranges: Mapping[str, tuple[float, float]]
    missing: tuple[MissingPattern, ...]
    purpose: str
    not_for: tuple[str, ...]
    limits: tuple[str, ...]


def card_of(
    store: RecordStore,
    artifacts: Artifacts,
    schema: DomainSchema,
    model: ModelVersion,
    *,
    groups: Collection[str] | None = None,
) -> ModelCard:
    """The card of a registered version. groups: of other groups of students nothing is said; None: of all.

    Raises what loading its bundle raises.
    """
    made = make_card(
        load_bundle(artifacts, model.version).manifest,
        model,
        schema,
        name=version_names(store.models(model.key))[model.version],
        history=store.successions(model.key),
        decisions=store.decisions(key=model.key),
        withdrawn=rows_withdrawn(store, model.domain).get(model.version, 0),
    )
    return msgspec.structs.replace(made, groups=own_slices(made.groups, groups))


def make_card(
    manifest: Manifest,
    model: ModelVersion,
    schema: DomainSchema,
    *,
    name: str,
    history: Sequence[Succession] = (),
    decisions: Sequence[DecisionRecord] = (),
    withdrawn: int = 0,
) -> ModelCard:
    """The card of a version. history, decisions: of its key, oldest and newest first."""
    contest = standing_of(manifest, model.version, decisions, before_of(history) if history else None)
    judged = next((decision_of(one) for one in decisions if one.id == contest.decision), None)
    mine = tuple(one for one in reigns_of(history) if one.version == model.version)
    return ModelCard(
        version=model.version,
        name=name,
        domain=schema.name,
        title=schema.title,
        target=manifest.target.name,
        what=described(manifest.target),
        unit=contest.unit,
        moment=model.moment,
        candidate=manifest.candidate,
        registered=model.at,
        serves=bool(mine) and mine[-1].until is None,
        reigns=mine,
        lineage=manifest.lineage,
        called={one.name: title_of(one) for one in schema.features},
        withdrawn=withdrawn,
        rule=str(manifest.naive),
        training=standing_of(manifest, model.version, (), None),
        contest=contest if judged else None,
        groups=judged.slices if judged else (),
        event=manifest.target.is_event,
        coverage=manifest.coverage,
        half_width=manifest.half_width,
        leaning=leaning_of(manifest.importance),
        ranges=manifest.ranges,
        missing=manifest.patterns,
        purpose=_purpose(manifest, schema),
        not_for=_not_for(manifest),
        limits=_limits(manifest, schema, withdrawn),
    )


def leaning_of(importance: Mapping[str, float], most: int = LEADING) -> Leaning:
    """The `most` columns that a model leans on most, and how much all others add.

    >>> leaning_of({"a": 0.1, "b": 0.5, "c": 0.02}, most=1)
    Leaning(leading={'b': 0.5}, others=2, together=0.12000000000000001)
    """
    ranked = sorted(importance.items(), key=lambda item: (-item[1], item[0]))
    rest = ranked[most:]
    return Leaning(leading=dict(ranked[:most]), others=len(rest), together=sum(value for _name, value in rest))


def _purpose(manifest: Manifest, schema: DomainSchema) -> str:
    places = {"what": described(manifest.target), "title": worded(schema.title)}
    if len(schema.moments) == 1:
        said = _(
            "It says what is likely to become of a student ({what}) in {title}, so that people look at who may need "
            "help while there is time to help."
        )
        return said.format(**places)
    said = _(
        "It says what is likely to become of a student ({what}) in {title}, from what is known at the moment "
        "“{moment}”, so that people look at who may need help while there is time to help."
    )
    moment = manifest.moment
    return said.format(**places, moment=worded(schema.moment_titles.get(moment, moment)))


def _not_for(manifest: Manifest) -> tuple[str, ...]:
    told = (
        _("deciding anything about a student by itself: an answer is a reason to look, and people decide"),
        _("saying why: what moves an answer is no cause of a result"),
        _("other courses, schools or times than those that it learned from, unless outcomes show that it holds there"),
        _("ranking teachers, classes or schools"),
        *map(worded, MISUSES),
    )
    if manifest.lineage.source == EXAMPLES:
        return (_("any real student: it learned from generated examples that stand for nobody"), *told)
    return told


def _limits(manifest: Manifest, schema: DomainSchema, withdrawn: int) -> tuple[str, ...]:
    """Where it is known to end, beside what a missing input costs."""
    told = []
    if manifest.candidate == RULE:
        told.append(_("it is the plain rule itself, made a model: it learned no more than that"))
    elif not manifest.beats_naive:
        told.append(_("on the rows held out in its training it was no better than the plain rule"))
    if manifest.half_width is None and manifest.target.kind == "value":
        told.append(_("it promises no range for its answers: too few rows were held out to learn one"))
    if manifest.ranges:
        told.append(_("outside the values that it has seen (below) it is guessing, and its answers say so"))
    hidden = [title_of(one) for one in schema.features if one.protected and one.name not in manifest.inputs]
    if hidden:
        unread = _(
            "it does not read {columns}; other columns may still say much the same, so that its errors are compared "
            "between these groups"
        )
        told.append(unread.format(columns=", ".join(hidden)))
    if withdrawn:
        taken = _("{n} of the rows that it learned from were taken back since; train it again")
        told.append(taken.format(n=count(withdrawn)))
    return tuple(told)
