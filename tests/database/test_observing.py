"""Exports into the store: what is known is left, what was known stays known, and nothing before a change moves."""

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from clock import new_id
from database.observed import store_events
from database.observed_frames import EPOCH_DAY, dirty_since, observation_frames
from database.observing import settle, store_gathered
from database.store import RecordStore
from preprocessing.panel.gathered import Gathered
from preprocessing.panel.kinds import HELP_KIND, OBSERVATION_KINDS, SAYS_OF
from preprocessing.panel.live import GivenEvent, ObservedEvent, given_events
from preprocessing.panel.observations import Observations
from preprocessing.panel.sheets import ExportFindings, UnreadableExport
from preprocessing.schema import PanelSchema
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


SAID = {
    "status": ["present", "unexcused"], "subject": ["math"], "due": ["2026-09-10", "2026-W38-1", None],
    "points": [0, 8, None], "max_points": [10, 0], "state": ["scored", "late", "missing"], "category": ["noise"],
    "severity": [1, 5, 6], "removal_days": [0, 0.5], "school": ["north", "south", None], "grade_level": ["7", None],
    "end": ["2026-09-14", "2026-09-20", "2026-W39-1", None], "school_day": [True, False],
}  # fmt: skip
SENT = st.sampled_from(OBSERVATION_KINDS).flatmap(
    lambda kind: st.builds(
        ObservedEvent,
        kind=st.just(kind),
        event=st.sampled_from(["e1", "e2"]),
        student=st.sampled_from(["s1", " s1", "s2"]),
        at=st.sampled_from(["2026-09-14", "2026-09-15T23:30:00Z", "2026-W38-1", "0001-01-01T00:00:00+14:00"]),
        source=st.sampled_from(["events", "sis", "a\0b", "Ana Sousa"]),
        values=st.fixed_dictionaries({name: st.sampled_from(SAID[name]) for name in SAYS_OF[kind]}),
        removed=st.booleans(),
    )
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=st.lists(SENT, min_size=1, max_size=8))
def test_whatever_is_taken_in_can_be_read_and_is_known_again_however_its_student_is_written(
    sqlite_url: str, opened, sent: list[ObservedEvent]
) -> None:
    store, domain = opened(sqlite_url), new_id()
    numbered = [replace(one, version=number) for number, one in enumerate(sent)]
    good, _ = given_events(numbered, PanelSchema(entity="s", period="w"))
    store_events(store, domain, good, secret=SECRET, at=after(0))
    assert list(observation_frames(store, domain)) or not {one.student for one in good} - {""}
    trimmed = [one._replace(student=one.student.strip()) for one in good]
    assert store_events(store, domain, trimmed, secret=SECRET, at=after(1))[:2] == (0, 0)
    assert not any("Ana" in one.source or "\0" in one.source for one in good)


def test_what_no_frame_could_hold_or_names_somebody_is_left_out_of_an_export() -> None:
    gathered, begin = Gathered("sis", ExportFindings()), START
    mark, spell = {"student": "s1", "subject": "math", "posted_at": START, "points": 1.0, "state": "scored"}, "north"
    marks = [{**mark, "event": str(most), "max_points": float(most)} for most in (0, 10)]
    marks.append({**mark, "event": "long", "subject": "x" * 101, "max_points": 10.0})
    gathered.put("grades", pl.DataFrame(marks))
    spells = [("s1", "1", spell, "7", begin, begin), ("s1", "2", spell, "Ana Sousa", begin, None),
              ("s1", "3", spell, "7", begin, None)]  # fmt: skip
    names = ["student", "event", "school", "grade_level", "begin", "end"]
    gathered.put("enrolment", pl.DataFrame(spells, schema=names, orient="row"))
    helped = [("s1", "h1", begin, "Marks of Ana Sousa"), ("s1", "h2", begin, "tutoring")]
    gathered.put(HELP_KIND, pl.DataFrame(helped, schema=["student", "event", "begin", "type_code"], orient="row"))
    settle(gathered)
    assert {kind: frame["event"].to_list() for kind, frame in gathered.events.items()} == {
        "grades": ["10"],
        "enrolment": ["3"],
        HELP_KIND: ["h2"],
    }
    assert gathered.found.total == 5
    with pytest.raises(UnreadableExport, match="source"):
        settle(Gathered("Ana Sousa", ExportFindings()))


def test_without_versions_what_came_last_counts_whatever_the_clock_says(store: RecordStore) -> None:
    def tell(day: int, at: int, version: int | None = None) -> GivenEvent:
        event = GivenEvent("incidents", "s1", "e1", version, 20_000 + day, ("x", 2.0, 0.0), "sis")
        store_events(store, "k12", [event], secret=SECRET, at=after(at))
        return event

    for day, at, version in ((1, 9, None), (2, 3, None), (3, 4, 2**61), (4, 5, None)):
        tell(day, at, version)
        assert known(store, "k12")["at"].to_list() == [EPOCH_DAY + timedelta(days=20_000 + day)]
    both = [tell(day, 6) for day in (5, 6)]
    store_events(store, "k12", both, secret=SECRET, at=after(7))
    assert known(store, "k12")["at"].to_list() == [EPOCH_DAY + timedelta(days=20_006)]


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


def test_records_of_classes_make_one_day_enrolments_one_spell_and_calendars_one_line(store: RecordStore) -> None:
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
    days = [("1", None, day, True), ("2", None, day, False), ("3", "north", day, True), ("4", "north", day, True)]
    calendar = Gathered("board", ExportFindings())
    calendar.put("calendar", pl.DataFrame(days, schema=["event", "school", "day", "school_day"], orient="row"))
    store_gathered(store, "k12", calendar, secret=SECRET, at=after(1))
    [part] = observation_frames(store, "k12")
    assert {row[0]: row[2] for row in part.calendar.rows()} == {None: False, "north": True}
    assert part.calendar.height == 2
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
    assert "kept as observations alone: 1 (" in first.stderr
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
