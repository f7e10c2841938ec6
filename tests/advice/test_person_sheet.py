"""The sheet for a person says all that it must in words that most people read, in each language."""

import re

import pytest

import language
from advice.person_sheet import SheetSource, person_sheet
from database.records import Answer, Factor, ModelVersion, Prediction
from model.purpose import IntendedPurpose
from preprocessing.schema import load_domains
from tests.database.making import NOON, make_model, make_prediction

HARDEST = {"en": 38, "de": 44, "fr": 40}
"""Of LIX: words in a sentence and, of a hundred, those of more than six letters. A newspaper has 40 to 50, in German
more."""

SCHEMA = load_domains(None)["school"]
MARK = SCHEMA.target_by_name["G3"]
RANGE = {"interval": (8.0, 13.0), "coverage": 0.9, "below_pass": 0.4}


def asked(**known: object) -> Prediction:
    answer = Answer(
        **{"target": "G3", "value": 10.4, "naive": 10.0, "model": "m" * 12, "generation": 1, **RANGE, **known}
    )
    inputs = {"absences": 12.0, "G1": 9.0, "failures": 1.0}
    return make_prediction(NOON, domain="school", moment="G1", inputs=inputs, answers=(answer,), student="5" * 64)


def source(said: Prediction, model: ModelVersion | None = None, **changed: object) -> SheetSource:
    factors = (
        Factor(feature="G1", value=9.0, effect=-1.2, direction="lowers"),
        Factor(feature="absences", value=12.0, effect=0.3, direction="raises"),
    )
    found = SheetSource(SCHEMA, said, MARK, model, factors, IntendedPurpose(), "")
    return found._replace(**changed)


def lix(text: str) -> float:
    words = re.findall(r"[^\W\d_]+", text)
    sentences = len(re.findall(r"[.!?:](?:\s|$)", text))
    return len(words) / sentences + 100 * sum(len(word) > 6 for word in words) / len(words)


@pytest.mark.parametrize("spoken", HARDEST)
def test_a_sheet_has_every_part_and_is_read_by_most(spoken: str) -> None:
    with language.use(spoken):
        sheet = person_sheet(source(asked(), make_model("m" * 12, lineage={"source": "records", "rows": 500})))
        guess = person_sheet(source(asked(value=None, interval=None, out_of_range=("absences",)), factors=()))
    assert len(sheet.parts) == 7
    assert all(part.title and part.sentences for part in (*sheet.parts, *guess.parts))
    told = " ".join(sentence for part in sheet.parts for sentence in part.sentences)
    assert "{" not in told + sheet.about
    for fact in ("500", "12", sheet.number):
        assert fact in told + sheet.number
    assert lix(told) <= HARDEST[spoken], told
    assert told != " ".join(sentence for part in guess.parts for sentence in part.sentences)
    assert len(told.split()) < 420, "one page"


def test_a_sheet_says_what_it_does_not_know_and_what_the_institution_says() -> None:
    said = asked(value=None, interval=None, out_of_range=("absences",))
    own = IntendedPurpose(
        purpose="Planning tutoring.", users="Tutors.", misuses=("choosing bursaries",), objecting="Ring 112."
    )
    parts = {one.title: " ".join(one.sentences) for one in person_sheet(source(said, factors=(), purpose=own)).parts}
    assert "So it is a guess" in parts["What is not known"]
    assert "Not known at that time: " in parts["What is not known"]
    assert "No reasons" in parts["The main reasons"]
    assert parts["What it may be used for"].startswith("Planning tutoring. Who may use it: Tutors.")
    assert "either: choosing bursaries." in parts["What it may be used for"]
    assert "Ring 112." in parts["How to object"]
    assert "named above" not in parts["How to object"]
    asked_of = person_sheet(source(said, contact="Ask Ann, room 12.")).parts
    assert [one.sentences for one in asked_of if one.title == "Whom to ask"] == [("Ask Ann, room 12.",)]
    rule = asked(model="rule-" + "m" * 12)
    assert any("plain rule" in one for part in person_sheet(source(rule)).parts for one in part.sentences)
