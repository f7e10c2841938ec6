"""Students by their newest answers, and what they are advised: `gradewatch students`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cli.apps import students_app
from cli.inputs import actor, opened_workspace
from cli.options import Domain, Groups
from cli.output import out
from settings import Settings


@students_app.command("list")
def list_students(
    domain: Domain,
    below_pass: Annotated[
        bool, typer.Option("--below-pass", help="Only those who are likelier than not to end below the pass mark.")
    ] = False,
    top: Annotated[int, typer.Option(min=1, help="So many, the likeliest to end below the pass mark first.")] = 100,
    target: Annotated[str | None, typer.Option(help="The first one with a pass mark if none.")] = None,
    group: Groups = None,
    period: Annotated[str | None, typer.Option(help="Only of this period.")] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only answers from this day on (UTC).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """The newest answer of each student (a pseudonym), in each group and period, those most at risk first."""
    import msgspec

    from access.journal import note
    from database.newest import Which
    from monitoring.at_risk import LIKELIER_THAN_NOT, at_risk
    from monitoring.render import students_table

    with opened_workspace() as workspace:
        schema, store = workspace.service.schema(domain), workspace.store
        if target is not None and target not in schema.target_by_name:
            raise typer.BadParameter(f"--target is one of {', '.join(schema.target_by_name)}")
        which = Which(group or None, period, since.replace(tzinfo=UTC) if since else None)
        least = LIKELIER_THAN_NOT if below_pass else 0.0
        found = at_risk(store, schema, target, which=which, least=least, limit=top)
        note(store, actor(), "students listed", domain, found=len(found.students))
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return
    out.print(students_table(found, schema.target_by_name[found.target]))


@students_app.command("advice")
def advise_one(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The student's key, or the pseudonym of an answer.")],
    domain: Domain,
    group: Annotated[str | None, typer.Option(help="By the newest answer in this group.")] = None,
    period: Annotated[str | None, typer.Option(help="With --group: in this period.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all there is as JSON.")] = False,
) -> None:
    """A student's results beside the others', what stands out of what can be changed, and a study plan."""
    import msgspec

    from access.journal import note
    from advice.advise import advise_student
    from advice.catalogue import load_catalogue
    from advice.positions import Place
    from advice.render import advice_text
    from preprocessing.validation.pii import is_pseudonym, pseudonym

    catalogue = load_catalogue(Settings().study_catalogue)
    with opened_workspace() as workspace:
        schema, store = workspace.service.schema(domain), workspace.store
        student = key if is_pseudonym(key) else pseudonym(key, workspace.secret)
        place = Place(group, period) if group else None
        note(store, actor(), "student looked up", domain, student=student)
        found = advise_student(store, schema, catalogue, student, place=place)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return
    out.print(*advice_text(found))


@students_app.command("catalogue")
def show_catalogue(
    file: Annotated[
        Path | None, typer.Argument(help="A catalogue of your own; the one that is set, else the shipped one if none.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """What study plans are made of; everything that is wrong with a file of your own."""
    import msgspec

    from advice.catalogue import load_catalogue
    from advice.render import catalogue_table

    found = load_catalogue(file or Settings().study_catalogue)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return
    out.print(catalogue_table(found))
