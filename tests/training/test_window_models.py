"""Candidates of a domain that looks back: one protocol, inputs of their own, chances that add up over horizons."""

import numpy as np
import polars as pl
import pytest

from database.records import ChampionKey
from model.predictor import Predictor
from preprocessing.split import folds, seasons
from tests.training.weeks import K12, labelled_weeks, looking, told_by
from training.candidates import CLASS_CANDIDATES
from training.fit import Task, fit
from training.train import train
from training.window_models import BASE_RATE, rule_rates, window_candidates


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    return labelled_weeks(tmp_path_factory.mktemp("district"), students=200)


def test_every_candidate_sees_its_own_inputs_and_its_chances_never_fall_from_a_horizon_to_the_next(rows):
    schema, target = looking(), K12.targets[0]
    truth = rows[target.name].replace_strict({one: float(place) for place, one in enumerate(target.levels)}).to_numpy()
    inputs = schema.inputs_at("now")
    wide = window_candidates(schema, target, inputs)
    assert [one.name for one in wide] == ["window_boosting"]
    assert window_candidates(K12, target, K12.inputs_at("now"), "small") == ()  # nothing looks back
    assert {one.of for one in wide[0].inputs_of(inputs)} == {"", "att_rate_w", "pct_w"}
    assert all(not one.of for one in CLASS_CANDIDATES[0].inputs_of(inputs))
    task = Task(target, inputs, rows, truth, 0)
    for train_rows, test in folds(rows, schema, k=3, seed=0, classes=truth.astype(int)):
        who, years = rows["_student"], seasons(rows, schema)
        assert not {*who[train_rows]} & {*who[test]}
        assert years[train_rows].max() < years[test].min()
    for candidate in (BASE_RATE, rule_rates(target), CLASS_CANDIDATES[0], *wide):
        fitted = fit(candidate, task.subset(train_rows))
        chances = fitted.outputs(rows[test])
        assert chances.sum(axis=1) == pytest.approx(1)
        within = chances.cumsum(axis=1)[:, : len(target.within)]
        assert (np.diff(within, axis=1) >= 0).all()


def test_the_rule_as_a_candidate_says_the_shares_among_those_it_flags(rows):
    target = K12.targets[0]
    flagged = pl.any_horizontal(
        pl.col(one.column) < one.below if one.below is not None else pl.col(one.column) > one.above
        for one in target.flags
    )
    flags = rows.select(flagged.fill_null(value=False)).to_series().to_numpy()
    truth = rows[target.name].replace_strict({one: float(place) for place, one in enumerate(target.levels)}).to_numpy()
    said = fit(rule_rates(target), Task(target, looking().inputs_at("now"), rows, truth, 0))
    chances = said.outputs(rows)
    assert 0.05 < flags.mean() < 0.95
    for one in (True, False):
        shares = np.bincount(truth[flags == one].astype(int), minlength=4) / (flags == one).sum()
        assert chances[flags == one] == pytest.approx(np.tile(shares, ((flags == one).sum(), 1)))


def test_what_wins_by_its_window_is_an_ordinary_bundle_and_explained_by_columns_and_not_by_weeks(rows):
    schema, target = looking(), K12.targets[0]
    told = told_by("att_rate_w_mean_8w", rows)
    manifest = (found := train(schema, ChampionKey("k12", target.name, "now"), told, jobs=1)).bundle.manifest
    assert manifest.candidate == "window_boosting"
    assert {*manifest.inputs} == {*manifest.encoding.columns} == {*manifest.importance} > {"att_rate_w_mean_8w"}
    assert {name for name, one in manifest.importance.items() if one} <= {one.name for one in K12.features}
    asked = told.head(3).select(manifest.inputs).to_dicts()
    for answer in Predictor(found.bundle, "v").answer(asked, generation=1, explain=5):
        assert answer.factors[0].feature == "att_rate_w"
        assert {one.feature for one in answer.factors} <= {one.name for one in K12.features}
