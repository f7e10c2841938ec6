"""Columns of bodies and webcams are in no domain, however they are spelled; honest ones are."""

import pytest

from preprocessing.biometrics import refusal_of
from preprocessing.schema import SchemaError, load_domains, read_schema
from tests.training.making import SCHEMA_TEXT

BODIES = ["webcam_minutes", "Gaze time", "eyeTracking", "heart-rate", "FacialExpression", "face_id", "keystrokes",
          "Fingerprint", "Blickrichtung", "fréquence cardiaque", "emotion_score", "EEG",
          "eyegaze", "Visage"]  # fmt: skip
HONEST = [
    "face_to_face_hours",
    "attention",
    "focus",
    "retention",
    "surface",
    "interface_score",
    "interface_id",
    "gazette_articles",
    "envisaged_hours",
    "eeglish",
    "typing_speed",
]


@pytest.mark.parametrize("name", BODIES)
def test_a_domain_with_a_column_of_bodies_is_refused_also_by_another_name_of_it(name: str) -> None:
    for text in (SCHEMA_TEXT.replace('name = "hours"', f'name = "{name}"'),
                 SCHEMA_TEXT.replace('name = "hours"', f'name = "hours"\naliases = ["{name}"]')):  # fmt: skip
        with pytest.raises(SchemaError, match="which no domain may hold"):
            read_schema(text)


def test_honest_columns_are_none() -> None:
    assert [name for name in HONEST if refusal_of(name)] == []
    assert load_domains(None)
