"""The way of an uploaded file of rows: told in the history, counted against what is there, stored; then training is
asked for, where enough came to learn from.

Jobs and the command line both take it. How a file is read is `database.ingest`'s word; nothing is trained here.
"""

import math
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from database.errors import LostJob
from database.ingest import Intake, MatchedOutcomes, OutcomeIntake, StoredOutcomes, count_changes, store_outcomes
from database.records import Batch, ChampionKey
from database.store import RecordStore
from database.uploads import (
    Upload,
    begin_upload,
    change_upload,
    reasons_of_problems,
    refuse_upload,
    rows_to_learn_from,
)
from errors import Category, GradewatchError
from jobs.queue import RETRAINING, TRAINING, AlreadyAsked, JobRequest, ask_alone
from preprocessing.validation.rules import Problem

if TYPE_CHECKING:
    from model.workspace import Workspace
    from preprocessing.reading.chunks import FileSource
    from preprocessing.schema import DomainSchema

NOT_BY_ITSELF = "training does not start by itself here (GRADEWATCH_TRAIN_AFTER is 0)"
UNDER_WAY = "a training is under way; these rows count for the next one"
THERE_ALREADY = "this very content came before and changed nothing; what came since then stays"
NOTHING_NEW = "the file says nothing new to learn from"
LEARNED_AT_ONCE = "the command that it was given to learns from it: it starts no other training"


@contextmanager
def validating(store: RecordStore, upload: Upload) -> Iterator[Upload]:
    """The upload while its file is read and stored; it ends as refused where the block refuses the file."""
    upload = change_upload(store, begin_upload(store, upload), state="validating")
    try:
        yield upload
    except LostJob:
        raise  # whoever has it now goes on
    except GradewatchError as error:
        if error.category is not Category.UNAVAILABLE:  # then it is tried again
            refuse_upload(store, upload, error)
        raise


class TakenRows(NamedTuple):
    """What became of a file of rows. new: whether its content was not there before; the rest as `Intake` has it."""

    batch: Batch
    new: bool
    upload: Upload
    skipped: int
    problems: tuple[Problem, ...]
    ignored_columns: tuple[str, ...]
    notes: tuple[str, ...]


def take_rows(
    workspace: "Workspace",
    schema: "DomainSchema",
    opened: Callable[[], "FileSource"],
    upload: Upload,
    *,
    skip_bad_rows: bool = False,
    groups: Collection[str] | None = None,
    train_after: int = 0,
    progress: Callable[[str, float | None], None] = lambda _step, _share: None,
) -> TakenRows:
    """The rows of a file as a batch. opened: gives the file. groups: that its sender is confined to. Raises what
    refuses it, which the history then says."""
    from access.journal import note
    from database.ingest import read_batch

    kind, secret, checking = upload.kind, workspace.secret, partial(progress, "checking")
    assert kind != "outcomes"  # noqa: S101 (those are not rows: `take_outcomes`)
    with (
        validating(workspace.store, upload) as begun,
        read_batch(
            opened(), schema, kind, secret=secret, skip_bad_rows=skip_bad_rows, groups=groups, progress=checking
        ) as intake,
    ):
        note(workspace.store, upload.actor, "batch uploaded", schema.name, batch=intake.id, rows=intake.rows)
        storing = partial(progress, "storing")
        stored = store_rows(workspace, schema, intake, begun, train_after=train_after, progress=storing)
        return TakenRows(*stored, intake.skipped, intake.problems, intake.ignored_columns, intake.notes)


def take_outcomes(
    workspace: "Workspace",
    schema: "DomainSchema",
    source: Path | bytes,
    upload: Upload,
    *,
    name: str,
    groups: Collection[str] | None = None,
    train_after: int = 0,
    **read_as: Any,
) -> tuple[StoredOutcomes, list[str]]:
    """The outcomes of a file, kept, and the targets that they are about. groups, train_after: as `take_rows` has them;
    read_as: as `read_outcomes` has them."""
    from access.journal import note
    from database.ingest import OwnGroups, read_outcomes

    store = workspace.store
    own = None if groups is None else OwnGroups(store, schema.name, groups)
    with validating(store, upload) as begun:
        read = read_outcomes(source, schema, secret=workspace.secret, name=name, own=own, **read_as)
        note(store, upload.actor, "outcomes uploaded", schema.name, outcomes=len(read.outcomes))
        stored = store_outcomes_read(store, schema, read, begun, train_after=train_after)
        return stored, sorted({one.target for one in read.outcomes})


def match_file(
    workspace: "Workspace",
    schema: "DomainSchema",
    source: Path | bytes,
    *,
    name: str,
    groups: Collection[str] | None = None,
    **read_as: Any,
) -> MatchedOutcomes:
    """What would become of the outcomes of a file, as `take_outcomes` reads them: nothing is kept, and no history tells
    of it. Raises what would refuse it."""
    from database.ingest import OwnGroups, match_outcomes, read_outcomes

    own = None if groups is None else OwnGroups(workspace.store, schema.name, groups)
    read = read_outcomes(source, schema, secret=workspace.secret, name=name, own=own, **read_as)
    matched = match_outcomes(workspace.store, schema, read.outcomes, read.notes)
    return msgspec.structs.replace(matched, skipped=read.skipped, problems=read.problems)


def store_rows(
    workspace: "Workspace",
    schema: "DomainSchema",
    intake: Intake,
    upload: Upload,
    *,
    train_after: int | None,
    progress: Callable[[float], None] = lambda _: None,
) -> tuple[Batch, bool, Upload]:
    """The rows as a batch, whether it is new, and the upload with what they changed. train_after: so many rows to
    learn from start a training; 0: never; None: whoever stores them learns from them at once."""
    from monitoring.profile_archive import store_intake

    store, first = workspace.store, upload.added is None
    if first:  # else they were counted before a worker died, and are stored by now
        changes = count_changes(store, schema.name, intake.kind, intake.slices())
        teaches = intake.kind == "labeled" and train_after is not None
        learnt = changes.added + changes.updated if teaches else 0
        reasons = reasons_of_problems(intake.problems, intake.problem_count) if intake.problems else ()
        left_out = intake.skipped + intake.foreign
        upload = change_upload(store, upload, **changes._asdict(), left_out=left_out, reasons=reasons, labelled=learnt)
    batch, new = store_intake(workspace, schema, intake, name=upload.name, progress=progress)
    if first and not new:
        known = {"added": 0, "updated": 0, "unchanged": batch.rows, "labelled": 0}
        return batch, new, change_upload(store, upload, state="done", batch=batch.id, note=THERE_ALREADY, **known)
    upload = change_upload(store, upload, state="stored", batch=batch.id)
    return batch, new, finish(store, schema, upload, train_after=train_after)


def store_outcomes_read(
    store: RecordStore, schema: "DomainSchema", read: OutcomeIntake, upload: Upload, *, train_after: int
) -> StoredOutcomes:
    """Keep the outcomes of a file as one upload, and say what became of them. train_after: as `store_rows` has it."""
    stored = store_outcomes(store, schema, read.outcomes, read.notes)
    if upload.added is None:
        targets = len({one.target for one in read.outcomes}) or 1
        reasons = reasons_of_problems(read.problems, len(read.problems)) if read.problems else ()
        upload = change_upload(
            store,
            upload,
            added=stored.new,
            updated=stored.corrected,
            unchanged=stored.known,
            left_out=read.skipped,
            reasons=reasons,
            labelled=math.ceil((stored.new + stored.corrected) / targets),
        )
    upload = finish(store, schema, change_upload(store, upload, state="stored"), train_after=train_after)
    return msgspec.structs.replace(stored, skipped=read.skipped, problems=read.problems, upload=upload.id)


def finish(store: RecordStore, schema: "DomainSchema", upload: Upload, *, train_after: int | None) -> Upload:
    """What a stored upload ends as: training, where it brought enough to learn from, else done."""
    if upload.kind == "unlabeled":
        return change_upload(store, upload, state="done")
    if train_after is None:
        return change_upload(store, upload, state="done", note=LEARNED_AT_ONCE)
    rows = rows_to_learn_from(store, upload)
    if not train_after or not upload.labelled:
        return change_upload(store, upload, state="done", note=NOTHING_NEW if train_after else NOT_BY_ITSELF)
    if rows < train_after:
        note = f"{rows:,} new rows to learn from since the last training; {train_after:,} start the next one"
        return change_upload(store, upload, state="done", note=note)
    asked = ask_training(store, schema, upload)
    if not asked:
        return change_upload(store, upload, state="done", note=UNDER_WAY)
    return change_upload(store, upload, state="training", training=asked)


def ask_training(store: RecordStore, schema: "DomainSchema", upload: Upload) -> tuple[str, ...]:
    """The jobs that learn from what was uploaded: first models where none serves, else a contest with those that do."""
    serving = {one.key for one in store.champions()}
    keys = [ChampionKey(schema.name, target.name, moment) for target in schema.targets for moment in schema.moments]
    wanted = [(TRAINING, {"missing": True})] if any(key not in serving for key in keys) else []
    wanted += [(RETRAINING, {"serving": True})] if any(key in serving for key in keys) else []
    asked: list[str] = []
    for kind, arguments in wanted:
        try:
            asked.append(
                ask_alone(store, JobRequest(kind, schema.name, upload.actor, arguments, key=f"upload {upload.id}")).id
            )
        except AlreadyAsked:
            continue
    return tuple(asked)
