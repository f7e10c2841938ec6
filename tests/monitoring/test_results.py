"""One record of how answers turned out: at the newest moment, and with no figure that gives few students away."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from clock import new_id
from database.records import Answer, Prediction
from database.store import RecordStore
from model.artifacts import ArtifactFolder
from monitoring.evidence_archive import Selection
from monitoring.results import Results, ResultsQuestion, results_of
from tests.database.making import NOON, make_outcome, make_prediction
from tests.monitoring.test_fairness import SCHEMA, learned

Ask = Callable[..., Results | None]


@pytest.fixture
def installation(sqlite_url: str, opened: Callable[[str], RecordStore], tmp_path: Path) -> Any:
    """The parts of a workspace that are asked, none of them pretended."""
    artifacts = ArtifactFolder(tmp_path / "models")
    return SimpleNamespace(store=opened(sqlite_url), schemas={"class": SCHEMA}, learned=learned, artifacts=artifacts)


def fill(store: RecordStore, moment: str, students: int, *, week: int = 0, happened: bool = True) -> list[Prediction]:
    asked = []
    for number in range(students):
        mark = Answer(target="mark", value=8.0 + number % 5, naive=10.0, model="m", generation=1)
        asked.append(
            make_prediction(
                NOON + timedelta(weeks=week, minutes=number), domain="class", moment=moment,
                student=f"{moment}{number}",
                group=f"class {number % 2}", inputs={"x": 1.0, "sex": "FM"[number % 2]}, answers=(mark,), id=new_id(),
            )
        )  # fmt: skip
    store.add_predictions(asked)
    if happened:
        marks = [9.0 + number % 4 for number in range(students)]
        known = [
            make_outcome(mark, domain="class", target="mark", prediction=one.id)
            for mark, one in zip(marks, asked, strict=True)
        ]
        store.add_outcomes(known)
    return asked


def test_the_moment_of_the_newest_outcome_is_shown_with_what_waits(installation: Any) -> None:
    fill(installation.store, "start", 40)
    fill(installation.store, "end", 30, week=1)
    fill(installation.store, "start", 12, week=2, happened=False)
    found = results_of(installation, "class", ResultsQuestion(target="mark", with_cells=True))
    assert (found.moment, found.whole.n, found.timeline.waiting) == ("end", 30, 0)
    assert sum(cell.n for cell in found.cells) == 30
    start = results_of(installation, "class", ResultsQuestion(target="mark", moment="start"))
    assert (start.whole.n, start.timeline.waiting, [one.n for one in start.timeline.waits]) == (40, 12, [12])
    assert start.cells == ()
    before = Selection(until=NOON + timedelta(days=1))
    assert results_of(installation, "class", ResultsQuestion(target="mark", asked=before)).moment == "start"
    assert results_of(installation, "class", ResultsQuestion(target="grade")) is None


@pytest.mark.parametrize(("others", "told"), [(0, True), (9, False), (10, True)])
def test_a_moment_gives_the_few_of_another_one_away_by_no_figure(installation: Any, others: int, told: bool) -> None:
    fill(installation.store, "start", 40)
    fill(installation.store, "end", others)
    found = results_of(installation, "class", ResultsQuestion(target="mark", moment="start", with_cells=True))
    spans = [*found.timeline.windows, found.timeline.whole]
    figures = [*(span.mae for span in spans), found.whole.mae, found.fairness.whole.miss, found.fairness.quadrants]
    assert [one is not None for one in figures] == [told] * len(figures)
    assert bool(found.fairness.cuts) == bool(found.cells) == told
    assert found.timeline.whole.n == 40


def test_who_is_confined_to_a_group_has_every_figure_of_it_alone(installation: Any) -> None:
    fill(installation.store, "start", 60)
    own = Selection(groups=("class 1",))
    found = results_of(installation, "class", ResultsQuestion(target="mark", asked=own, with_cells=True))
    counts = [found.whole.n, found.timeline.whole.n, found.fairness.whole.n, sum(cell.n for cell in found.cells)]
    assert counts == [30] * 4
    whole = results_of(installation, "class", ResultsQuestion(target="mark"))
    theirs = next(one for cut in whole.fairness.cuts for one in cut.groups if one.name == "class 1")
    assert replace(theirs.miss, against=None) == found.fairness.whole.miss
