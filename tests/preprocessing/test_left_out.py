"""Bad rows may be left out; that this depends on their outcome is said, and that it does not is not made up."""

import random
from pathlib import Path

import pytest

from database.ingest import read_batch
from preprocessing.reading.chunks import open_source
from preprocessing.schema import RESERVED as WORDS_OF_ADDRESSES
from preprocessing.schema import SchemaError, load_domains, read_schema
from tests.preprocessing.making import SECRET

DOMAINS = load_domains()
HEADER = "student_id,comprehension,attention,focus,retention,engagement_time,assignment_score"


def notes(path: Path, rows: list[tuple[float | str, float | str]]) -> str:
    """What is said of a file whose rows have this retention and this outcome, bad ones left out."""
    lines = [f"s{n},50,50,50,{retention},60,{score}" for n, (retention, score) in enumerate(rows)]
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    schema = DOMAINS["engagement"]
    with read_batch(open_source(path), schema, "labeled", secret=SECRET, skip_bad_rows=True) as intake:
        return " ".join(intake.notes)


def test_that_leaving_rows_out_depends_on_the_outcome_is_said_and_is_not_where_it_does_not(tmp_path: Path) -> None:
    chance, path = random.Random(5), tmp_path / "scores.csv"
    scores = [round(chance.uniform(20, 95), 1) for _ in range(300)]
    by_chance = [("?" if place % 5 == 0 else 40, score) for place, score in enumerate(scores)]
    of_the_best: list[tuple[float | str, float | str]] = [("?" if score > 75 else 40, score) for score in scores]
    assert "left out" not in notes(path, list(by_chance))
    assert "goes with assignment_score" in notes(path, of_the_best)
    beyond: list[tuple[float | str, float | str]] = [(40, 120 if score > 75 else score) for score in scores]
    said = notes(path, beyond)
    assert f"{sum(score > 75 for score in scores)} rows are left out for the outcome itself" in said
    assert "left out" not in notes(path, [(40, score) for score in scores])


@pytest.mark.parametrize("word", sorted(WORDS_OF_ADDRESSES))
def test_a_domain_is_not_called_as_an_address_is(word: str) -> None:
    text = 'title = "t"\nfeatures = [{name = "a", kind = "numeric"}]\ntargets = [{name = "b"}]'
    assert read_schema(f'name = "{word}s-of-ours"\n{text}').name
    with pytest.raises(SchemaError, match=f"'{word.upper()}': addresses have this word"):
        read_schema(f'name = "{word.upper()}"\n{text}')
