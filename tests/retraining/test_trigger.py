"""When monitoring proposes a retraining: a table of cases, a year without drift, and the file of rules."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from drift.compare import compare
from drift.policy import DriftPolicy
from drift.profile import Profile, build_profile
from retraining.policies import BadPolicy, Policies, read_policies
from retraining.trigger import TriggerPolicy, WindowVerdict, propose, replay, verdict_of
from tests.drift.conftest import schema_of

START = datetime(2026, 1, 5, tzinfo=UTC)
NAMES = {"A": "alarm", "q": "quiet", "u": "undecided"}


def weeks(letters: str) -> list[WindowVerdict]:
    return [WindowVerdict(at=START + timedelta(weeks=n), verdict=NAMES[one]) for n, one in enumerate(letters)]


@pytest.mark.parametrize(
    ("letters", "retrain"),
    [
        ("", False),
        ("A", False),
        ("AA", True),
        ("AqA", True),
        ("AqqA", True),
        ("AqqqA", False),  # the first alarm is too long ago
        ("AAq", False),  # the newest window is quiet
        ("AAu", False),  # the newest window is undecided
        ("uuuu", False),  # undecided never retrains
        ("AuuA", True),
        ("AuuuA", False),
    ],
)
def test_two_of_the_last_four_windows_propose(letters: str, retrain: bool) -> None:
    assert propose(weeks(letters), TriggerPolicy()).retrain is retrain


def test_a_proposal_is_followed_by_a_cool_down() -> None:
    found = [proposal.retrain for proposal in replay(weeks("AAAAAAAA"), TriggerPolicy(cool_down_days=28))]
    assert found == [False, True, False, False, False, True, False, False]
    late = propose(weeks("AA"), TriggerPolicy(), last=START)
    assert not late.retrain
    assert "less than 28 days" in late.reason


def test_the_order_in_which_windows_are_given_does_not_matter() -> None:
    assert propose(weeks("AqA")[::-1], TriggerPolicy()) == propose(weeks("AqA"), TriggerPolicy())


def test_windows_of_last_year_do_not_count() -> None:
    old = [WindowVerdict(at=START - timedelta(days=300), verdict="alarm")]
    assert not propose([*old, *weeks("A")], TriggerPolicy()).retrain


def share_of_years(rate: float, policy: TriggerPolicy, years: int = 400) -> float:
    """Share of years of 52 weeks without drift in which something was proposed, with `rate` false alarms a week."""
    generator = np.random.default_rng(0)
    letters = ("".join(np.where(generator.random(52) < rate, "A", "q")) for _ in range(years))
    return float(np.mean([any(p.retrain for p in replay(weeks(year), policy)) for year in letters]))


def test_naive_weekly_alarms_cry_wolf_nearly_every_year_and_the_rule_does_not() -> None:
    naive = TriggerPolicy(alarms=1, windows=1, cool_down_days=0)
    assert share_of_years(0.05, naive) == pytest.approx(1 - 0.95**52, abs=0.04)  # 93 %
    assert share_of_years(0.05, TriggerPolicy(alarms=3, windows=4)) < 0.06
    assert share_of_years(0.01, TriggerPolicy()) < 0.04


def test_a_year_of_weekly_reports_without_drift_proposes_nothing() -> None:
    names = [f"x{i}" for i in range(12)]
    schema, generator = schema_of(names), np.random.default_rng(7)

    def sample(rows: int) -> pl.DataFrame:
        return pl.DataFrame({name: generator.normal(size=rows) for name in names})

    reference = build_profile(sample(2000), schema)
    naive = 0
    verdicts = []
    for week in range(52):
        report = compare(reference, build_profile(sample(400), schema))
        naive += any(column.p_value < 0.05 for column in report.columns)
        verdicts.append(WindowVerdict(at=START + timedelta(weeks=week), verdict=verdict_of(report)))
    assert naive >= 10  # "any p below .05" would have called in so many weeks
    assert not any(proposal.retrain for proposal in replay(verdicts, TriggerPolicy()))


def test_a_report_on_too_few_rows_is_undecided() -> None:
    schema = schema_of(["x"])

    def report(rows: int, by: float, limit: float = 0.1):
        frames = [pl.DataFrame({"x": np.random.default_rng(s).normal(by * s, 1, rows)}) for s in (0, 1)]
        return compare(*(build_profile(f, schema) for f in frames), policy=DriftPolicy(ks_threshold=limit))

    assert verdict_of(report(20, 0)) == "undecided"
    assert verdict_of(report(400, 3)) == "alarm"
    assert verdict_of(report(5000, 0)) == "quiet"


def test_the_file_of_rules_is_read_and_no_other_file_is(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text("[drift]\nq = 0.01\n[trigger]\nalarms = 3\nwindows = 6\n[promotion]\nmin_rows = 80\n")
    found = read_policies(path)
    assert (found.drift.q, found.trigger.windows, found.promotion.min_rows) == (0.01, 6, 80)
    assert found.drift.ks_threshold == Policies().drift.ks_threshold
    path.write_text("not toml")
    with pytest.raises(BadPolicy, match="TOML"):
        read_policies(path)


def of_normals(rows: int, *, seed: int, shift: float = 0.0) -> Profile:
    generator = np.random.default_rng(seed)
    columns = {name: generator.normal(shift, 1, rows) for name in "abc"} | {"always": np.ones(rows)}
    return build_profile(pl.DataFrame(columns), NORMALS)


NORMALS = schema_of(["a", "b", "c", "always"])


def test_a_column_that_never_varies_does_not_make_a_window_of_three_rows_quiet() -> None:
    report = compare(of_normals(1000, seed=1), of_normals(3, seed=2), schema=NORMALS)
    assert report.column("always").verdict == "constant"
    assert verdict_of(report) == "undecided"


def test_undecided_columns_that_alarm_together_are_told_and_do_not_count_towards_a_retraining() -> None:
    pairs = ((of_normals(1000, seed=n), of_normals(1000, seed=n + 100, shift=0.19)) for n in range(40))
    reports = [compare(before, after, schema=NORMALS) for before, after in pairs]
    together = [one for one in reports if one.alarm and not any(column.alarming for column in one.columns)]
    assert together
    assert {verdict_of(one) for one in together} == {"undecided"}
    assert {verdict_of(one) for one in reports if any(column.alarming for column in one.columns)} == {"alarm"}
