"""Rows are answered here: validate, encode, score, log, answer.

The API, the dashboard and the command line all call it, and nothing else scores. It knows no HTTP.
"""

import logging
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import chain, product
from typing import NamedTuple, TypeVar

import msgspec

from clock import new_id, new_ids, now
from database.packed import Common, PackedPredictions
from database.records import Answer, Cell, ChampionKey, Prediction
from database.store import Log
from model.bundle import band_rule
from model.cache import AnswerCache
from model.explain import MOST_FACTORS
from model.objections import Objections
from model.pauses import RULE_OF, PlainRule
from model.predictor import Predictor
from model.registry import Champions, Serving
from model.trial import Trial
from preprocessing.columns import ColumnRows, columns_of
from preprocessing.schema import DomainSchema
from preprocessing.validation.json_rows import ValidRow, validate_rows

CACHED = 1_000
"""Rows of one call up to which answers are looked up and kept: more would push out what is asked again and again, and
scoring them together costs less than looking."""

ENCODER = msgspec.msgpack.Encoder()
T = TypeVar("T")

EXAMPLES_WARNING = (
    "this model learned from generated examples, which stand for no student; train it on your own records before "
    "you act on its answers"
)
CHANGES_WARNING = (
    "the domain's file has changed since this model learned, in ways that leave its answers what they are; the next "
    "training takes them up: "
)
InputRows = Sequence[Mapping[str, Cell]]
Ask = Callable[[Predictor | PlainRule, int, int], list[Answer]]
"""What a predictor says of certain rows, with this generation and at most so many factors."""

log = logging.getLogger("gradewatch.model")


class Remarks(NamedTuple):
    """What goes with answers. naive_rules: by the version of the model that answered, which rule's answer stands under
    `naive`; of all of many rows it is said once. band_rules: of models whose level is the band of a value, how it is
    answered."""

    warning: str | None = None
    naive_rules: Mapping[str, str] | msgspec.UnsetType = msgspec.UNSET
    band_rules: Mapping[str, str] | msgspec.UnsetType = msgspec.UNSET


class _Slot(NamedTuple):
    """Who says something about one target. instead: who says it where that one, who is on trial, fails."""

    predictor: Predictor | PlainRule
    generation: int
    instead: Predictor | None = None


class _ServingPlan(NamedTuple):
    """Who answers rows of one moment and one arm of every split, who in shadow, and the prefix of cache keys."""

    answering: Sequence[_Slot]
    shadow: Sequence[_Slot]
    prefix: bytes


class _PlansOfMoment(NamedTuple):
    """The champions that answer at one moment, the splits among them, and a plan for every choice of arms."""

    splits: Sequence[Trial]
    plans: Mapping[tuple[bool, ...], _ServingPlan]

    def plan(self, student: str | None) -> _ServingPlan:
        return self.plans[tuple(trial.tries(student) for trial in self.splits) if self.splits else ()]


class PredictionService:
    """Answers rows with the champions of their moment, and logs every answer before giving it.

    cache: of answers, where there is one; a cached answer is logged like any other. objections: who is never scored;
    None where rows come that were looked through for them.
    """

    def __init__(
        self,
        schemas: Mapping[str, DomainSchema],
        champions: Champions,
        log: Log,
        *,
        secret: bytes,
        cache: AnswerCache | None = None,
        objections: Objections | None = None,
    ) -> None:
        self.schemas = schemas
        self.objections = objections
        self.champions = champions
        self._log = log
        self._secret = secret
        self._cache = cache
        self._remarks: dict[frozenset[str], Remarks] = {}
        self._found: tuple[Mapping[ChampionKey, Serving], dict[tuple[str, str], _PlansOfMoment]] = ({}, {})

    def schema(self, domain: str) -> DomainSchema:
        """The schema of `domain`. Raises UnknownDomain, naming those there are."""
        return self.schemas[domain]

    def predict(
        self,
        domain: str,
        rows: Sequence[Mapping[str, object]],
        *,
        source: str,
        moment: str | None = None,
        actor: str | None = None,
        explain: int = 0,
    ) -> Sequence[Prediction]:
        """One logged prediction per row, in order.

        moment: answered by the champion of that moment; by default each row's own, from the columns it gives. explain:
        at most so many contributing factors per answer, up to `MOST_FACTORS`. Raises UnknownDomain, BadData with every
        problem of every row (nothing is logged then), NoChampion, StoreUnavailable.
        """
        schema = self.schemas[domain]
        checked = validate_rows(rows, schema, moment=moment, secret=self._secret, with_targets="refused")
        valid = checked.require_clean().rows
        return self.answer(schema, valid, source=source, actor=actor, explain=explain)

    def answer(
        self, schema: DomainSchema, rows: Sequence[ValidRow], *, source: str, actor: str | None = None, explain: int = 0
    ) -> Sequence[Prediction]:
        """One logged prediction per validated row, in order. Raises NoChampion, StoreUnavailable."""
        if len(rows) > 1:
            batches = self.answer_columns(schema, columns_of(rows, schema), source=source, actor=actor, explain=explain)
            return sorted(chain.from_iterable(batches), key=lambda one: one.id)
        predictions = self.score(schema, rows, source=source, actor=actor, explain=explain)
        self._log.add_predictions(predictions)
        return predictions

    def score(
        self, schema: DomainSchema, rows: Sequence[ValidRow], *, source: str, actor: str | None = None, explain: int = 0
    ) -> Sequence[Prediction]:
        """One prediction per validated row, in order, not logged: whoever calls this must log before answering. For few
        rows; many are `score_columns`' to answer.

        Raises NoChampion; BadData for who objected; ValueError for more than `MOST_FACTORS` factors.
        """
        _check_explain(explain)
        if self.objections is not None and self.objections.marks:
            self.objections.require_none([row.student for row in rows], [row.row for row in rows])
        if len(rows) == 1:
            plan = self._plans_at(schema, rows[0].moment).plan(rows[0].student)
            [only] = self._said(plan, rows, explain)
            return [_prediction(schema, rows[0], plan, only, source, actor, new_id(), now())]
        found: list[Prediction | None] = [None] * len(rows)
        ids, at = new_ids(len(rows)), now()
        for positions, plan in self._by_plan(schema, rows):
            said = self._said(plan, [rows[position] for position in positions], explain)
            for position, one in zip(positions, said, strict=True):
                row, fresh = rows[position], ids[position]
                found[position] = _prediction(schema, row, plan, one, source, actor, fresh, at)
        return [prediction for prediction in found if prediction is not None]

    def answer_columns(
        self,
        schema: DomainSchema,
        tables: Sequence[ColumnRows],
        *,
        source: str,
        actor: str | None = None,
        explain: int = 0,
    ) -> list[PackedPredictions]:
        """As `score_columns`, logged. Raises StoreUnavailable too."""
        batches = self.score_columns(schema, tables, source=source, actor=actor, explain=explain)
        self._log.add_predictions(batches=batches)
        return batches

    def score_columns(
        self,
        schema: DomainSchema,
        tables: Sequence[ColumnRows],
        *,
        source: str,
        actor: str | None = None,
        explain: int = 0,
    ) -> list[PackedPredictions]:
        """A prediction for each row of tables, not logged: a batch of those of each moment that the same models answer.

        Ids ascend as the rows' places do. Raises as `score`.
        """
        _check_explain(explain)
        if self.objections is not None and self.objections.marks:
            for table in tables:
                self.objections.require_none(table.students or (), [place + 1 for place in table.places])
        ids, at = new_ids(sum(map(len, tables))), now()
        return [
            _answer_table(Common(schema.name, part.moment, source, at, actor), ids, part, plan, explain)
            for table in tables
            for part, plan in self._parts(schema, table)
        ]

    def _parts(self, schema: DomainSchema, table: ColumnRows) -> list[tuple[ColumnRows, _ServingPlan]]:
        """The rows of a table that the same models answer, with those."""
        plans_at = self._plans_at(schema, table.moment)
        if table.students is None or not plans_at.splits:
            return [(table, plans_at.plan(None))]
        numbers: dict[bytes, list[int]] = defaultdict(list)
        plans: dict[bytes, _ServingPlan] = {}
        for number, student in enumerate(table.students):
            plan = plans_at.plan(student)
            numbers[plan.prefix].append(number)
            plans[plan.prefix] = plan
        return [(table.take(found), plans[prefix]) for prefix, found in numbers.items()]

    def remarks(self, models: frozenset[str]) -> Remarks:
        """What must be said with answers of models of these versions, which are digests of what they are: that one of
        them learned from examples, what has changed in the domain since, and the rules that the naive answers beside
        them come from."""
        return self._remarks.get(models) or self._remark(models)

    def _remark(self, models: frozenset[str]) -> Remarks:
        serving = self.champions.loaded.values()
        answering = [one.predictor for one in serving]
        answering += [one.challenger.predictor for one in serving if one.challenger]
        rules_alone = {one.removeprefix(RULE_OF) for one in models if one.startswith(RULE_OF)}
        if rules_alone:
            return self._remark_of_rules(rules_alone)
        known = {one.version: one for one in answering if one.version in models}
        said = [EXAMPLES_WARNING] if any(one.from_examples for one in known.values()) else []
        changed = dict.fromkeys(words for one in serving if one.predictor.version in known for words in one.changes)
        said += [CHANGES_WARNING + "; ".join(changed)] if changed else []
        rules = {version: str(one.manifest.naive) for version, one in sorted(known.items())}
        banded = [one for one in sorted(known.items()) if one[1].manifest.bands and one[1].manifest.target.levels]
        bands = {version: band_rule(one.manifest) for version, one in banded}
        remarks = Remarks(". ".join(said) or None, rules, bands or msgspec.UNSET)
        if len(known) == len(models):  # one that was replaced this very moment is looked for again
            self._remarks[models] = remarks
        return remarks

    def _remark_of_rules(self, models: set[str]) -> Remarks:
        """What must be said with answers that are plain rules', while the models whose they are pause; not kept, for
        the reason may change."""
        serving = {one.predictor.version: (key, one) for key, one in self.champions.loaded.items()}
        known = {version: serving[version] for version in sorted(models) if version in serving}
        told = dict.fromkeys(str(self.champions.pause_of(key.domain) or "") for key, _ in known.values())
        rules = {RULE_OF + version: str(one.predictor.manifest.naive) for version, (_, one) in known.items()}
        return Remarks("; ".join(filter(None, told)) or None, rules)

    def _by_plan(self, schema: DomainSchema, rows: Sequence[ValidRow]) -> list[tuple[list[int], _ServingPlan]]:
        """The positions of rows that the same models answer, with those."""
        positions: dict[tuple[str, bytes], list[int]] = defaultdict(list)
        plans: dict[tuple[str, bytes], _ServingPlan] = {}
        plans_by_moment = {
            moment: self._plans_at(schema, moment) for moment in dict.fromkeys(row.moment for row in rows)
        }
        for position, row in enumerate(rows):
            plan = plans_by_moment[row.moment].plan(row.student)
            key = row.moment, plan.prefix
            positions[key].append(position)
            plans[key] = plan
        return [(found, plans[key]) for key, found in positions.items()]

    def _said(self, plan: _ServingPlan, rows: Sequence[ValidRow], explain: int) -> list[tuple[Answer, ...]]:
        """What the models of a plan say about each row: its answers, then what the shadow said."""
        if self._cache is None or len(rows) > CACHED:
            return _ask(plan, _about([row.inputs for row in rows]), explain)
        prefix = plan.prefix + bytes([explain])
        if len(rows) == 1:
            return [_said_alone(self._cache, plan, rows[0], prefix, explain)]
        keys = [prefix + ENCODER.encode(row.inputs) for row in rows]
        known = self._cache.get(keys)
        missing = [place for place, found in enumerate(known) if found is None]
        if missing:
            fresh = _ask(plan, _about([rows[place].inputs for place in missing]), explain)
            self._cache.put([(keys[place], said) for place, said in zip(missing, fresh, strict=True)])
            for place, said in zip(missing, fresh, strict=True):
                known[place] = said
        return [said for said in known if said is not None]

    def _plans_at(self, schema: DomainSchema, moment: str) -> _PlansOfMoment:
        """The champions of a moment and their trials, found once per refresh. Raises NoChampion."""
        present = self.champions.loaded
        within, found = self._found
        if within is not present:
            within, found = self._found = (present, {})
        plans_at = found.get((schema.name, moment))
        if plans_at is None:
            keys = sorted(key for key in present if key.domain == schema.name and key.moment == moment)
            if not keys or self.champions.is_stopped(schema.name, moment):
                self.champions.at(schema.name, moment)  # says what is missing, unless it has come this moment
                return self._plans_at(schema, moment)
            place = _place_rules if self.champions.pause_of(schema.name) else _place_slots
            plans_at = found[schema.name, moment] = place(schema, moment, [present[key] for key in keys])
        return plans_at


def _place_slots(schema: DomainSchema, moment: str, champions: Sequence[Serving]) -> _PlansOfMoment:
    """Champions, in the order of their targets' names, and their challengers, each in its place."""
    splits = [one.challenger.trial for one in champions if one.challenger and one.challenger.trial.mode == "split"]
    plans = {}
    for arms in product((False, True), repeat=len(splits)):
        tried = {trial.id for trial, arm in zip(splits, arms, strict=True) if arm}
        answering = [_answering(one, tried) for one in champions]
        shadow = [
            _Slot(one.challenger.predictor, one.generation)
            for one in champions
            if one.challenger and one.challenger.trial.mode == "shadow"
        ]
        who = [[(slot.predictor.version, slot.generation) for slot in slots] for slots in (answering, shadow)]
        plans[arms] = _ServingPlan(answering, shadow, ENCODER.encode([schema.fingerprint, moment, *who]))
    return _PlansOfMoment(splits, plans)


def _place_rules(schema: DomainSchema, moment: str, champions: Sequence[Serving]) -> _PlansOfMoment:
    """The plain rules of champions in their places, as long as these pause: nobody is on trial."""
    rules = [_Slot(PlainRule(one.predictor), one.generation) for one in champions]
    who = [(slot.predictor.version, slot.generation) for slot in rules]
    return _PlansOfMoment((), {(): _ServingPlan(rules, (), ENCODER.encode([schema.fingerprint, moment, who]))})


def _answering(champion: Serving, tried: set[str]) -> _Slot:
    challenger = champion.challenger
    if challenger and challenger.trial.id in tried:
        return _Slot(challenger.predictor, champion.generation, champion.predictor)
    return _Slot(champion.predictor, champion.generation)


def _about(rows: InputRows) -> Ask:
    return lambda predictor, generation, explain: predictor.answer(rows, generation=generation, explain=explain)


def _ask(plan: _ServingPlan, ask: Ask, explain: int) -> list[tuple[Answer, ...]]:
    return list(
        zip(*_ask_slots(plan, lambda slot, shadow: ask(*slot[:2], 0 if shadow else explain), _all_finite), strict=True)
    )


def _all_finite(answers: Sequence[Answer]) -> bool:
    return all(isinstance(one.value, str) or one.value is None or math.isfinite(one.value) for one in answers)


def _ask_slots(plan: _ServingPlan, ask: Callable[[_Slot, bool], T], trusted: Callable[[T], bool]) -> list[T]:
    """What those say who answer, then what those say who answer in shadow. ask: a slot, and whether it is in shadow.
    trusted: whether a challenger may say this."""
    said = []
    for slot in plan.answering:
        given = None if slot.instead is None else _try(slot, lambda one: ask(one, False), trusted)
        if given is None:
            champion = slot if slot.instead is None else _Slot(slot.instead, slot.generation)
            given = ask(champion, False)
        said.append(given)
    shadow = (_try(slot, lambda one: ask(one, True), trusted) for slot in plan.shadow)
    return [*said, *(one for one in shadow if one is not None)]


def _said_alone(
    cache: AnswerCache, plan: _ServingPlan, row: ValidRow, prefix: bytes, explain: int
) -> tuple[Answer, ...]:
    key = prefix + ENCODER.encode(row.inputs)
    [found] = cache.get([key])
    if found is None:
        [found] = _ask(plan, _about([row.inputs]), explain)
        cache.put([(key, found)])
    return found


def _try(slot: _Slot, ask: Callable[[_Slot], T], trusted: Callable[[T], bool]) -> T | None:
    """What a challenger says; None where it fails, whatever went wrong: nobody's answer may suffer from a trial."""
    try:
        given = ask(slot)
    except Exception as error:  # its text may hold a student's values
        why = type(error).__name__
    else:
        if trusted(given):
            return given
        why = "it answered with no number"
    log.warning("a challenger failed", extra={"fields": {"version": slot.predictor.version, "why": why}})
    return None


def _check_explain(explain: int) -> None:
    if not 0 <= explain <= MOST_FACTORS:
        raise ValueError(f"explain is {explain}; it may be 0 to {MOST_FACTORS}")


def _answer_table(
    common: Common, ids: Sequence[str], table: ColumnRows, plan: _ServingPlan, explain: int
) -> PackedPredictions:
    """Predictions of rows that one plan answers; no record is made for a row. ids: of all rows of the request."""
    said = _ask_slots(
        plan,
        lambda slot, shadow: slot.predictor.answer_columns(
            table.inputs, generation=slot.generation, explain=0 if shadow else explain
        ),
        lambda column: column.faulty() is None,
    )
    answering = len(plan.answering)
    return PackedPredictions(
        common,
        [ids[place] for place in table.places],
        table.inputs,
        said[:answering],
        said[answering:],
        students=table.students,
        groups=table.groups,
        periods=table.periods,
    )


def _prediction(
    schema: DomainSchema,
    row: ValidRow,
    plan: _ServingPlan,
    said: tuple[Answer, ...],
    source: str,
    actor: str | None,
    id: str,
    at: datetime,
) -> Prediction:
    places = len(plan.answering)
    return Prediction(
        id=id,
        domain=schema.name,
        moment=row.moment,
        inputs=row.inputs,
        answers=said[:places],
        source=source,
        at=at,
        student=row.student,
        group=row.group,
        period=row.period,
        actor=actor,
        shadow=said[places:],
    )
