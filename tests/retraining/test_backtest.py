"""A replay knows at each moment only what was known then, gives the same answer again, and stores nothing."""

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from rich.console import Console

from cli.main import main
from database.ingest import add_batch, batch_rows, labeled
from database.records import BatchRow, ChampionKey
from model.workspace import open_workspace
from preprocessing.schema import read_schema
from preprocessing.validation.leakage import Leaking
from retraining.backtest.page import render_page
from retraining.backtest.render import render_backtest, summarise
from retraining.backtest.replay import Replay
from retraining.backtest.run import (
    PSEUDONYMS,
    Backtest,
    BadBacktest,
    backtest,
    read_history,
    read_strategies,
    require_replayable,
)
from retraining.backtest.trajectory import Trajectory
from retraining.first_champions import train_domain
from retraining.holdout import ordered_frame
from retraining.policies import BadPolicy, Policies
from retraining.policy import PromotionPolicy
from retraining.run import Run, retrain
from retraining.trigger import TriggerPolicy

ROOT = Path(__file__).resolve().parents[2]
OULAD = ROOT.parent / "shared" / "data" / "oulad"
DOMAIN = """
name = "terms"
title = "Marks by term"
period = "term"
[student]
name = "student"
[[context]]
name = "term"
[[features]]
name = "hours"
kind = "numeric"
minimum = 0
maximum = 100
[[features]]
name = "before"
kind = "numeric"
minimum = 0
maximum = 20
[[targets]]
name = "mark"
minimum = 0
maximum = 20
unit = "points"
naive = ["before"]
"""
WITHIN = """name = "event"
kind = "ordered_class"
levels = ["soon", "never"]
within = [4]"""
SCHEMA = read_schema(DOMAIN)
KEY = ChampionKey("terms", "mark", "now")
QUICK = {"quick": Policies(trigger=TriggerPolicy(alarms=1, windows=1, cool_down_days=0))}


def make_history(
    terms: int = 4, rows: int = 140, changed_in: Sequence[int] = (10, 11, 12), seed: int = 1
) -> pl.DataFrame:
    """Terms 2, 9, 10, 11, 12: in `changed_in` hours count twice as much and students work longer."""
    draw, parts = np.random.default_rng(seed), []
    for term in [2, 9, 10, 11, 12][:terms]:
        changed = term in changed_in
        hours, before = draw.uniform(0, 60, rows) + 30 * changed, draw.uniform(4, 16, rows)
        mark = 0.5 * before + (0.05 + 0.05 * changed) * hours + draw.normal(0, 0.8, rows)
        students = [f"student-{term}-{n}" for n in range(rows)]
        numbers = {"hours": hours.round(1), "before": before.round(1), "mark": np.clip(mark, 0, 20).round(1)}
        parts.append(pl.DataFrame({"student": students, "term": [f"term {term}"] * rows, **numbers}))
    return pl.concat(parts)


def replayed(history: pl.DataFrame, policies: dict[str, Policies] = QUICK) -> Backtest:
    frame = read_history(history.write_csv().encode(), SCHEMA, name="history.csv").frame
    return backtest(Replay(SCHEMA, KEY, first=2), frame, policies)


def trajectory(found: Backtest, name: str) -> Trajectory:
    return next(one for one in found.trajectories if one.name == name)


@pytest.fixture(scope="module")
def found() -> Backtest:
    return replayed(make_history())


def test_every_champion_learned_only_from_periods_that_were_over(found: Backtest) -> None:
    order = ["term 2", "term 9", "term 10", "term 11"]
    assert found.begun_with == ("term 2", "term 9")
    for one in found.trajectories:
        assert [step.period for step in one.steps] == order[2:]  # 9 before 10
        taught = [order.index(step.learned_from) if step.learned_from else -1 for step in one.steps]
        assert all(place < order.index(step.period) for place, step in zip(taught, one.steps, strict=True))
    assert {step.learned_from for step in trajectory(found, "never").steps} == {"term 9"}
    assert [step.learned_from for step in trajectory(found, "always").steps] == ["term 9", "term 10"]


def test_a_policy_alarms_retrains_and_promotes_when_the_truth_changes(found: Backtest) -> None:
    quick = trajectory(found, "quick")
    assert [step.verdict == "alarm" for step in quick.steps] == [True, True]
    assert [step.retrained for step in quick.steps] == [True, False]
    assert [step.promoted for step in quick.steps] == [True, False]
    assert (quick.alarms, quick.proposals, quick.retrainings, quick.promotions) == (2, 2, 1, 1)
    assert "no period comes after it" in quick.steps[-1].reasons[-1]
    gain = quick.steps[-1].gain["never"]["MAE"]
    assert gain.low > 0
    assert quick.steps[-1].n == 140
    assert quick.gain["never"]["MAE"].value == pytest.approx(gain.value / 2)  # in the term before they were the same


TRYING = {
    "trying": Policies(
        trigger=TriggerPolicy(alarms=1, windows=1, cool_down_days=0),
        promotion=PromotionPolicy(min_rows=100, trial_rows=140),
    )
}
"""Half of a term's 140 rows cannot promote anybody, the whole of the next one can."""
PATIENT = msgspec.structs.replace(TRYING["trying"], promotion=PromotionPolicy(min_rows=100, trial_rows=200))


@pytest.fixture(scope="module")
def tried() -> Backtest:
    return replayed(make_history(5), {"patient": PATIENT, **TRYING})


def test_a_challenger_in_shadow_is_judged_on_the_next_period_s_outcomes_and_answers_after_it(tried: Backtest) -> None:
    trying = trajectory(tried, "trying")
    assert [(step.retrained, step.tried, step.promoted) for step in trying.steps] == [
        (True, True, False),
        (True, False, True),
        (False, False, False),
    ]
    assert (trying.trials, trying.promotions) == (1, 1)
    first, second, third = trying.steps
    assert first.reasons[-1] == "it is tried in shadow from now on"
    assert "the challenger of term 10, tried in shadow, is judged: the challenger's error is" in second.reasons[1]
    assert [step.learned_from for step in trying.steps] == ["term 9", "term 9", "term 10"]
    assert third.gain["never"]["MAE"].low > 0
    assert "3 alarms, 2 retrainings, 1 challenger tried in shadow, 1 new champion" in summarise(tried)[-1]


def test_a_challenger_in_shadow_is_judged_by_a_run_only() -> None:
    stays = replayed(make_history(5, changed_in=(10, 12)), TRYING)  # term 11 is as the champion learned it
    quiet, judged = trajectory(stays, "trying").steps[1:]
    assert not quiet.retrained  # no alarm, so no run that would judge
    assert "in shadow, is judged" not in " ".join(quiet.reasons)
    assert judged.reasons[-1] == "not carried out: no period comes after it"


def test_a_trial_goes_on_until_it_has_enough_outcomes(tried: Backtest) -> None:
    waits = trajectory(tried, "patient").steps[1]
    assert waits.reasons[1] == "the challenger of term 10, tried in shadow, waits for 200 new outcomes"
    assert waits.retrained


def test_the_service_decides_as_the_replay_did(tried: Backtest, tmp_path: Path) -> None:
    workspace = open_workspace(
        database_url=f"sqlite:///{tmp_path / 'gradewatch.db'}",
        artifacts_dir=tmp_path / "models",
        domains_dir=None,
        secret=PSEUDONYMS,
    )
    workspace = replace(workspace, schemas={SCHEMA.name: SCHEMA})
    frame = read_history(make_history(5).write_csv().encode(), SCHEMA).frame

    def upload(*terms: str) -> list[BatchRow]:
        return batch_rows(frame.filter(pl.col("_period").is_in(terms)), SCHEMA, "labeled")  # it arrives now

    begun = upload("term 2", "term 9")
    add_batch(workspace.store, SCHEMA.name, begun, "labeled", name="begun.csv")
    first = ordered_frame(labeled(SCHEMA.name, begun), SCHEMA)
    (trained,) = train_domain(workspace, SCHEMA, first, [KEY], actor="test")
    assert trained.installed
    run = Run(workspace, SCHEMA, 20_000, policy=TRYING["trying"].promotion)
    for term, step in zip(("term 10", "term 11"), trajectory(tried, "trying").steps, strict=False):
        add_batch(workspace.store, SCHEMA.name, upload(term), "labeled", name=f"{term}.csv")
        (result,) = retrain(run, [KEY])
        assert (result.promoted, result.decision.verdict) == (step.promoted, "promote" if step.promoted else "shadow")
        shown = f"champion {result.decision.champion_mae}, challenger {result.decision.challenger_mae}"
        assert (shown in " ".join(step.reasons)) == step.promoted  # to the last digit shown
    workspace.close()


def test_outcomes_change_nothing_before_they_are_known(found: Backtest) -> None:
    last = pl.col("term") == "term 11"
    turned = pl.when(last).then(20 - pl.col("mark")).otherwise(pl.col("mark")).alias("mark")
    other = replayed(make_history().with_columns(turned))
    for one in other.trajectories:
        before = trajectory(found, one.name)
        assert [(s.verdict, s.drift, s.reasons, s.promoted) for s in one.steps] == [
            (s.verdict, s.drift, s.reasons, s.promoted) for s in before.steps
        ]
        assert one.steps[0] == before.steps[0]
        assert one.steps[1].scores != before.steps[1].scores


def test_the_same_rows_in_another_order_give_the_same_bytes(found: Backtest) -> None:
    shuffled = make_history().sample(fraction=1.0, shuffle=True, seed=3)
    assert msgspec.json.encode(replayed(shuffled)) == msgspec.json.encode(found)


def test_the_page_says_first_in_words_what_each_policy_changed_and_needs_nothing_else(found: Backtest) -> None:
    named = msgspec.structs.replace(found, remarks=("<script>alert(1)</script>",))
    page = render_page(named)
    verdict, *_, last = summarise(found)
    assert page.index(f"<h1>{verdict}</h1>") < page.index(last) < page.index("<svg")
    assert re.search(r"Policy quick: 2 alarms, 1 retraining, 1 new champion; its errors are \d", page)
    assert "<script" not in page
    assert not re.search(r"(src|href)=", page)
    assert page.count("<svg") == 2 * 3  # always and quick; MAE, RMSE, R²
    assert "student-" not in page


def test_the_terminal_says_the_same_in_words_and_tables(found: Backtest) -> None:
    console = Console(width=200)
    with console.capture() as told:
        console.print(render_backtest(found))
    lines = told.get().splitlines()
    assert lines[2].startswith("Policy quick: 2 alarms, 1 retraining, 1 new champion; its errors are")
    assert any(line.split()[:1] == ["quick"] and "!rP" in line for line in lines)
    assert "student-" not in told.get()


def test_a_column_that_holds_the_future_is_named_before_anything_is_trained() -> None:
    told: list[str] = []
    history = make_history().with_columns((pl.col("mark") * 5).alias("hours"))
    frame = read_history(history.write_csv().encode(), SCHEMA, name="history.csv").frame
    with pytest.raises(Leaking, match="'hours' alone tells 'mark'"):
        backtest(Replay(SCHEMA, KEY, progress=lambda step, _: told.append(step)), frame, QUICK)
    assert told == []


def test_what_cannot_be_replayed_is_refused_with_all_reasons() -> None:
    never_together = {"slow": Policies(trigger=TriggerPolicy(alarms=2)), "never": Policies()}
    with pytest.raises(BadBacktest) as refused:
        require_replayable(
            Replay(read_schema(DOMAIN.replace('period = "term"', "")), KEY, period_days=0), never_together
        )
    for words in ("no period column", "longer than no day", "may not be called 'never'"):
        assert words in str(refused.value)
    with pytest.raises(BadBacktest, match="longest_gap_days = 120 do not count, so 2 alarms never come together"):
        require_replayable(Replay(SCHEMA, KEY), {"slow": Policies(trigger=TriggerPolicy(alarms=2))})
    with pytest.raises(BadBacktest, match="3 periods"):
        replayed(make_history(3))


def test_where_outcomes_reach_over_weeks_a_replay_goes_by_school_years() -> None:
    text = DOMAIN.replace('name = "mark"\nminimum = 0\nmaximum = 20\nunit = "points"\nnaive = ["before"]', WITHIN)
    schema, draw = read_schema(text), np.random.default_rng(2)
    weeks = [f"{year}-{year % 100 + 1} W{week:02d}" for year in (2023, 2024) for week in range(20)]
    history = pl.DataFrame({
        "student": [f"student-{n}" for n in range(40)],
        "term": weeks,
        "hours": draw.uniform(0, 60, 40).round(1),
        "before": draw.uniform(4, 16, 40).round(1),
        "event": ["soon", "never"] * 20,
    })  # fmt: skip
    frame = read_history(history.write_csv().encode(), schema, name="history.csv").frame
    with pytest.raises(BadBacktest, match=r"2 periods \(2023-24, 2024-25\)"):  # a week would know the weeks to come
        backtest(Replay(schema, ChampionKey("terms", "event", "now")), frame, QUICK)


def test_every_problem_of_every_policy_is_told_at_once(tmp_path: Path) -> None:
    first, second = tmp_path / "a.toml", tmp_path / "b.toml"
    first.write_text("[promotion]\nlevel = 2\nmin_rows = 'many'\nmargin = 1\n[training]\nwindow = 5\n")
    second.write_text("[drift]\nq = 7\nks = 1\n[triggers]\n[trigger]\nalarms = 3\nwindows = 2\n")
    with pytest.raises(BadPolicy) as refused:
        read_strategies([first, second])
    for words in (
        "a.toml is no policy:\n",
        "\n  [promotion] level is 2",
        "[promotion] min_rows is 'many', not a whole number\n",
        "[promotion] has no 'margin'; it may have helped, holdout_share, level",
        "window is 5",
        "q is 7",
        "no 'ks'",
        "[triggers] is no table",
        "fewer than the 3 alarms",
    ):
        assert words in str(refused.value)


@pytest.mark.parametrize("path", sorted((ROOT / "examples" / "policies").glob("*.toml")), ids=lambda path: path.stem)
def test_the_example_policies_can_be_replayed(path: Path) -> None:
    require_replayable(Replay(SCHEMA, KEY), read_strategies([path]))


def test_the_command_stores_nothing_and_speaks_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRADEWATCH_DOMAINS_DIR", str(tmp_path / "domains"))
    (tmp_path / "domains").mkdir()
    (tmp_path / "domains" / "terms.toml").write_text(DOMAIN)
    make_history(3, 80).write_csv(tmp_path / "history.csv")
    before = sorted(tmp_path.rglob("*"))
    command = ["backtest", "--domain", "terms", "--data", "history.csv", "--json"]
    with pytest.raises(SystemExit) as ended:
        main([*command, "--policy", str(ROOT / "examples" / "policies" / "eager.toml")])
    assert ended.value.code == 0
    answer = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in answer["trajectories"]] == ["plain rule", "never", "always", "eager"]
    assert sorted(tmp_path.rglob("*")) == before


def test_oulad_is_replayed_from_2013_to_2014(monkeypatch: pytest.MonkeyPatch) -> None:
    if not OULAD.is_dir():
        pytest.skip(f"the OULAD files are not at {OULAD}")
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "oulad"))
    from prepare import prepare  # type: ignore[import-not-found]

    monkeypatch.delitem(sys.modules, "prepare")
    schema = read_schema((ROOT / "examples" / "oulad" / "oulad_risk.toml").read_text())
    table = prepare(OULAD, with_leaky=True).collect().gather_every(20)
    frame = read_history(table.write_csv().encode(), schema, name="oulad.csv").frame
    assert not {"date_unregistration", "final_score", "last_handed_in"} & set(frame.columns)
    key = ChampionKey("oulad_risk", "outcome", "now")
    eager = Policies(trigger=TriggerPolicy(alarms=1, windows=1, cool_down_days=0), promotion=PromotionPolicy(level=0.8))
    found = backtest(Replay(schema, key, first=2), frame, {"eager": eager})
    assert [step.period for step in found.trajectories[0].steps] == ["2014B", "2014J"]
    assert found.rows == table.height
    for one in found.trajectories[1:]:
        assert set(one.scores) == {"MAE", "accuracy", "log loss", "Brier", "AUC"}
        assert one.scores["AUC"].value > 0.65  # the whole of it: .76
    assert trajectory(found, "eager").alarms == 2  # other courses, other ways of handing in
