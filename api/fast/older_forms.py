"""The addresses that predicted in the systems before this one, and the forms in which their callers read answers.

An answer in an older form is ours with the older fields before it: what that form cannot say (interval, plain rule,
warning) is still there. Nothing is scored here, and `?form=gradewatch` gives ours alone. The other addresses are routes
of the framework (`api.routes.older`); `api.older_addresses` lists all.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from advice.advise import Advice
from advice.positions import SubjectResult
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
from database.records import Answer
from preprocessing.schema import DomainSchema

FORM = "form"
"""The parameter that asks for another form of the answer."""

OURS = "gradewatch"

Fields = dict[str, msgspec.Raw]
read_ours = msgspec.json.Decoder(PredictionResponse).decode
read_fields = msgspec.json.Decoder(Fields).decode


class AdvisedFields(NamedTuple):
    """What an answer says of what the student may do next; `advice`: why it says nothing."""

    weak_subjects: Sequence[Mapping[str, Any]] = ()
    study_plan_links: Sequence[Mapping[str, str]] = ()
    advice: str | None = None


NOT_ADVISED = AdvisedFields()
MAY_NOT_READ = AdvisedFields(advice="to be advised takes the permission to read records of students")


class OlderForm(NamedTuple):
    """How an answer is written, of ours (of many: a line of JSON for each), the seconds that it took, and what is
    advised. kind: the record that stands before ours. advised: whether it says what the student may do next."""

    write: Callable[[bytes, float, AdvisedFields], bytes]
    kind: type
    advised: bool = False


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


def _write_score(ours: bytes, _seconds: float, _advised: AdvisedFields) -> bytes:
    return _before(OlderScore(predicted_score=_number(read_ours(ours))), ours)


def _write_scores(lines: bytes, seconds: float, _advised: AdvisedFields) -> bytes:
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


def _write_grade(ours: bytes, _seconds: float, _advised: AdvisedFields) -> bytes:
    said = read_ours(ours)
    value = _number(said)
    prediction = OlderGradePrediction(score=value, rounding=None if value is None else round(value))
    return _before(OlderGrade(prediction=prediction, model_version=said.answers[0].model), ours)


def _write_outlook(ours: bytes, seconds: float, advised: AdvisedFields) -> bytes:
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
    outlook = OlderOutlook(prediction=prediction, response_time_ms=_milliseconds(seconds), **advised._asdict())
    return _before(outlook, ours)


def advised_fields(advice: Advice, schema: DomainSchema, answers: Sequence[Answer]) -> AdvisedFields:
    """Advice as the older form has it. answers: about the row that it was given for."""
    grade = next((one.value for one in answers if one.probabilities is not None), None)
    weak = [_weak_subject(one, advice, schema, grade) for one in advice.weak_subjects]
    page = f"/api/v1/{schema.name}/predictions/{advice.prediction}/advice"
    links = [
        {"title": one.entry.title, "url": one.entry.source.url or page, "how_long": one.entry.how_long}
        for one in advice.plan.recommendations
    ]
    return AdvisedFields(weak, links, None if links else f"no recommendation: {advice.plan.none_because}")


def _weak_subject(
    result: SubjectResult, advice: Advice, schema: DomainSchema, grade: float | str | None
) -> dict[str, Any]:
    """A result in the lowest quarter of its cohort. The grade is that of the row that was asked about, where it is of
    this subject."""
    place = dict(zip(schema.group, (result.group or "").split(" / "), strict=False))
    of_row = (result.group, result.period) == (advice.group, advice.period)
    address = f"/api/v1/{schema.name}/students/{advice.student}/advice?group={quote(result.group or '')}"
    position = result.position
    return {
        **{name: int(value) if value.isdigit() else value for name, value in place.items()},
        "total": result.value,
        "predicted_grade": grade if of_row else None,
        "plan_url": address if advice.student else f"/api/v1/{schema.name}/predictions/{advice.prediction}/advice",
        "basis": result.basis,
        "others": result.others,
        "share_below": position.below if position else None,
    }


def _number(said: PredictionResponse) -> float | None:
    """What is said of the first target that is a value; None where the row lacks too much."""
    return next((one.value for one in said.answers if isinstance(one.value, float | int)), None)


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)


SCORE = OlderForm(_write_score, OlderScore)
SCORES = OlderForm(_write_scores, OlderScores)
GRADE = OlderForm(_write_grade, OlderGrade)
OUTLOOK = OlderForm(_write_outlook, OlderOutlook, advised=True)

OLDER_CALLS: Sequence[OlderCall] = (
    OlderCall("/predict", many=False, forms={"engagement": SCORE, "school": GRADE}),
    OlderCall("/predict/batch", many=True, forms={"engagement": SCORES}),
    OlderCall("/api/predict/", many=False, forms={"university": OUTLOOK}, later="async_mode"),
    OlderCall("/api/predict", many=False, forms={"university": OUTLOOK}, later="async_mode"),
)
"""Which addresses there are is data: no domain's name decides anything elsewhere."""

OLDER_PATHS: Mapping[str, OlderCall] = {call.path: call for call in OLDER_CALLS}
