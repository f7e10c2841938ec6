"""The main job on real grades: a champion of one school meets the students of another."""

import csv
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from database.ingest import Intake, read_batch, read_outcomes
from database.records import ChampionKey
from drift.records import DriftReport
from model.predict_file import predict_file
from model.registry import activate, load_bundle, rollback
from model.workspace import Workspace
from monitoring.profile_archive import store_intake
from preprocessing.reading.chunks import open_source
from preprocessing.validation.rules import BadData
from retraining.evaluation import collect_evidence
from retraining.first_champions import keys_of, train_file
from retraining.holdout import Holdout
from retraining.policy import PromotionPolicy, decide
from retraining.run import Result, Run, retrain
from tests.api.conftest import open_at
from tests.flows.conftest import write_part

pytestmark = pytest.mark.timeout(600)
KEY = ChampionKey("school", "G3", "G2")
Part = Callable[..., Path]


def kept(workspace: Workspace, intake: Intake) -> Callable[[], object]:
    """Stores the rows of a file."""
    return partial(store_intake, workspace, workspace.schemas["school"], intake, name="kept.csv")


@pytest.fixture(scope="session")
def gabriel(uci: Path, prepared: Callable[..., Path]) -> Path:
    """An installation where the students of the school GP have taught a champion of every moment."""

    def begin(folder: Path) -> None:
        with closing(open_at(folder)) as workspace:
            schema, path = workspace.schemas["school"], write_part(uci, folder / "gp.csv", school="GP")
            with read_batch(open_source(path), schema, "labeled", secret=workspace.secret) as intake:
                trained = list(train_file(workspace, "school", intake, keys_of(schema), keep=kept(workspace, intake)))
            assert all(one.installed for one in trained)

    return prepared("gabriel", begin)


@pytest.fixture
def workspace(gabriel: Path, tmp_path: Path) -> Iterator[Workspace]:
    with closing(open_at(Path(shutil.copytree(gabriel, tmp_path / "installation")))) as workspace:
        yield workspace


def predict_ms(workspace: Workspace, part_of: Part) -> dict[str, float]:
    """Predictions for all MS students, and what their grade turned out to be."""
    asked = part_of("ms-without-grade.csv", school="MS", drop=("G3",))
    predictions = predict_file(workspace.service, "school", asked, secret=workspace.secret).predictions
    with part_of("ms.csv", school="MS").open(newline="") as file:
        grades = [float(row["G3"]) for row in csv.DictReader(file, delimiter=";")]
    return dict(zip((prediction.id for prediction in predictions), grades, strict=True))


def upload_outcomes(workspace: Workspace, grades: dict[str, float], folder: Path) -> None:
    path = folder / "outcomes.csv"
    path.write_text("prediction_id,G3\n" + "".join(f"{key},{grade:g}\n" for key, grade in grades.items()))
    workspace.store.add_outcomes(read_outcomes(path, workspace.schemas["school"], secret=workspace.secret).outcomes)


def test_a_challenger_that_knows_the_new_school_replaces_the_champion_and_can_be_rolled_back(
    workspace: Workspace, part_of: Part, tmp_path: Path
) -> None:
    grades = predict_ms(workspace, part_of)
    assert workspace.store.count_predictions("school") == len(grades) == 226
    assert all(p.moment == "G2" and p.source == "cli" for p in workspace.store.predictions("school"))

    upload_outcomes(workspace, grades, tmp_path)
    matched = workspace.store.pairs("school", "G3")
    assert {prediction.id: outcome.value for prediction, outcome, _ in matched} == grades

    (result,) = retrain(Run(workspace, workspace.schemas["school"], window=20_000), [KEY])
    decision = result.decision
    assert result.promoted, decision.reasons
    assert decision.n == 113
    assert decision.gain is not None
    assert decision.gain.mean > 0.01
    assert decision.gain.lower > 0
    assert decision.champion_mae is not None
    assert decision.challenger_mae is not None
    assert decision.challenger_mae.value < decision.champion_mae.value
    assert result.drift is not None
    assert result.drift.alarm

    workspace.champions.refresh()
    serving = workspace.champions.at("school", "G2")["G3"]
    assert (serving.predictor.version, serving.generation) == (result.challenger, 2)

    rollback(workspace.store, [KEY], actor="test", reason="trying")
    workspace.champions.refresh()
    assert workspace.champions.at("school", "G2")["G3"].predictor.version == result.champion

    history = workspace.store.successions(KEY)
    assert [(s.generation, s.action) for s in history] == [(1, "promote"), (2, "promote"), (3, "rollback")]
    assert [s.version for s in history] == [result.champion, result.challenger, result.champion]
    (stored,) = workspace.store.decisions("school")
    assert (stored.verdict, stored.challenger) == ("promote", result.challenger)
    assert stored.document["gain"]["n"] == 113
    (report,) = workspace.store.drift_reports("school")
    assert report.alarm
    assert DriftReport.from_document(report.document).column("G1").alarming
    rows_that_the_champion_has_seen_would_have_hidden_it(workspace, result, part_of("gp-again.csv", school="GP"))


def rows_that_the_champion_has_seen_would_have_hidden_it(workspace: Workspace, result: Result, path: Path) -> None:
    assert result.champion is not None
    assert result.challenger is not None
    champion = load_bundle(workspace.artifacts, result.champion)
    challenger = load_bundle(workspace.artifacts, result.challenger)
    with read_batch(open_source(path), workspace.schemas["school"], "labeled", secret=workspace.secret) as intake:
        old = intake.records()
    assert {row.record for row in old} == champion.rows
    verdicts = [naive_verdict(workspace, old, champion, challenger, seed) for seed in range(10)]
    assert verdicts.count("shadow") == 10


def naive_verdict(workspace: Workspace, old, champion, challenger, seed: int) -> str:  # type: ignore[no-untyped-def]
    """What a random split of the old rows would have said: the champion has seen every one of them."""
    from database.ingest import labeled
    from preprocessing.validation.validate import frame_of

    frame = frame_of(labeled("school", old), workspace.schemas["school"])
    judging = frame.sample(fraction=0.3, seed=seed)
    holdout = Holdout(frame.clear(), judging, judging, np.arange(judging.height))
    evidence = collect_evidence(workspace.schemas["school"], champion, challenger, holdout)
    return decide(evidence, PromotionPolicy(), min_gain=0.01).verdict


def test_the_moments_of_the_school_year_are_answered_by_their_own_champions(
    workspace: Workspace, part_of: Part
) -> None:
    path = part_of("gp.csv", school="GP")
    row = pl.read_csv(path, separator=";", n_rows=1).drop("G3").to_dicts()[0]
    early = {name: value for name, value in row.items() if name not in ("G1", "G2")}
    for given, moment in ((early, "start"), (early | {"G1": row["G1"]}, "G1"), (row, "G2")):
        (prediction,) = workspace.service.predict("school", [given], source="test")
        assert prediction.moment == moment
        assert prediction.answers[0].model == workspace.champions.at("school", moment)["G3"].predictor.version
    with pytest.raises(BadData, match="G1"):
        workspace.service.predict("school", [early | {"G2": row["G2"]}], source="test")


def test_challengers_of_one_run_are_activated_together_though_each_learned_from_rows_of_its_own(
    workspace: Workspace, part_of: Part
) -> None:
    schema = workspace.schemas["school"]
    keys = keys_of(schema, None, ["start", "G1"])
    path = part_of("ms.csv", school="MS", drop=("G2",))
    lines = pl.read_csv(path, separator=";", infer_schema=False).with_row_index("n")
    without = lines.with_columns(G1=pl.when(pl.col("n") % 5 > 0).then("G1")).drop("n")
    without.write_csv(path, separator=";")
    with read_batch(open_source(path), schema, "labeled", secret=workspace.secret) as intake:
        store_intake(workspace, schema, intake, name="ms.csv")
    start, middle = retrain(Run(workspace, schema, window=20_000), keys)

    found = {model.version: model.lineage["rows"] for model in workspace.store.models()}
    assert start.challenger is not None
    assert middle.challenger is not None
    assert found[start.challenger] > found[middle.challenger], "some rows have no first grade"
    done = activate(workspace.store, "school", start.challenger, all_targets=True, actor="test", reason="trying")
    assert {one.version for one in done} == {start.challenger, middle.challenger}
