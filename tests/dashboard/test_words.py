"""How numbers, scores and time are said and cut."""

import language
from dashboard.charts import CONFIG
from dashboard.parts import moment_name
from preprocessing.schema import Feature, Target, load_domains, title_of

MARK = Target(name="mark", minimum=0, maximum=20, unit="points")


def test_levels_and_moments_are_said_as_the_domain_says_them() -> None:
    school = load_domains()["school"]
    assert moment_name(school, "G2") == "once the second period's grade is known"


def test_a_column_is_called_by_the_beginning_of_its_description() -> None:
    described = Feature(name="Medu", kind="numeric", description="mother's education: 0 none, 4 higher")
    assert title_of(described) == "Mother's education"
    assert title_of(Feature(name="Medu", kind="numeric")) == "Medu"


def test_charts_let_a_phone_scroll() -> None:
    assert CONFIG["displayModeBar"] is False


def test_a_column_that_has_a_title_has_one_in_every_language() -> None:
    columns = [column for schema in load_domains().values() for column in schema.columns]
    titled = [column for column in columns if title_of(column) != column.name]
    assert len(titled) > 80
    for spoken in ("de", "fr"):
        with language.use(spoken):
            assert [column.name for column in titled if title_of(column) == column.name] == []
