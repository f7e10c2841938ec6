"""The evidence of a time as one file: what was used, how good and how fair it was, what was decided, who looked and who
stepped in, what went wrong, and that the log of it is whole; with a table of which law asks for what.

It is written from what is kept, and decides nothing. The same time, once it is over and as of the same uploads, gives
the same bytes.
"""

import io
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile
from typing import Any

import msgspec

from advice.cases import CASE_KIND
from database.records import Access, ChampionKey
from database.seals import blocks, exported
from jobs.anchors import anchors, verify_all
from model.bundle_file import SAME_TIME
from model.card import make_card
from model.card_forms import write_card
from model.pauses import PAUSED_EVENT, RESUMED_EVENT
from model.purpose import IntendedPurpose
from model.registry import load_bundle
from model.version_names import version_names
from model.workspace import Workspace
from monitoring.evidence import evidence_among
from monitoring.evidence_archive import EvidenceArchive, Selection
from monitoring.fairness import judge_fairness
from monitoring.performance import measure_target, tellable
from monitoring.warning_policy import policies_in_use, policy_until
from overview.data_sheet import SheetTime, data_sheet
from overview.instructions import write_instructions
from preprocessing.schema import DomainSchema

MOST_OF_A_KIND = 1_000_000
"""Entries of one kind in a pack."""


@dataclass(frozen=True)
class PackQuestion:
    """What a pack is about: from `since` on and before `until`, in these domains. purpose: of the installation.
    running: how it is set up, what to how."""

    since: datetime
    until: datetime
    domains: Sequence[str]
    purpose: IntendedPurpose = field(default_factory=IntendedPurpose)
    running: Mapping[str, str] = field(default_factory=dict)

    def covers(self, at: datetime) -> bool:
        return self.since <= at < self.until


LAWS: tuple[tuple[str, str, str], ...] = (
    ("AI Act 9", "risk management", "01-purpose.json, 04-performance.json, 09-incidents.jsonl"),
    ("AI Act 10", "data and data governance", "03-data.json, 05-drift.jsonl"),
    ("AI Act 11", "technical documentation", "02-models/, 03-data.json"),
    ("AI Act 12", "record-keeping", "08-accesses.jsonl, 09-incidents.jsonl, 11-integrity.json"),
    ("AI Act 13", "transparency", "00-index.md: Questions of article 13; 12-instructions.md"),
    ("AI Act 14", "human oversight", "07-oversight.json"),
    ("AI Act 15", "accuracy, robustness, security", "04-performance.json, 05-drift.jsonl, 11-integrity.json"),
    ("AI Act 26", "duties of who deploys", "01-purpose.json, 07-oversight.json, 08-accesses.jsonl"),
    ("AI Act 72", "monitoring after the market", "04-performance.json, 05-drift.jsonl, 09-incidents.jsonl"),
    ("GDPR 30", "records of processing", "01-purpose.json, 03-data.json, 08-accesses.jsonl"),
    ("GDPR 35", "impact assessment", "01-purpose.json, 04-performance.json, 07-oversight.json"),
    ("FERPA 99.32", "disclosures", "08-accesses.jsonl"),
)
"""Which law asks for what, and where in a pack it stands."""

ARTICLE_13: tuple[tuple[str, str, str], ...] = (
    ("13(1)", "Can whoever uses it make out what an answer means?", "12-instructions.md: Reading an answer"),
    ("13(2)", "Are there instructions, and what is in them?", "12-instructions.md"),
    ("13(3)(a)", "Who provides it, and where are they reached?", "12-instructions.md: Who answers for it"),
    ("13(3)(b)(i)", "What is it for?", "01-purpose.json: purpose; 12-instructions.md: What it is for"),
    ("13(3)(b)(ii)", "How good is it, beside what?", "02-models/: How good it was; 04-performance.json: performance"),
    ("13(3)(b)(ii)", "How sturdy is it when data change?", "05-drift.jsonl; 02-models/: Where it ends"),
    ("13(3)(b)(ii)", "How is it secured?", "12-instructions.md: Security; 11-integrity.json: blocks"),
    (
        "13(3)(b)(iii)",
        "When does it bring risks to people?",
        "12-instructions.md: Risks; 02-models/: What it is not for",
    ),
    ("13(3)(b)(iv)", "What can it tell of its reasons?", "12-instructions.md: Reasons; 02-models/: What it looks at"),
    ("13(3)(b)(v)", "How good is it for which groups?", "04-performance.json: fairness; 03-data/: 4 Protected columns"),
    ("13(3)(b)(vi)", "What must go in?", "03-data/: 3 Columns"),
    (
        "13(3)(b)(vi)",
        "On what was it trained and tested?",
        "02-models/: What it learned from; 03-data/: 2 What a row is",
    ),
    ("13(3)(b)(vii)", "How is an answer to be used?", "12-instructions.md: Using an answer"),
    (
        "13(3)(c)",
        "What changes by itself, and what did?",
        "12-instructions.md: What changes by itself; 10-changes.json",
    ),
    ("13(3)(d)", "How do people oversee it?", "12-instructions.md: Oversight; 07-oversight.json: steps_of_cases"),
    ("13(3)(e)", "What does it need, how long does it last?", "12-instructions.md: Needs and upkeep"),
    (
        "13(3)(f)",
        "How are logs kept and read?",
        "12-instructions.md: Logs; 08-accesses.jsonl; 11-integrity.json: blocks",
    ),
)
"""What article 13 of the AI Act asks, and in which part of which file of a pack the answer stands."""


def make_pack(workspace: Workspace, asked: PackQuestion) -> bytes:
    """A ZIP. Raises UnknownDomain, and what loading models raises."""
    files: dict[str, bytes] = {}
    for name, part in PARTS.items():
        files |= {f"{name}{ending}": content for ending, content in part(workspace, asked)}
    files["00-index.md"] = _index(workspace, asked, files).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, SAME_TIME), files[name], zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _index(workspace: Workspace, asked: PackQuestion, files: Mapping[str, bytes]) -> str:
    receipts = {name: workspace.store.changes(name).newest for name in asked.domains}
    lines = [
        f"# Evidence from {asked.since:%Y-%m-%d} to {asked.until:%Y-%m-%d}",
        "",
        f"Domains: {', '.join(asked.domains)}. As of the uploads with these numbers: "
        + ", ".join(f"{name} {number}" for name, number in receipts.items())
        + ". Times are UTC; students are pseudonyms; what is measured of fewer than ten is left out.",
        "",
        "| asked by | about | where |",
        "|---|---|---|",
        *(f"| {law} | {about} | {where} |" for law, about, where in LAWS),
        "",
        "## Questions of article 13",
        "",
        "| article | question | answered by |",
        "|---|---|---|",
        *(f"| {article} | {question} | {where} |" for article, question, where in ARTICLE_13),
        "",
        "## Files",
        "",
        *(f"- `{name}` ({len(files[name]):,} bytes)" for name in sorted(files)),
        "",
    ]
    return "\n".join(lines)


Files = Iterator[tuple[str, bytes]]
"""How the name of a file goes on behind that of its part, and its content."""


def _purpose(workspace: Workspace, asked: PackQuestion) -> Files:
    schemas = [workspace.schemas[name] for name in asked.domains]
    told = {
        **asked.purpose.told(),
        "domains": [{"name": one.name, "title": one.title, "description": one.description} for one in schemas],
    }
    yield ".json", _json(told)


def _models(workspace: Workspace, asked: PackQuestion) -> Files:
    """The card of each version that was in use at some time, as of the end."""
    store = workspace.store
    for key in _keys(workspace, asked):
        history = [one for one in store.successions(key) if one.at < asked.until]
        inside = [one for one in history if asked.covers(one.at)]
        before = [one for one in history if one.at < asked.since][-1:]
        decisions = [one for one in store.decisions(key=key, limit=MOST_OF_A_KIND) if one.at < asked.until]
        models = {one.version: one for one in store.models(key)}
        names = version_names(list(models.values()))
        for version in dict.fromkeys(one.version for one in (*before, *inside)):
            if version in models:
                manifest = load_bundle(workspace.artifacts, version).manifest
                schema, model = workspace.schemas[key.domain], models[version]
                card = make_card(manifest, model, schema, name=names[version], history=history, decisions=decisions)
                yield f"/{key.domain}-{key.target}-{key.moment}-{names[version]}.md", write_card(card, "text")


def _keys(workspace: Workspace, asked: PackQuestion) -> list[ChampionKey]:
    return [one.key for one in workspace.store.champions() if one.domain in asked.domains]


def _data(workspace: Workspace, asked: PackQuestion) -> Files:
    told = []
    for name in asked.domains:
        schema = workspace.schemas[name]
        came = [one for one in workspace.store.batches(name) if asked.covers(one.at)]
        files = [
            {"id": one.id, "kind": one.kind, "rows": one.rows, "at": one.at, "left_out": one.skipped} for one in came
        ]
        counted = workspace.store.count_predictions(name, since=asked.since, until=asked.until)
        told.append({"domain": name, "columns": _columns(schema), "files": files, "predictions": counted})
        sheet = data_sheet(workspace.store, schema, SheetTime(asked.since, asked.until), asked.purpose)
        yield f"/{name}.md", sheet.encode()
    yield ".json", _json(told)


def _columns(schema: DomainSchema) -> list[dict[str, Any]]:
    features = [
        {
            "name": one.name,
            "what": one.description,
            "kind": one.kind,
            "known_at": one.known_at or schema.moments[0],
            "protected": one.protected,
        }
        for one in schema.features
    ]
    return [*features, *({"name": one.name, "what": one.description, "target": True} for one in schema.targets)]


def _performance(workspace: Workspace, asked: PackQuestion) -> Files:
    """How good and how fair answers of this time were, as far as outcomes are known."""
    told = []
    selection = Selection(since=asked.since, until=asked.until)
    for name in asked.domains:
        schema = workspace.schemas[name]
        archive = EvidenceArchive(workspace.store, schema, workspace.learned)
        for target in schema.targets:
            known, left_out = evidence_among(selection.among(archive.matched(target, selection)))
            there = known.take(known.answered)
            parts = {moment: known.at_moment(moment) for moment in schema.moments if moment in there.moments}
            may = tellable([part.take(part.answered).students for part in parts.values()])
            policy = policy_until(workspace.store, name, target.name, asked.until)
            fair = [
                judge_fairness(schema, target, moment, part, policy=policy)
                for (moment, part), one in zip(parts.items(), may, strict=True)
                if one
            ]
            told.append({"domain": name, "performance": measure_target(target, known, left_out), "fairness": fair})
    yield ".json", _json(told)


def _drift(workspace: Workspace, asked: PackQuestion) -> Files:
    found = _between(workspace.store.drift_reports, asked)
    yield ".jsonl", _lines([one for one in found if one.domain in asked.domains])


def _decisions(workspace: Workspace, asked: PackQuestion) -> Files:
    found = _between(workspace.store.decisions, asked)
    yield ".jsonl", _lines([one for one in found if one.domain in asked.domains])


def _oversight(workspace: Workspace, asked: PackQuestion) -> Files:
    """What people did against, or beside, what was answered and decided: counts of cases, and every change by hand; of
    champions those that no contest decided, whoever asked for it."""
    store, steps = workspace.store, Counter[str]()
    for name in asked.domains:
        for case in store.documents(CASE_KIND, domain=name):
            steps.update(one["done"] for one in case.body["steps"] if _covers_text(asked, one["at"]))
    history = [one for key in _keys(workspace, asked) for one in store.successions(key) if asked.covers(one.at)]
    contests = {"; ".join(one.document.get("reasons", ())) for one in _between(store.decisions, asked)}
    by_hand = [one for one in history if one.action != "promote" or (one.generation > 1 and one.reason not in contests)]
    paused = [one for one in _between(store.events, asked) if one.kind in (PAUSED_EVENT, RESUMED_EVENT)]
    policies = [
        {"domain": name, "target": target.name, **msgspec.to_builtins(one)}
        for name in asked.domains
        for target in workspace.schemas[name].targets
        for one in policies_in_use(store, name, target.name)
        if asked.covers(one.at)
    ]
    told = {"steps_of_cases": dict(sorted(steps.items())), "champions_by_hand": by_hand, "pauses": paused}
    yield ".json", _json({**told, "warning_policies": policies})


def _covers_text(asked: PackQuestion, at: str) -> bool:
    return asked.covers(datetime.fromisoformat(at))


def _accesses(workspace: Workspace, asked: PackQuestion) -> Files:
    found = (msgspec.json.decode(content, type=Access) for _, content in exported(workspace.store, "accesses"))
    kept = [one for one in found if asked.covers(one.at) and one.domain in (None, *asked.domains)]
    yield ".jsonl", _lines(sorted(kept, key=lambda one: (one.at, one.id)))


def _incidents(workspace: Workspace, asked: PackQuestion) -> Files:
    found = _between(workspace.store.events, asked)
    yield ".jsonl", _lines([one for one in found if one.domain in (None, *asked.domains)])


def _changes(workspace: Workspace, asked: PackQuestion) -> Files:
    history = [one for key in _keys(workspace, asked) for one in workspace.store.successions(key)]
    yield ".json", _json([one for one in history if asked.covers(one.at)])


def _integrity(workspace: Workspace, asked: PackQuestion) -> Files:
    """The chain's blocks of this time and what was noted of them elsewhere; and what of the whole log, whenever it was
    written, is not as it was sealed."""
    found, wrong = verify_all(workspace.store, workspace.artifacts)
    store, first, last = workspace.store, asked.since.timestamp() * 1e6, asked.until.timestamp() * 1e6
    chained = [one for one in blocks(store) if first <= one.at < last]
    told = {
        "what": "blocks of the sealed log that were made in this time"
        if chained
        else "in this time nothing was sealed",
        "blocks": [{"number": one.number, "digest": one.digest, "rows": one.rows} for one in chained],
        "anchors": [
            {"artifact": name, **msgspec.to_builtins(one)} for name, one in anchors(store) if asked.covers(one.at)
        ],
        "faults": found.faults,
        "fault_count": found.fault_count,
        "wrong_anchors": wrong,
    }
    yield ".json", _json(told)


def _instructions(workspace: Workspace, asked: PackQuestion) -> Files:
    schemas = [workspace.schemas[name] for name in asked.domains]
    yield ".md", write_instructions(schemas, asked.purpose, asked.running).encode()


PARTS: Mapping[str, Callable[[Workspace, PackQuestion], Files]] = {
    "01-purpose": _purpose,
    "02-models": _models,
    "03-data": _data,
    "04-performance": _performance,
    "05-drift": _drift,
    "06-decisions": _decisions,
    "07-oversight": _oversight,
    "08-accesses": _accesses,
    "09-incidents": _incidents,
    "10-changes": _changes,
    "11-integrity": _integrity,
    "12-instructions": _instructions,
}
"""What a pack is made of, in its order."""


def _between(ask: Callable[..., Sequence[Any]], asked: PackQuestion) -> list[Any]:
    """Records of the time, oldest first, from a question that answers the newest first."""
    found, before = list[Any](), (asked.until, "")
    while page := ask(before=before, limit=1000):
        found += takewhile(lambda one: one.at >= asked.since, page)
        if page[-1].at < asked.since:
            break
        before = (page[-1].at, page[-1].id)
    return found[::-1]


def _json(record: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(record, order="sorted"), indent=1) + b"\n"


def _lines(records: Sequence[Any]) -> bytes:
    return b"".join(msgspec.json.encode(one, order="sorted") + b"\n" for one in records)
