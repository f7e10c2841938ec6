"""The command line as a user runs it: a process of its own, a folder of its own."""

import csv
import json
import os
import pty
import random
import re
import resource
import sqlite3
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
import typer

from cli import output
from cli.main import app
from database.open import open_store
from tests.command import GRADEWATCH, environment_of, run_command

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    settings = {"GRADEWATCH_DATA_DIR": str(folder / "data"), "GRADEWATCH_DOMAINS_DIR": str(folder)}
    return partial(run_command, folder, **settings)


def engagement_file(path: Path, *, rows: int, seed: int, shift: float = 0.0) -> Path:
    """Scores that follow comprehension and time, with some luck."""
    generator = np.random.default_rng(seed)
    scores = generator.integers(20, 101, (rows, 4))
    minutes = generator.integers(0, 301, rows)
    result = 0.6 * scores[:, 0] + 0.1 * minutes + generator.normal(0, 4, rows) + shift
    lines = ["student_id;comprehension;attention;focus;retention;engagement_time;assignment_score"]
    for number, (row, spent, score) in enumerate(zip(scores, minutes, np.clip(result, 0, 100), strict=True)):
        cells = [f"s{seed}-{number}", *(f"{value:.1f}".replace(".", ",") for value in (*row, spent, score))]
        lines.append(";".join(cells))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def trained(run: Run, folder: Path) -> str:
    """What training on a first file said."""
    first = engagement_file(folder / "first.csv", rows=300, seed=1)
    result = run("train", "-d", "engagement", "--data", str(first))
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_training_shows_every_candidate_beside_the_plain_rule_and_serves_the_first(trained: str) -> None:
    for word in (
        "plain rule",
        "ridge",
        "random_forest",
        "hist_gradient_boosting",
        "now serves: first champion",
        "n = 300",
    ):
        assert word in trained


def test_the_naive_rule_stands_beside_every_model_in_the_list(run: Run, trained: str) -> None:
    listed = run("models", "list", "-d", "engagement").stdout
    assert "plain rule" in listed
    assert "always " in listed


def test_the_same_file_twice_changes_nothing(run: Run, folder: Path, trained: str) -> None:
    again = run("train", "-d", "engagement", "--data", str(folder / "first.csv"))
    assert "serves already" in again.stdout
    assert "there already" in run("ingest", "-d", "engagement", str(folder / "first.csv")).stdout


def test_every_bad_cell_is_reported_at_once_and_nothing_is_stored(run: Run, folder: Path, trained: str) -> None:
    text = (folder / "first.csv").read_text().splitlines()
    cells = text[1].split(";")
    bad = folder / "bad.csv"
    bad.write_text("\n".join([text[0], ";".join(["x1", "140", "much", *cells[3:]]), ";".join(["x2", *cells[1:]])]))
    problems = folder / "problems.csv"
    result = run("ingest", "-d", "engagement", str(bad), "--problems", str(problems))
    assert result.returncode == 1
    assert "2 problems" in result.stderr
    assert problems.read_text().splitlines()[0] == "file,row,column,value,rule"
    assert [line.split(",")[1:4] for line in problems.read_text().splitlines()[1:]] == [
        ["2", "comprehension", "140"],
        ["2", "attention", "much"],
    ]
    assert ["bad.csv was refused" in line for line in run("history", "--kind", "refusal").stdout.splitlines()] == [True]
    assert "1 row stored" in run("ingest", "-d", "engagement", str(bad), "--skip-bad-rows").stdout


def test_a_column_of_names_is_dropped_and_nobody_is_named(run: Run, folder: Path, trained: str) -> None:
    named = folder / "named.csv"
    named.write_text(
        "student_id,Full Name,comprehension,attention,focus,retention,engagement_time\n1,Ada Byron,1,1,1,1,1\n"
    )
    result = run("predict", "-d", "engagement", str(named))
    assert result.returncode == 0
    assert re.search(r"'Full Name' identifies people \([^)]*\): dropped", " ".join(result.stderr.split()))
    assert "Ada" not in result.stdout + result.stderr
    for command in (("predict",), ("score", "-o", str(folder / "named-answers.csv"))):
        kept = run(*command, "-d", "engagement", str(named), "--keep", "full name")
        said = " ".join(kept.stderr.split() + kept.stdout.split())
        assert re.search(r"'Full Name' identifies people \([^)]*\): stored nowhere, and handed back to you", said), said
        assert "dropped" not in said


def test_a_row_that_sums_up_others_is_named_by_every_command_that_leaves_it_out(
    run: Run, folder: Path, trained: str
) -> None:
    header, *rows = engagement_file(folder / "summed.csv", rows=12, seed=5).read_text().split()
    (folder / "summed.csv").write_text("\n".join([header, *rows, ";".join(["Average", *rows[0].split(";")[1:]])]))
    for command in ("ingest", "predict", "outcomes"):
        told = run(command, "-d", "engagement", str(folder / "summed.csv"))
        assert told.returncode == 0, told.stderr
        assert "row 14 ('Average') sums up others: left out" in told.stderr
        assert "12 " in told.stdout + told.stderr


def test_predictions_outcomes_and_history_read_back(run: Run, folder: Path, trained: str) -> None:
    asked = folder / "asked.csv"
    lines = [
        line.rsplit(";", 1)[0] for line in engagement_file(folder / "known.csv", rows=30, seed=2).read_text().split()
    ]
    asked.write_text("\n".join(lines))
    answers = folder / "answers.csv"
    assert run("predict", "-d", "engagement", str(asked), "-o", str(answers)).returncode == 0
    assert len(answers.read_text().splitlines()) == 31
    dry = run("outcomes", "-d", "engagement", str(folder / "known.csv"), "--dry-run")
    assert dry.stdout.strip() == "30 of 30 match; nothing was stored"
    outcome = run("outcomes", "-d", "engagement", str(folder / "known.csv"))
    assert "30 new, 0 corrected" in outcome.stdout
    stray = folder / "stray.csv"
    stray.write_text("student_id,assignment_score\nnobody-1,50\n")
    assert "1 of them belong to no prediction" in run("outcomes", "-d", "engagement", str(stray)).stderr
    assert "belong to no prediction" not in outcome.stderr
    assert "0 new, 0 corrected" in run("outcomes", "-d", "engagement", str(folder / "known.csv")).stdout


def test_what_came_in_by_mistake_is_withdrawn_with_a_reason(run: Run, folder: Path, trained: str) -> None:
    first, wrong = (engagement_file(folder / f"of-{shift}.csv", rows=20, seed=9, shift=shift) for shift in (0.0, -5.0))
    answers, take_back = folder / "run.csv", ("withdraw", "-d", "engagement", "--reason", "wrong class")
    assert run("predict", "-d", "engagement", str(first), "-o", str(answers)).returncode == 0
    listed = run("students", "list", "-d", "engagement", "--top", "3", COLUMNS="200").stdout
    assert re.search(r"3 of \d+ students of whom the chance of ending below 50.0", listed)
    assert re.search(r"% \*? +\d+(\.\d)? +\d+(\.\d)? to \d+(\.\d)? ", listed), "as many decimals as answers have"
    assert "20 new" in run("outcomes", "-d", "engagement", str(first)).stdout
    assert "20 corrected" in run("outcomes", "-d", "engagement", str(wrong)).stdout
    taken = run(*take_back, "--outcomes", str(wrong))
    assert "withdrawn: 20 outcomes" in taken.stdout
    assert "learned from them, if any, serve on" in " ".join(taken.stderr.split())
    assert "0 new, 0 corrected" in run("outcomes", "-d", "engagement", str(first)).stdout, "what was corrected is back"
    assert "withdrawn: 20 predictions" in run(*take_back, "--answers", str(answers)).stdout
    assert run("ingest", "-d", "engagement", str(first), "--kind", "unlabeled").returncode == 0
    with closing(open_store(f"sqlite:///{folder / 'data' / 'gradewatch.db'}")) as store:
        (batch,) = store.batches("engagement", "unlabeled")
    assert "withdrawn: 20 rows of batch" in run(*take_back, "--batch", batch.id[:12]).stdout
    for given in (
        (),
        ("--batch", batch.id),
        ("--batch", batch.id, "--answers", str(answers)),
        ("--answers", str(answers)),
    ):
        assert run(*take_back, *given).returncode != 0


def test_a_student_is_handed_out_then_erased_without_a_trace(run: Run, folder: Path, trained: str) -> None:
    file, key, archive = engagement_file(folder / "rights.csv", rows=25, seed=77), "s77-3", folder / "one.zip"
    assert run("predict", "-d", "engagement", str(file), "-o", str(folder / "said.csv")).returncode == 0
    for command in (("ingest", "-d", "engagement", str(file)), ("outcomes", "-d", "engagement", str(file))):
        assert run(*command).returncode == 0
    taken = run("students", "note", key, "tutoring on Mondays", "-d", "engagement", "--done", "talked", COLUMNS="200")
    assert "talked to" in taken.stdout, taken.stderr
    assert "Mondays" in run("students", "notes", key, "-d", "engagement", COLUMNS="200").stdout
    assert run("students", "note", key, "of Ana Sousa", "-d", "engagement").returncode == 1
    handed = run("students", "export", key, "-o", str(archive))
    assert "engagement: 1 predictions, 1 rows, 1 outcomes" in handed.stdout, handed.stderr
    with ZipFile(archive) as opened:
        [known] = json.loads(opened.read("everything.json"))
        files = {"engagement/rows.csv", "engagement/predictions.csv", "engagement/notes.json"}
        assert files <= set(opened.namelist())
    kept = [one for one in (folder / "data").rglob("*") if one.is_file()]
    assert any(known["student"].encode() in one.read_bytes() for one in kept)
    erased = run("students", "erase", key, "--reason", "a letter of 3 May")
    assert "1 predictions, 1 rows, 1 outcomes erased" in " ".join(erased.stdout.split()), erased.stderr
    kept = [one for one in (folder / "data").rglob("*") if one.is_file()]
    assert [one for one in kept for text in (key, known["student"]) if text.encode() in one.read_bytes()] == []
    assert run("students", "export", key, "-o", str(folder / "two.zip")).returncode == 1
    assert "a letter of 3 May" in run("students", "erasures", COLUMNS="200").stdout
    assert run("students", "object", "s77-2").returncode == 0
    refused = run("predict", "-d", "engagement", str(file), "-o", str(folder / "again.csv"))
    assert (refused.returncode, "objected" in refused.stderr) == (1, True)
    assert run("students", "object", "s77-2", "--lift").returncode == 0
    assert "GRADEWATCH_KEEP_PREDICTIONS" in " ".join(run("keep").stderr.split())
    assert "predictions: 0 removed" in run("keep", GRADEWATCH_KEEP_PREDICTIONS="30").stdout


def test_a_file_to_learn_from_stands_in_the_history_of_uploads(run: Run, folder: Path, trained: str) -> None:
    few = engagement_file(folder / "few.csv", rows=4, seed=22)
    more = engagement_file(folder / "more.csv", rows=40, seed=21)
    assert run("train", "-d", "engagement", "--data", str(few)).returncode == 1
    for options in (["--dry-run"], []):
        assert run("retrain", "-d", "engagement", "--data", str(more), *options).returncode == 0
    listed = json.loads(run("uploads", "list", "-d", "engagement", "--json").stdout)
    told = {one["name"]: (one["state"], one["added"], one["labelled"]) for one in listed}
    assert (told["first.csv"], told["more.csv"]) == (("done", 300, 0), ("done", 40, 0))
    assert told["few.csv"] == ("refused", None, 0)
    assert [one["name"] for one in listed].count("more.csv") == 1
    assert "assignment_score" in next(one["reasons"][0] for one in listed if one["name"] == "few.csv")


def test_a_retraining_decides_with_reasons_promotes_and_can_be_rolled_back(
    run: Run, folder: Path, trained: str
) -> None:
    new = engagement_file(folder / "new.csv", rows=300, seed=3, shift=12.0)
    pipeline = [sys.executable, "-m", "retraining.pipeline"]
    dry = run("--domain", "engagement", "--data", str(new), "--dry-run", program=pipeline)
    assert "would be: promoted (dry run, nothing changed)" in dry.stdout, dry.stdout + dry.stderr
    assert "generation 2" not in run("history", "-d", "engagement", "--full").stdout
    assert "school: no champion yet" in run("--dry-run", program=pipeline).stdout
    assert run("--target", "G3", program=pipeline).returncode == 2
    run("ingest", "-d", "engagement", str(new))
    assert "would be: promoted" in run("--dry-run", program=pipeline).stdout
    real = run("retrain")
    assert "engagement: no new labels" in run(program=pipeline).stdout
    assert "unseen rows" in real.stdout
    assert "lower bound" in real.stdout
    history = run("history", "-d", "engagement", "--full").stdout
    assert "generation 2" in history
    assert "the challenger was promoted" in history
    rolled = run("models", "rollback", "-d", "engagement", "--reason", "parents complained")
    assert "generation 3" in rolled.stdout
    again = run("models", "rollback", "-d", "engagement")
    assert again.returncode == 1
    assert "no champion before" in again.stderr


def test_factors_are_written_beside_the_answers(run: Run, folder: Path, trained: str) -> None:
    asked = engagement_file(folder / "explained.csv", rows=3, seed=6)
    result = run("predict", "-d", "engagement", str(asked), "--explain", "2")
    assert "answered before" not in result.stderr
    header, *lines = result.stdout.strip().splitlines()
    assert header.split(";")[-1] == "assignment_score_factors", "as the file is that was given"
    assert len(lines) == 3
    assert all(line.count(" = ") == 2 for line in lines)
    assert run("predict", "-d", "engagement", str(asked), "--explain", "21").returncode == 2
    assert "the same rows were answered before" in run("predict", "-d", "engagement", str(asked)).stderr


def test_answers_carry_own_columns_and_are_written_as_a_country_reads_them(
    run: Run, folder: Path, trained: str
) -> None:
    header, *rows = engagement_file(folder / "own.csv", rows=4, seed=16).read_text().split()
    lines = [f"{header};class", *(f"{row};3b" for row in rows), f"s16-9{rows[0][5:].replace(';', ';x', 1)};3c"]
    (folder / "own.csv").write_text("\n".join(lines))
    asked = ("predict", "-d", "engagement", "own.csv", "--keep", "student_id", "--keep", "Class")
    refused = run(*asked, "--problems", "bad.csv")
    assert refused.returncode == 1
    assert "--skip-bad-rows" in refused.stderr
    told = run(*asked, "--skip-bad-rows", "-o", "own-answers.csv")
    assert "1 bad row left out" in told.stderr
    first = (folder / "own-answers.csv").read_bytes().decode("utf-8").splitlines()[:2]
    assert first[0].startswith("\ufeffrow;student_id;class;prediction_id;student;")
    assert first[1].startswith("2;s16-0;3b;")
    english = run(*asked, "--skip-bad-rows", "--locale", "en").stdout.splitlines()
    assert english[1].startswith("2,s16-0,3b,")
    unknown = run(*asked, "--keep", "tutor")
    assert "no column is called 'tutor'; there are 'student_id', 'comprehension'" in unknown.stderr
    assert run(*asked, "--locale", "klingon").returncode == 1
    assert "written as .csv, .xlsx or .parquet" in run(*asked, "-o", "answers.pdf").stderr


def test_a_challenger_is_tried_reported_and_stopped(run: Run, folder: Path, trained: str) -> None:
    run("train", "-d", "engagement", "--data", str(engagement_file(folder / "other.csv", rows=200, seed=7)))
    with closing(open_store(f"sqlite:///{folder / 'data' / 'gradewatch.db'}")) as store:
        (champion,) = store.champions()
        challenger = next(model.version for model in store.models() if model.version != champion.version)
    started = run("trials", "start", challenger[:12], "-d", "engagement")
    if "stop it first" in started.stderr:  # that of a retraining before, where no other has ended it
        assert run("trials", "stop", started.stderr.split("trial ")[1].split()[0]).returncode == 0
        started = run("trials", "start", challenger[:12], "-d", "engagement")
    assert started.returncode == 0, started.stderr
    trial = started.stdout.split()[1].rstrip(":")
    asked = engagement_file(folder / "tried.csv", rows=40, seed=8)
    assert run("predict", "-d", "engagement", str(asked)).returncode == 0
    assert run("outcomes", "-d", "engagement", str(asked)).returncode == 0
    report = run("trials", "report", trial[:20]).stdout
    assert "answers differ in" in report
    assert "95 % interval" in report.splitlines()[0]
    assert challenger[:12] in report
    assert run("trials", "start", challenger, "-d", "engagement").returncode == 1
    assert run("trials", "stop", trial, "--reason", "satisfied").returncode == 0
    assert "satisfied" in run("trials", "list").stdout
    again = run("trials", "stop", trial)
    assert (again.returncode, "runs no more" in again.stderr) == (1, True)


def test_drift_speaks_as_table_json_and_page(run: Run, folder: Path, trained: str) -> None:
    new = engagement_file(folder / "drifted.csv", rows=200, seed=4, shift=25.0)
    page = folder / "drift.html"
    result = run("drift", "-d", "engagement", "--current", str(new), "--json", "--html", str(page))
    report = json.loads(result.stdout)
    assert report["alarm"]
    assert "assignment_score" in {column["column"] for column in report["columns"] if column["verdict"] == "drift"}
    assert page.read_text().startswith("<!")
    assert "http://" not in page.read_text().replace("http://www.w3.org", "")


def test_drift_of_stored_rows_needs_no_file_and_may_be_cut_into_segments(run: Run, folder: Path, trained: str) -> None:
    asked = engagement_file(folder / "window.csv", rows=60, seed=21)
    assert run("predict", "-d", "engagement", str(asked)).returncode == 0
    today = datetime.now(UTC).date().isoformat()
    stored, exact = (
        json.loads(run("drift", "-d", "engagement", "--since", today, "--json", *more).stdout)
        for more in ((), ("--exact",))
    )
    assert stored["n_current"] == exact["n_current"] >= 60
    assert stored["basis"] == "what the champion was trained on"
    batches = json.loads(
        run("drift", "-d", "engagement", "--since", today, "--source", "labeled", "--json").stdout or "0"
    )
    assert batches == 0 or batches["n_current"] > 0
    lines = [f"{line};{'early' if n % 2 else 'late'}" for n, line in enumerate(asked.read_text().splitlines()[1:])]
    header = asked.read_text().splitlines()[0] + ";assignment"
    before, after = folder / "before.csv", folder / "after.csv"
    before.write_text("\n".join([header, *lines]))
    after.write_text("\n".join([header, *(line.replace("s21-", "t21-") for line in lines[1:])]))
    table = run("drift", "-d", "engagement", "--current", str(after), "--reference", str(before), "--by", "assignment")
    assert "late" in table.stdout, table.stderr
    assert "not enough data" in table.stdout
    wrong = run("drift", "-d", "engagement", "--since", today, "--until", today)
    assert (wrong.returncode, "0 days" in wrong.stderr) == (1, True)
    assert run("drift", "-d", "engagement").returncode == 2


def test_a_file_of_rules_decides_what_is_drift_and_its_mistakes_are_named(run: Run, folder: Path, trained: str) -> None:
    new = engagement_file(folder / "ruled.csv", rows=200, seed=9, shift=25.0)
    rules = folder / "data" / "rules.toml"  # not among the domains
    rules.write_text("[drift]\nks_threshold = 0.99\nauc_threshold = 0.99\n")
    result = run("drift", "-d", "engagement", "--current", str(new), "--policy", str(rules), "--json")
    assert not json.loads(result.stdout)["alarm"]
    rules.write_text("[drift]\nks = 0.99\n")
    refused = run("drift", "-d", "engagement", "--current", str(new), "--policy", str(rules))
    assert (refused.returncode, "no 'ks'" in " ".join(refused.stderr.split())) == (1, True)


def test_performance_speaks_of_windows_and_of_what_is_to_be_expected(run: Run, folder: Path, trained: str) -> None:
    asked = engagement_file(folder / "later.csv", rows=60, seed=11)
    assert run("predict", str(asked), "-d", "engagement", "-o", str(folder / "later-answers.csv")).returncode == 0
    result = run("performance", "-d", "engagement")
    told = " ".join(result.stdout.split())
    assert result.returncode == 0, result.stderr
    assert "still wait for their outcome" in told
    assert "an estimate without outcomes" in told
    course = json.loads(run("performance", "-d", "engagement", "--json", "--by", "month").stdout)[0]
    assert course["expected"]["after_low"] <= course["expected"]["after"] <= course["expected"]["after_high"]
    refused = run("performance", "-d", "engagement", "--target", "fame")
    assert (refused.returncode, "has no target fame" in refused.stderr) == (1, True)


def test_a_log_that_somebody_edits_is_found_out(run: Run, folder: Path, trained: str) -> None:
    def change(statement: str, *values: str) -> None:
        with closing(sqlite3.connect(folder / "data" / "gradewatch.db")) as database, database:
            assert database.execute(statement, values).rowcount

    def verified() -> tuple[int, str]:
        done = run("audit", "verify")
        return done.returncode, done.stdout

    change("UPDATE events SET at = at - 3600000000")  # an hour ago: a row is sealed after a minute
    assert "sealed up to block" in run("audit", "seal").stdout
    assert verified() == (0, whole := verified()[1])
    assert whole.endswith("whole\n")
    newest = "WHERE id = (SELECT id FROM events ORDER BY at DESC LIMIT 1)"
    with closing(sqlite3.connect(folder / "data" / "gradewatch.db")) as database:
        [(told,)] = database.execute(f"SELECT details FROM events {newest}")
    change(f"UPDATE events SET details = ? {newest}", '{"reason": "another"}')
    code, said = verified()
    assert (code, "is not what was sealed" in said) == (74, True), said
    change(f"UPDATE events SET details = ? {newest}", told)
    assert verified() == (0, whole)


def test_a_pause_lets_the_plain_rule_answer_until_it_ends(run: Run, folder: Path, trained: str) -> None:
    asked, answers = folder / "paused.csv", folder / "paused-answers.csv"
    asked.write_text("comprehension,attention,focus,retention,engagement_time\n60,60,60,60,100\n")

    def model() -> str:
        done = run("predict", "-d", "engagement", str(asked), "-o", str(answers))
        assert done.returncode == 0, done.stderr
        [row] = csv.DictReader(answers.read_text().splitlines())
        return row["assignment_score_model"]

    before = model()
    assert run("pause", "set", "-d", "engagement", "--reason", "a feed is wrong").returncode == 0
    assert "a feed is wrong" in run("pause", "list").stdout
    assert model().startswith("rule-")
    assert run("pause", "resume", "-d", "engagement", "--reason", "mended").returncode == 0
    assert model() == before


def test_whom_to_warn_of_is_previewed_activated_and_taken_back(run: Run, folder: Path, trained: str) -> None:
    weak = folder / "weak.csv"
    lines = [f"w{n},{20 + n},50,50,50,{10 * n}" for n in range(12)]
    weak.write_text("\n".join(["student_id,comprehension,attention,focus,retention,engagement_time", *lines]))
    assert run("predict", "-d", "engagement", str(weak), "-o", str(folder / "weak-answers.csv")).returncode == 0

    def warned() -> int:
        return len(json.loads(run("warnings", "list", "-d", "engagement", "--json").stdout))

    all_of_them = warned()
    assert all_of_them > 3
    shown = run("warnings", "preview", "-d", "engagement", "--capacity", "3")
    assert shown.returncode == 0, shown.stderr
    assert warned() == all_of_them, "a preview changes nothing"
    assert run("warnings", "activate", "-d", "engagement", "--capacity", "3", "--reason", "few hours").returncode == 0
    assert warned() == 3
    assert "few hours" in run("warnings", "history", "-d", "engagement").stdout
    assert run("warnings", "rollback", "-d", "engagement").returncode == 0
    assert warned() == all_of_them


def test_the_evidence_of_a_time_that_is_over_is_the_same_again_and_effects_need_cases(
    run: Run, folder: Path, trained: str
) -> None:
    window = ("--from", "2026-01-01", "--to", "2026-02-01")
    packs = [folder / f"{name}.zip" for name in ("first-pack", "second-pack")]
    assert [run("evidence", *window, "-o", str(pack)).returncode for pack in packs] == [0, 0]
    assert packs[0].read_bytes() == packs[1].read_bytes()
    with ZipFile(packs[0]) as pack:
        assert any("engagement" in name or name.endswith(".md") for name in pack.namelist())
    told = run("effects", "-d", "engagement")
    assert (told.returncode, "Not enough data" in told.stdout) == (0, True), told.stdout + told.stderr


def lycee(n: int, seed: int) -> bytes:
    """A French school's export: names, `;`, decimal commas, marks of 20, absences as words, Windows-1252."""
    chance = random.Random(seed)
    lines = ["Nom de l'élève;N° élève;Trimestre;Sexe;Moyenne précédente;Contrôle;Assiduité;Moyenne"]
    keys = chance.sample(range(10**5, 10**6), n)
    for term, key in product(("1er trimestre", "2e trimestre", "3e trimestre"), keys):
        ability = random.Random(key).gauss(0, 1)
        marks = [min(20.0, max(0.0, 12 + 3 * ability + chance.gauss(0, spread))) for spread in (1.5, 1.0, 1.2)]
        before, test, mean = (f"{mark:.1f}".replace(".", ",") for mark in marks)
        test = chance.choice(["Abs", "disp."]) if chance.random() < 0.03 else f"{test}/20"
        cells = ["Maëlys KERMARREC", str(key), term, chance.choice(["Fille", "Garçon"]), before, test]
        lines.append(";".join([*cells, f"{chance.randint(60, 100)} %", mean]))
    return "\n".join(lines).encode("cp1252")


CPU_OF_A_SCHOOL = 60.0
"""Seconds from a school's file to served models, at most."""


def test_a_schools_export_goes_from_infer_to_a_served_model_in_two_commands(run: Run, folder: Path) -> None:
    began = resource.getrusage(resource.RUSAGE_CHILDREN)
    source = folder / "relevé.csv"
    source.write_bytes(lycee(80, seed=3))
    drafted = run("domain", "infer", str(source), "--name", "lycee", "-o", str(folder / "lycee.toml"), alone=True)
    assert drafted.returncode == 0, drafted.stderr
    told = drafted.stderr
    assert "predicts 'Moyenne' (called a mark)" in told
    assert "student key: 'N° élève', 80 students, each once in 'Trimestre'" in told
    assert "from the oldest on: 1er trimestre, 2e trimestre, 3e trimestre" in told
    assert "cells of 'Contrôle' are no numbers: " in told
    result = run("train", "-d", "lycee", "--data", str(source), alone=True)
    assert "now serves" in result.stdout, result.stdout + result.stderr
    assert "rows split by period" in result.stdout
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime < CPU_OF_A_SCHOOL
    assert 'column "Nom de l\'élève" identifies people' in " ".join(result.stderr.split())
    (folder / "lycee.toml").unlink()


def test_infer_asks_on_a_terminal_and_nowhere_else(run: Run, folder: Path) -> None:
    source = engagement_file(folder / "asked.csv", rows=60, seed=5)
    refused = run("domain", "infer", str(source), "--ask")
    assert (refused.returncode, "--ask needs a terminal" in refused.stderr) == (2, True)
    ours, theirs = pty.openpty()
    command = [*GRADEWATCH, "domain", "infer", str(source), "--ask", "-o", str(folder / "asked.toml")]
    with subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder,
                          env=environment_of(folder / "data")) as asking:  # fmt: skip
        os.write(ours, b"focus\n\n-\n-\n")
        asking.communicate(timeout=120)
    draft = tomllib.loads((folder / "asked.toml").read_text())
    assert (draft["targets"][0]["name"], draft["student"]["name"]) == ("focus", "student_id")
    assert not {"period", "group"} & draft.keys()
    (folder / "asked.toml").unlink()


NO_ROWS = {"policy", "passphrase_file", "class_list", "mapping"}
"""Options of files that hold no rows."""
ASKS = {"sheet", "skip_bad_rows", "problems"}
REFUSES_NOTHING = {
    ("domain", "infer"): {"sheet"},
    ("check",): {"sheet", "problems"},
    ("restore",): set[str](),  # what `backup` wrote
}


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, one in getattr(command, "commands", {}).items():
        yield from commands(one, (*path, name))


def is_file(parameter: Any) -> bool:
    said = parameter.type_descriptor.parameter_info
    return bool(said is not None and said.exists and said.file_okay and not said.dir_okay)


def test_every_command_that_takes_a_file_of_rows_takes_a_sheet_of_it_and_leaves_bad_rows_out() -> None:
    asked = 0
    for path, command in commands(typer.main.get_command(app)):
        if {one.name for one in command.params if is_file(one)} - NO_ROWS:
            assert REFUSES_NOTHING.get(path, ASKS) <= {one.name for one in command.params}, path
            asked += 1
    assert asked >= 12


def test_a_template_validates_as_it_is(run: Run, folder: Path, trained: str) -> None:
    template = folder / "template.csv"
    assert run("domain", "template", "engagement", "-o", str(template)).returncode == 0
    assert run("ingest", "-d", "engagement", str(template), "--kind", "unlabeled").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("predict", "-d", "nowhere", "first.csv"), "no domain 'nowhere'; there are:"),
        (("models", "show", "ffffff", "-d", "engagement"), "no version 'ffffff' in engagement"),
        (("train", "-d", "engagement", "--data", "first.csv", "--moment", "later"), "no moment 'later'"),
        (("drift", "-d", "engagement", "--current", "first.csv", "--reference", "first.csv"), "the reference itself"),
    ],
)
def test_a_refusal_is_one_plain_sentence(run: Run, trained: str, arguments: tuple[str, ...], words: str) -> None:
    result = run(*arguments)
    assert result.returncode == 1
    assert words in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr


def test_a_refusal_loads_no_library_of_training(run: Run) -> None:
    program = [sys.executable, "-c", "import sys, cli.main; cli.main.run(sys.argv[1:]); print(sorted(sys.modules))"]
    result = run("keys", "revoke", "nobody", program=program)
    assert "nobody" in result.stderr
    assert "'database.store'" in result.stdout
    assert "'sklearn'" not in result.stdout


def test_brackets_in_a_bad_cell_are_shown_as_they_are(run: Run, folder: Path) -> None:
    path = engagement_file(folder / "brackets.csv", rows=3, seed=8)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], f"k;[/bold];{lines[1].split(';', 2)[2]}"]))
    ingest = run("ingest", "--domain", "engagement", str(path))
    assert ingest.returncode == 1
    assert "[/bold]" in ingest.stderr
    assert "--skip-bad-rows" in ingest.stderr
    predict = run("predict", "--domain", "engagement", str(path))
    assert "nothing was stored" in predict.stderr
    assert "--skip-bad-rows" in predict.stderr


def test_a_target_that_is_no_column_is_refused_in_words(run: Run, folder: Path) -> None:
    path = engagement_file(folder / "inferred.csv", rows=30, seed=9)
    infer = run("domain", "infer", str(path), "--target", "gread")
    assert infer.returncode == 1
    assert "target 'gread' is no column" in infer.stderr
    assert "Traceback" not in infer.stderr


def test_a_long_step_is_told_every_few_seconds_where_no_bar_can_be_drawn(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "SILENCE", 0.02)
    with output.steps() as progress:
        progress("fitting ridge")
        time.sleep(0.2)
    with output.shares() as show:
        show("checking", 0.25)
        time.sleep(0.2)
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("fitting ridge (0 s)") > 1
    assert told.err.count("checking: 25% (0 s)") > 1


def test_the_version_is_told() -> None:
    told = subprocess.run([*GRADEWATCH, "--version"], capture_output=True, text=True, check=True)
    assert told.stdout == f"gradewatch {version('gradewatch')}\n"


def test_a_sample_with_a_known_drift_is_found_to_have_drifted(run: Run, folder: Path) -> None:
    assert run("sample", "-d", "school", "--rows", "2000", "-o", "before.csv").returncode == 0
    drifted = ("--drift", "grade-inflation", "-o", "after.csv", "--truth", "truth.json")
    told = run("sample", "-d", "school", "--rows", "2000", "--seed", "2", *drifted)
    assert "marks are given more easily" in told.stderr
    truth = json.loads((folder / "truth.json").read_bytes())
    assert {one["column"] for one in truth["changes"]} == {"G1", "G2", "G3"}
    report = run("drift", "-d", "school", "--current", "after.csv", "--reference", "before.csv", "--json")
    columns = json.loads(report.stdout)["columns"]
    assert {one["column"] for one in columns if one["verdict"] == "drift"} == {"G1", "G2", "G3"}
