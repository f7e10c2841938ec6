"""The kinds of jobs, in one registry: what each does with its arguments and files, and what its result says.

A kind may be done again by another worker after it was killed anywhere: what it writes goes through the job's own store
(`jobs.keyed_store`, under the job's fence) or is keyed by the job's id. Its libraries are loaded when it is done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clock import now
from database.blobs import read_blob
from database.packed import PackedPredictions
from database.records import Event, Job, digest
from errors import GradewatchError
from jobs.job_settings import JobSettings
from jobs.keyed_store import decision_id, report_id
from jobs.queue import (
    ANCHORING,
    BATCH_FILE,
    CATCHING_UP,
    CHANGES_REPORT,
    COHORT_REPORT,
    COLLECTING,
    DELIVERY,
    DRIFT_DAYS,
    DRIFT_FILE,
    EARLINESS,
    ERASURE,
    EXPORT,
    KEEPING,
    KEEPING_WEEKS,
    MATCHING,
    OUTCOMES_FILE,
    REMAKING,
    RETRAINING,
    SCORING,
    STEPS_FILE,
    TRACKING,
    TRAINING,
    WATCHING,
    files_of,
    prediction_id,
    upload_of,
)

if TYPE_CHECKING:
    from database.records import ChampionKey
    from model.workspace import Workspace
    from preprocessing.schema import DomainSchema
    from preprocessing.validation.json_rows import ValidRow
    from preprocessing.validation.results import Validated

FIRST_ATTEMPT_PAUSE, LONGEST_ATTEMPT_PAUSE = 1.0, 300.0
"""Seconds until the second attempt, and at most until a later one."""

LAST_WORDS = 4_000
"""Characters of what a retraining says that are kept."""

SHOWN_PROBLEMS = 1_000
"""Of a file whose bad rows are left out."""

PATIENT_SECONDS = 5.0
"""For which an alert that was not taken is tried again at once; the tick sees to it after that."""

ROWS_OF_PIECE = 5_000
"""Rows that are answered and logged together."""


@dataclass(frozen=True)
class JobRun:
    """What a job is done with. workspace: with the job's own store. folder: for its files, gone afterwards. progress:
    told a step, and its share of the whole where that is known.
    """

    job: Job
    workspace: Workspace
    folder: Path
    settings: JobSettings
    progress: Callable[[str, float | None], None]

    @property
    def domain(self) -> str:
        return self.job.domain or ""

    def file(self, name: str) -> Path | None:
        """A file that the job was given, brought here; None where it was given none of that name."""
        given = files_of(self.job).get(name)
        if given is None:
            return None
        path = self.folder / f"{name}{Path(given['name']).suffix}"
        with path.open("wb") as file:
            file.writelines(read_blob(self.workspace.store, given["blob"]))
        return path

    def name_of(self, name: str) -> str:
        """What the sender calls a file."""
        return files_of(self.job)[name]["name"]


@dataclass(frozen=True)
class JobKind:
    """do: the job itself; its result, JSON-ready. long: whether it takes minutes, so that a worker keeps a place free
    beside it. several: whether it makes more than one drift report. recurring: whether it may stand on a schedule: it
    needs no file, and no arguments that change. attempts: after which it fails."""

    do: Callable[[JobRun], Mapping[str, Any]]
    long: bool = False
    several: bool = False
    recurring: bool = False
    attempts: int = 3

    def pause(self, attempts: int, least: float = 0.0) -> float | None:
        """Seconds until the next attempt, twice as long each time; None where there is none left."""
        if attempts >= self.attempts:
            return None
        return min(LONGEST_ATTEMPT_PAUSE, max(least, FIRST_ATTEMPT_PAUSE * 2.0 ** (attempts - 1)))


def train(run: JobRun) -> Mapping[str, Any]:
    """Train on the newest labelled records; what is learned serves where no model of records serves yet. target,
    moment, task: only these; missing: only what nobody serves."""
    from retraining.first_champions import train_records

    wanted, schema = run.job.arguments, run.workspace.service.schema(run.domain)
    keys = _keys_of(run, schema, wanted)
    actor = run.job.actor or "train"
    done = train_records(
        run.workspace,
        schema,
        keys,
        window=run.settings.window,
        actor=actor,
        progress=lambda step: run.progress(step, None),
    )
    told = [
        {"target": one.key.target, "moment": one.key.moment, "version": one.model and one.model.version}
        | {"serves": one.installed, "reason": one.reason, "remarks": list(one.remarks)}
        for one in done
    ]
    return {"models": told}


def _keys_of(run: JobRun, schema: DomainSchema, wanted: Mapping[str, Any]) -> list[ChampionKey]:
    """Those that a job is asked about."""
    from retraining.first_champions import keys_of

    target, moment = ([one] if one else None for one in (wanted.get("target"), wanted.get("moment")))
    found = keys_of(schema, target, moment, wanted.get("task", "both"))
    if not wanted.get("missing") and not wanted.get("serving"):
        return found
    there = {one.key for one in run.workspace.store.champions()}
    return [key for key in found if (key in there) == bool(wanted.get("serving"))]


def retrain(run: JobRun) -> Mapping[str, Any]:
    """Evaluate and, where deserved, replace champions. target, moment, task: only these; serving: only where there are
    champions. dry_run: change nothing."""
    from retraining.render import result_text
    from retraining.run import Run
    from retraining.run import retrain as evaluate

    wanted, schema = run.job.arguments, run.workspace.service.schema(run.domain)
    keys = _keys_of(run, schema, wanted)
    work = Run(
        run.workspace,
        schema,
        run.settings.window,
        dry=bool(wanted.get("dry_run")),
        holder=run.job.id,
        progress=lambda step: run.progress(step, None),
    )
    _tell_event(run, "retraining_started", {})
    results = evaluate(work, keys)
    said = [f"{one.key.target}@{one.key.moment}: {one.decision.verdict}" for one in results]
    decisions = [decision_id(run.job, one.key.target, one.key.moment) for one in results]
    words = "".join(result_text(one, dry=work.dry) for one in results)
    _tell_event(run, "retraining_finished", {"state": "finished", "decisions": said})
    return {"verdicts": said, "decisions": decisions, "words": words[-LAST_WORDS:]}


def _tell_event(run: JobRun, kind: str, details: Mapping[str, Any]) -> None:
    """Something that an operator may have to know, told once however often the job is done."""
    told = {"run": run.job.id, **details}
    run.workspace.store.add_event(
        Event(id=digest([run.job.id, kind]), kind=kind, at=now(), domain=run.domain, details=told)
    )


def report_drift_of_file(run: JobRun) -> Mapping[str, Any]:
    """A file against the champion's data, or against the file `reference`. by: also by this column. sheet,
    reference_sheet, skip_bad_rows: as `monitoring.drift_files.ReportOptions` has them."""
    from monitoring.drift_files import ReportOptions, report_file

    current, reference = run.file("file"), run.file("reference")
    assert current is not None  # noqa: S101 (no job of this kind is asked for without one)
    run.progress("comparing", None)
    name = run.name_of("file")
    asked = run.job.arguments
    options = ReportOptions(
        by=asked.get("by"),
        sheet=asked.get("sheet", ""),
        reference_sheet=asked.get("reference_sheet", ""),
        skip_bad_rows=asked.get("skip_bad_rows", False),
    )
    report_file(run.workspace, run.domain, current, reference, options, name=name)
    return _reported(run)


def report_drift_of_days(run: JobRun) -> Mapping[str, Any]:
    """Days against what came before them. since, until: dates; the rest as `monitoring.drift_days` has it."""
    from datetime import date

    from monitoring.drift_days import days_of
    from monitoring.drift_monitor import report_days

    options = dict(run.job.arguments)
    by, since, until = options.pop("by"), date.fromisoformat(options.pop("since")), options.pop("until")
    window = days_of(since, date.fromisoformat(until) if until else None, **options)
    run.progress("comparing", None)
    report_days(run.workspace, run.domain, window, by=by)
    return _reported(run)


def _reported(run: JobRun) -> Mapping[str, Any]:
    from access.journal import note

    made = report_id(run.job)
    note(run.workspace.store, run.job.actor or "", "drift judged", run.domain, report=made)
    return {"report": made, "address": f"/api/v1/{run.domain}/drift/{made}"}


def score(run: JobRun) -> Mapping[str, Any]:
    """Answer and log every row of a file. moment, explain, sheet, skip_bad_rows: as the API has them; limit: rows at
    most; groups: those that whoever asks is confined to. The whole file is checked before its first row is logged."""
    import msgspec

    from jobs.catching_up import after_many
    from model.microbatch import API_SOURCE
    from preprocessing.columns import columns_of

    rows, checked = _checked_rows(run)
    options, store, service = run.job.arguments, run.workspace.store, run.workspace.service
    schema, explain = service.schema(run.domain), options.get("explain", 0)
    moments: Counter[str] = Counter()
    models: set[str] = set()
    for start in range(0, len(rows), ROWS_OF_PIECE):
        run.progress("scoring", start / len(rows))
        tables = columns_of(rows[start : start + ROWS_OF_PIECE], schema)
        said = service.score_columns(schema, tables, source=API_SOURCE, actor=run.job.actor, explain=explain)
        store.add_predictions(batches=_known_by_job(run.job, start, said))
        for batch in said:
            moments[batch.common.moment] += len(batch)
            models |= {column.model for column in batch.answers}
    after_many(store, run.domain, run.job.actor or "")
    told = {"rows": len(rows), "moments": dict(moments), "models": sorted(models)}
    told |= {"ignored_columns": list(checked.ignored_columns), "notes": list(checked.notes)}
    told |= {"row_numbers": runs_of([row.row for row in rows]), "skipped": checked.skipped}
    told |= {"problems": msgspec.to_builtins(checked.problems[:SHOWN_PROBLEMS])}
    return told | {"address": f"/api/v1/jobs/{run.job.id}/answers"}


def _checked_rows(run: JobRun) -> tuple[Sequence[ValidRow], Validated]:
    from access.roles import Principal, require_groups
    from model.unanswered import require_answers, silent_moments, without_unanswered
    from preprocessing.reading.files import read_table
    from preprocessing.validation.validate import rows_of, validate_table

    options, workspace, path = run.job.arguments, run.workspace, run.file("file")
    assert path is not None  # noqa: S101 (as above)
    run.progress("checking", None)
    schema = workspace.service.schema(run.domain)
    raw = read_table(path, name=run.name_of("file"), sheet=options.get("sheet", ""), most_rows=options["limit"])
    checked = validate_table(raw, schema, secret=workspace.secret, moment=options.get("moment"), with_targets="ignored")
    silent = silent_moments(workspace.service, run.domain)
    require_answers(silent, checked.frame["_moment"].unique(maintain_order=True))
    checked = without_unanswered(workspace.service, silent, checked, raw.name)
    checked.require_good(skip=options.get("skip_bad_rows", False))
    rows, groups = rows_of(checked.frame, schema), options.get("groups")
    whoever = Principal(name="", permissions=frozenset(), groups=None if groups is None else frozenset(groups))
    require_groups(whoever, (row.group for row in rows))
    return rows, checked


def runs_of(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Ascending numbers as runs, first and last of each.

    >>> runs_of([2, 3, 4, 7])
    [(2, 4), (7, 7)]
    """
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = runs[-1][0], number
        else:
            runs.append((number, number))
    return runs


def _known_by_job(job: Job, start: int, said: Sequence[PackedPredictions]) -> list[PackedPredictions]:
    """Predictions under the ids that the job's rows have; theirs ascend as the rows do."""
    made = sorted(known for batch in said for known in batch.ids)
    known = {old: prediction_id(job.id, start + place) for place, old in enumerate(made)}
    return [
        PackedPredictions(
            one.common,
            [known[old] for old in one.ids],
            one.inputs,
            one.answers,
            one.shadow,
            students=one.students,
            groups=one.groups,
            periods=one.periods,
        )
        for one in said
    ]


def store_batch_file(run: JobRun) -> Mapping[str, Any]:
    """A file as a batch of `kind`. sheet, skip_bad_rows: as the API has them; limit: rows at most; groups: those that
    whoever asks is confined to."""
    import msgspec

    from jobs.uploads import take_rows
    from preprocessing.reading.chunks import open_source

    workspace, path, read_as = run.workspace, run.file("file"), _read_as(run)
    assert path is not None  # noqa: S101 (as above)
    sheet, limit = read_as.pop("sheet"), read_as.pop("most_rows")
    taken = take_rows(
        workspace,
        workspace.service.schema(run.domain),
        lambda: open_source(path, name=run.name_of("file"), sheet=sheet, most_rows=limit),
        upload_of(run.job),
        **read_as,
        **_rules(run),
        progress=run.progress,
    )
    plain: dict[str, Any] = msgspec.to_builtins(taken._asdict())
    return plain | {"problems": plain["problems"][:SHOWN_PROBLEMS]}


def store_outcomes_file(run: JobRun) -> Mapping[str, Any]:
    """The outcomes in a file. sheet, skip_bad_rows: as the API has them; limit: rows at most; groups: as
    `store_batch_file` has them."""
    import msgspec

    from jobs.uploads import take_outcomes
    from monitoring.evidence_archive import EvidenceArchive

    workspace, path = run.workspace, run.file("file")
    assert path is not None  # noqa: S101 (as above)
    schema = workspace.service.schema(run.domain)
    stored, targets = take_outcomes(
        workspace, schema, path, upload_of(run.job), name=run.name_of("file"), **_read_as(run), **_rules(run)
    )
    archive = EvidenceArchive(workspace.store, schema, workspace.learned)
    with suppress(GradewatchError):  # they are stored; whoever looks next pays for what this would have saved
        for target in targets:
            archive.matched(schema.target_by_name[target])
    plain: Mapping[str, Any] = msgspec.to_builtins(
        msgspec.structs.replace(stored, problems=stored.problems[:SHOWN_PROBLEMS])
    )
    return plain


def match_outcomes_file(run: JobRun) -> Mapping[str, Any]:
    """What would become of the outcomes in a file, which is not kept. Arguments: as of one that is."""
    import msgspec

    from jobs.uploads import match_file

    path, groups = run.file("file"), run.job.arguments.get("groups")
    assert path is not None  # noqa: S101 (as above)
    schema = run.workspace.service.schema(run.domain)
    found = match_file(run.workspace, schema, path, name=run.name_of("file"), groups=groups, **_read_as(run))
    plain: Mapping[str, Any] = msgspec.to_builtins(
        msgspec.structs.replace(found, problems=found.problems[:SHOWN_PROBLEMS])
    )
    return plain


def _rules(run: JobRun) -> dict[str, Any]:
    """What else an upload is told; jobs from before one could say less."""
    return {"groups": run.job.arguments.get("groups"), "train_after": run.settings.train_after}


def watch(run: JobRun) -> Mapping[str, Any]:
    """Looks at the days that are due. plan: as `jobs.drift_watch.Plan`."""
    import msgspec

    from jobs.drift_watch import Plan, look_and_act
    from monitoring.alerts import deliver_patiently

    plan, said = msgspec.convert(run.job.arguments["plan"], Plan), list[str]()
    plan, channels = replace(plan, window=run.settings.window), run.settings.channels()
    look_and_act(
        run.workspace,
        plan,
        channels,
        said.append,
        holder=run.job.id,
        progress=lambda step: run.progress(step, None),
    )
    deliver_patiently(run.workspace.store, channels, said.append, PATIENT_SECONDS)
    return {"words": "\n".join(said)[-LAST_WORDS:]}


def deliver_alerts(run: JobRun) -> Mapping[str, Any]:
    """What waits in the outbox, sent."""
    from monitoring.alerts import deliver_patiently
    from reports.notices import channels_of_reports

    store, said = run.workspace.store, list[str]()
    channels = {**channels_of_reports(store, run.settings.mail_to), **run.settings.channels()}
    deliver_patiently(store, channels, said.append, PATIENT_SECONDS)
    return {"words": "\n".join(said)[-LAST_WORDS:]}


def take_export(run: JobRun) -> Mapping[str, Any]:
    """What an export says of attendance, marks and the rest. dry, infer_days, skip_bad_rows: as the API has them. The
    file `mapping`, where there is one, says which column is what."""
    from functools import partial

    import msgspec

    from access.journal import note
    from advice.catalogue import load_catalogue
    from jobs.exports import read_settled, take_gathered

    path, asked = run.file("file"), run.job.arguments
    assert path is not None  # noqa: S101 (as above)
    schema, dry = run.workspace.service.schema(run.domain), asked["dry"]
    gathered = read_settled(path, schema, mapping=run.file("mapping"), infer_days=asked["infer_days"],
                            step=lambda step: run.progress(step, None))  # fmt: skip
    tell = partial(run.progress, "comparing" if dry else "storing")
    kinds = list(load_catalogue(run.settings.study_catalogue).by_id)
    taken = take_gathered(
        run.workspace, schema, gathered, actor=run.job.actor or "", kinds_of_help=kinds,
        skip_bad_rows=asked["skip_bad_rows"], dry=dry, progress=tell,
    )  # fmt: skip
    if not dry:
        note(run.workspace.store, run.job.actor or "", "export taken in", run.domain, job=run.job.id)
    plain: dict[str, Any] = msgspec.to_builtins(taken)
    return plain | {"problems": plain["problems"][:SHOWN_PROBLEMS]}


def report_cohort(run: JobRun) -> Mapping[str, Any]:
    """The report on `group` in `period` for the day `due`, and its notice to whom the schedule names. every: days until
    the next."""
    from datetime import date

    from access.journal import note
    from advice.catalogue import load_catalogue
    from reports.archive import read_report
    from reports.make import make_report
    from reports.notices import post_notice
    from reports.records import Occasion

    asked, actor, store = run.job.arguments, run.job.actor or "", run.workspace.store
    occasion = Occasion(asked["group"], asked["period"], date.fromisoformat(asked["due"]), asked["every"])
    run.progress("asking about the students", None)
    catalogue = load_catalogue(run.settings.study_catalogue)
    entry, new = make_report(run.workspace, run.domain, occasion, actor=actor, catalogue=catalogue)
    note(store, actor, "report made", run.domain, report=entry.id)
    post_notice(store, read_report(store, entry), run.settings.mail_to)
    return {"report": entry.id, "new": new, "address": f"/api/v1/{run.domain}/reports/{entry.id}"}


def collect_inbox(run: JobRun) -> Mapping[str, Any]:
    """Asks for the job of each new file in the inbox."""
    import msgspec

    from jobs.inbox import collect, opened_inbox

    settings = run.settings
    arguments = {"sheet": "", "skip_bad_rows": False, "limit": settings.max_rows}
    store, domains = run.workspace.store, list(run.workspace.schemas)
    with opened_inbox(settings.inbox) as inbox:
        found = collect(store, inbox, domains, arguments=arguments, most_bytes=settings.max_bytes)
    return {"files": msgspec.to_builtins(found)}


def erase_student(run: JobRun) -> Mapping[str, Any]:
    """A student, from all that is kept in a domain. erasure: the record of it."""
    from jobs.erasing import erase

    return erase(run.workspace, run.job, lambda step: run.progress(step, None), brokers=run.settings.event_brokers)


def make_again(run: JobRun) -> Mapping[str, Any]:
    """What a student stood in, without. erasure: the record of it."""
    from jobs.erasing import remake

    return remake(run.workspace, run.job, lambda step: run.progress(step, None))


def remove_old(run: JobRun) -> Mapping[str, Any]:
    """What has been kept as long as the settings say."""
    from jobs.keeping import keep

    run.progress("removing", None)
    return {"removed": keep(run.workspace.store, list(run.workspace.schemas), run.settings.keep, now())}


def anchor_log(run: JobRun) -> Mapping[str, Any]:
    """The log sealed, and the end of its chain noted elsewhere."""
    from jobs.anchors import anchor, told_result

    channels = run.settings.channels() if run.settings.send_anchors else {}
    store, artifacts = run.workspace.store, run.workspace.artifacts
    noted = anchor(store, artifacts, now(), channels, lambda rows: run.progress(f"{rows:,} rows sealed", None))
    return told_result(noted)


def catch_up_with_all(run: JobRun) -> Mapping[str, Any]:
    """What came since somebody looked, so that nobody who looks at a page waits for it."""
    from jobs.catching_up import catch_up

    return catch_up(run.workspace, run.progress)


def keep_weeks(run: JobRun) -> Mapping[str, Any]:
    """The week that is over, closed where it is not yet; else those answered anew of whom something was observed."""
    import msgspec

    from monitoring.week_close import keep_up

    done: dict[str, Any] = msgspec.to_builtins(keep_up(run.workspace, run.domain, run.job.actor, run.progress))
    return done


def keep_steps_of_file(run: JobRun) -> Mapping[str, Any]:
    """The steps of cases in a file. sheet, skip_bad_rows: as the API has them; limit: rows at most; groups: those that
    whoever asks is confined to. Done again it keeps the same steps."""
    import msgspec

    from access.journal import note
    from advice.case_files import take_file
    from advice.cases import Writer
    from advice.catalogue import load_catalogue

    workspace, path, actor = run.workspace, run.file("file"), run.job.actor or ""
    assert path is not None  # noqa: S101 (as above)
    kinds = load_catalogue(run.settings.study_catalogue).by_id
    by = Writer(actor, run.job.arguments.get("groups"), workspace.objections, kinds)
    run.progress("checking", None)
    schema, name = workspace.service.schema(run.domain), run.name_of("file")
    taken = take_file(workspace.store, schema, path, by, secret=workspace.secret, name=name, **_read_as(run))
    note(workspace.store, actor, "steps imported", run.domain, new=taken.new, students=taken.students)
    plain: Mapping[str, Any] = msgspec.to_builtins(
        msgspec.structs.replace(taken, problems=taken.problems[:SHOWN_PROBLEMS])
    )
    return plain


def tell_changes(run: JobRun) -> Mapping[str, Any]:
    """What changed for students about `target` since that was told last, kept as a report without names."""
    from monitoring.change_reports import report_changes

    schema = run.workspace.service.schema(run.domain)
    target = schema.target_by_name[run.job.arguments["target"]]
    run.progress("asking models again", None)
    made = report_changes(run.workspace, schema, target, id=report_id(run.job))
    if made is None:
        return {"report": None}
    return {"report": made.id, "moved": made.found.moved, "address": f"/api/v1/{run.domain}/changes/reports"}


def find_earliness(run: JobRun) -> Mapping[str, Any]:
    """From when on answers about a target can be trusted, by the newest stored records with outcomes, found and kept.
    target: the domain's first if none."""
    from monitoring.earliness import keep_earliness
    from retraining.backtest.earliness import earliness_of
    from retraining.backtest.replay import Replay
    from retraining.first_champions import keys_of

    workspace, schema, wanted = run.workspace, run.workspace.service.schema(run.domain), run.job.arguments.get("target")
    key = keys_of(schema, [wanted or schema.targets[0].name], [schema.moments[-1]])[0]
    run.progress("reading records", None)
    records = workspace.store.labeled_records(schema.name, limit=run.settings.window)
    replay = Replay(schema, key, window=run.settings.window, progress=run.progress)
    kept = keep_earliness(workspace.store, earliness_of(replay, records), job=run.job.id, rows=len(records))
    return {"trusted_from": kept.found.trusted_from, "address": f"/api/v1/{run.domain}/earliness?target={key.target}"}


def track(run: JobRun) -> Mapping[str, Any]:
    """Tell MLflow who is champion now, and whatever it was not told yet."""
    from retraining.experiments import follow

    return {"problem": follow(run.workspace)}


def _read_as(run: JobRun) -> dict[str, Any]:
    """How a file is to be read, as whoever sent it asked; jobs from before one could say less."""
    asked = run.job.arguments
    return {
        "sheet": asked.get("sheet", ""),
        "skip_bad_rows": asked.get("skip_bad_rows", False),
        "most_rows": asked.get("limit"),
    }


JOB_KINDS: Mapping[str, JobKind] = {
    TRAINING: JobKind(train, long=True, recurring=True),
    RETRAINING: JobKind(retrain, long=True, several=True, recurring=True),
    DRIFT_FILE: JobKind(report_drift_of_file),
    DRIFT_DAYS: JobKind(report_drift_of_days),
    SCORING: JobKind(score),
    BATCH_FILE: JobKind(store_batch_file),
    OUTCOMES_FILE: JobKind(store_outcomes_file),
    MATCHING: JobKind(match_outcomes_file),
    EXPORT: JobKind(take_export),
    STEPS_FILE: JobKind(keep_steps_of_file),
    WATCHING: JobKind(watch, long=True, several=True),
    DELIVERY: JobKind(deliver_alerts),
    COHORT_REPORT: JobKind(report_cohort),
    COLLECTING: JobKind(collect_inbox),
    ERASURE: JobKind(erase_student, attempts=20),
    REMAKING: JobKind(make_again, attempts=20),
    KEEPING: JobKind(remove_old),
    TRACKING: JobKind(track),
    ANCHORING: JobKind(anchor_log, long=True),
    CATCHING_UP: JobKind(catch_up_with_all),
    KEEPING_WEEKS: JobKind(keep_weeks, long=True, recurring=True),
    CHANGES_REPORT: JobKind(tell_changes, long=True),
    EARLINESS: JobKind(find_earliness, long=True, recurring=True),
}
"""By name; a kind that is added here is done by every worker."""
