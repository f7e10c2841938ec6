"""What `gradewatch monitor` finds and does, and that it says why it did not retrain, by its exit code and words."""

import re
from collections.abc import Callable
from datetime import UTC, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest

from cli.main import run
from clock import now
from database.ingest import add_batch
from database.records import Outcome, Prediction
from model.workspace import Workspace
from monitoring.days import DAY
from retraining.monitor import LookBack, monitor
from retraining.policies import read_policies
from retraining.trigger import TriggerPolicy
from tests.monitoring.asking import asked
from tests.retraining.conftest import open_at
from tests.training.making import MARK, SCHEMA, make_rows

Monitor = Callable[..., tuple[int, str]]
RULES = """[drift]
ks_threshold = 0.5
cramers_v_threshold = 0.5
auc_threshold = 0.95
together = 9
[drift.thresholds]
hours = 0.1
"""
"""The invented answers are not quite the champion's, which is no drift here."""


@pytest.fixture
def command(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Monitor:
    """The command over the invented school: its exit code and what it prints, on one line."""
    monkeypatch.setattr("settings.Settings.open_workspace", lambda _: open_at(folder))
    (folder / "rules.toml").write_text(RULES)

    def monitored(*options: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            run(["monitor", "--domain", SCHEMA.name, "--policy", str(folder / "rules.toml"), *options])
        assert isinstance(ended.value.code, int)
        return ended.value.code, re.sub(r"\s+", " ", capsys.readouterr().out)

    return monitored


def ask(workspace: Workspace, *, drifted: int, more: float = 40.0, days: int = 28) -> list[Prediction]:
    """Predictions of the last `days` whole days, by the champion; of the newest `drifted` days with `more` hours."""
    today, found = now().astimezone(UTC).date(), list[Prediction]()
    champion = next(one.version for one in workspace.store.champions() if one.key == MARK)
    for back in range(days, 0, -1):
        hours = more if back <= drifted else 0.0
        for one in asked(today - back * DAY, 100, seed=back, hours=hours):
            answers = (msgspec.structs.replace(one.answers[0], model=champion),)
            found.append(msgspec.structs.replace(one, answers=answers))
    workspace.store.add_predictions(found)
    return found


def tell(workspace: Workspace, predictions: list[Prediction], error: float) -> None:
    """Outcomes that miss the answers by `error` on the mean."""
    draw = np.random.default_rng(5)
    outcomes = [
        Outcome(
            domain=SCHEMA.name,
            target="mark",
            value=float(one.answers[0].value or 0) + float(draw.normal(0, error)),
            at=one.at + timedelta(hours=1),
            prediction=one.id,
        )
        for one in predictions
    ]
    workspace.store.add_outcomes(outcomes)


def test_nothing_happened(workspace: Workspace, command: Monitor) -> None:
    tell(workspace, ask(workspace, drifted=0)[::10], 0.8)
    code, said = command()
    assert code == 0
    assert "2,800 predictions: quiet" in said
    assert "measured, mark at start: mean error" in said
    assert "not retrained: it is not proposed: the newest window is quiet" in said
    assert "2 of 4 windows with an alarm, the newest among them, or errors that credibly rise would make it" in said
    assert "or by hand: gradewatch retrain --domain invented" in said


def test_drift_that_passed_is_told_and_drift_that_lasts_retrains(workspace: Workspace, command: Monitor) -> None:
    ask(workspace, drifted=7)
    code, said = command("--auto-retrain")
    assert code == 3
    assert "1 of the last 4 windows raised an alarm; 2 of 4 are needed" in said
    ask(workspace, drifted=20)
    code, said = command()
    assert code == 3
    assert "not retrained: it is proposed" in said
    assert "--auto-retrain would make it" in said
    code, said = command("--auto-retrain")
    assert code == 3
    assert "no labelled row or outcome that the champions have not learned from" in said
    add_batch(workspace.store, SCHEMA.name, make_rows(200, seed=2, first=2000), "labeled", name="new.csv")
    code, said = command("--auto-retrain")
    assert code == 5
    assert "invented/mark@start: promoted" in said
    assert workspace.store.successions(MARK)[-1].actor == "monitor"
    code, said = command("--auto-retrain")
    assert code == 3
    assert "(alarms from" in said  # it waits after a retraining


def test_errors_that_credibly_rose_start_an_evaluation(workspace: Workspace, folder: Path, command: Monitor) -> None:
    predictions = ask(workspace, drifted=0)
    tell(workspace, predictions[::10], 4.0)
    code, said = command()
    assert code == 4
    assert "worse: The mean error for mark at start is" in said
    assert "not retrained: it is proposed" in said
    calm = msgspec.structs.replace(read_policies(folder / "rules.toml"), trigger=TriggerPolicy(errors=False))
    assert not monitor(workspace, SCHEMA.name, LookBack(policies=calm)).proposal.retrain
    _, said = command("--auto-retrain")
    assert workspace.store.decisions(key=MARK)
    assert "invented/mark@start" in said


def test_today_counts_when_asked_and_few_rows_tell_nothing(workspace: Workspace, command: Monitor) -> None:
    workspace.store.add_predictions(
        [msgspec.structs.replace(one, at=now()) for one in asked(now().date(), 300, seed=1, hours=40.0)]
    )
    code, said = command()
    assert code == 6
    assert "0 predictions: not enough data" in said
    assert "inputs were not judged: 0 predictions in these days; 50 are the least" in said
    assert command("--today")[0] == 3
    assert command("--today", "--min-samples", "301")[0] == 6


def test_a_threshold_decides_what_is_drift(workspace: Workspace, folder: Path, command: Monitor) -> None:
    (folder / "rules.toml").write_text("")
    ask(workspace, drifted=28, more=10.0)
    assert [command("--drift-threshold", threshold)[0] for threshold in ("0.1", "0.7")] == [3, 0]
