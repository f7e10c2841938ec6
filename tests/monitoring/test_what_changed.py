"""What changed: the parts of every move add up to it and are what the models say, whoever is warned of is split by what
made it so, and nobody promotes by hand who has not read it."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest
from rich.console import Console
from sklearn.linear_model import LinearRegression

from access.required_reading import ChangesUnread, note_read, require_read
from clock import new_id, now
from database.newest import OF_ALL, Which
from database.records import Cell, ChampionKey, ModelVersion, Prediction, Succession
from database.store import RecordStore
from model.artifacts import ArtifactFolder
from model.bundle import Bundle
from model.export import export_graph
from model.pauses import pause
from model.registry import install
from model.workspace import Workspace
from monitoring.moves import PastModels
from monitoring.render import changes_tables
from monitoring.warning_policy import WarningPolicy, activate_policy
from monitoring.what_changed import WhatChanged, what_changed
from preprocessing.encode import Encoding, NumericPart
from preprocessing.schema import DomainSchema, Target
from tests.database.making import make_prediction
from tests.model.registry_making import keep, make_bundle
from tests.training.making import SCHEMA

MARK = Target(name="mark", minimum=0, maximum=20, cut_points=(10.01,))
COLUMNS = {"start": ("hours", "before"), "half": ("hours", "before", "midterm")}
OLD = {"start": {"hours": 0.1, "before": 0.5}, "half": {"hours": 0.05, "before": 0.2, "midterm": 0.5}}
NEW = {"half": {"hours": 0.0, "before": 0.25, "midterm": 0.55}}


def linear(schema: DomainSchema, moment: str, weights: Mapping[str, float]) -> Bundle:
    """A model whose answers are a weighted sum of columns, and 2."""
    names = list(weights)
    X = np.vstack([np.zeros(len(names)), np.eye(len(names))]).astype(np.float32)
    fitted = LinearRegression().fit(X, 2 + X @ np.array([weights[name] for name in names]))
    made = make_bundle(2.0, ChampionKey("invented", "mark", moment), run=new_id())
    parts = tuple(NumericPart(name=name, fill=0.0) for name in names)
    manifest = msgspec.structs.replace(
        made.manifest, domain=schema.name, inputs=tuple(names), encoding=Encoding(numeric=parts, categorical=())
    )
    return Bundle(manifest=manifest, graph=export_graph(fitted, len(names)), profile=made.profile, rows=frozenset())


def says(weights: Mapping[str, float], row: Mapping[str, Cell]) -> float:
    return 2 + sum(weight * float(row.get(name) or 0) for name, weight in weights.items())


@pytest.fixture
def installed(store: RecordStore, tmp_path: Path) -> tuple[Workspace, DomainSchema, dict[str, ModelVersion]]:
    """A model at each moment for 30 days, and another at the second since three."""
    schema = msgspec.structs.replace(SCHEMA, name=new_id(), targets=(MARK,))
    workspace = Workspace({schema.name: schema}, store, ArtifactFolder(tmp_path / "artifacts"), b"secret")
    assert isinstance(workspace.artifacts, ArtifactFolder)
    models = {}
    for generation, (moment, weights, days) in enumerate(
        [("start", OLD["start"], 30), ("half", OLD["half"], 30), ("half", NEW["half"], 3)]
    ):
        model = keep(store, workspace.artifacts, linear(schema, moment, weights))
        models[f"{moment} {days}"] = model
        at, by_hand = now() - timedelta(days=days), {"actor": "t", "reason": "t", "action": "promote"}
        told = {"generation": max(1, generation), "version": model.version, "at": at, **by_hand}
        store.succeed([Succession(domain=schema.name, target="mark", moment=moment, **told)])  # type: ignore[arg-type]
    return workspace, schema, models


def students(workspace: Workspace, schema: DomainSchema, models: Mapping[str, ModelVersion]) -> Iterator[Prediction]:
    """Two answers about each of 60, ten days ago and yesterday or only once; some moved on to the second moment."""
    draw, past = np.random.default_rng(4), PastModels(workspace.store, workspace.artifacts)
    for number in range(60):
        first, then = ("start", "half") if number % 3 == 0 else ("half", "half") if number % 3 == 1 else ("start",) * 2
        row: dict[str, Cell] = {}
        for days, moment in ((10, first), (1, then)):
            if (days == 1 and number % 7 == 0) or (days == 10 and number % 11 == 0):
                continue
            fresh = {name: float(draw.integers(0, 21)) for name in COLUMNS[moment]}
            row = row | {name: value for name, value in fresh.items() if name not in row or draw.random() < 0.5}
            model = models["start 30" if moment == "start" else "half 30" if days == 10 else "half 3"]
            (said,) = past.answer(model.version, [row]) or ()
            yield make_prediction(
                now() - timedelta(days=days, minutes=number), domain=schema.name, student=f"s{number:02}",
                group=f"class {number % 2}", period=None, moment=moment, inputs=dict(row), answers=(said,),
            )  # fmt: skip


def ask(workspace: Workspace, schema: DomainSchema, which: Which = OF_ALL, **more: object) -> WhatChanged:
    since = now() - timedelta(days=7)
    return what_changed(workspace, schema, MARK, since, which, most=100, **more)  # type: ignore[arg-type]


def test_every_move_is_the_sum_of_what_data_and_models_did(
    store: RecordStore, installed: tuple[Workspace, DomainSchema, dict[str, ModelVersion]]
) -> None:
    workspace, schema, models = installed
    said = list(students(workspace, schema, models))
    store.add_predictions(said)
    by_student: dict[str, list[Prediction]] = {}
    for one in said:
        by_student.setdefault(str(one.student), []).append(one)
    found = ask(workspace, schema)
    once = [one for one in by_student.values() if len(one) == 1]
    new = sum((now() - one[0].at).days < 7 for one in once)
    assert (found.students, found.new, found.silent, found.lost) == (len(by_student), new, 0, 0)
    assert found.compared == len(by_student) - new
    assert len(found.largest) > 40
    for one in found.largest:
        past = by_student[one.student]
        old, newest, move = past[0], past[-1], one.move
        was, now_said = OLD[old.moment], NEW[newest.moment] if newest.moment == "half" else OLD["start"]
        middle = says(OLD[newest.moment], newest.inputs)
        assert (move.before, move.after) == pytest.approx((says(was, old.inputs), says(now_said, newest.inputs)))
        assert (move.by_data, move.by_model) == pytest.approx((middle - move.before, move.after - middle), abs=1e-5)
        assert move.before + (move.by_data or 0) + (move.by_model or 0) == pytest.approx(move.after, abs=1e-9)
        assert sum(part.by for part in move.parts) == pytest.approx(move.by_data, abs=1e-9)
        for part in move.parts:
            if part.columns == ("midterm",) and old.moment != newest.moment:
                assert part.came_in
                assert part.by == pytest.approx(middle - says(OLD[old.moment], newest.inputs), abs=1e-5)
            else:
                (name,), ((before,), (after,)) = part.columns, (part.before, part.after)
                assert part.by == pytest.approx(was[name] * (float(after or 0) - float(before or 0)), abs=1e-5)
    assert found.by == pytest.approx((found.by_data or 0) + (found.by_model or 0))
    mine = ask(workspace, schema, Which(["class 1"]))
    assert {one.student for one in mine.largest} == {s for s in (o.student for o in found.largest) if int(s[1:]) % 2}


def test_who_is_warned_of_is_split_by_data_model_and_policy(
    store: RecordStore, installed: tuple[Workspace, DomainSchema, dict[str, ModelVersion]]
) -> None:
    workspace, schema, models = installed
    said = list(students(workspace, schema, models))
    store.add_predictions(said)
    policy = WarningPolicy(capacity=5, cool_down_days=30)
    activate_policy(store, schema.name, "mark", policy, actor="ann", reason="two advisors")
    newest = {one.student: one for one in said}
    old = {one.student: one for one in said if (now() - one.at).days >= 7}
    weights = {name: NEW.get(one.moment, OLD["start"]) for name, one in newest.items()}
    lists = [
        {name for name, one in old.items() if says(OLD[one.moment], one.inputs) < MARK.cut_points[0]},
        {name for name, one in newest.items()
         if says(OLD[one.moment] if name in old else weights[name], one.inputs) < MARK.cut_points[0]},
        {name for name, one in newest.items() if says(weights[name], one.inputs) < MARK.cut_points[0]},
    ]  # fmt: skip
    need = sorted(lists[2], key=lambda name: says(weights[name], newest[name].inputs))
    lists.append({name for group in (0, 1) for name in [one for one in need if int(one[1:]) % 2 == group][:5]})
    found = ask(workspace, schema)
    steps = list(pairwise(lists))
    assert msgspec.structs.astuple(found.entering) == tuple(len(after - before) for before, after in steps)
    assert msgspec.structs.astuple(found.leaving) == tuple(len(before - after) for before, after in steps)
    assert found.leaving.policy > 5
    paper = Console(record=True, width=200)
    paper.print(*changes_tables(found, MARK))
    assert "midterm came in" in paper.export_text()
    pause(store, schema.name, "plain rule", actor="ann", reason="the absences of March are wrong")
    assert {one.move.after for one in ask(workspace, schema).largest} == {10.0}, "what the rule says now"


def test_nobody_promotes_by_hand_without_having_read_what_it_moves(
    store: RecordStore, installed: tuple[Workspace, DomainSchema, dict[str, ModelVersion]]
) -> None:
    workspace, schema, models = installed
    store.add_predictions(list(students(workspace, schema, models)))
    assert isinstance(workspace.artifacts, ArtifactFolder)
    model = keep(store, workspace.artifacts, linear(schema, "half", OLD["half"] | {"hours": 0.3}))
    with pytest.raises(ChangesUnread, match="gradewatch changes"):
        require_read(store, "ann", model)
    found = ask(workspace, schema, model=model)
    assert (found.new, found.generation, found.by_data, found.entering.policy) == (0, 2, 0.0, 0)
    for one in found.largest:
        assert one.moment == "half", "at other moments nothing would change"
        assert one.move.parts == ()
    note_read(store, "ann", ask(workspace, schema, Which(["class 1"]), model=model), Which(["class 1"]))
    with pytest.raises(ChangesUnread):  # of a group only
        require_read(store, "ann", model)
    note_read(store, "ann", found, OF_ALL)
    require_read(store, "ann", model)
    with pytest.raises(ChangesUnread):
        require_read(store, "ben", model)
    install(store, [models["half 30"]], action="activate", actor="ben", reason="")
    with pytest.raises(ChangesUnread):  # beside another champion
        require_read(store, "ann", model)
