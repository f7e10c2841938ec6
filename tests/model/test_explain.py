"""Factors name what moves an answer: checked by taking the named inputs away, and against a sum that is known."""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from msgspec.structs import replace

from database.ingest import labeled, read_batch
from database.records import Cell, ChampionKey
from model.explain import MOST_FACTORS, ThemeExplainer
from model.predictor import Predictor
from model.scores import paired_gain
from preprocessing.reading.chunks import open_source
from preprocessing.schema import DomainSchema, load_domains
from preprocessing.validation.validate import frame_of, rows_of
from tests.training.making import GRADE, MARK, SCHEMA, make_frame
from training.train import Training, train

UCI = Path(__file__).resolve().parents[3] / "shared" / "data" / "uci_student"
Row = Mapping[str, Cell]
BANDS = ("fail", "pass", "good")


def known_rows(frame: pl.DataFrame, schema: DomainSchema = SCHEMA) -> list[Row]:
    return [row.inputs for row in rows_of(frame, schema)]


def test_a_theme_is_what_the_chance_is_less_without_it_and_what_is_usual_has_none(
    taught: Callable[..., Training],
) -> None:
    predictor = Predictor(taught(GRADE).bundle, "v")
    known = [name for name in predictor.manifest.inputs if name in predictor.manifest.reference]
    themes = {"first": tuple(known[:2]), "rest": tuple(known[2:]), "none": ("unheard of",)}
    failing = replace(predictor.manifest.target, cut_points=(1.0,))  # of grades only the worst fails
    explainer = ThemeExplainer(replace(predictor.manifest, target=failing), predictor.outputs, themes)
    rows = known_rows(make_frame(20, seed=9))
    found = explainer.explain(rows, most=5)
    assert any(len(factors) == 2 for factors in found)
    for row, factors in zip(rows, found, strict=True):
        [own] = predictor.answer([row], generation=1)
        for one in factors:
            usual = {name: explainer.middles[name] for name in themes[one.theme]}
            [other] = predictor.answer([{**row, **usual}], generation=1)
            if own.probabilities and other.probabilities:
                fails = [sum(list(said.values())[:1]) for said in (own.probabilities, other.probabilities)]
                assert one.points == pytest.approx(fails[0] - fails[1], abs=1e-5)
            assert one.column in themes[one.theme]
            assert (one.value, one.reference) == (row.get(one.column), explainer.middles[one.column])
        assert [abs(one.effect) for one in factors] == sorted((abs(one.effect) for one in factors), reverse=True)
    assert explainer.explain([explainer.middles], most=5) == [()]


@pytest.mark.parametrize("key", [MARK, GRADE])
def test_an_effect_is_the_answer_minus_the_mean_over_what_training_rows_held_and_of_no_protected_column(
    taught: Callable[..., Training], key: ChampionKey
) -> None:
    predictor = Predictor(taught(key).bundle, "v")
    levels = predictor.manifest.target.levels
    for row in known_rows(make_frame(5, seed=7)):
        (answer,) = predictor.answer([row], generation=1, explain=MOST_FACTORS)
        assert {factor.feature for factor in answer.factors} <= set(predictor.manifest.inputs) - {"sex"}
        for factor in answer.factors:
            said = [
                (other.value if not levels else (other.probabilities or {})[str(answer.value)], share)
                for value, share in predictor.manifest.reference[factor.feature]
                for other in predictor.answer([{**row, factor.feature: value}], generation=1)
            ]
            mean = sum(float(value) * share for value, share in said)  # type: ignore[arg-type]
            own = answer.value if not levels else (answer.probabilities or {})[str(answer.value)]
            assert factor.effect == pytest.approx(float(own) - mean, abs=1e-4)  # type: ignore[arg-type]
            assert factor.value == row.get(factor.feature)


def test_factors_are_sorted_by_strength_and_as_many_as_asked_for(taught: Callable[..., Training]) -> None:
    predictor = Predictor(taught(MARK).bundle, "v")
    rows = known_rows(make_frame(40, seed=8))
    for answer in predictor.answer(rows, generation=1, explain=2):
        assert len(answer.factors) <= 2
        strengths = [abs(factor.effect) for factor in answer.factors]
        assert strengths == sorted(strengths, reverse=True)
    assert not any(answer.factors for answer in predictor.answer(rows, generation=1))


def test_a_row_is_explained_alone_as_it_is_among_others(taught: Callable[..., Training]) -> None:
    predictor = Predictor(taught(GRADE).bundle, "v")
    rows = known_rows(make_frame(30, seed=9))
    together = [answer.factors for answer in predictor.answer(rows, generation=1, explain=3)]
    for row, factors in zip(rows, together, strict=True):
        (alone,) = predictor.answer([row], generation=1, explain=3)
        assert [f.feature for f in alone.factors] == [f.feature for f in factors]
        assert [f.effect for f in alone.factors] == pytest.approx([f.effect for f in factors], abs=1e-5)


def test_more_of_what_helps_raises_the_mark_and_points_to_the_better_levels(taught: Callable[..., Training]) -> None:
    row = known_rows(make_frame(1, seed=3))[0]
    for key in (MARK, GRADE):
        predictor = Predictor(taught(key).bundle, "v")
        for before, direction in ((20.0, "raises"), (0.0, "lowers")):
            (answer,) = predictor.answer([{**row, "before": before}], generation=1, explain=MOST_FACTORS)
            assert {f.feature: f.direction for f in answer.factors}["before"] == direction


def test_a_bundle_without_a_reference_gives_no_factors(taught: Callable[..., Training]) -> None:
    bundle = taught(MARK).bundle
    old = msgspec.structs.replace(bundle, manifest=msgspec.structs.replace(bundle.manifest, reference={}))
    answers = Predictor(old, "v").answer(known_rows(make_frame(3)), generation=1, explain=5)
    assert all(answer.value is not None and answer.factors == () for answer in answers)


def test_the_reference_holds_single_columns_with_their_shares(taught: Callable[..., Training]) -> None:
    manifest = taught(MARK).bundle.manifest
    assert set(manifest.reference) == set(manifest.inputs)
    for values in manifest.reference.values():
        assert sum(share for _, share in values) == pytest.approx(1.0)
    assert None in dict(manifest.reference["hours"])
    assert set(dict(manifest.reference["support"])) == {"low", "mid", "high"}
    assert len(manifest.reference["before"]) <= 8


def banded() -> DomainSchema:
    """The UCI school with a class beside the grade."""
    school = load_domains()["school"]
    (grade,) = school.targets
    band = msgspec.structs.replace(
        grade, name="band", kind="ordered_class", levels=BANDS, naive=(), cut_points=(), minimum=None, maximum=None,
        unit="", integer=False,
    )  # fmt: skip
    return msgspec.structs.replace(school, targets=(grade, band))


def real_frame(schema: DomainSchema) -> pl.DataFrame:
    if not UCI.is_dir():
        pytest.skip(f"the UCI files are not at {UCI}")
    source, school = open_source(UCI / "student-por.csv"), load_domains()["school"]
    with read_batch(source, school, "labeled", secret=b"a secret for tests") as intake:
        frame = frame_of(labeled("school", intake.records()), schema)
    band = pl.when(pl.col("G3") < 10).then(0).when(pl.col("G3") < 14).then(1).otherwise(2)
    return frame.drop("band", strict=False).with_columns(
        band.replace_strict(dict(enumerate(BANDS)), return_dtype=pl.String).alias("band")
    )


def moved(predictor: Predictor, row: Row, names: list[str], others: list[Row]) -> float:
    """How far the answer moves on average when `names` are taken from other students."""
    outputs = [predictor.answer([row], generation=1)[0]]
    outputs += predictor.answer([{**row, **{name: other[name] for name in names}} for other in others], generation=1)
    if predictor.manifest.target.kind == "value":
        values = np.array([float(answer.value) for answer in outputs])  # type: ignore[arg-type]
    else:
        values = np.array([(answer.probabilities or {})[str(outputs[0].value)] for answer in outputs])
    return float(np.abs(values[1:] - values[0]).mean())


@pytest.mark.timeout(600)
@pytest.mark.parametrize("key", [ChampionKey("school", "G3", "start"), ChampionKey("school", "band", "G1")])
def test_taking_away_the_named_inputs_moves_real_answers_more_than_taking_away_random_ones(key: ChampionKey) -> None:
    schema = banded()
    frame = real_frame(schema)
    order = np.random.default_rng(5).permutation(frame.height)
    predictor = Predictor(train(schema, key, frame[np.sort(order[:450])], seed=5).bundle, "v")
    rows = known_rows(frame[np.sort(order[450:])], schema)
    for most in (1, 3, 5):
        for seed in range(3):
            draw = np.random.default_rng(seed)
            asked = [rows[place] for place in draw.choice(len(rows), 60, replace=False)]
            others = [rows[place] for place in draw.choice(len(rows), 12, replace=False)]
            named, random = [], []
            for row, answer in zip(asked, predictor.answer(asked, generation=1, explain=most), strict=True):
                names = [factor.feature for factor in answer.factors]
                assert len(names) == most
                chance = draw.choice(predictor.manifest.inputs, most, replace=False).tolist()
                named.append(moved(predictor, row, names, others))
                random.append(moved(predictor, row, chance, others))
            gain = paired_gain(np.array(named), np.array(random), np.arange(len(named)), level=0.99)
            assert gain.lower > 0, (most, seed, gain)
