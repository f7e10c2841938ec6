"""The simulated district in small: bias, effect of help and poisoned feeds that are known to be there are each found,
sized and told, by the commands that its people would use, and the safe decision is taken.
"""

from collections.abc import Mapping, Sequence

import pytest
from typer.testing import CliRunner

from benchmarks.district import HELP, Size, district_figures
from cli.main import app

SMALL = Size(schools=8, a_school=150, learned=800, window=1_000, capacity=40, by_lot=20, near=0.35)


def in_this_process(words: Sequence[str], settings: Mapping[str, str]) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, list(words), env=dict(settings))
    return done.exit_code, done.stdout, f"{done.stderr}{done.exception or ''}"


def test_known_bias_known_help_and_poisoned_feeds_of_a_district_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADEWATCH_TRAIN_AFTER", "0")
    monkeypatch.setenv("GRADEWATCH_PSEUDONYM_SECRET", "the same lots and folds in each run")
    found = {one.figure.removeprefix("district: "): one for one in district_figures(SMALL, in_this_process)}
    assert len(found) == 8
    helped = {name: one.value for name, one in found.items() if name.startswith("what help did")}
    assert helped == {name: pytest.approx(HELP, abs=0.65) for name in helped}, "three standard errors"
    wrong = {
        name: (one.value, one.goal, one.how) for name, one in found.items() if not one.holds and name not in helped
    }
    assert not wrong
