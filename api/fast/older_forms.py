"""The addresses that predicted in the systems before this one, and the forms in which their callers read answers.

An answer in an older form is ours with the older fields before it: what that form cannot say (interval, plain rule,
warning) is still there. Nothing is scored here, and `?form=gradewatch` gives ours alone. The other addresses are routes
of the framework (`api.routes.older`); `api.older_addresses` lists all.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from api.schemas import (
    OlderGrade,
    OlderGradePrediction,
    OlderOutlook,
    OlderOutlookPrediction,
    OlderScore,
    OlderScores,
    PredictionResponse,
    encoder,
)

FORM = "form"
"""The parameter that asks for another form of the answer."""

OURS = "gradewatch"

Fields = dict[str, msgspec.Raw]
read_ours = msgspec.json.Decoder(PredictionResponse).decode
read_fields = msgspec.json.Decoder(Fields).decode


class OlderForm(NamedTuple):
    """How an answer is written, of ours (of many: a line of JSON for each) and the seconds that it took. kind: the
    record that stands before ours."""

    write: Callable[[bytes, float], bytes]
    kind: type


class OlderCall(NamedTuple):
    """An address that predicts. forms: by domain; of several the body's fields tell which is meant, the first where
    they do not. later: the field of a body that asks for the answer in the background."""

    path: str
    many: bool
    forms: Mapping[str, OlderForm]
    later: str = ""

    def canonical(self, domain: str) -> str:
        """Where the same is asked of us."""
        return f"/api/v1/{domain}/predict{'/batch' if self.many else ''}"

    def take(self, body: bytes) -> tuple[bytes, bool]:
        """A body without what only this address knows, and whether it asks for an answer later."""
        if not self.later or self.later.encode() not in body:
            return body, False
        try:
            fields = read_fields(body)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return body, False  # whoever reads the row says what is wrong
        wanted = bytes(fields.pop(self.later, b""))
        return (encoder.encode(fields), wanted == b"true") if wanted in (b"true", b"false") else (body, False)


def fields_of(body: bytes) -> frozenset[str]:
    """The names of the fields of a body that is one JSON object; none where it is no such thing."""
    try:
        return frozenset(read_fields(body))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return frozenset()


def _before(older: msgspec.Struct, ours: bytes) -> bytes:
    """One JSON object: the fields of `older`, then those of ours."""
    return encoder.encode(older)[:-1] + b"," + ours[1:]


def _write_score(ours: bytes, _seconds: float) -> bytes:
    return _before(OlderScore(predicted_score=_number(read_ours(ours))), ours)


def _write_scores(lines: bytes, seconds: float) -> bytes:
    rows = [
        _before(OlderScore(student_index=place, predicted_score=_number(read_ours(line)), cached=False), line)
        for place, line in enumerate(lines.splitlines())
    ]
    many = OlderScores(
        predictions=[msgspec.Raw(row) for row in rows],
        total_processed=len(rows),
        processing_time_ms=_milliseconds(seconds),
    )
    return encoder.encode(many)


def _write_grade(ours: bytes, _seconds: float) -> bytes:
    said = read_ours(ours)
    value = _number(said)
    prediction = OlderGradePrediction(score=value, rounding=None if value is None else round(value))
    return _before(OlderGrade(prediction=prediction, model_version=said.answers[0].model), ours)


def _write_outlook(ours: bytes, seconds: float) -> bytes:
    said = read_ours(ours)
    value = next((one for one in said.answers if one.probabilities is None), None)
    grade = next((one for one in said.answers if one.probabilities is not None), None)
    models = {"regression": value.model if value else None, "classification": grade.model if grade else None}
    prediction = OlderOutlookPrediction(
        predicted_final_marks=_number(said),
        predicted_grade=None if grade is None or grade.value is None else str(grade.value),
        grade_probabilities=(grade and grade.probabilities) or {},
        model_versions=models,
    )
    return _before(OlderOutlook(prediction=prediction, response_time_ms=_milliseconds(seconds)), ours)


def _number(said: PredictionResponse) -> float | None:
    """What is said of the first target that is a value; None where the row lacks too much."""
    return next((one.value for one in said.answers if isinstance(one.value, float | int)), None)


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)


SCORE = OlderForm(_write_score, OlderScore)
SCORES = OlderForm(_write_scores, OlderScores)
GRADE = OlderForm(_write_grade, OlderGrade)
OUTLOOK = OlderForm(_write_outlook, OlderOutlook)

OLDER_CALLS: Sequence[OlderCall] = (
    OlderCall("/predict", many=False, forms={"engagement": SCORE, "school": GRADE}),
    OlderCall("/predict/batch", many=True, forms={"engagement": SCORES}),
    OlderCall("/api/predict/", many=False, forms={"university": OUTLOOK}, later="async_mode"),
    OlderCall("/api/predict", many=False, forms={"university": OUTLOOK}, later="async_mode"),
)
"""Which addresses there are is data: no domain's name decides anything elsewhere."""

OLDER_PATHS: Mapping[str, OlderCall] = {call.path: call for call in OLDER_CALLS}
