"""What an export of a school system says, taken in or only looked at: read, settled, compared, stored.

Jobs and the command line both take it. How a format is read is `preprocessing.panel.exports`' word.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from clock import now
from database.observed import KindCounts, StoredExport
from preprocessing.panel.kinds import HELP_KIND

if TYPE_CHECKING:
    from advice.given_help import ExportedHelp
    from model.workspace import Workspace
    from preprocessing.panel.gathered import Gathered
    from preprocessing.schema import DomainSchema


def read_settled(
    path: Path,
    schema: "DomainSchema",
    *,
    mapping: Path | None = None,
    infer_days: bool = False,
    step: Callable[[str], None] = lambda _: None,
) -> "Gathered":
    """What an export says that can be stored. mapping: a file of which column is what; infer_days: who has no record of
    attendance was present. Raises UnreadableExport, NoPanel."""
    from database.observing import settle
    from preprocessing.panel import exports

    step("reading")
    gathered = exports.read_export(path, schema, mapping=mapping)
    if infer_days:
        step("inferring days")
        exports.infer_days(gathered)
    settle(gathered)
    return gathered


def take_gathered(
    workspace: "Workspace",
    schema: "DomainSchema",
    gathered: "Gathered",
    *,
    actor: str,
    kinds_of_help: Sequence[str],
    skip_bad_rows: bool = False,
    dry: bool = False,
    progress: Callable[[float], None] = lambda _: None,
) -> StoredExport:
    """Store what is new of it, or with dry only say what would be; what it says of help becomes steps of cases, too.
    kinds_of_help: of the catalogue. Raises BadData where it has problems and neither `skip_bad_rows` nor `dry` is asked
    for."""
    from advice.cases import Writer
    from advice.given_help import take_help
    from database.observing import store_gathered
    from preprocessing.panel.exports import readiness
    from preprocessing.panel.live import panel_of
    from preprocessing.validation.rules import BadData

    found = gathered.found
    if found.total and not skip_bad_rows and not dry:
        raise BadData(found.problems, found.total)
    counts = store_gathered(
        workspace.store, schema.name, gathered, secret=workspace.secret, at=now(), dry=dry, progress=progress
    )
    if HELP_KIND in gathered.events:
        by = Writer(actor, None, workspace.objections, kinds_of_help)
        helped = take_help(workspace.store, schema, _help_in(gathered, workspace.secret), by, dry=dry)
        found.note(helped.told)
    return StoredExport(
        dry=dry,
        kinds={kind: KindCounts(**count._asdict()) for kind, count in counts.items()},
        readiness=(*readiness(gathered, panel_of(schema)), *(_lost_kinds(gathered, schema) if dry else ())),
        notes=tuple(found.notes),
        skipped=found.total,
        problems=tuple(found.problems),
    )


def _help_in(gathered: "Gathered", secret: bytes) -> Iterator["ExportedHelp"]:
    """What is told of help, in its newest versions, students by their pseudonyms."""
    from advice.given_help import ExportedHelp
    from preprocessing.panel.gathered import EVENT, REMOVED, VERSION, WHOSE
    from preprocessing.validation.pii import pseudonym

    told = gathered.events[HELP_KIND].sort(VERSION, nulls_last=True, maintain_order=True)
    newest = told.unique([WHOSE, EVENT], keep="last", maintain_order=True)
    for row in newest.iter_rows(named=True):
        if not row[REMOVED]:
            doses = row["planned_doses"], row["delivered_doses"]
            student = pseudonym(row[WHOSE], secret)
            yield ExportedHelp(student, row["type_code"], row["begin"], row["end"], *doses, row["state"])


def _lost_kinds(gathered: "Gathered", schema: "DomainSchema") -> list[str]:
    """What a model would lose without each kind of record, in words; nothing where no week can be computed."""
    from database.observed_frames import frames_of_export
    from preprocessing.panel.observations import BadObservations
    from preprocessing.panel.school_year import school_years
    from preprocessing.panel.weekly_files import takes_weeks
    from training.lost_kinds import lost_kinds, told_lost

    if not takes_weeks(schema) or not any(target.flags for target in schema.targets if target.within):
        return []
    try:
        observations = frames_of_export(gathered)
        year = school_years(observations.calendar)[-1]
    except BadObservations:  # readiness says what is missing
        return []
    return told_lost(lost_kinds(observations, year, schema))
