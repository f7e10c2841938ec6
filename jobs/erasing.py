"""Erasing a student, in steps each of which may be done again: a process that is killed anywhere leaves work that the
queue gives to the next.

What was asked for and became of it is `jobs.erasures`' record.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from access.users import linked_users, shut_out_linked
from clock import now
from database.layout import write_json
from database.records import Event, Job, digest
from database.seals import before_erasure
from database.store import RecordStore
from errors import Category, GradewatchError
from jobs.erasures import ERASURE_KIND, Erasure, ask_for, kept_erasure, put_erasure
from jobs.queue import REMAKING, RETRAINING, UNFINISHED, JobRequest, ask, files_of
from monitoring.profile_names import PROFILE_KIND, batch_name, day_name

if TYPE_CHECKING:
    from access.known import LearnedModel
    from jobs.event_streams import BrokerUrls
    from model.workspace import Workspace

JOBS_AT_ONCE = 500


class UploadsUnderWay(GradewatchError):
    """Files that were sent before are not read yet, and may hold the student."""

    category = Category.UNAVAILABLE
    retry_after = 5


def erase(workspace: Workspace, job: Job, progress: Callable[[str], None], *, brokers: BrokerUrls) -> dict[str, Any]:
    """Rows, predictions, outcomes, observations, newest answers, sums of days and their profiles are gone, so are
    messages that wait in streams, entries of access name nobody; what has to be made again is asked for. Raises
    UploadsUnderWay, StreamGone."""
    store = workspace.store
    wanted, revision = kept_erasure(store, job)
    if (student := wanted.student) is not None:
        _require_no_uploads(store, wanted.domain, job)
        progress("finding")
        wanted = _with_links(store, _found(workspace, wanted, student), student)
        wanted = _with_messages(workspace, wanted, student, brokers)
        put_erasure(store, wanted, revision + 1)
        progress("erasing")
        shut_out_linked(store, student, actor=wanted.actor)
        told = Event(id=digest([wanted.id, "gone"]), kind=ERASURE_KIND, at=now(), domain=wanted.domain,
                     details={"reason": wanted.reason, "actor": wanted.actor, "erasure": wanted.id})  # fmt: skip
        before_erasure(store, store.student_accesses(wanted.domain, student), student)
        store.erase_student(wanted.domain, student, told)
        _remove_profiles(store, wanted)
        _forget_words(store, wanted.domain)
        store.wipe(_nowhere_else(workspace, wanted.domain, student))
    following = ask_for(store, REMAKING, wanted)
    counts = {name: getattr(wanted, name) for name in ("predictions", "outcomes", "rows", "looks")}
    return {ERASURE_KIND: wanted.id, "remaking": following.id, **counts}


def remake(workspace: Workspace, job: Job, progress: Callable[[str], None]) -> dict[str, Any]:
    """Profiles are made again, and what else the student stood in; then the record forgets who it was."""
    from jobs.holdings import HOLDINGS

    store = workspace.store
    wanted, revision = kept_erasure(store, job)
    if (student := wanted.student) is not None:
        progress("making profiles again")
        _make_profiles(workspace, wanted)
        remade = list(wanted.remade)
        for name, holding in HOLDINGS.items():
            progress(f"making {name} again")
            remade += holding.without(store, wanted.domain, student)
        retraining = _ask_to_retrain(store, wanted)
        if gone := _nowhere_else(workspace, wanted.domain, student):
            workspace.objections.forget_whose(student)
        store.wipe(gone)
        wanted = msgspec.structs.replace(wanted, who=None, remade=tuple(remade), retraining=retraining, done=now())
        put_erasure(store, wanted, revision + 1)
    store.wipe(())
    plain: dict[str, Any] = msgspec.to_builtins(wanted)
    return {ERASURE_KIND: wanted.id, "models": plain["models"], "remade": plain["remade"]}


def _require_no_uploads(store: RecordStore, domain: str, job: Job) -> None:
    before = [one for one in store.jobs(domain=domain, states=UNFINISHED, limit=JOBS_AT_ONCE) if one.at <= job.at]
    if waited := [one.id for one in before if files_of(one)]:
        raise UploadsUnderWay(f"files that were sent before are read first: jobs {', '.join(waited)}")


def _found(workspace: Workspace, wanted: Erasure, student: str) -> Erasure:
    """With what there is of a student now, and what an attempt before has found."""
    from access.known import known_of

    known = known_of(workspace, wanted.domain, student)
    if known is None:
        return wanted
    days = {one.at.date() for one in known.predictions}
    return msgspec.structs.replace(
        wanted,
        predictions=max(wanted.predictions, len(known.predictions)),
        outcomes=max(wanted.outcomes, len(known.outcomes)),
        rows=max(wanted.rows, len(known.rows)),
        looks=max(wanted.looks, len(known.looks)),
        days=tuple(sorted({*wanted.days, *days})),
        batches=tuple(sorted({*wanted.batches, *(one.batch for one in known.rows)})),
        models=_models(wanted.models, known.models),
    )


def _with_links(store: RecordStore, wanted: Erasure, student: str) -> Erasure:
    """With how many users are linked to the student, which ends with the first domain that forgets it: a link is of no
    domain."""
    count = len(linked_users(store, student))
    told = f"{count} user{'s' * (count != 1)} linked to the student: unlinked and shut out"
    return msgspec.structs.replace(wanted, remade=tuple(dict.fromkeys([*wanted.remade, told]))) if count else wanted


def _with_messages(workspace: Workspace, wanted: Erasure, student: str, brokers: BrokerUrls) -> Erasure:
    """With what became of messages that waited for somebody to take them in."""
    from jobs.event_streams import forget_waiting

    told = forget_waiting(workspace.store, wanted.domain, student, secret=workspace.secret, urls=brokers)
    return msgspec.structs.replace(wanted, remade=tuple(dict.fromkeys([*wanted.remade, *told])))


def _models(before: Sequence[Mapping[str, Any]], found: Sequence[LearnedModel]) -> tuple[Mapping[str, Any], ...]:
    plain = [msgspec.to_builtins(one) for one in found]
    return tuple({one["version"]: one for one in [*before, *plain]}.values())


def _remove_profiles(store: RecordStore, wanted: Erasure) -> None:
    """Of the days and batches that the student was in."""
    batches = [one for one in store.batches(wanted.domain) if one.id in wanted.batches]
    for name in [*(day_name(wanted.domain, day) for day in wanted.days), *map(batch_name, batches)]:
        store.remove_document(PROFILE_KIND, name)


def _make_profiles(workspace: Workspace, wanted: Erasure) -> None:
    from monitoring.days import DAY
    from monitoring.profile_archive import ProfileArchive

    archive = ProfileArchive(workspace, workspace.schemas[wanted.domain])
    for day in wanted.days:
        archive.parts("predictions", day, day + DAY)
    for one in workspace.store.batches(wanted.domain):
        if one.id in wanted.batches:
            archive.parts(one.kind, one.at.date(), one.at.date() + DAY)


def _forget_words(store: RecordStore, domain: str) -> None:
    """What jobs that have ended told of single cells of files: nobody knows whose they are."""
    place = None
    while page := store.jobs(domain=domain, states=("done", "failed", "cancelled"), before=place, limit=JOBS_AT_ONCE):
        told = [(one.id, write_json(_without_cells(one))) for one in page if _cells(one)]
        store.load("jobs", told)
        place = page[-1].at, page[-1].id
        if len(page) < JOBS_AT_ONCE:
            break


def _cells(job: Job) -> bool:
    return bool((job.result or {}).get("problems") or (job.problem and job.problem.problems))


def _without_cells(job: Job) -> Job:
    result = None if job.result is None else {**job.result, "problems": []}
    problem = None if job.problem is None else msgspec.structs.replace(job.problem, problems=())
    return msgspec.structs.replace(job, result=result, problem=problem)


def _nowhere_else(workspace: Workspace, domain: str, student: str) -> Sequence[str]:
    """The pseudonym, unless another domain holds it rightly."""
    store = workspace.store
    others: Collection[str] = [name for name in workspace.schemas if name != domain]
    kept = any(
        store.predictions(other, student=student, limit=1)
        or store.student_rows(other, student)
        or store.student_outcomes(other, student)
        or store.student_accesses(other, student)
        or any(store.observation_pages(other, students=[student]))
        for other in others
    )
    return () if kept else (student,)


def _ask_to_retrain(store: RecordStore, wanted: Erasure) -> str | None:
    if not wanted.retrain or not wanted.models:
        return None
    return ask(store, JobRequest(RETRAINING, wanted.domain, wanted.actor, {}, key=wanted.id)).id
