"""Advice and the catalogue as text for a terminal. Computes nothing."""

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from advice.advise import Advice
from advice.case_steps import CaseStep, Done, Stage
from advice.cases import CaseList
from advice.catalogue import Catalogue, PlanEntry
from advice.positions import FEWEST_OTHERS, SubjectResult


def advice_text(found: Advice) -> list[RenderableType]:
    """Subjects as a table, then reasons and the plan in sentences."""
    table = Table(box=box.SIMPLE, title="own results beside the others", caption=found.note, caption_justify="left")
    for head in ("subject", "period", "result", "known", "better than", "others"):
        table.add_column(head, overflow="fold")
    for one in found.subjects:
        where, result = (one.group or "", one.period or ""), (result_words(one), one.basis)
        table.add_row(*where, *result, _better_than(one), str(one.others))
    reasons = [f"- {reason.words}" for reason in found.reasons]
    return [table, Text("\n".join(["Reasons", *(reasons or ["- none"])])), *map(Text, plan_sentences(found))]


def result_words(one: SubjectResult) -> str:
    """A result as readers have it.

    >>> result_words(SubjectResult(group=None, period=None, basis="so far", columns=("G1",), value=0.5, others=0))
    '50% of G1'
    """
    if one.basis == "so far" and isinstance(one.value, float):
        return f"{one.value:.0%} of {' + '.join(one.columns)}"
    return one.value if isinstance(one.value, str) else f"{one.value:g}"


def _better_than(one: SubjectResult) -> str:
    if one.position is None:
        return f"fewer than {FEWEST_OTHERS} others"
    return f"{one.position.below:.0%}" + (" (weak)" if one.weak else "")


def plan_sentences(found: Advice) -> list[str]:
    """The plan, a paragraph for each thing."""
    if not found.plan.recommendations:
        return [f"No recommendation: {found.plan.none_because}."]
    return [_entry_words(one.entry, one.reason.words) for one in found.plan.recommendations]


def _entry_words(entry: PlanEntry, why: str) -> str:
    by = "" if entry.support == "student" else " (with the institution)"
    evidence = f"evidence: {entry.evidence}; {entry.source.title}, {entry.source.publisher}"
    return "\n  ".join([f"\n{entry.title}{by}", f"why: {why}", entry.what, entry.how_long, evidence])


DONE_WORDS: Mapping[Done, str] = {
    "talked": "talked to",
    "accepted": "accepted",
    "not_applicable": "does not apply",
    "wrong": "wrong",
    "helped": "help",
    "reviewed": "looked back",
    "closed": "closed",
    "note": "note",
}

STAGE_WORDS: Mapping[Stage, str] = {
    "noted": "nothing decided",
    "accepted": "accepted",
    "helping": "help goes on",
    "review_due": "review is due",
    "reviewed": "reviewed",
    "closed": "closed",
}


def case_table(steps: Sequence[CaseStep]) -> Table:
    """What was done about one student, a line for each step."""
    table = Table(box=box.SIMPLE, caption=f"{len(steps)} steps", caption_justify="left")
    for head in ("when (UTC)", "who", "what", "note", "group", "period", "chance then"):
        table.add_column(head, overflow="fold")
    for one in steps:
        chance = "" if one.answer is None or one.answer.below_pass is None else f"{one.answer.below_pass:.0%}"
        text = " ".join(part for part in (_help_words(one), one.text) if part)
        what = f"{one.at:%Y-%m-%d %H:%M}", one.actor, DONE_WORDS[one.done], Text(text)
        table.add_row(*what, one.group or "", one.period or "", chance)
    return table


def _help_words(step: CaseStep) -> str:
    given = step.help
    if given is None:
        return ""
    days = f"{given.start} to {given.end}" if given.end else f"from {given.start}"
    told = [f"{given.kind}, {days}", given.dose, given.owner and f"by {given.owner}"]
    return "[" + ", ".join(part for part in told if part) + "]"


def case_list_table(found: CaseList) -> Table:
    """Where cases stand, a line for each."""
    table = Table(box=box.SIMPLE, caption=f"{len(found.cases)} cases", caption_justify="left")
    for head in ("student", "stands", "since (UTC)", "newest step", "group", "period"):
        table.add_column(head, overflow="fold")
    for one in found.cases:
        step = f"{DONE_WORDS[one.step.done]} {_help_words(one.step)}".strip()
        stands = STAGE_WORDS[one.state.stage], f"{one.state.since:%Y-%m-%d %H:%M}"
        table.add_row(one.student, *stands, Text(step), one.state.group or "", one.state.period or "")
    return table


def catalogue_table(catalogue: Catalogue) -> Table:
    """All entries, in the order of the file."""
    table = Table(box=box.SIMPLE, caption=f"{len(catalogue.entries)} entries", caption_justify="left")
    for head in ("id", "what", "how long", "for", "evidence", "by", "source"):
        table.add_column(head, overflow="fold")
    for one in catalogue.entries:
        source = f"{one.source.title}, {one.source.publisher}"
        table.add_row(one.id, one.title, one.how_long, ", ".join(one.reasons), one.evidence, one.support, source)
    return table
