"""A sample tells the truth about itself: a story changes what it says and nothing else, in every domain."""

from typing import get_args

import polars as pl
import pytest
from msgspec.structs import replace

from preprocessing.reading.files import read_table
from preprocessing.samples import sample, write_sample
from preprocessing.schema import DomainSchema, load_domains
from preprocessing.stories import StoryName, StoryNotPossible
from preprocessing.validation.validate import validate_table
from tests.preprocessing.making import SECRET, SUBJECT

DOMAINS = {**load_domains(), "subject": SUBJECT}
every_domain = pytest.mark.parametrize("schema", DOMAINS.values(), ids=list(DOMAINS))
every_story = pytest.mark.parametrize("story", get_args(StoryName))


@every_story
@every_domain
def test_what_a_story_says_to_have_changed_is_all_that_changed(schema: DomainSchema, story: StoryName) -> None:
    if (schema.name, story) == ("school", "new-course"):
        with pytest.raises(StoryNotPossible, match="no column that names a course; try grade-inflation"):
            sample(schema, rows=10, seed=5, story=story)
        return
    told = sample(schema, rows=2_000, seed=5, story=story)
    plain = sample(schema, rows=2_000, seed=5, story=None).frame
    differing = {name: int((plain[name].ne_missing(told.frame[name])).sum()) for name in plain.columns}
    assert {one.column: one.rows for one in told.changes} == {name: n for name, n in differing.items() if n}
    for one in told.changes:
        assert one.emptied == told.frame[one.column].null_count() - plain[one.column].null_count()
    outcomes = {target.name for target in schema.targets}
    moved = {one.column for one in told.changes}
    assert moved <= outcomes | {name for target in schema.targets for name in target.naive} or not story.endswith(
        "exam"
    )
    assert bool(moved & outcomes) == (story not in ("new-course", "missing-feed"))
    for one in told.changes:
        if one.mean_before is not None and one.mean_after is not None and one.column in outcomes:
            assert (one.mean_after > one.mean_before) == (story == "grade-inflation")


@every_domain
def test_students_return_in_each_period_of_the_domain(schema: DomainSchema) -> None:
    own = replace(schema, period_order=("autumn", "spring")) if schema.period else schema
    periods = sample(own, students=40, seed=1, story=None).frame[own.period or own.columns[0].name].unique()
    assert set(periods) == {"autumn", "spring"} or not own.period
    frame = sample(schema, students=40, seed=1, story=None).frame
    assert schema.student is not None
    terms = 4 if schema.period in schema.context_names else 1
    assert frame.height == 40 * terms
    assert frame[schema.student.name].n_unique() == 40
    if terms > 1 and schema.period:
        assert frame.group_by(schema.student.name).agg(pl.col(schema.period).n_unique())[schema.period].min() == terms


@every_domain
def test_neither_the_seed_nor_the_number_of_rows_makes_other_schools(schema: DomainSchema) -> None:
    few, many = (sample(schema, rows=rows, seed=seed, story=None).frame for rows, seed in ((1_200, 2), (4_000, 3)))
    for name in [feature.name for feature in schema.features if feature.levels]:
        shares = [dict(frame[name].drop_nulls().value_counts(normalize=True).iter_rows()) for frame in (few, many)]
        assert all(abs(shares[0].get(level, 0) - share) < 0.07 for level, share in shares[1].items()), name


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".xlsx"])
@every_domain
def test_a_written_sample_is_read_back_without_a_problem(schema: DomainSchema, suffix: str, tmp_path) -> None:
    invented = sample(schema, rows=200, seed=3, story="harder-exam").frame
    assert write_sample(invented, tmp_path / f"sample{suffix}") is None
    raw = read_table(tmp_path / f"sample{suffix}")
    assert raw.frame.height == 200
    assert validate_table(raw, schema, secret=SECRET, with_targets="required").require_clean().frame.height == 200
