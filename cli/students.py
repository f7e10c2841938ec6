"""Students by their newest answers, what they are advised, and their requests: `gradewatch students`."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.apps import students_app
from cli.inputs import actor, opened_workspace, say_skipped, told_problems
from cli.options import Domain, Domains, Groups, OneDomain, Problems, Sheet, Since, SkipBadRows
from cli.output import err, out, write_json
from settings import Settings

if TYPE_CHECKING:
    from model.workspace import Workspace

DAYS = ["%Y-%m-%d"]

StudentKey = Annotated[str, typer.Argument(metavar="KEY", help="The student's key, as your files have it.")]


KeyOrPseudonym = Annotated[str, typer.Argument(metavar="KEY", help="The student's key, or the pseudonym of an answer.")]


@students_app.command("list")
def list_students(
    domain: Domain,
    below_pass: Annotated[
        bool, typer.Option("--below-pass", help="Only those who are likelier than not to end below the pass mark.")
    ] = False,
    warned: Annotated[
        bool, typer.Option("--warned", help="Only those whom the warning policy in use warns of.")
    ] = False,
    top: Annotated[int, typer.Option(min=1, help="So many, the likeliest to end below the pass mark first.")] = 100,
    target: Annotated[str | None, typer.Option(help="The first one with a pass mark if none.")] = None,
    group: Groups = None,
    period: Annotated[str | None, typer.Option(help="Only of this period.")] = None,
    since: Since = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """The newest answer of each student (a pseudonym), in each group and period, those most at risk first."""
    from access.journal import note
    from database.newest import Which
    from monitoring.at_risk import at_risk
    from monitoring.render import students_table
    from monitoring.warning_policy import LIKELIER_THAN_NOT

    with opened_workspace() as workspace:
        schema, store = workspace.service.schema(domain), workspace.store
        if target is not None and target not in schema.target_by_name:
            raise typer.BadParameter(f"--target is one of {', '.join(schema.target_by_name)}")
        which = Which(group or None, period, since.replace(tzinfo=UTC) if since else None)
        least = LIKELIER_THAN_NOT if below_pass else 0.0
        store.catch_up_newest()
        shown: dict[str, Any] = {"least": least, "limit": top, "warned": warned}
        found = at_risk(store, schema, target, which=which, objected=workspace.objections, **shown)
        note(store, actor(), "students listed", domain, groups=group, period=period, found=len(found.students))
    if as_json:
        write_json(found)
        return
    out.print(students_table(found, schema.target_by_name[found.target]))


@students_app.command("advice")
def advise_one(
    key: KeyOrPseudonym,
    domain: Domain,
    group: Annotated[str | None, typer.Option(help="By the newest answer in this group.")] = None,
    period: Annotated[str | None, typer.Option(help="With --group: in this period.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all there is as JSON.")] = False,
) -> None:
    """A student's results beside the others', what stands out of what can be changed, and a study plan."""
    from access.journal import note
    from advice.advise import advise_student
    from advice.catalogue import load_catalogue
    from advice.positions import Place
    from advice.render import advice_text

    catalogue = load_catalogue(Settings().study_catalogue)
    with opened_workspace() as workspace:
        schema, store = workspace.service.schema(domain), workspace.store
        student = _either(workspace, key)
        place = Place(group, period) if group else None
        note(store, actor(), "student looked up", domain, student=student)
        found = advise_student(store, schema, catalogue, student, place=place, objected=workspace.objections)
    if as_json:
        write_json(found)
        return
    out.print(*advice_text(found))


@students_app.command("sheet")
def write_sheet(
    key: KeyOrPseudonym,
    domain: Domain,
    output: Annotated[Path, typer.Option("--output", "-o", help="FILE.html or FILE.pdf.")],
    group: Annotated[str | None, typer.Option(help="About the newest answer in this group.")] = None,
    period: Annotated[str | None, typer.Option(help="With --group: in this period.")] = None,
    spoken: Annotated[str, typer.Option("--language", help="en, de or fr.")] = "en",
) -> None:
    """Write a page for the person: what was predicted, its range, the main reasons, what is not known, which data it
    rests on, what it may be used for, whom to ask, and how to object."""
    import language
    from access.journal import note
    from advice.cases import newest_about
    from advice.positions import Place
    from reports.sheet_forms import SHEET_FORMS, sheet_about

    form, settings = SHEET_FORMS.get(output.suffix.lstrip(".").casefold()), Settings()
    if form is None:
        raise typer.BadParameter(f"--output ends with .{' or .'.join(SHEET_FORMS)}")
    with opened_workspace() as workspace:
        schema, student = workspace.service.schema(domain), _either(workspace, key)
        said = newest_about(workspace.store, schema, student, Place(group, period) if group else None)
        note(workspace.store, actor(), "prediction read", domain, prediction=said.id, student=student)
        with language.use(spoken):
            sheet = sheet_about(workspace, schema, said, settings.intended_purpose(), settings.contact)
            output.write_bytes(form.write(sheet))
    err.print(f"wrote {output}", highlight=False, soft_wrap=True)


@students_app.command("note")
def note_about(
    key: KeyOrPseudonym,
    domain: Domain,
    text: Annotated[str, typer.Argument(help="In words that name nobody.")] = "",
    done: Annotated[
        str,
        typer.Option(help="talked, accepted, not_applicable, wrong (the warning), helped, reviewed, closed, or note."),
    ] = "note",
    kind: Annotated[str | None, typer.Option(help="Of help: an entry of the catalogue.")] = None,
    start: Annotated[datetime | None, typer.Option(formats=DAYS, help="Of help: the first day; today if none.")] = None,
    end: Annotated[datetime | None, typer.Option(formats=DAYS, help="Of help: the last day, if known.")] = None,
    dose: Annotated[str, typer.Option(help='Of help: how much, as "2 x 45 minutes a week".')] = "",
    owner: Annotated[str, typer.Option(help="Of help: who sees to it, a role or an account.")] = "",
    group: Annotated[str | None, typer.Option(help="About the newest answer in this group.")] = None,
    period: Annotated[str | None, typer.Option(help="With --group: in this period.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was kept as JSON.")] = False,
) -> None:
    """Note what was done about a student; it is handed out, and erased, with the student."""
    from access.journal import note
    from advice.case_steps import DONE, HelpGiven, NewStep
    from advice.cases import Writer, take_step
    from advice.catalogue import load_catalogue
    from advice.positions import Place
    from advice.render import case_table
    from clock import now

    if done not in DONE:
        raise typer.BadParameter(f"--done is one of {', '.join(DONE)}")
    if kind is None and (start or end or dose or owner):
        raise typer.BadParameter("--start, --end, --dose and --owner are of help of a --kind")
    first, last = (start or now()).date(), end.date() if end else None
    given = HelpGiven(kind=kind, start=first, end=last, dose=dose, owner=owner) if kind else None
    with opened_workspace() as workspace:
        schema, store, student = workspace.service.schema(domain), workspace.store, _either(workspace, key)
        step = NewStep(done, text, None, Place(group, period) if group else None, given)
        by = Writer(actor(), None, workspace.objections, load_catalogue(Settings().study_catalogue).by_id)
        made = take_step(store, schema, student, step, by)
        note(store, actor(), "student noted", domain, student=student, done=made.done)
    if as_json:
        write_json(made)
        return
    out.print(case_table([made]))


@students_app.command("notes")
def list_notes(
    key: KeyOrPseudonym,
    domain: Domain,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """What was done about a student, and every note, the newest first."""
    from access.journal import note
    from advice.cases import case_of
    from advice.render import case_table

    with opened_workspace() as workspace:
        name, student = workspace.service.schema(domain).name, _either(workspace, key)
        note(workspace.store, actor(), "notes read", name, student=student)
        found = case_of(workspace.store, name, student)
    if as_json:
        write_json(found)
        return
    out.print(case_table(found.steps))


@students_app.command("cases")
def list_all_cases(
    domain: Domain,
    stage: Annotated[
        list[str] | None,
        typer.Option(help="Only those that are noted, accepted, helping, review_due, reviewed or closed (repeatable)."),
    ] = None,
    group: Groups = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """Where the cases of a domain stand, that with the oldest newest step first, under pseudonyms."""
    from access.journal import note
    from advice.case_steps import CASE_STAGES
    from advice.cases import list_cases
    from advice.render import case_list_table

    stages = [one for one in CASE_STAGES if one in (stage or ())]
    if len(stages) < len(set(stage or ())):
        raise typer.BadParameter(f"--stage is one of {', '.join(CASE_STAGES)}")
    with opened_workspace() as workspace:
        found = list_cases(workspace.store, workspace.service.schema(domain).name, stages, group)
        note(workspace.store, actor(), "notes read", domain, groups=group, found=len(found.cases))
    write_json(found) if as_json else out.print(case_list_table(found))


@students_app.command("import")
def import_steps(
    domain: Domain,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A table with a row for each step.")],
    sheet: Sheet = "",
    skip_bad_rows: SkipBadRows = False,
    problems: Problems = None,
) -> None:
    """Keep what was done about students as another system exports it: student, done, when; text, kind, start, end,
    dose, owner, group, period. All or nothing; the same file again changes nothing."""
    from access.journal import note
    from advice.case_files import take_file
    from advice.cases import Writer
    from advice.catalogue import load_catalogue

    with opened_workspace() as workspace, told_problems(problems, skip_bad_rows):
        schema = workspace.service.schema(domain)
        by = Writer(actor(), None, workspace.objections, load_catalogue(Settings().study_catalogue).by_id)
        rules: dict[str, Any] = {"secret": workspace.secret, "sheet": sheet, "skip_bad_rows": skip_bad_rows}
        found = take_file(workspace.store, schema, file, by, **rules)
        say_skipped(len(found.problems), found.problems, problems)
        note(workspace.store, actor(), "steps imported", domain, new=found.new, students=found.students)
    out.print(f"{found.new:,} steps kept about {found.students:,} students; {found.known:,} were known")


@students_app.command("catalogue")
def show_catalogue(
    file: Annotated[
        Path | None, typer.Argument(help="A catalogue of your own; the one that is set, else the shipped one if none.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """What study plans are made of; everything that is wrong with a file of your own."""
    from advice.catalogue import load_catalogue
    from advice.render import catalogue_table

    found = load_catalogue(file or Settings().study_catalogue)
    if as_json:
        write_json(found)
        return
    out.print(catalogue_table(found))


@students_app.command("export")
def export_student(
    key: StudentKey,
    output: Annotated[Path, typer.Option("--output", "-o", help="The archive (ZIP), which must not be there yet.")],
    domain: Domains = None,
) -> None:
    """All that is known of a student, in one archive: rows, predictions, outcomes, reports, who looked, models."""
    from access.hand_out import hand_out
    from access.journal import note
    from access.known import known_everywhere
    from clock import now
    from jobs.holdings import files_about

    with opened_workspace() as workspace:
        student = _pseudonym(workspace, key)
        known = known_everywhere(workspace, student, _domains(workspace, domain))
        for name in known:
            note(workspace.store, actor(), "student exported", name, student=student)
        content = hand_out(known, files_about(workspace.store, list(known), student), now())
    with os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    for name, one in known.items():
        counts = f"{len(one.predictions):,} predictions, {len(one.rows):,} rows, {len(one.outcomes):,} outcomes"
        out.print(f"{name}: {counts}, {len(one.looks):,} looks, {len(one.models):,} models that learned from them")
    err.print(f"written to {output}, for its owner alone to read")


@students_app.command("erase")
def erase_student(
    key: StudentKey,
    reason: Annotated[str, typer.Option(help="Why; kept for good, so name nobody.")],
    domain: Domains = None,
    retrain: Annotated[bool, typer.Option("--retrain", help="Retrain where models learned from the student.")] = False,
    later: Annotated[bool, typer.Option("--later", help="Leave what is made again to a worker.")] = False,
) -> None:
    """Erase a student: everything that names or describes it goes, and what it stood in is made again."""
    from access.journal import note
    from access.known import known_everywhere
    from jobs.erasures import ask_to_erase

    with opened_workspace() as workspace:
        student, store = _pseudonym(workspace, key), workspace.store
        known = known_everywhere(workspace, student, _domains(workspace, domain))
        for name in known:
            job = ask_to_erase(store, name, student, reason=reason, actor=actor(), retrain=retrain)
            note(store, actor(), "student erased", name, job=job.id)
            _tell_erasure(workspace, job.id, later)


@students_app.command("object")
def object_for_student(
    key: StudentKey,
    reason: Annotated[str, typer.Option(help="Why; kept, so name nobody.")] = "",
    lift: Annotated[bool, typer.Option("--lift", help="The student does not object any more.")] = False,
) -> None:
    """Record that a student objects: in no list and never scored from now on, in any domain."""
    from access.journal import note
    from access.known import NobodyKnown

    with opened_workspace() as workspace:
        student = _pseudonym(workspace, key)
        if not lift:
            made = workspace.objections.add(student, workspace.schemas, actor=actor(), reason=reason)
            note(workspace.store, actor(), "objection recorded")
            out.print(f"in no list and never scored since {made.at:%Y-%m-%d %H:%M:%S} UTC")
            return
        if not workspace.objections.lift(student):
            raise NobodyKnown("no objection of this student is recorded")
        note(workspace.store, actor(), "objection lifted")
    out.print("the objection is lifted")


@students_app.command("erasures")
def list_erasures(domain: OneDomain = None) -> None:
    """The erasures that were asked for, and their proofs; none of them says who it was."""
    from jobs.erasures import erasures
    from jobs.render import erasures_table

    with opened_workspace() as workspace:
        out.print(erasures_table(erasures(workspace.store, domain)))


def _tell_erasure(workspace: "Workspace", id: str, later: bool) -> None:
    """Erase here and now, and tell what became of it."""
    from jobs.erasures import kept_erasure
    from jobs.inline import do_here
    from settings import Settings

    job = do_here(workspace, id, Settings().for_jobs())
    following = (job.result or {})["remaking"]
    if later:
        err.print(f"a worker makes again what the student was in, and proves that nothing is left: job {following}")
    else:
        do_here(workspace, following, Settings().for_jobs())
    done, _ = kept_erasure(workspace.store, job)
    counts = f"{done.predictions:,} predictions, {done.rows:,} rows, {done.outcomes:,} outcomes"
    out.print(f"{done.domain}: {counts} erased, {done.looks:,} looks name nobody now (erasure {done.id})")
    for words in done.remade:
        out.print(f"  {words}")
    if done.models:
        versions = ", ".join(one["version"][:12] + (" (serves)" if one["serving"] else "") for one in done.models)
        err.print(f"models that learned from the student: {versions}")
    if done.retraining:
        err.print(f"retraining is asked for: job {done.retraining}")


def _pseudonym(workspace: "Workspace", key: str) -> str:
    from preprocessing.validation.pii import pseudonym

    return pseudonym(key, workspace.secret)


def _either(workspace: "Workspace", key: str) -> str:
    """The pseudonym of a key, or that was given as one."""
    from preprocessing.validation.pii import is_pseudonym

    return key if is_pseudonym(key) else _pseudonym(workspace, key)


def _domains(workspace: "Workspace", given: list[str] | None) -> Sequence[str]:
    """Those that are named. Raises UnknownDomain."""
    return [workspace.schemas[name].name for name in given or ()]
