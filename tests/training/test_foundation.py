"""A foundation model from the user's file competes like any candidate, and nothing else loads what it needs.

The checkpoint is of the package's own class with random weights: what it answers is worth nothing, how is the same.
"""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from model.export import check_parity, export_graph
from model.graph import open_graph, run_graph
from tests.training.making import GRADE, MARK, SCHEMA, make_frame
from training.candidates import FOUNDATION_ROWS, foundation_candidates
from training.train import train

VALUE, CLASSES = SCHEMA.target_by_name["mark"], SCHEMA.target_by_name["grade"]
SMALL = {"embed_dim": 16, "col_num_blocks": 1, "col_nhead": 2, "col_num_inds": 8, "row_num_blocks": 1, "row_nhead": 2,
         "icl_num_blocks": 2, "icl_nhead": 2, "zero_init": False}  # fmt: skip


def test_nothing_loads_the_foundation_model_unless_a_file_is_named() -> None:
    told = "import sys, training.train, retraining.run; print(*sorted({'torch', 'tabicl'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Checkpoints of a model of values and of one of up to five classes."""
    torch = pytest.importorskip("torch", reason="needs `make tabicl`")
    package = pytest.importorskip("tabicl._model.tabicl", reason="needs `make tabicl`")
    folder, made = tmp_path_factory.mktemp("foundation"), []
    for classes in (0, len(CLASSES.levels)):
        torch.manual_seed(classes)
        config = SMALL | {"max_classes": classes}
        made.append(folder / f"{classes}.ckpt")
        torch.save({"config": config, "state_dict": package.TabICL(**config).state_dict()}, made[-1])
    return made


@pytest.mark.parametrize("key", [MARK, GRADE], ids=["value", "class"])
def test_it_competes_on_the_same_rows_and_its_graph_says_the_same_alone(files: list[Path], key: object) -> None:
    target = VALUE if key == MARK else CLASSES
    scores = train(SCHEMA, key, make_frame(120), foundation=files).bundle.manifest.scores  # type: ignore[arg-type]
    assert {one.n for one in scores.values()} == {scores["tabicl"].n}
    draw = np.random.default_rng(1)
    X, asked = (draw.normal(size=(n, 5)).astype(np.float32) for n in (80, 7))
    y = X[:, 0] if key == MARK else (X[:, 0] > 0) + 2  # levels that no row has are answered with 0
    (candidate,) = foundation_candidates(files, target, 80)
    estimator = candidate.make(0, 80).fit(X, y)
    graph = export_graph(estimator, 5, levels=len(target.levels))
    assert check_parity(estimator, graph, asked) <= 1e-5
    assert np.ptp(run_graph(open_graph(graph), asked)[:, -1 if key == MARK else 2]) > 1e-3
    alone = np.concatenate([run_graph(open_graph(graph), asked[at : at + 1]) for at in range(7)])
    assert np.abs(alone - run_graph(open_graph(graph), asked)).max() <= 1e-5


def test_more_rows_than_a_graph_should_hold_have_no_such_candidate(files: list[Path]) -> None:
    assert [len(foundation_candidates(files, VALUE, FOUNDATION_ROWS + more)) for more in (0, 1)] == [1, 0]
    assert foundation_candidates(files[1:], VALUE, 100) == ()


class Command:
    """What a pickle would run."""

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("opened"),)


def test_a_file_with_anything_but_weights_is_refused_unread(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.foundation import UnusableFoundation

    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.ckpt").write_bytes(pickle.dumps({"config": {}, "state_dict": Command()}))
    with pytest.raises(UnusableFoundation, match=r"bad.ckpt is no checkpoint of TabICL"):
        foundation_candidates([tmp_path / "bad.ckpt"], VALUE, 100)
    assert not (tmp_path / "opened").exists()
