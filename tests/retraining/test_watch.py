"""What a file is compared with: the champion's population, another file, with all that the champion can say of both."""

import polars as pl
import pytest

from drift.profile import Profile
from drift.report import compare
from model.home import Home
from model.registry import load_bundle
from retraining.champions import train_domain
from retraining.watch import population_of, profile_for, watch_frame, widest_champion
from tests.retraining.conftest import open_at
from tests.training.making import MARK, SCHEMA, make_rows, typed


def gappy(n: int, seed: int, *, every: int = 3) -> pl.DataFrame:
    """Rows of which every third lacks an input that the model needs."""
    frame = typed(make_rows(n, seed=seed, shift=3.0))
    lost = pl.int_range(pl.len()) % every == 0
    return frame.with_columns(before=pl.when(lost).then(None).otherwise(pl.col("before")))


@pytest.fixture(scope="module")
def gappy_home(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    home = open_at(tmp_path_factory.mktemp("gappy"))
    (trained,) = train_domain(home, SCHEMA, gappy(300, 1), [MARK], actor="test")
    assert trained.installed
    yield home
    home.close()


def test_a_population_that_always_had_missing_values_raises_no_alarm_by_them(gappy_home: Home) -> None:
    fresh = gappy(300, 2)
    report = watch_frame(gappy_home, SCHEMA, fresh).report
    rates = report.column("before").missing
    assert (rates.rate_reference, rates.rate_current) == pytest.approx((1 / 3, 1 / 3))
    assert not report.alarm
    predictor = widest_champion(gappy_home, SCHEMA, fresh).predictor
    complete = Profile.from_bytes(predictor.profile)
    found = compare(complete, profile_for(predictor, SCHEMA, fresh)).column("before").missing
    assert (complete.rows, population_of(gappy_home, predictor).rows) == (200, 300)
    assert (found.rate_reference, found.verdict) == (0.0, "drift")  # what complete rows alone would have said


def test_a_change_of_what_is_missing_is_still_found(gappy_home: Home) -> None:
    report = watch_frame(gappy_home, SCHEMA, gappy(300, 2, every=2)).report
    assert report.column("before").missing.verdict in ("drift", "warn")


def test_rows_without_an_outcome_belong_to_the_reference_and_few_rows_aside_are_not_kept(tmp_path) -> None:  # type: ignore[no-untyped-def]
    home = open_at(tmp_path)
    frame = gappy(180, 3, every=10).with_columns(
        mark=pl.when(pl.int_range(pl.len()) < 40).then(None).otherwise(pl.col("mark"))
    )
    (trained,) = train_domain(home, SCHEMA, frame, [MARK], actor="test")
    assert trained.model is not None
    bundle = load_bundle(home.artifacts, trained.model.version)
    profile = Profile.from_bytes(bundle.profile)
    assert (profile.rows, len(bundle.rows), bundle.aside) == (162, 126, b"")
    assert (profile.columns["mark"].present, profile.columns["mark"].missing) == (126, 0)
    assert profile.columns["_prediction:mark"].present == 126
    home.close()
