"""The terminal's table and the page: complete, self-contained, small, and safe with any text."""

import re
from html import escape

import numpy as np
import polars as pl
from rich.console import Console

from drift.compare import Findings, compare
from drift.impact import Said
from drift.page import render_html
from drift.profile import Profile, build_profile
from drift.records import NotCompared
from drift.render import render_table
from drift.samples import effective_shares_of
from drift.sentences import describe
from drift.story import tell_story
from language import use
from preprocessing.schema import DomainSchema, Feature, Target


def text_of(table) -> str:
    console = Console(width=200, record=True, file=None, quiet=False)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def two_profiles(schema, rows: int = 400, shift: float = 1.0, *, common: float = 1 / 3) -> tuple[Profile, Profile]:
    """common: the share of the first level in the second sample."""
    generator = np.random.default_rng(0)

    def shares(by: float) -> list[float]:
        first = common if by else 1 / 3
        return [first, (1 - first) / 2, (1 - first) / 2]

    def sample(by: float) -> Profile:
        numbers = {f.name: generator.normal(by, size=rows) for f in schema.features if f.kind == "numeric"}
        levels = {
            f.name: generator.choice(["<b>a</b>", "[red]b", "c" * 300], rows, p=shares(by))
            for f in schema.features
            if f.levels or f.open
        }
        return build_profile(pl.DataFrame(numbers | levels), schema)

    return sample(0.0), sample(shift)


def test_the_table_shows_every_column_and_ends_with_the_summary(make_schema):
    report = compare(*two_profiles(make_schema(["marks", "hours"], ["level"])))
    shown = text_of(render_table(report))
    assert "Drift in 2 of 3 columns" in shown
    assert all(word in shown for word in ("marks", "hours", "level", "drift", "undecided"))
    assert render_table(report).row_count == 3
    assert render_table(report, limit=2).row_count == 2


def test_a_narrow_terminal_shows_the_columns_names_and_changes_too(make_schema):
    schema = make_schema(["marks", "traveltimes"], ["level"])
    report = compare(*two_profiles(schema), schema=schema, rows=Findings(importance={"marks": 0.5, "traveltimes": 0.1}))
    console = Console(width=80)
    with console.capture() as shown:
        console.print(render_table(report))
    lines = shown.get().splitlines()
    first = next(number for number, line in enumerate(lines) if "marks" in line)
    assert lines[first].split()[:2] == ["marks", "drift"]
    start = lines[first].index("of the") - len("99% ")
    told = " ".join(" ".join(line[start:] for line in lines[first : first + 4]).split())
    assert describe(report.columns[0]).removeprefix("marks changed clearly: ") in told  # no word is cut


def test_text_of_the_data_is_text_in_the_table(make_schema):
    assert "[red]x" in text_of(render_table(compare(*two_profiles(make_schema(["[red]x"])))))


def test_the_page_says_first_in_words_what_changed_and_needs_nothing_else(make_schema):
    schema = make_schema(["marks", "hours"], ["level"])
    profiles = two_profiles(schema)
    report = compare(*profiles)
    page = render_html(report)
    assert page.index(escape(tell_story(report)[0])) < page.index("<svg") < page.index("<table")
    assert page.count("<svg") == len(report.flagged) == 2  # calm columns are folded and told in words
    for outside in ("http:", "https:", "//", "src=", "url(", "<script", "@import"):
        assert outside not in page, outside
    assert "nan" not in re.findall(r"[a-z]+", re.sub(r"<style>.*?</style>", "", page, flags=re.S))


def test_the_page_escapes_what_the_data_says(make_schema):
    schema = make_schema(["<img src=x onerror=alert(1)>"], ["'\"><script>"])
    profiles = two_profiles(schema, common=0.9)
    page = render_html(compare(*profiles))
    assert "<script" not in page
    assert "<img" not in page
    assert "<b>a" not in page
    assert "&lt;b&gt;a&lt;/b&gt;" in page


def test_the_page_says_in_the_reader_s_language_why_a_column_was_not_compared(make_schema):
    left = (NotCompared("hours", "only in the reference"), NotCompared("travel", "only in the current sample"))
    report = compare(*two_profiles(make_schema(["marks"])), rows=Findings(not_compared=left))
    with use("de"):
        page = render_html(report)
    assert not [one.reason for one in left if one.reason in page]
    assert "hours: nur vorher vorhanden" in page
    assert "travel: nur jetzt vorhanden" in page


def test_a_page_of_500_changed_columns_stays_below_a_megabyte(make_schema):
    long = "a rather long name of a column that someone exported from a system "
    schema = make_schema([f"{long}{i}" for i in range(300)], [f"{long}{i}" for i in range(300, 500)])
    profiles = two_profiles(schema, rows=150)
    page = render_html(compare(*profiles))
    assert page.count("<tr>") == 501
    assert len(page.encode()) <= 1_000_000


def test_samples_that_cannot_be_drawn_still_have_a_page(make_schema):
    schema = make_schema(["x"], ["c"])
    full = pl.DataFrame({"x": [float("inf"), -1e300, 1e308, 3.0], "c": ["a", "b", "b", None]})
    empty = full.clear()
    missing = pl.DataFrame({"x": [None, None], "c": [None, None]}, schema=full.schema)
    infinite = pl.DataFrame({"x": [float("inf")] * 3, "c": ["z"] * 3})
    for current in (empty, missing, infinite):
        profiles = build_profile(full, schema), build_profile(current, schema)
        page = render_html(compare(*profiles))
        assert page.endswith("</html>")


def test_profiles_on_a_grid_are_drawn_too(make_schema):
    schema = make_schema(["x"])
    reference, current = two_profiles(schema, rows=20_000)
    binned = current.on_grid_of(reference)
    report = compare(reference, binned)
    assert render_html(report).count("<svg") == 1


def test_the_page_tells_of_each_class_of_answers_and_of_rows_that_count_as_fewer(make_schema):
    schema = DomainSchema(
        name="invented",
        title="",
        features=(Feature(name="x", kind="numeric"),),
        targets=(Target(name="grade", kind="ordered_class", levels=("fail", "pass")),),
    )

    def sample(failed: int, first: int) -> pl.DataFrame:
        said = ["fail"] * failed + ["pass"] * (100 - failed)
        who = [f"student {first + row // 4}" for row in range(100)]
        return pl.DataFrame({"x": np.repeat(np.arange(25.0), 4) + first, "_prediction:grade": said, "_student": who})

    before, after = sample(20, 0), sample(60, 500)
    names = ["x", "_prediction:grade"]
    profiles = [build_profile(frame, schema, columns=names) for frame in (before, after)]
    said = [Said(100, {"fail": (share, 0.2), "pass": (1 - share, 0.2)}) for share in (0.25, 0.55)]
    report = compare(
        *profiles,
        rows=Findings(
            effective=(effective_shares_of(before, names), effective_shares_of(after, names)),
            said={"grade": (said[0], said[1])},
        ),
    )
    page = render_html(report)
    assert "fail 20% → 60%" in page
    assert "mean probability 0.25 → 0.55 (+0.24 to +0.36)" in page
    assert "100 (as 25)" in page
    assert "'pass' moved most: 40% after 80% (-40%" in report.summary
