"""Texts of records said again in the reader's language: each form is one that the code makes, and is known again."""

import ast
import re
from dataclasses import replace
from typing import get_args

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import language
from drift.records import Doubt
from language import retold
from language.collect import ROOT, TRANSLATED
from language.ending_words import plain_ending_words
from language.retold import AS_IT_IS, FIGURE_PLACES, FORM_PLACES, KEPT_FORMS
from language.speech import SOURCE_LANGUAGE, languages
from preprocessing.reading.files import read_table
from preprocessing.reading.raw_table import UnreadableFile
from preprocessing.schema import Feature, load_domains
from preprocessing.template import template
from preprocessing.validation.causes import causes
from preprocessing.validation.results import RefusedValues
from preprocessing.validation.rules import BadData, expected, left_out, missing_fault
from preprocessing.validation.validate import validate_table

OTHERS = [name for name in languages() if name != SOURCE_LANGUAGE]
COMPOSING = (
    "access",
    "advice",
    "api",
    "database",
    "drift",
    "jobs",
    "model",
    "monitoring",
    "overview",
    "preprocessing",
    "reports",
    "retraining",
)
DOCUMENTED = (ast.Module, ast.FunctionDef)
SCHOOL = load_domains()["school"]


@pytest.fixture(scope="module")
def refused() -> BadData:
    """What is wrong with the template of a domain once some cells are."""
    table = read_table(template(SCHOOL, format="csv"), name="marks.csv")
    wrong = {"age": "abs", "sex": "x", "Medu": "9", "absences": "1,234.5", "G1": "25", "failures": ""}
    spoilt = table.frame.with_columns(pl.lit(value).alias(name) for name, value in wrong.items())
    found = validate_table(replace(table, frame=spoilt), SCHOOL, secret=b"x" * 32, with_targets="ignored")
    return BadData(found.problems, found.problem_count)


def composed(refused: BadData) -> list[str]:
    """What several pieces of the code make together."""
    ranges = [(None, None), (0.0, 20.0), (0.0, None), (None, 20.0)]
    numbers = [
        expected(Feature(name="x", kind="numeric", minimum=low, maximum=high, integer=whole))
        for low, high in ranges
        for whole in (True, False)
    ]
    later = next(one for one in SCHOOL.features if one.known_at)
    told = [str(cause) for cause in causes(refused.problems)]
    return [*numbers, *told, missing_fault(SCHOOL, later, str(later.known_at), None), left_out(1), left_out(2)]


def test_every_form_is_one_that_the_code_still_makes(refused: BadData) -> None:
    said = [*composed(refused), *plain_ending_words(event=True), *plain_ending_words(event=False)]
    for package in COMPOSING:
        for file in (ROOT / package).rglob("*.py"):
            nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
            said += [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    everything = "\n".join(said)
    parts = {part.strip(" ;:,.'()") for form in KEPT_FORMS for part in re.split(r"\{\w+\}", form)}
    assert {part for part in parts if len(part.split()) > 1 and part not in everything} <= {"cell of", "cells of"}
    assert not set(COMPOSING) - {path.name for path in ROOT.iterdir()}
    assert "reports" in TRANSLATED
    sentences = ast.parse(
        (ROOT / "drift" / "sentences.py").read_text(encoding="utf-8")
    )  # each in the reader's language
    calls = [node for node in ast.walk(sentences) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    spoken = {id(one) for call in calls if call.func.id in ("_", "ngettext") for one in call.args}
    texts = [node for node in ast.walk(sentences) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    plain = {one.value for one in texts if id(one) not in spoken and re.search(r"[a-z] [a-z]", one.value)}
    docstrings = {ast.get_docstring(one, clean=False) for one in ast.walk(sentences) if isinstance(one, DOCUMENTED)}
    named = {word for kinds in (Doubt, RefusedValues.__annotations__["kind"]) for word in get_args(kinds)}
    assert len(spoken) > 60
    assert not plain - docstrings - named


@pytest.mark.parametrize("name", OTHERS)
@given(form=st.sampled_from(KEPT_FORMS), n=st.integers(1, 9999))
def test_a_text_of_a_form_is_said_again_with_what_fills_its_places(name: str, form: str, n: int) -> None:
    places = {place: f"{n:,}" if place in FIGURE_PLACES else f"q{n}" for place in FORM_PLACES.findall(form)}
    text = form.format(**places)
    assert retold(text) == text, "plain English stays"
    with language.use(name):
        told = retold(text)
    assert told != text or form == "{rule} ({unit})"
    for place, value in places.items():
        assert (value in told) or (place in FIGURE_PLACES and str(n)[-3:] in told)


@pytest.mark.parametrize("name", OTHERS)
def test_a_refused_file_is_told_in_the_language_of_its_reader(name: str, refused: BadData) -> None:
    rules = {cause.rule for cause in causes(refused.problems)}
    assert len(rules) > 3
    with language.use(name):
        told = {rule: retold(rule) for rule in rules}
        header = retold(str(UnreadableFile("marks.csv: the file is empty")))
    assert all("must" not in said and "missing" not in said for said in told.values()), told
    assert header.startswith("marks.csv: ")
    assert "empty" not in header


def test_what_stands_in_a_file_stays_as_it_stands() -> None:
    with language.use("de"):
        assert retold("must be one of yes, no; did you mean 'no'?").startswith("muss eines von diesen sein: yes, no; ")
        assert retold("must be one of F, M (row 2)") == "muss eines von diesen sein: F, M (Zeile 2)"
        assert retold("Ann: 3.5 of what there was") == "Ann: 3.5 of what there was"
    assert {"levels", "column", "found"} <= AS_IT_IS
