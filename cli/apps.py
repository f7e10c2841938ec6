"""The tree of commands: `gradewatch` and the nouns below it, on which each noun's module hangs its verbs.

Nothing is computed in `cli`: each verb calls one function of a package and prints what it returned.
"""

from typing import Annotated

import typer

SAYS = (
    "Predict how students will do, watch whether that still holds, and replace a model only with proof.\n\n"
    "Exit codes: 0 done, 1 refused or failed with a reason, 2 wrong usage; "
    "3 drift, 4 errors rose, 5 a champion was replaced, 6 not enough data; "
    "74 what was kept is damaged, 75 busy or out of reach, try later, 77 not allowed, 78 the settings cannot be used."
)
app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
domain_app = typer.Typer(no_args_is_help=True, help="The domains: what is predicted from which columns.")
models_app = typer.Typer(no_args_is_help=True, help="Model versions and who is champion.")
students_app = typer.Typer(no_args_is_help=True, help="Students by their newest answers, under pseudonyms.")
reports_app = typer.Typer(no_args_is_help=True, help="Reports on the students of a group in a period.")
uploads_app = typer.Typer(no_args_is_help=True, help="What was uploaded by whom, and what became of it.")
observations_app = typer.Typer(no_args_is_help=True, help="What is observed of students week by week.")
weeks_app = typer.Typer(no_args_is_help=True, help="How students stand week by week, by what is observed of them.")
trials_app = typer.Typer(no_args_is_help=True, help="Challengers tried next to champions.")
drift_app = typer.Typer(invoke_without_command=True)
conditions_app = typer.Typer(no_args_is_help=True, help="What needs a person.")
alerts_app = typer.Typer(no_args_is_help=True, help="What was told to whom when drift began or ended.")
schedules_app = typer.Typer(no_args_is_help=True, help="What workers do by themselves, and when.")
keys_app = typer.Typer(no_args_is_help=True, help="API keys: who may call the service.")
users_app = typer.Typer(no_args_is_help=True, help="Users: who may sign in, at the service and the dashboard.")
demo_app = typer.Typer(no_args_is_help=True, help="The invented school that the dashboard shows at first.")
warnings_app = typer.Typer(no_args_is_help=True, help="Whom to warn of, by a policy that is previewed and rolled back.")
pause_app = typer.Typer(no_args_is_help=True, help="Letting no model answer any more, at once.")
audit_app = typer.Typer(no_args_is_help=True, help="The log that cannot be edited unseen.")
app.add_typer(domain_app, name="domain")
app.add_typer(models_app, name="models")
app.add_typer(students_app, name="students")
app.add_typer(reports_app, name="reports")
app.add_typer(uploads_app, name="uploads")
app.add_typer(observations_app, name="observations")
app.add_typer(weeks_app, name="weeks")
app.add_typer(trials_app, name="trials")
app.add_typer(drift_app, name="drift")
app.add_typer(conditions_app, name="conditions")
app.add_typer(alerts_app, name="alerts")
app.add_typer(schedules_app, name="schedules")
app.add_typer(keys_app, name="keys")
app.add_typer(users_app, name="users")
app.add_typer(demo_app, name="demo")
app.add_typer(warnings_app, name="warnings")
app.add_typer(pause_app, name="pause")
app.add_typer(audit_app, name="audit")


def _print_version(asked: bool) -> None:
    from importlib.metadata import version

    if asked:
        typer.echo(f"gradewatch {version('gradewatch')}")
        raise typer.Exit


@app.callback(help=SAYS)
def gradewatch(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and end.")
    ] = False,
) -> None:
    """The options before any verb."""
