"""Every question that a store is asked is answered by an index that holds what is asked for, on both SQL stores."""

import re
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from clock import new_id
from database.newest import Which
from database.records import ChampionKey
from database.store import RecordStore
from tests.database.making import NOON, after, fill

KEY = ChampionKey("school", "G3", "G2")
NEWEST = {"since": NOON, "until": after(9), "limit": 100}
Question = Callable[[RecordStore], object]

QUESTIONS: dict[str, tuple[Question, set[str]]] = {
    "a prediction": (lambda s: s.prediction("x"), {"id"}),
    "predictions by id": (lambda s: s.predictions_of(["x", "y"]), {"id"}),
    "predictions by time": (lambda s: s.predictions("school", **NEWEST), {"domain", "at"}),
    "predictions of a student": (lambda s: s.predictions("school", student="s", groups=["A"]), {"domain", "start"}),
    "predictions of groups": (lambda s: s.predictions("school", groups=["A", "B"], limit=100), {"domain", "group"}),
    "predictions by ending": (lambda s: s.predictions("school", endings=["001"], **NEWEST), {"domain", "at"}),
    "how many": (lambda s: s.count_predictions("school"), {"domain"}),
    "how many since": (lambda s: s.count_predictions("school", since=NOON), {"domain", "at"}),
    "how many a day": (lambda s: s.predictions_per_day("school", NOON), {"domain", "at"}),
    "placings": (lambda s: s.placings("school", ids=[new_id()], students=["s"]), {"id", "start"}),
    "newest answers": (
        lambda s: s.newest_answers("school", "G3", Which(["A"]), limit=5),
        {"domain", "target", "below"},
    ),
    "silent answers": (
        lambda s: s.silent_answers("school", "G3", Which(["A"]), why="insufficient", limit=5),
        {"domain", "target"},
    ),
    "groups": (lambda s: s.answered_groups("school", after="A", limit=2), {"domain", "group"}),
    "when a student was asked about": (lambda s: s.asked_about("school", ["s"]), {"domain", "start"}),
    "how many newest answers": (lambda s: s.count_newest("school", "G3"), {"domain", "target", "below"}),
    "how many of some students": (
        lambda s: s.count_newest("school", "G3", but=["s"]),
        {"domain", "target", "below", "student"},
    ),
    "how many wait to be looked at": (lambda s: s.newest_behind(), set()),
    "pairs": (lambda s: s.pairs("school", "G3", since=NOON, limit=10), {"domain", "at", "start", "prediction"}),
    "standings": (
        lambda s: s.standings("school", "A", "1", after="s", limit=5),
        {"group", "period", "start", "attempt", "number", "student", "domain"},
    ),
    "newest rows": (lambda s: s.newest_rows("school", ["record 1"], "labeled"), {"domain", "start"}),
    "labelled records": (lambda s: s.labeled_records("school", limit=2), {"domain", "attempt", "start"}),
    "batches": (lambda s: s.batches("school", "labeled"), {"domain"}),
    "rows of a batch": (lambda s: s.batch_rows("a", [1, 2]), {"attempt", "number"}),
    "rows behind one": (lambda s: s.batch_rows_after("a", 1, 5), {"attempt", "number"}),
    "rows of a student": (lambda s: s.student_rows("school", "s"), {"start"}),
    "outcomes of a student": (lambda s: s.student_outcomes("school", "s1"), {"domain", "start", "prediction"}),
    "oldest outcomes": (lambda s: s.oldest_outcomes("school", 5), {"domain"}),
    "how many outcomes": (lambda s: s.count_outcomes("school"), {"domain"}),
    "some outcomes": (lambda s: s.outcomes_ending("school", ["001"]), {"domain"}),
    "looks at a student": (lambda s: s.student_accesses("school", "s"), {"domain"}),
    "models of a champion": (lambda s: s.models(KEY), {"domain", "target", "moment"}),
    "successions": (lambda s: s.successions(KEY), {"domain", "target", "moment"}),
    "drift reports": (lambda s: s.drift_reports("school", limit=5), {"domain"}),
    "older drift reports": (lambda s: s.drift_reports("school", before=(NOON, "x"), limit=5), {"domain", "at"}),
    "older decisions": (lambda s: s.decisions("school", before=(NOON, "x"), limit=5), {"domain", "at"}),
    "older events": (lambda s: s.events("school", before=(NOON, "x"), limit=5), {"domain", "at"}),
    "older events of a kind": (lambda s: s.events(kind="x", before=(NOON, "x"), limit=5), {"kind", "at"}),
    "a drift report": (lambda s: s.drift_report("x"), {"id"}),
    "decisions": (lambda s: s.decisions("school", limit=5), {"domain"}),
    "decisions about a champion": (lambda s: s.decisions(key=KEY, limit=5), {"domain", "target", "moment"}),
    "events": (lambda s: s.events("school", limit=5), {"domain"}),
    "events of a kind": (lambda s: s.events(kind="x", limit=5), {"kind"}),
    "a document": (lambda s: s.document("profile", "day"), {"kind", "name"}),
    "documents": (lambda s: s.documents("profile", since=NOON), {"kind", "at"}),
    "documents by name": (lambda s: s.documents_named("profile", ["a", "b"]), {"kind", "name"}),
    "newest documents": (lambda s: s.newest_documents("profile", before=(NOON, "x"), limit=5), {"kind", "at"}),
    "accesses of an actor": (lambda s: s.accesses(actor="ann", limit=5), {"actor"}),
    "accesses of a domain": (lambda s: s.accesses(domain="school", since=NOON), {"domain", "at"}),
    "accesses by action": (lambda s: s.accesses(action="looked", limit=5), {"action"}),
    "a job": (lambda s: s.job("x"), {"id"}),
    "jobs of a domain": (lambda s: s.jobs(domain="school", kind="drift"), {"domain", "kind"}),
    "jobs of a state": (lambda s: s.jobs(states=("failed",), limit=5), set()),
    "jobs of an actor": (lambda s: s.jobs(actor="ann"), {"actor"}),
    "observations": (lambda s: list(s.observation_pages("school", known_at=NOON)), {"domain"}),
    "observations of students": (
        lambda s: list(s.observation_pages("school", students=["s1", "s2"])),
        {"domain", "student"},
    ),
    "observations as texts": (lambda s: list(s.observation_texts("school", known_at=NOON)), {"domain"}),
    "observations of events": (
        lambda s: list(s.observations_of_events("school", [("s1", "attendance", "e1"), ("s2", "attendance", "e2")])),
        {"domain", "student", "kind", "event"},
    ),
    "students observed since": (lambda s: s.observed_since("school", 3), {"domain", "receipt"}),
    "a chunk": (lambda s: s.chunk("file", 0), {"blob", "number"}),
    "blobs": (lambda s: s.blobs(before=NOON), {"at"}),
}
NEWEST_OF_ALL: dict[str, Question] = {
    "batches": lambda s: s.batches(),
    "drift reports": lambda s: s.drift_reports(limit=5),
    "decisions": lambda s: s.decisions(limit=5),
    "events": lambda s: s.events(limit=5),
    "accesses": lambda s: s.accesses(limit=5),
    "jobs": lambda s: s.jobs(limit=5),
}
START = re.compile(r"<expr>|substr\((?:\w+\.)?\w+, 1, 8\)")
"""The beginning of a key, as plans have it."""
WALKS = re.compile(r"^SCAN (?!.*(USING|CONSTANT|SUBQUERY)|(days|found)$)|Seq Scan", re.MULTILINE)
"""What goes through a table from end to end; what a question steps by, such as days, is none."""


def plans(store: RecordStore, question: Question) -> list[str]:
    """The plans of all that a question asks of the database."""
    engine: sa.Engine = store._engine  # type: ignore[attr-defined]
    found: list[str] = []

    def explain(_connection: Any, cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if not statement.startswith(("SELECT", "WITH")):
            return
        if engine.dialect.name == "sqlite":
            rows = cursor.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
            found.append("\n".join(row[-1] for row in rows))
        else:
            cursor.execute("SET LOCAL enable_seqscan = off")  # of so few rows a walk would be as good
            found.append("\n".join(row[0] for row in cursor.execute(f"EXPLAIN {statement}", values).fetchall()))

    sa.event.listen(engine, "before_cursor_execute", explain)
    try:
        question(store)
    finally:
        sa.event.remove(engine, "before_cursor_execute", explain)
    return found


def test_no_question_walks_through_what_it_does_not_ask_for(sql_url: str, opened: Callable[[str], RecordStore]) -> None:
    store = opened(sql_url)
    fill(store, predictions=300, of_each=30)
    for name, (question, columns) in QUESTIONS.items():
        said = START.sub("start", "\n".join(plans(store, question)))
        held = {column for line in re.findall(r"Index Cond: (.*)|\(([^()]*[=<>]\?[^()]*)\)", said) for column in
                re.findall(r'"?(\w+)"?\)?(?:::\w+)? ?[=<>]', " ".join(line))}  # fmt: skip
        assert columns <= held, (name, said)
        assert not WALKS.search(said), (name, said)
    for name, question in NEWEST_OF_ALL.items():
        said = "\n".join(plans(store, question))
        assert "INDEX" in said.upper(), (name, said)
        assert "TEMP B-TREE FOR ORDER BY" not in said, (name, said)
