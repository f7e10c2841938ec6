"""A column that holds the future is named before anything is trained; a strong one that is known in time is not."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preprocessing.drafting.domain_file import draft_domain
from preprocessing.drafting.draft import Wishes
from preprocessing.reading.files import read_table
from preprocessing.schema import Feature, Target, load_domains, read_schema
from preprocessing.validation.leakage import Leaking, find_suspects, require_no_leak
from preprocessing.validation.validate import validate_table

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
MARK = Target(name="mark")
TERMS = """
name = "terms"
title = "Marks"
moments = ["start", "end"]
[[targets]]
name = "mark"
[[features]]
name = "hours"
kind = "numeric"
"""
RISK = Target(name="outcome", kind="ordered_class", levels=("at risk", "on course"))


def numeric(*names: str, **more: Any) -> list[Feature]:
    return [Feature(name=name, kind="numeric", **more) for name in names]


def make_frame(rows: int = 600, seed: int = 0) -> pl.DataFrame:
    draw = np.random.default_rng(seed)
    mark = draw.normal(10, 3, rows)
    risk = mark < 9
    luck = draw.random(rows)
    frame = pl.DataFrame(
        {
            "mark": mark,
            "outcome": np.where(risk, "at risk", "on course"),
            "_period": np.array(["2021", "2022", "2023"])[np.arange(rows) % 3],
            "copy": mark * 5 + 20,
            "strong": mark + draw.normal(0, 1, rows),
            "noise": draw.normal(0, 1, rows),
            "letter": np.where(mark < 9, "E", np.where(mark < 12, "C", "A")),
        }
    )
    blanks = {"left_on": ~risk | (luck > 0.4), "exam": risk & (luck < 0.3), "phone": draw.random(rows) < 0.3}
    values = {name: np.where(blank, np.nan, draw.random(rows)) for name, blank in blanks.items()}
    return frame.with_columns(pl.Series(name, column).fill_nan(None) for name, column in values.items())


def sure(frame: pl.DataFrame, target: Target, features: list[Feature]) -> set[str]:
    return {one.column for one in find_suspects(frame, target, features) if one.sure}


def refused(frame: pl.DataFrame, target: Target, features: list[Feature]) -> set[str]:
    return {one.column for one in find_suspects(frame, target, features) if one.refused}


def test_a_copy_of_the_outcome_is_refused_by_name_and_a_strong_column_is_not() -> None:
    suspects = find_suspects(make_frame(), MARK, numeric("copy", "strong", "noise"))
    assert [(one.column, one.kind, one.measure, one.sure) for one in suspects] == [("copy", "alone", "R²", True)]
    with pytest.raises(Leaking, match=r"'copy' alone tells 'mark'.*known_at.*trusted = true"):
        require_no_leak(suspects)


def test_a_column_that_is_filled_or_missing_for_one_outcome_only_gives_it_away() -> None:
    found = {one.column: one for one in find_suspects(make_frame(), RISK, numeric("left_on", "exam", "phone"))}
    assert set(found) == {"left_on", "exam"}
    assert (found["left_on"].kind, found["exam"].kind) == ("filled", "missing")
    assert all(one.sure and one.value == 1.0 and one.detail == "'at risk'" for one in found.values())


FOUR = Target(name="outcome", kind="ordered_class", levels=("withdrawn", "fail", "pass", "distinction"))


def test_what_gives_away_the_side_of_a_cut_of_four_classes_is_found_though_it_tells_no_single_class() -> None:
    rank = pl.col("mark").rank() / pl.len()
    four = pl.when(rank < 0.25).then(pl.lit("withdrawn")).when(rank < 0.5).then(pl.lit("fail"))
    outcome = four.when(rank < 0.75).then(pl.lit("pass")).otherwise(pl.lit("distinction"))
    last_seen = pl.when((rank >= 0.5) & (pl.col("noise") > 0)).then(pl.col("noise"))  # only who passes stays to the end
    frame = make_frame().with_columns(outcome.alias("outcome"), last_seen.alias("last_seen"))
    suspects = find_suspects(frame, FOUR, numeric("last_seen", "noise", "phone"))
    assert [(one.column, one.kind, one.sure) for one in suspects] == [("last_seen", "filled", True)]
    assert "'outcome' is 'pass' or better in 100.0%" in str(suspects[0])


def test_a_level_that_is_the_outcome_gives_it_away() -> None:
    letter = [Feature(name="letter", kind="categorical", open=True)]
    assert sure(make_frame(), RISK, letter) == {"letter"}
    assert sure(make_frame(), MARK, letter) == set()  # knowing the third is not knowing the mark


def test_what_tells_the_outcome_in_some_periods_only_is_no_sure_leak() -> None:
    honest_later = pl.when(pl.col("_period") == "2023").then(pl.col("noise")).otherwise(pl.col("copy"))
    assert sure(make_frame().with_columns(honest_later.alias("copy")), MARK, numeric("copy")) == set()


def test_a_trusted_column_passes_and_few_rows_prove_nothing() -> None:
    assert find_suspects(make_frame(), MARK, numeric("copy", trusted=True)) == []
    assert find_suspects(make_frame(99), MARK, numeric("copy")) == []


@settings(max_examples=25)
@given(st.floats(0.01, 100), st.floats(-100, 100), st.integers(0, 5), st.booleans())
def test_a_leak_is_found_whatever_its_scale_and_whatever_the_order_of_rows(
    scale: float, move: float, seed: int, without_periods: bool
) -> None:
    frame = (
        make_frame(seed=seed).with_columns(pl.col("mark") * scale + move).sample(fraction=1, shuffle=True, seed=seed)
    )
    assert sure(frame.drop("_period") if without_periods else frame, MARK, numeric("copy", "strong")) == {"copy"}


def test_a_draft_of_a_domain_leaves_the_future_out_and_says_why() -> None:
    table = make_frame().select("mark", "copy", "strong", "noise").write_csv().encode()
    draft, _ = draft_domain(read_table(table, name="marks.csv"), name="marks", wishes=Wishes(target="mark"))
    assert "# Left out: column \"copy\": it says the same as 'mark'" in draft
    assert 'name = "strong"' in draft


@pytest.mark.parametrize("subject", ["mat", "por"])
def test_earlier_marks_are_strong_and_honest(subject: str) -> None:
    path = DATA / "uci_student" / f"student-{subject}.csv"
    if not path.exists():
        pytest.skip(f"the UCI file is not at {path}")
    schema = load_domains()["school"]
    frame = validate_table(read_table(path), schema, secret=b"a secret for tests, long enough").frame
    passed = pl.when(pl.col("G3") >= 10).then(pl.lit("on course")).otherwise(pl.lit("at risk")).alias("outcome")
    assert sure(frame, schema.targets[0], list(schema.features)) == set()
    assert refused(frame.with_columns(passed), RISK, list(schema.features)) == set()  # G1 and G2 have their moments


LEAKY = {"date_unregistration", "final_score", "last_handed_in"}


def oulad(day: int, monkeypatch: pytest.MonkeyPatch) -> tuple[pl.DataFrame, list[Feature]]:
    """The table of a day with three columns from after the outcome; of whose moments nothing is said."""
    folder = DATA / "oulad"
    if not folder.is_dir():
        pytest.skip(f"the OULAD files are not at {folder}")
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "oulad"))
    from prepare import prepare  # type: ignore[import-not-found]

    monkeypatch.delitem(sys.modules, "prepare")
    frame = prepare(folder, day=day, with_leaky=True).collect().rename({"code_presentation": "_period"})
    names = [n for n in frame.columns if n not in ("id_student", "_period", "outcome")]
    kinds = {n: "numeric" if frame[n].dtype.is_numeric() else "categorical" for n in names}
    return frame, [Feature(name=n, kind=kind, open=True) for n, kind in kinds.items()]  # type: ignore[arg-type]


@pytest.mark.parametrize("day", [60, 220])
def test_the_future_in_oulad_is_refused_and_nothing_else(day: int, monkeypatch: pytest.MonkeyPatch) -> None:
    frame, features = oulad(day, monkeypatch)
    assert sure(frame, RISK, features) == LEAKY
    assert refused(frame, RISK, features) == LEAKY  # honest columns need no word about their moment


@pytest.mark.parametrize("day", [30, 60, 120])
def test_oulad_s_future_is_refused_with_its_gaps_filled_too(day: int, monkeypatch: pytest.MonkeyPatch) -> None:
    frame, features = oulad(day, monkeypatch)
    filled = frame.with_columns(pl.col("final_score", "last_handed_in").fill_null(0))
    assert sure(filled, RISK, features) == {"date_unregistration"}
    assert refused(filled, RISK, features) == LEAKY
    honest = frame.with_columns(pl.col("mean_mark", "lowest_mark").fill_null(0))
    assert refused(honest, RISK, features) == LEAKY


def test_a_strong_column_is_refused_until_somebody_says_when_it_is_known() -> None:
    strong = numeric("strong", "noise")
    frame = make_frame().with_columns((pl.col("mark") + 0.6 * pl.col("noise")).alias("strong"))
    (found,) = find_suspects(frame, MARK, strong)
    assert (found.column, found.sure, found.refused) == ("strong", False, True)
    with pytest.raises(Leaking, match=r"may hold the future.*nothing says when.*'strong' alone.*known_at"):
        require_no_leak([found])
    (named,) = find_suspects(frame, MARK, numeric("strong", "noise", known_at="now"))
    assert (named.column, named.refused) == ("strong", False)
    require_no_leak([named])
    assert find_suspects(frame, MARK, numeric("strong", "noise", trusted=True)) == []


def test_saying_that_a_column_is_known_from_the_first_moment_on_changes_no_fingerprint() -> None:
    said = read_schema(TERMS + 'known_at = "start"\n')
    assert said.fingerprint == read_schema(TERMS).fingerprint
    assert said.fingerprint != read_schema(TERMS + 'known_at = "end"\n').fingerprint
