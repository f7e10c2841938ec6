"""Leaving a column out: what both models say on the same rows, and that nothing is kept."""

import msgspec
import pytest
from rich.console import Console

from database.ingest import add_batch
from model.workspace import Workspace
from preprocessing.schema import DomainSchema
from retraining.render import render_without
from retraining.run import Run
from retraining.without import NothingToLeaveOut, leave_out
from tests.training.making import MARK, SCHEMA, make_rows
from training.train import NotTrainable

PASSED = msgspec.structs.replace(
    SCHEMA,
    targets=tuple(
        msgspec.structs.replace(one, cut_points=(8.0,)) if one.name == MARK.target else one for one in SCHEMA.targets
    ),
)


def run_of(workspace: Workspace, schema: DomainSchema = PASSED) -> Run:
    return Run(workspace, schema, window=20_000)


def test_the_column_that_matters_is_missed_and_noise_is_not_and_nothing_is_stored(workspace: Workspace) -> None:
    add_batch(workspace.store, SCHEMA.name, make_rows(300, seed=4, first=5000), "labeled", name="new.csv")
    before = workspace.store.models(), workspace.store.decisions(), workspace.store.events()
    with pytest.raises(NotTrainable, match=r"without before: .*no signal in these inputs"):
        leave_out(run_of(workspace), MARK, "before")
    found = {name: leave_out(run_of(workspace), MARK, name) for name in ("support", "subject")}
    assert (workspace.store.models(), workspace.store.decisions(), workspace.store.events()) == before
    assert len({(one.n, one.mae, one.failed) for one in found.values()}) == 1  # all beside the very same model
    worst = found["support"]
    assert worst.gain.mean < min(-0.1, found["subject"].gain.mean)
    for one in found.values():
        assert one.gain.mean == pytest.approx(one.mae.value - one.mae_without.value)
        assert None not in (one.failed, one.found, one.found_without)
        assert one.failed > 0
        assert one.found_without - one.found <= one.shift.falling
    paper = Console(record=True, width=100)
    paper.print(render_without(worst))
    assert f"without {worst.column}" in paper.export_text()


def test_what_is_no_input_cannot_be_left_out(workspace: Workspace) -> None:
    first = SCHEMA.inputs_at(MARK.moment)[0].name
    hidden = msgspec.structs.replace(
        SCHEMA,
        features=tuple(msgspec.structs.replace(one, protected=one.name == first) for one in SCHEMA.features),
    )
    with pytest.raises(NothingToLeaveOut, match="no column 'shoe size'"):
        leave_out(run_of(workspace), MARK, "shoe size")
    with pytest.raises(NothingToLeaveOut, match="is protected: no model"):
        leave_out(run_of(workspace, hidden), MARK, first)
