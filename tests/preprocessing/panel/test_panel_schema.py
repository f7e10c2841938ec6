"""What a domain file may say of weekly rows."""

import pytest

from preprocessing.schema import SchemaError, load_domains, read_schema

WEEKLY = """
name = "weekly"
title = "Weeks"
period = "week"

[panel]
entity = "student_id"
period = "week"
{panel}

[student]
name = "student_id"

[[context]]
name = "week"

[[features]]
name = "rate"
kind = "numeric"

[[targets]]
name = "out"
"""


def test_a_panel_says_whose_weeks_how_many_and_by_which_clock():
    panel = read_schema(WEEKLY.format(panel='time_zone = "America/Chicago"\ntime_zones = {x = "Asia/Tokyo"}')).panel
    assert (panel.window, panel.least_weeks, len(panel.sources)) == (20, 4, 5)
    assert [panel.zone_of(school).key for school in ("x", "y", None)] == ["Asia/Tokyo", *["America/Chicago"] * 2]


@pytest.mark.parametrize(
    ("panel", "told"),
    [
        ("window = 3", "least_weeks 4 is not between 1 and the window, 3"),
        ("sources = []", "name at least one source"),
        ('sources = ["moods"]', "moods"),
        ('time_zone = "Mars/Crater"', "'Mars/Crater' is no time zone"),
    ],
)
def test_what_cannot_be_meant_is_refused(panel, told):
    with pytest.raises(SchemaError, match=told):
        read_schema(WEEKLY.format(panel=panel))


def test_rows_are_keyed_by_the_domains_student_and_period():
    text = WEEKLY.format(panel="").replace('entity = "student_id"\nperiod = "week"', 'entity = "who"\nperiod = "when"')
    with pytest.raises(SchemaError) as refused:
        read_schema(text)
    assert "'who' is not the domain's student" in str(refused.value)
    assert "'when' is not the domain's period" in str(refused.value)


def test_a_domain_without_one_means_what_it_meant_before():
    weekly = WEEKLY.format(panel="")
    plain = read_schema(weekly.replace('[panel]\nentity = "student_id"\nperiod = "week"\n', ""))
    assert plain.fingerprint != read_schema(weekly).fingerprint
    known = load_domains()["school"].fingerprint
    assert known == "0c6bee6eb48cafcb117d47771e0f2bfe012adbce178ed1324b27e830cc196f19"
