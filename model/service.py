"""The one road from a request to an answer: validate, encode, score, log, answer.

The API, the dashboard and the command line all call it, and nothing else scores. It knows no HTTP.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from database.records import Answer, Cell, ChampionKey, Prediction, new_id, now
from model.cache import AnswerCache
from model.log import Log
from model.registry import Champions, Serving
from preprocessing.rows import ValidRow, validate_rows
from preprocessing.schema import DomainSchema

ENCODER = msgspec.msgpack.Encoder()


class UnknownDomain(LookupError):
    """No schema of that name is loaded."""


class _Panel(NamedTuple):
    """The champions that answer at one moment, and what their answers' keys in the cache begin with."""

    champions: Sequence[Serving]
    prefix: bytes


class PredictionService:
    """Answers rows with the champions of their moment, and logs every answer before giving it.

    cache: of answers, where there is one; a cached answer is logged like any other.
    """

    def __init__(
        self,
        schemas: Mapping[str, DomainSchema],
        champions: Champions,
        log: Log,
        *,
        secret: bytes,
        cache: AnswerCache | None = None,
    ) -> None:
        self.schemas = schemas
        self.champions = champions
        self._log = log
        self._secret = secret
        self._cache = cache
        self._found: tuple[Mapping[ChampionKey, Serving], dict[tuple[str, str], _Panel]] = ({}, {})

    def schema(self, domain: str) -> DomainSchema:
        """The schema of `domain`. Raises UnknownDomain, naming those there are."""
        try:
            return self.schemas[domain]
        except KeyError:
            raise UnknownDomain(f"no domain {domain!r}; there are: {', '.join(sorted(self.schemas))}") from None

    def predict(
        self, domain: str, rows: Sequence[Mapping[str, object]], *, source: str, moment: str | None = None
    ) -> list[Prediction]:
        """One logged prediction per row, in order.

        moment: answered by the champion of that moment; by default each row's own, from the columns it gives. Raises
        UnknownDomain, BadData with every problem of every row (nothing is logged then), NoChampion, StoreUnavailable.
        """
        schema = self.schema(domain)
        valid = validate_rows(rows, schema, moment=moment, secret=self._secret).require_clean().rows
        return self.answer(schema, valid, source=source)

    def answer(self, schema: DomainSchema, rows: Sequence[ValidRow], *, source: str) -> list[Prediction]:
        """One logged prediction per validated row, in order. Raises NoChampion, StoreUnavailable."""
        predictions = self.score(schema, rows, source=source)
        self._log.add_predictions(predictions)
        return predictions

    def score(self, schema: DomainSchema, rows: Sequence[ValidRow], *, source: str) -> list[Prediction]:
        """One prediction per validated row, in order, not logged: whoever calls this must log before answering.

        Raises NoChampion.
        """
        if len(rows) == 1:
            answers = self._answers(schema, rows[0].moment, rows)
        else:
            answers = [()] * len(rows)
            for moment, positions in _positions_by_moment(rows).items():
                given = self._answers(schema, moment, [rows[position] for position in positions])
                for position, row_answers in zip(positions, given, strict=True):
                    answers[position] = row_answers
        return [_prediction(schema, row, given, source) for row, given in zip(rows, answers, strict=True)]

    def _answers(self, schema: DomainSchema, moment: str, rows: Sequence[ValidRow]) -> list[tuple[Answer, ...]]:
        """What the champions of a moment, in the order of their targets' names, say about each row."""
        panel = self._panel(schema, moment)
        if self._cache is None:
            return _ask(panel, [row.inputs for row in rows])
        keys = [panel.prefix + ENCODER.encode(row.inputs) for row in rows]
        known = self._cache.get(keys)
        missing = [place for place, found in enumerate(known) if found is None]
        if missing:
            fresh = _ask(panel, [rows[place].inputs for place in missing])
            self._cache.put([(keys[place], answers) for place, answers in zip(missing, fresh, strict=True)])
            for place, answers in zip(missing, fresh, strict=True):
                known[place] = answers
        return [answers for answers in known if answers is not None]

    def _panel(self, schema: DomainSchema, moment: str) -> _Panel:
        """The champions of a moment, found once per refresh. Raises NoChampion."""
        present = self.champions.all()
        within, found = self._found
        if within is not present:
            within, found = self._found = (present, {})
        panel = found.get((schema.name, moment))
        if panel is None:
            self.champions.at(schema.name, moment)  # says what is missing
            keys = sorted(key for key in present if key.domain == schema.name and key.moment == moment)
            serving = tuple(present[key] for key in keys)
            versions = [(one.predictor.version, one.generation) for one in serving]
            prefix = ENCODER.encode([schema.fingerprint, moment, versions])
            panel = found[schema.name, moment] = _Panel(serving, prefix)
        return panel


def _ask(panel: _Panel, rows: Sequence[Mapping[str, Cell]]) -> list[tuple[Answer, ...]]:
    answered = [one.predictor.answer(rows, generation=one.generation) for one in panel.champions]
    return list(zip(*answered, strict=True))


def _positions_by_moment(rows: Sequence[ValidRow]) -> dict[str, list[int]]:
    positions: dict[str, list[int]] = defaultdict(list)
    for position, row in enumerate(rows):
        positions[row.moment].append(position)
    return positions


def _prediction(schema: DomainSchema, row: ValidRow, answers: tuple[Answer, ...], source: str) -> Prediction:
    return Prediction(
        id=new_id(),
        domain=schema.name,
        moment=row.moment,
        inputs=row.inputs,
        answers=answers,
        source=source,
        at=now(),
        student=row.student,
        group=row.group,
        period=row.period,
    )
