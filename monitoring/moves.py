"""By what the answer about a student moved: columns that changed, a moment that made others known, and the model.

Each part is what a model says when it is asked again, so that the parts add up to the whole. It is said of models and
of no cause, and nothing of it is logged.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import NamedTuple

import msgspec

from database.records import Answer, Cell, ChampionKey, Prediction
from database.store import ModelRegistry
from model.artifacts import Artifacts, CorruptArtifact, MissingArtifact
from model.bundle import BrokenBundle
from model.pauses import RULE_OF, PlainRule
from model.predictor import Predictor, Row
from model.readable import number_of, said_about
from model.registry import load_bundle
from preprocessing.schema import DomainSchema, Target

KEPT_MODELS = 32
ROUNDING = 1e-9  # by which sums of parts are off


class MovedBy(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a move. columns: whose cells changed, most often one; several where they came in together, or no answer
    lies between. before, after: their cells. came_in: whether they were not known before."""

    columns: tuple[str, ...]
    before: tuple[Cell, ...]
    after: tuple[Cell, ...]
    by: float
    came_in: bool = False


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """How an answer moved, in target units or levels. by_data: what the model of before says of the row of now, less
    what it said; by_model: the rest. Both None where that model cannot be asked any more. parts: of by_data, where they
    were asked for, in the order of the columns."""

    before: float
    after: float
    by_data: float | None
    by_model: float | None
    parts: tuple[MovedBy, ...] = ()

    @property
    def by(self) -> float:
        return self.after - self.before


class BeforeAfter(NamedTuple):
    """Two predictions about a student. said: what is answered of the row of now, by the model in use or another."""

    before: Prediction
    after: Prediction
    said: Answer


class PastModels:
    """The models of an installation, those of before among them, as they answer now."""

    def __init__(self, registry: ModelRegistry, artifacts: Artifacts) -> None:
        self._registry = registry
        self._artifacts = artifacts
        self._loaded: dict[str, Predictor | None] = {}
        self._histories = cache(registry.successions)

    def in_use(self, key: ChampionKey, at: datetime) -> str | None:
        """The version that answered then; None before there was one."""
        return next((one.version for one in reversed(self._histories(key)) if one.at <= at), None)

    def answer(self, version: str, rows: Sequence[Row]) -> list[Answer] | None:
        """What a version, or the plain rule of one, says of rows; None where its files are gone."""
        model = self._predictor(version.removeprefix(RULE_OF))
        if model is None:
            return None
        asked = PlainRule(model) if version.startswith(RULE_OF) else model
        return asked.answer(rows, generation=0)

    def _predictor(self, version: str) -> Predictor | None:
        if version not in self._loaded:
            while len(self._loaded) >= KEPT_MODELS:
                del self._loaded[next(iter(self._loaded))]
            try:
                self._loaded[version] = Predictor(load_bundle(self._artifacts, version), version)
            except (MissingArtifact, CorruptArtifact, BrokenBundle):
                self._loaded[version] = None
        return self._loaded[version]


def then_said(
    models: PastModels, schema: DomainSchema, target: Target, pairs: Sequence[BeforeAfter]
) -> list[Answer | None]:
    """Of each pair, what the model of before says of the row of now: the one that answered then, or that was in use
    then at the moment of now. Where there was none that moment is what came, and the answer of now is the first. None:
    that model is gone."""
    found: list[Answer | None] = [None] * len(pairs)
    asked: dict[str, list[int]] = defaultdict(list)
    for place, pair in enumerate(pairs):
        version = _version_then(models, target, pair)
        if version is None or version == pair.said.model:
            found[place] = pair.said
        elif _same_row(schema, pair):
            found[place] = said_about(pair.before, target)
        else:
            asked[version].append(place)
    for version, places in asked.items():
        answers = models.answer(version, [pairs[place].after.inputs for place in places])
        for place, answer in zip(places, answers or (), strict=answers is not None):
            found[place] = answer
    return found


def _version_then(models: PastModels, target: Target, pair: BeforeAfter) -> str | None:
    before, after = pair.before, pair.after
    said = said_about(before, target)
    if before.moment == after.moment and said is not None:
        return said.model
    return models.in_use(ChampionKey(after.domain, target.name, after.moment), before.at)


def _same_row(schema: DomainSchema, pair: BeforeAfter) -> bool:
    return pair.before.moment == pair.after.moment and not list(_changed(schema, pair))


def move_of(target: Target, pair: BeforeAfter, between: Answer | None) -> Move | None:
    """The move of a pair. between: as `then_said` has it. None where one of both answers is none."""
    before, after = number_of(said_about(pair.before, target), target), number_of(pair.said, target)
    if before is None or after is None:
        return None
    middle = number_of(between, target)
    if middle is None:
        return Move(before=before, after=after, by_data=None, by_model=None)
    return Move(before=before, after=after, by_data=middle - before, by_model=after - middle)


def with_parts(models: PastModels, schema: DomainSchema, target: Target, pair: BeforeAfter, move: Move) -> Move:
    """The move with what each column did: changed in the order of the schema and against it, and the mean of both, so
    that no column is first; then what became known with a later moment, together."""
    said = said_about(pair.before, target)
    if said is None or not move.by_data:
        return move
    changed = list(_changed(schema, pair))
    parts = list(_parts(models, target, said, pair, changed))
    later = [one for one in _names(schema, pair.after) if one not in _names(schema, pair.before)]
    known = [one for one in later if pair.after.inputs.get(one) is not None]
    rest = move.by_data - sum(part.by for part in parts)
    if known:
        parts.append(_part(known, pair, rest, came_in=True))
    elif parts and abs(rest) > ROUNDING:
        parts = [_part(changed, pair, move.by_data)]
    return msgspec.structs.replace(move, parts=tuple(part for part in parts if part.by))


def explained_move(
    models: PastModels, schema: DomainSchema, target: Target, before: Prediction, after: Prediction
) -> Move | None:
    """By what the logged answer about a student moved between two predictions; None where one of both has none."""
    said = said_about(after, target)
    if said is None:
        return None
    pair = BeforeAfter(before, after, said)
    (between,) = then_said(models, schema, target, [pair])
    move = move_of(target, pair, between)
    return None if move is None else with_parts(models, schema, target, pair, move)


def _names(schema: DomainSchema, prediction: Prediction) -> list[str]:
    return [feature.name for feature in schema.inputs_at(prediction.moment)]


def _changed(schema: DomainSchema, pair: BeforeAfter) -> Iterator[str]:
    """The columns that a model could see both times and that hold something else now."""
    for name in _names(schema, pair.before):
        if pair.before.inputs.get(name) != pair.after.inputs.get(name):
            yield name


def _part(names: Sequence[str], pair: BeforeAfter, by: float, *, came_in: bool | None = None) -> MovedBy:
    cells = [tuple(row.get(name) for name in names) for row in (pair.before.inputs, pair.after.inputs)]
    new = all(cell is None for cell in cells[0]) if came_in is None else came_in
    return MovedBy(columns=tuple(names), before=cells[0], after=cells[1], by=by, came_in=new)


def _parts(
    models: PastModels, target: Target, said: Answer, pair: BeforeAfter, changed: Sequence[str]
) -> Iterator[MovedBy]:
    """What each changed column does to the answer of the model of before."""
    if not changed:
        return
    rows = [*_path(pair, changed), *_path(pair, changed[::-1])]
    answers = models.answer(said.model, rows)
    numbers = [number_of(one, target) for one in answers or ()]
    if not numbers or None in numbers:
        whole = number_of(said, target)
        end = numbers[len(changed)] if numbers else None
        if whole is not None and end is not None:
            yield _part(changed, pair, end - whole)
        return
    known = [number for number in numbers if number is not None]
    size = len(changed) + 1
    there, back = known[:size], known[size:]
    for place, name in enumerate(changed):
        again = size - 1 - place
        by = (there[place + 1] - there[place] + back[again] - back[again - 1]) / 2
        yield _part([name], pair, by)


def _path(pair: BeforeAfter, names: Sequence[str]) -> Iterator[Mapping[str, Cell]]:
    """The row of before, then with one column more of the row of now, and so on."""
    row = dict(pair.before.inputs)
    yield dict(row)
    for name in names:
        row[name] = pair.after.inputs.get(name)
        yield dict(row)
