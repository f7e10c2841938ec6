"""The invented school of the first look: `gradewatch demo add` and `remove`."""

from cli.apps import demo_app
from cli.output import out
from settings import Settings


@demo_app.command("add")
def add() -> None:
    """Put the invented school beside your own installation; the dashboard on this machine shows it."""
    from demo.installation import add_demo, demo_folder

    settings = Settings()
    settings.require_demo()
    add_demo(settings.data_dir)
    out.print(f"the invented school lies in {demo_folder(settings.data_dir)}; the dashboard shows it")


@demo_app.command("remove")
def remove() -> None:
    """Remove the invented school with all that was done in it; your own installation stays as it is."""
    from demo.installation import remove_demo

    there = remove_demo(Settings().data_dir)
    out.print("the invented school is removed" if there else "there is no invented school here")
