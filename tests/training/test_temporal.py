"""The recurrent network: it learns what lies weeks back, leaves as a graph that says the same, and resumes its bits."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from database.records import ChampionKey
from errors import MissingExtra
from model.export import check_parity, export_graph
from model.graph import open_graph, run_graph
from model.predictor import Predictor
from tests.training.weeks import K12, labelled_weeks, looking, told_by
from training import temporal
from training.temporal import SIZES, Branches, BrokenCheckpoint, NetworkSize, TemporalClassifier
from training.train import train

WINDOW, NAMES, LEVELS, BACK = 6, ("a", "b", "c"), 4, 5
TINY = NetworkSize(hidden=4, layers=2, heads=2, batch=128, epochs=5, learning_rate=1e-2)


def layout():
    """Columns of a week and of those before, with a mark of the missing where they look back."""
    columns, steps = list[str](), dict[str, tuple[str, int]]()
    for name in NAMES:
        for before in range(WINDOW):
            column = f"{name}_{before}_before" if before else name
            columns += [column] * (2 if before else 1)
            steps[column] = name, before
    columns.append("old")
    steps["old"] = "old", 0
    return Branches.of(columns, steps, [("a",), ("b", "c")], WINDOW), columns


def test_branches_read_the_oldest_week_first_and_nothing_where_there_is_no_column():
    branches, columns = layout()
    first, second = branches.places
    assert (first.shape, second.shape, branches.width) == ((6, 2), (6, 4), len(columns))
    assert [columns[place] for place in first[:, 0]] == [*(f"a_{before}_before" for before in range(5, 0, -1)), "a"]
    assert [columns[place] for place in branches.still] == ["old"]
    assert first[-1, 1] == len(columns)  # this week's own is never missing: it has no mark
    assert [columns[place] for place in second[0]] == ["b_5_before", "b_5_before", "c_5_before", "c_5_before"]


def weeks(n=800):
    """Rows whose level is told by the third week before alone."""
    branches, columns = layout()
    draw = np.random.default_rng(1)
    X = draw.normal(size=(n, len(columns))).astype(np.float32)
    y = np.digitize(X[:, columns.index("b_3_before")], [-1, 0, 1])
    return branches, X, y, np.arange(n) // 4


def learned(size=TINY, **options):
    branches, X, y, students = weeks()
    return TemporalClassifier(size, seed=3, device="cpu", **options).fit(X, y, branches=branches, students=students)


def test_it_finds_what_lies_weeks_back_and_its_graph_says_the_same_of_one_and_of_many():
    pytest.importorskip("torch", reason="needs `make torch`")
    fitted, (_, X, y, _) = learned(TINY._replace(hidden=8, layers=1, dropout=0.1, epochs=20, batch=64)), weeks()
    chances = fitted.predict_proba(X)
    assert chances.sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert (fitted.predict(X) == y).mean() > 0.7  # a third by chance
    graph = export_graph(fitted, X.shape[1], levels=LEVELS)
    assert check_parity(fitted, graph, X) <= 1e-5
    assert check_parity(fitted, graph, X * 20) <= 1e-4  # however wild a row is
    alone = np.concatenate([run_graph(open_graph(graph), X[at : at + 1]) for at in range(5)])
    assert np.abs(alone - chances[:5]).max() <= 1e-5


def test_a_training_that_is_killed_after_an_epoch_goes_on_to_the_same_bits(tmp_path: Path):
    pytest.importorskip("torch", reason="needs `make torch`")
    whole, again = learned(), _killed_after_two(tmp_path)
    (_, X, _, _) = weeks()
    assert again.epochs == whole.epochs == TINY.epochs
    assert (again.predict_proba(X) == whole.predict_proba(X)).all()
    [file] = tmp_path.iterdir()
    with np.load(file, allow_pickle=False) as kept:
        assert {one.split(".")[0] for one in kept.files} == {"now", "best", "adam", "numbers"}
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(BrokenCheckpoint, match="holds no training"):
        learned(checkpoints=tmp_path)


def _killed_after_two(folder: Path) -> TemporalClassifier:
    """Trained on from what a process left that ended within its third epoch."""
    code = f"""
import os
from pathlib import Path
import training.temporal as temporal
from tests.training import test_temporal
keep, count = temporal._Learning._keep, [0]
def kept(self, path):
    keep(self, path)
    count[0] += 1
    if count[0] == 2:
        os._exit(9)
temporal._Learning._keep = kept
test_temporal.learned(checkpoints=Path({str(folder)!r}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 9, done.stderr
    return learned(checkpoints=folder)


def test_it_competes_wins_what_lies_weeks_back_and_is_an_ordinary_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("torch", reason="needs `make torch`")
    size = NetworkSize(hidden=8, layers=1, dropout=0.1, epochs=15, batch=64, learning_rate=1e-2)
    monkeypatch.setattr(temporal, "SIZES", {"small": size})
    key, told = (
        ChampionKey("k12", K12.targets[0].name, "now"),
        told_by(f"pct_w_{BACK}_before", labelled_weeks(tmp_path, students=60)),
    )
    found = train(looking(), key, told, jobs=1, temporal="small")
    manifest = found.bundle.manifest
    assert manifest.candidate == "gru_small"
    assert not {one for one in manifest.inputs if "mean" in one}
    assert manifest.importance["pct_w"] == max(manifest.importance.values())
    assert manifest.parity <= 1e-4  # over 20,000 nasty rows
    asked = told.head(4).select(manifest.inputs).to_dicts()
    answers = Predictor(found.bundle, "v").answer(asked, generation=1, explain=3)
    assert [one.factors[0].feature for one in answers] == ["pct_w"] * 4


def test_the_large_size_has_the_weights_that_it_is_said_to_have():
    pytest.importorskip("torch", reason="needs `make torch`")
    names = [f"x{number}" for number in range(42)]
    columns = [f"{name}_{before}" for name in names for before in range(20) for _ in range(2)]
    steps = {f"{name}_{before}": (name, before) for name in names for before in range(20)}
    branches = Branches.of(columns, steps, [names[:14], names[14:29], names[29:]], 20)
    model = TemporalClassifier(SIZES["large"]._replace(epochs=0), seed=1, device="cpu")
    X = np.zeros((8, len(columns)), np.float32)
    model.fit(X, np.arange(8) % 4, branches=branches, students=np.arange(8))
    assert 3.5e6 < model.weights < 3.75e6
    assert len(export_graph(model, len(columns), levels=4)) < 15e6


def test_without_pytorch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match="make torch"):
        learned()
