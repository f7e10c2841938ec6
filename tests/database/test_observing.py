"""Exports into the store: what is known is left, what was known stays known, and nothing before a change moves."""

from datetime import date, timedelta

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clock import new_id
from database.observed import store_events
from database.observed_frames import EPOCH_DAY, dirty_since, observation_frames
from database.observing import settle, store_gathered
from database.store import RecordStore
from preprocessing.panel.gathered import Gathered
from preprocessing.panel.live import GivenEvent
from preprocessing.panel.observations import Observations
from preprocessing.panel.sheets import ExportFindings
from preprocessing.validation.pii import pseudonym
from tests.command import run_command
from tests.database.making import after
from tests.preprocessing.panel.exporting import ROWS, export_of, write_zip
from tests.preprocessing.panel.test_panel_schema import WEEKLY

SECRET = b"a secret of the institution"
START = date(2026, 9, 1)
DAYS = st.integers(0, 20)
EVENT = st.tuples(st.sampled_from(["s1", "s2"]), st.integers(0, 3), DAYS, st.sampled_from(["a", "b"]), st.booleans())
EXPORTS = st.lists(st.lists(EVENT, min_size=1, max_size=5), min_size=1, max_size=4)


def incidents(events: list[tuple[str, int, int, str, bool]]) -> Gathered:
    gathered = Gathered("sis", ExportFindings())
    rows = [
        (who, f"{who} {key}", START + timedelta(days=day), word, 2, 0.0, gone) for who, key, day, word, gone in events
    ]
    names = ["student", "event", "at", "category", "severity", "removal_days", "removed"]
    gathered.put("incidents", pl.DataFrame(rows, schema=names, orient="row"))
    settle(gathered)
    return gathered


def known(store: RecordStore, domain: str, **asked: object) -> pl.DataFrame:
    parts = [part.incidents for part in observation_frames(store, domain, **asked)]  # type: ignore[arg-type]
    return pl.concat(parts) if parts else pl.DataFrame({"student": [], "at": []})


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(exports=EXPORTS)
def test_what_was_known_stays_known_and_a_change_moves_nothing_before_its_day(
    store: RecordStore, exports: list[list[tuple[str, int, int, str, bool]]]
) -> None:
    domain, states, receipt = new_id(), [], store.observed_since("none", 0).newest
    present: dict[str, tuple[str, date, str]] = {}
    for number, events in enumerate(exports):
        before = known(store, domain)
        counts = store_gathered(store, domain, incidents(events), secret=SECRET, at=after(number))
        again = store_gathered(store, domain, incidents(events), secret=SECRET, at=after(number))
        assert sum(again["incidents"][:2]) == 0
        for who, key, day, word, gone in events:
            present[f"{who} {key}"] = (pseudonym(who, SECRET), START + timedelta(days=day), word)
            if gone:
                present.pop(f"{who} {key}")
        now = known(store, domain)
        assert sorted(now.select("student", "at", "category").rows() if now.height else []) == sorted(present.values())
        receipt, dirty = dirty_since(store, domain, receipt)
        assert bool(dirty) == bool(sum(counts["incidents"][:2]))
        for frame, other in ((before, now), (now, before)):
            for row in frame.iter_rows(named=True):
                if row not in other.to_dicts():
                    assert row["at"] >= dirty[row["student"]]
        states.append(now)
    for number, state in enumerate(states):
        then = known(store, domain, known_at=after(number))
        assert then.rows() == state.rows()


VERSIONED = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 9), st.booleans()), max_size=8, unique_by=lambda e: e[:2]
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=VERSIONED, random=st.randoms(use_true_random=False))
def test_events_in_any_order_and_given_again_leave_the_same(
    sqlite_url: str, opened, said: list[tuple[int, int, bool]], random
) -> None:
    store, domains = opened(sqlite_url), [new_id(), new_id()]
    events = [
        GivenEvent("incidents", "s1", f"e{event}", version, 20_000 + version, None if gone else ("x", 2.0, 0.0), "sis")
        for event, version, gone in said
    ]
    shuffled = random.sample(events, len(events)) + random.sample(events, len(events))
    store_events(store, domains[0], sorted(events, key=lambda one: one.version or 0), secret=SECRET, at=after(0))
    for place in range(0, len(shuffled), 3):
        store_events(store, domains[1], shuffled[place : place + 3], secret=SECRET, at=after(place))
    newest = {event: (version, gone) for event, version, gone in sorted(said)}
    expected = sorted(EPOCH_DAY + timedelta(days=20_000 + version) for version, gone in newest.values() if not gone)
    for domain in domains:
        frame = known(store, domain)
        assert sorted(frame["at"].to_list()) == expected


def test_records_of_classes_make_one_day_and_enrolments_in_classes_one_spell(store: RecordStore) -> None:
    gathered = Gathered("sis", ExportFindings())
    day = START
    statuses = [("s1", "excused"), ("s1", "excused"), ("s1", "present"), ("s2", "unexcused"), ("s2", "excused"),
                ("s3", "absent"), ("s3", "tardy"), ("s3", "present"), ("s3", "present")]  # fmt: skip
    rows = [
        (who, f"{n}", day, "unexcused" if status == "absent" else status) for n, (who, status) in enumerate(statuses)
    ]
    gathered.put("attendance", pl.DataFrame(rows, schema=["student", "event", "day", "status"], orient="row"))
    spells = [("s1", 0, 5), ("s1", 3, 9), ("s1", 12, 14), ("s2", 0, None), ("s2", 2, 4)]
    made = [
        (who, f"{n}", "north", day + timedelta(begin), end and day + timedelta(end))
        for n, (who, begin, end) in enumerate(spells)
    ]
    gathered.put("enrolment", pl.DataFrame(made, schema=["student", "event", "school", "begin", "end"], orient="row"))
    store_gathered(store, "k12", gathered, secret=SECRET, at=after(0))
    [part] = observation_frames(store, "k12")
    who = {pseudonym(one, SECRET): one for one in ("s1", "s2", "s3")}
    assert {who[row[0]]: row[2] for row in part.attendance.rows()} == {
        "s1": "excused",
        "s2": "unexcused",
        "s3": "tardy",
    }
    found = sorted((who[row[0]], (row[3] - day).days, row[4] and (row[4] - day).days) for row in part.enrolment.rows())
    assert found == [("s1", 0, 9), ("s1", 12, 14), ("s2", 0, None)]
    assert isinstance(part, Observations)


def test_an_export_goes_from_a_zip_into_the_store_and_out_again_by_commands(tmp_path) -> None:
    (tmp_path / "domains").mkdir()
    (tmp_path / "domains" / "weekly.toml").write_text(WEEKLY.format(panel='time_zone = "America/Chicago"'))
    export = write_zip(tmp_path / "sis.zip", export_of())

    def run(*words: str):
        return run_command(tmp_path, *words, GRADEWATCH_DOMAINS_DIR=str(tmp_path / "domains"))

    def counted(told) -> dict[str, list[str]]:
        lines = (line.replace("│", " ").split() for line in told.stdout.splitlines() if "│" in line)
        return {line[0]: line[1:] for line in lines}

    ingest = ("observations", "ingest", str(export), "-d", "weekly")
    dry = run(*ingest, "--dry-run")
    assert (dry.returncode, "nothing was stored" in dry.stderr) == (0, True)
    first = run(*ingest)
    assert counted(first) == counted(dry)
    assert counted(first)["grades"] == ["2", "0", "0"]
    assert "nothing can be predicted yet: it tells of 1 school weeks, 4 are needed" in first.stdout
    assert counted(run(*ingest))["grades"] == ["0", "0", "2"]
    then = run("observations", "export", "then", "-d", "weekly", "--known-at", "2020-01-01")
    assert "grades: 0 rows" in then.stdout
    assert run("observations", "export", "out", "-d", "weekly").returncode == 0
    assert "grades │ 2 " in " ".join(run("observations", "check", "out").stdout.split())
    kept = b"".join(file.read_bytes() for file in tmp_path.glob("gradewatch.db*"))
    assert b"tutoring" in kept
    assert not any(word in kept for word in (b"Ana", b"Sousa", b"example.org", b"2014-01-05", b'"s1"'))
    rows = ROWS | {"results": [ROWS["results"][0] | {"score": "nought"}]}
    refused = run("observations", "ingest", str(write_zip(tmp_path / "bad.zip", export_of(rows=rows))), "-d", "weekly")
    assert refused.returncode == 1
    assert "problem in results.csv:\n  1 cell of 'score': must be a number of 0 or more; row 2" in refused.stderr
    archive = run("students", "export", "s1", "-o", "s1.zip")
    assert archive.returncode == 0, archive.stderr
    erased = run("students", "erase", "s1", "-d", "weekly", "--reason", "asked for")
    assert erased.returncode == 0, erased.stderr
    assert run("students", "export", "s1", "-o", "again.zip").returncode == 1
