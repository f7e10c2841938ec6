"""What each kind of record says as an entry of the feed: one sentence, its whole text, who did it, where to look.

Each source gives its entries newest first and reads a page at a time. It decides nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec

from access.confined import confine_report
from access.roles import Principal
from database.records import Before, ChampionKey, DecisionRecord, Document, DriftRecord, Event, ModelVersion, Succession
from database.store import RecordStore
from database.uploads import UPLOADS_IN, Upload
from database.withdrawal import WITHDRAWN
from drift.story import tell_story
from language import _, ngettext, retold
from language.format import count
from model.decision import decision_of
from model.scores import Estimate
from model.trial import Trial
from model.trial import trials as trials_of
from monitoring.alerts import ALERT_KIND, Delivery
from monitoring.change_reports import ChangeReport
from monitoring.change_reports import change_reports as reports_of_changes
from monitoring.drift_timeline import read_report
from monitoring.warning_policy import POLICY_EVENT, PolicyInUse, policies_in_use
from overview.acknowledgements import ACKNOWLEDGED, OVER, acknowledgement_of
from overview.changes_told import report_lines, report_sentence
from overview.decision_words import CONDITION_MARKS, condition_lines
from overview.describing import describe
from overview.names import model_title, person, shorten
from overview.policy_words import policy_words
from overview.records import OpenCondition, may_see
from preprocessing.schema import DomainSchema, Target, title_of
from reports.archive import list_reports

EntryKind = Literal[
    "upload", "refusal", "model", "champion", "trial", "decision", "drift", "alert", "acknowledgement", "report",
    "withdrawal", "failure", "training", "policy", "changes", "other",
]  # fmt: skip
NOT_MET = CONDITION_MARKS[False]
T = TypeVar("T")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened. who: did it, empty where nobody did. sentence: of at most 120 characters; text: the
    whole, where there is more. page, choice: where it is told in full, a page of the dashboard and its address."""

    at: datetime
    id: str
    kind: EntryKind
    domain: str
    sentence: str
    text: str = ""
    who: str = ""
    page: str = ""
    choice: Mapping[str, str] = {}

    @property
    def place(self) -> Before:
        """Where it stands among others."""
        return self.at, self.id


@dataclass(frozen=True)
class Reading:
    """What a source reads for whom. before: entries from there on are given already. page: records read at once.
    everywhere: also of what belongs to no domain."""

    store: RecordStore
    schemas: Mapping[str, DomainSchema]
    viewer: Principal
    domains: Sequence[str]
    before: Before | None
    page: int
    everywhere: bool = True

    def each(self, read: Callable[[str], Iterator[Entry]]) -> Iterator[Entry]:
        """The entries of all domains in one order."""
        return merge(*(read(domain) for domain in self.domains), key=lambda entry: entry.place, reverse=True)

    def paged(self, read: Callable[[Before | None], Sequence[T]], place: Callable[[T], Before]) -> Iterator[T]:
        """All records of pages, one page after the other, as far as somebody asks."""
        before = self.before
        while found := read(before):
            yield from found
            if len(found) < self.page:
                return
            before = place(found[-1])


def _entry(kind: EntryKind, record: Any, sentence: str, text: str = "", *, page: str = "", **fields: Any) -> Entry:
    """An entry of a record, whose sentence is cut to its length and then told whole in the text."""
    short = shorten(sentence)
    text = text if short == sentence else f"{sentence} {text}".strip()
    choice = {"domain": record.domain or "", **fields.pop("choice", {})}
    plain = {"at": record.at, "id": getattr(record, "id", ""), "domain": record.domain or ""}
    return Entry(kind=kind, sentence=short, text=text, page=page, choice=choice, **(plain | fields))


def _sorted(entries: Sequence[Entry]) -> Iterator[Entry]:
    return iter(sorted(entries, key=lambda entry: entry.place, reverse=True))


# Files ----------------------------------------------------------------------------------------------------------------


def uploads(reading: Reading) -> Iterator[Entry]:
    """Files that came in, or were refused; of whoever is confined to groups, their own."""

    def of(domain: str) -> Iterator[Entry]:
        if not reading.viewer.may("upload", domain):
            return
        found = reading.paged(
            lambda before: reading.store.newest_documents(UPLOADS_IN + domain, before=before, limit=reading.page),
            lambda one: (one.at, one.name),
        )
        for document in found:
            upload = msgspec.convert(document.body, Upload)
            if reading.viewer.groups is None or upload.actor == reading.viewer.name:
                yield _upload(upload)

    return reading.each(of)


def _upload(upload: Upload) -> Entry:
    who, name = person(upload.actor), upload.name
    if upload.state == "refused":
        why = "; ".join(map(retold, upload.reasons))
        sentence = _("The file {file} was refused: {why}").format(file=name, why=why)
        return _entry("refusal", upload, sentence, who=who, page="upload")
    counted = [one for one in (upload.added, upload.updated, upload.unchanged) if one is not None]
    if not counted:
        return _entry("upload", upload, _("The file {file} is being read").format(file=name), who=who, page="upload")
    n, told = sum(counted), {"n": count(sum(counted)), "file": name}
    if upload.kind == "outcomes":
        sentence = ngettext("{n} outcome came in: {file}", "{n} outcomes came in: {file}", n).format(**told)
    elif upload.kind == "labeled":
        sentence = ngettext("{n} row with its outcome came in: {file}", "{n} rows with outcomes came in: {file}", n)
        sentence = sentence.format(**told)
    else:
        sentence = ngettext("{n} row without outcome came in: {file}", "{n} rows without outcomes came in: {file}", n)
        sentence = sentence.format(**told)
    left = _("{n} rows were left out").format(n=count(upload.left_out)) if upload.left_out else ""
    text = " · ".join(one for one in (left, *map(retold, upload.reasons), retold(upload.note)) if one)
    return _entry("upload", upload, sentence, text, who=who, page="upload")


# Models ---------------------------------------------------------------------------------------------------------------


def models(reading: Reading) -> Iterator[Entry]:
    """Versions that were trained."""
    found = [one for one in reading.store.models() if one.domain in reading.domains]
    return _sorted([_model(reading, one) for one in found])


def _model(reading: Reading, model: ModelVersion) -> Entry:
    what = model_title(reading.schemas[model.domain], model.key)
    rows, source = int(model.lineage.get("rows", 0)), str(model.lineage.get("source", ""))
    sentence = ngettext(
        "A model of {what} was trained on {n} row", "A model of {what} was trained on {n} rows", rows
    ).format(what=what, n=count(rows))
    text = f"{model.candidate.replace('_', ' ')}, {model.version[:12]}: {headline(model)} ({source})"
    choice = {"target": model.target, "at": model.moment, "version": model.version}
    return _entry("model", model, sentence, text, id=model.version, page="models", choice=choice)


def headline(model: ModelVersion) -> str:
    """The score that chose the model, with its n and 95 % interval; empty where it is not kept."""
    for name, words in (("rmse", "RMSE"), ("weighted_f1", "weighted F1")):
        if name in model.scores:
            return f"{words} {msgspec.convert(model.scores[name], Estimate)}, n = {model.scores['n']}"
    return ""


def successions(reading: Reading) -> Iterator[Entry]:
    """Changes of champion."""
    keys = [one.key for one in reading.store.champions() if one.domain in reading.domains]
    return _sorted([_succession(reading, one) for key in keys for one in reading.store.successions(key)])


def _succession(reading: Reading, one: Succession) -> Entry:
    what, version = model_title(reading.schemas[one.domain], one.key), one.version[:12]
    if one.action == "rollback":
        sentence = _("The model before answers again for {what}: {version}")
    elif one.action == "activate":
        sentence = _("A model was put in use for {what}: {version}")
    elif one.generation == 1:
        sentence = _("The first model answers for {what}: {version}")
    else:
        sentence = _("A new model answers for {what}: {version}")
    place: dict[str, Any] = {"id": f"{one.key} {one.generation:06}", "choice": {"target": one.target, "at": one.moment}}
    sentence = sentence.format(what=what, version=version)
    text = _("generation {n}: {reason}").format(n=one.generation, reason=one.reason)
    return _entry("champion", one, sentence, text, who=person(one.actor), page="models", **place)


def warning_policies(reading: Reading) -> Iterator[Entry]:
    """Changes of whom somebody is warned of."""
    targets = [(reading.schemas[name], target) for name in reading.domains for target in reading.schemas[name].targets]
    return _sorted([
        _policy(one, schema, target)
        for schema, target in targets
        if target.pass_mark is not None
        for one in policies_in_use(reading.store, schema.name, target.name)
    ])  # fmt: skip


def _policy(one: PolicyInUse, schema: DomainSchema, target: Target) -> Entry:
    sentence = _("Another warning policy for {what}: {policy}")
    if one.action == "rollback":
        sentence = _("The warning policy before is in use again for {what}: {policy}")
    told = sentence.format(what=title_of(target), policy=policy_words(one.policy))
    record = _Placed(one.at, f"policy {target.name} {one.generation:06}", schema.name)
    choice = {"target": target.name}
    return _entry("policy", record, told, one.reason, who=person(one.actor), page="models", choice=choice)


def change_reports(reading: Reading) -> Iterator[Entry]:
    """What changed for students; figures of all groups, so that nothing is told to whoever is confined to some."""

    def of(domain: str) -> Iterator[Entry]:
        found = reading.paged(
            lambda before: reports_of_changes(reading.store, domain, before=before, limit=reading.page),
            lambda one: (one.at, one.id),
        )
        schema = reading.schemas[domain]
        return (_changes(one, schema) for one in found if one.found.target in schema.target_by_name)

    return iter(()) if reading.viewer.groups is not None else reading.each(of)


def _changes(one: ChangeReport, schema: DomainSchema) -> Entry:
    target = schema.target_by_name[one.found.target]
    text = " ".join(report_lines(one, target))
    choice = {"target": target.name}
    return _entry("changes", one, report_sentence(one, target), text, page="models", choice=choice)


def trials(reading: Reading) -> Iterator[Entry]:
    """Trials as they began, and as they ended."""
    found = []
    for one in trials_of(reading.store):
        if one.domain in reading.domains:
            found += _trial(reading, one)
    return _sorted(found)


def _trial(reading: Reading, one: Trial) -> list[Entry]:
    what, choice = model_title(reading.schemas[one.domain], one.key), {"target": one.target, "at": one.moment}
    told: dict[str, Any] = {"kind": "trial", "domain": one.domain, "page": "models"}
    told["choice"] = {"domain": one.domain, **choice}
    begun = _("A challenger is tried for {what}: {version}").format(what=what, version=one.challenger[:12])
    entries = [
        Entry(at=one.started, id=one.id, sentence=shorten(begun), text=one.reason, who=person(one.actor), **told)
    ]
    if one.ended is not None:
        over = shorten(_("The trial for {what} has ended").format(what=what))
        entries.append(Entry(at=one.ended, id=f"{one.id} ended", sentence=over, text=one.why, **told))
    return entries


def decisions(reading: Reading) -> Iterator[Entry]:
    """What retraining decided."""

    def of(domain: str) -> Iterator[Entry]:
        found = reading.paged(
            lambda before: reading.store.decisions(domain, before=before, limit=reading.page), _place_of
        )
        return (_decision(reading, one) for one in found)

    return reading.each(of)


def _decision(reading: Reading, one: DecisionRecord) -> Entry:
    what = model_title(reading.schemas[one.domain], ChampionKey(one.domain, one.target, one.moment))
    if one.verdict == "promote":
        sentence = _("Retraining for {what}: the challenger was promoted")
    elif one.verdict == "shadow":
        sentence = _("Retraining for {what}: the challenger stays in shadow")
    elif one.champion is None:
        sentence = _("Retraining for {what}: there is no model to replace")
    else:
        sentence = _("Retraining for {what}: the model in use stays")
    choice = {"target": one.target, "at": one.moment}
    text = " · ".join(_asked(one) or one.document.get("reasons", ()))
    return _entry("decision", one, sentence.format(what=what), text, page="models", choice=choice)


def _asked(one: DecisionRecord) -> list[str]:
    """What a promotion had, or what was missing for it; nothing of a record that does not say what was asked."""
    try:
        lines = condition_lines(decision_of(one))
    except msgspec.ValidationError:
        return []
    return [told for told in lines if one.verdict == "promote" or told.startswith(NOT_MET)]


# Watching -------------------------------------------------------------------------------------------------------------


def drift_reports(reading: Reading) -> Iterator[Entry]:
    """Drift reports; of whoever is confined to groups, what tells of no other."""

    def of(domain: str) -> Iterator[Entry]:
        schema, groups = reading.schemas[domain], reading.viewer.groups
        found = reading.paged(
            lambda before: reading.store.drift_reports(domain, before=before, limit=reading.page), _place_of
        )
        return (_drift(confine_report(one, groups, schema), schema) for one in found)

    return reading.each(of)


def _drift(report: DriftRecord, schema: DomainSchema) -> Entry:
    try:
        finding, *more = tell_story(read_report(report, schema))
    except ValueError:  # it was written by another version: as it was told then
        finding, more = str(report.document.get("summary", "")), []
    sentence = _("Drift alarm. {finding}") if report.alarm else _("No drift alarm. {finding}")
    told, choice = sentence.format(finding=finding), {"report": report.id}
    return _entry("drift", report, told, " ".join(more), page="data", choice=choice)


def alerts(reading: Reading) -> Iterator[Entry]:
    """Messages to operators; to whom is not told."""
    found = reading.paged(
        lambda before: reading.store.newest_documents(ALERT_KIND, before=before, limit=reading.page),
        lambda one: (one.at, one.name),
    )
    return (_alert(one) for one in found if _may_judge(reading, one.domain))


def _may_judge(reading: Reading, domain: str | None) -> bool:
    here = domain in reading.domains if domain else reading.everywhere
    return here and reading.viewer.groups is None and reading.viewer.may("compare", domain or None)


def _alert(document: Document) -> Entry:
    delivery = msgspec.convert(document.body, Delivery)
    subject = delivery.alert.subject.removeprefix("[gradewatch] ")
    if delivery.state == "sent":
        sentence = _("Alert sent by {channel}: “{subject}”")
    elif delivery.state == "waiting":
        sentence = _("Alert waits to be sent by {channel}: “{subject}”")
    else:
        sentence = _("Alert could not be sent by {channel}: “{subject}”")
    sentence = sentence.format(channel=delivery.kind, subject=subject)
    return _entry("alert", document, sentence, delivery.alert.text, id=document.name, page="settings")


def cohort_reports(reading: Reading) -> Iterator[Entry]:
    """Reports on the students of a group in a period; of whoever is confined to groups, on theirs."""
    groups = None if reading.viewer.groups is None else sorted(reading.viewer.groups)
    found = []
    for domain in reading.domains:
        if not reading.viewer.may("read", domain):
            continue
        for one in list_reports(reading.store, domain, groups):
            sentence = ngettext(
                "A report on {group} in {period} was made: {n} student",
                "A report on {group} in {period} was made: {n} students",
                one.students,
            ).format(group=one.group, period=one.period, n=count(one.students))
            record, choice = _Placed(one.made, one.id, domain), {"group": one.group}
            found.append(_entry("report", record, sentence, page="students", choice=choice))
    return _sorted(found)


class _Placed(NamedTuple):
    """What an entry needs to know of a record."""

    at: datetime
    id: str
    domain: str


# Events ---------------------------------------------------------------------------------------------------------------

UNTOLD = frozenset({"retraining_started", POLICY_EVENT})
"""Kinds of events that others say better."""
FAILURES = frozenset({"champion_not_loaded", "champion_stopped", "challenger_not_loaded"})
ABOUT_ALL_GROUPS = frozenset({WITHDRAWN, "retraining_proposed"})
"""Kinds of events with figures of every group."""


def events(reading: Reading) -> Iterator[Entry]:
    """What else an operator may have to know."""

    def of(domain: str) -> Iterator[Entry]:
        found = reading.paged(lambda before: reading.store.events(domain, before=before, limit=reading.page), _place_of)
        return (told for one in found if (told := _event(reading, one)))

    def of_none(kind: str) -> Iterator[Entry]:
        found = reading.paged(
            lambda before: reading.store.events(kind=kind, before=before, limit=reading.page), _place_of
        )
        return (told for one in found if one.domain is None and (told := _event(reading, one)))

    nowhere = [of_none(kind) for kind in (ACKNOWLEDGED, OVER)] if reading.everywhere else []
    return merge(reading.each(of), *nowhere, key=lambda entry: entry.place, reverse=True)


def _event(reading: Reading, event: Event) -> Entry | None:
    confined = reading.viewer.groups is not None
    if event.kind in UNTOLD or (confined and event.kind in ABOUT_ALL_GROUPS):
        return None
    if event.kind in (ACKNOWLEDGED, OVER):
        known = acknowledgement_of(event)
        if confined or not may_see(reading.viewer, known.condition):
            return None
        return _acknowledgement(reading, event, known.condition, known.note)
    details = {"version": "", "why": "", **event.details}
    if event.kind == "training" and details.get("verdict") == "trained":
        return None  # the model itself says so
    details["version"] = str(details["version"])[:12]
    schema = reading.schemas.get(event.domain or "")
    if schema is not None and details.get("target") in schema.target_by_name:
        details["target"] = title_of(schema.target_by_name[str(details["target"])])
    kind, sentence, page = _told(event, details)
    text = str(details.get("reason") or details["why"])
    return _entry(kind, event, sentence, "" if text in sentence else text, who=person(details.get("actor")), page=page)


def _acknowledgement(reading: Reading, event: Event, condition: OpenCondition, note: str) -> Entry:
    sentence = _("Seen: {condition}") if event.kind == ACKNOWLEDGED else _("No longer so: {condition}")
    told = sentence.format(condition=describe(condition, reading.schemas).sentence)
    who = person(event.details.get("actor"))
    return _entry("acknowledgement", event, told, note, who=who, page=condition.page, choice=condition.choice)


def _told(event: Event, details: Mapping[str, Any]) -> tuple[EntryKind, str, str]:
    """The kind, the sentence and the page of an event."""
    if event.kind == WITHDRAWN:
        return "withdrawal", _withdrawal(str(details.get("kind", "")), int(details.get("count", 0))), "upload"
    if event.kind in FAILURES:
        sentence = {
            "champion_not_loaded": _("The model in use for {champion} could not be loaded ({version}): {why}"),
            "champion_stopped": _("The model in use for {champion} learned another form of the data: {why}"),
            "challenger_not_loaded": _("The challenger of {champion} could not be loaded ({version}): {why}"),
        }[event.kind]
        return "failure", sentence.format_map(_Gaps(details)), "models"
    if event.kind in TRAININGS:
        return "training", _training(event, details), "models"
    if event.kind == "erasure":
        return "other", _("All that was known of a student was erased"), ""
    return "other", event.kind.replace("_", " ").capitalize(), ""


def _withdrawal(kind: str, n: int) -> str:
    if kind == "outcomes":
        sentence = ngettext("{n} outcome was taken back", "{n} outcomes were taken back", n)
    elif kind == "predictions":
        sentence = ngettext("{n} prediction was taken back", "{n} predictions were taken back", n)
    else:
        sentence = ngettext("{n} row was taken back with its file", "{n} rows were taken back with their file", n)
    return sentence.format(n=count(n))


TRAININGS = frozenset({"training", "retraining_proposed", "retraining_finished", "plain_rule_promoted"})


def _training(event: Event, details: Mapping[str, Any]) -> str:
    if event.kind == "training":
        sentence = _("No model of {target} was trained")
    elif event.kind == "retraining_proposed":
        sentence = _("Retraining is proposed, since the data or the errors have changed")
    elif event.kind == "plain_rule_promoted":
        sentence = _("The plain rule answers for {target}")
    else:
        return _("A retraining has ended") if details.get("decisions") else _("A retraining has ended undecided")
    return sentence.format_map(_Gaps(details))


class _Gaps(dict[str, Any]):
    """Details of an event that may lack some: empty then."""

    def __missing__(self, name: str) -> str:
        return ""


def _place_of(one: DecisionRecord | DriftRecord | Event) -> Before:
    return one.at, one.id
