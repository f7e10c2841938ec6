"""What else holds students, beside rows, predictions, outcomes and looks: each is a line of HOLDINGS.

What is handed out to a student, and what is made again without one who is erased, both go through this list. It holds
nothing itself.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from access.users import linked_users
from advice.cases import case_of, remove_case
from clock import now
from database.store import RecordStore
from reports.archive import list_reports, read_report, reports_with, withdraw_student

MOST_LOOKS = 100_000
"""At reports of a domain, of which those at one student's are told."""


class Holding(NamedTuple):
    """files: what stands in it of a student (a pseudonym) in a domain, by the names that an archive gives it. without:
    makes it again without the student, or withdraws it; what became of it, in words that name nobody. Done twice, it
    does no more. It must not wait for a worker."""

    files: Callable[[RecordStore, str, str], Mapping[str, bytes]]
    without: Callable[[RecordStore, str, str], Sequence[str]]


def _in_reports(store: RecordStore, domain: str, student: str) -> dict[str, bytes]:
    """Of each report what it says of the student, and who read it when."""
    found = {}
    looks = store.accesses(domain=domain, action="report read", limit=MOST_LOOKS)
    for entry in reports_with(store, domain, student):
        said = [one for one in read_report(store, entry).students if one.student == student]
        told = {"group": entry.group, "period": entry.period, "due": entry.due, "made": entry.made, "said": said}
        told["read"] = [(one.at, one.actor) for one in looks if one.details.get("report") == entry.id]
        found[f"reports/{entry.due}-{entry.id}.json"] = msgspec.json.format(msgspec.json.encode(told), indent=1)
    return found


def _without_reports(store: RecordStore, domain: str, student: str) -> list[str]:
    """Every report is looked at, so that one that a killed process left half changed is finished, too."""
    made = (withdraw_student(store, one, student, now().date()) for one in list_reports(store, domain))
    return [f"report on {one.group} in {one.period} of {one.due}: edition {one.edition}" for one in made if one]


def _in_cases(store: RecordStore, domain: str, student: str) -> dict[str, bytes]:
    """What was done about the student, by whom, and every note."""
    steps = case_of(store, domain, student).steps
    return {"notes.json": msgspec.json.format(msgspec.json.encode(steps), indent=1)} if steps else {}


def _without_cases(store: RecordStore, domain: str, student: str) -> list[str]:
    return ["notes and actions: removed"] if remove_case(store, domain, student) else []


def _links(store: RecordStore, _domain: str, student: str) -> dict[str, bytes]:
    """Who sees what is said of the student, and since when nobody does any more."""
    told = [
        {"user": one.name, "role": one.grant.role, "disabled": one.disabled} for one in linked_users(store, student)
    ]
    return {"links.json": msgspec.json.format(msgspec.json.encode(told), indent=1)} if told else {}


HOLDINGS: Mapping[str, Holding] = {
    "reports": Holding(_in_reports, _without_reports),
    "notes": Holding(_in_cases, _without_cases),
    "links": Holding(_links, lambda _store, _domain, _student: ()),  # they end before anything else is erased
}
"""By name."""


def files_about(store: RecordStore, domains: Sequence[str], student: str) -> dict[str, bytes]:
    """What all of them have of a student, by domain and name."""
    return {
        f"{domain}/{name}": content
        for domain in domains
        for holding in HOLDINGS.values()
        for name, content in holding.files(store, domain, student).items()
    }
