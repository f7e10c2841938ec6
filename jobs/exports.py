"""What an export of a school system says, taken in or only looked at: read, settled, compared, stored.

Jobs and the command line both take it. How a format is read is `preprocessing.panel.exports`' word.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from clock import now
from database.observed import KindCounts, StoredExport

if TYPE_CHECKING:
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
    skip_bad_rows: bool = False,
    dry: bool = False,
    progress: Callable[[float], None] = lambda _: None,
) -> StoredExport:
    """Store what is new of it, or with dry only say what would be. Raises BadData where it has problems and neither
    `skip_bad_rows` nor `dry` is asked for."""
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
    return StoredExport(
        dry=dry,
        kinds={kind: KindCounts(**count._asdict()) for kind, count in counts.items()},
        readiness=tuple(readiness(gathered, panel_of(schema))),
        notes=tuple(found.notes),
        skipped=found.total,
        problems=tuple(found.problems),
    )
