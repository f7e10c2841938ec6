"""Options and arguments that several verbs take, each said once."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from access.roles import ROLES

USER_ROLES = f"One of {', '.join(role for role, row in ROLES.items() if not row.of_program)}."
KEY_ROLES = f"One of {', '.join(role for role, row in ROLES.items() if not row.linked)}."
Domain = Annotated[str, typer.Option("--domain", "-d", help="Name of the domain (gradewatch domain list).")]
OneDomain = Annotated[str | None, typer.Option("--domain", "-d", help="Only this domain.")]
Domains = Annotated[list[str] | None, typer.Option("--domain", "-d", help="Only in this domain (repeatable).")]
Groups = Annotated[list[str] | None, typer.Option("--group", help="Only rows of this group (repeatable).")]
Targets = Annotated[list[str] | None, typer.Option("--target", help="Only this target (repeatable).")]
Moments = Annotated[list[str] | None, typer.Option("--moment", help="Only this moment (repeatable).")]
TaskName = Annotated[
    Literal["regression", "classification", "both"] | None,
    typer.Option(help="Values, classes or both; a value and the classes that are its bands move together."),
]
AnswerMoment = Annotated[
    str | None, typer.Option("--moment", help="Answer as of this moment; each row's own by default.")
]
Since = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only predictions from this day on (UTC).")]
WarnedOf = Annotated[
    int | None,
    typer.Option("--top", min=1, help="Warn of so many, the largest chances first, instead of by the warning policy."),
]
Every = Annotated[str | None, typer.Option(help="How often: 12h, 1d (the default), 3w; in UTC, since 1970.")]
At = Annotated[str | None, typer.Option(help="Daily at this time, UTC: 06:00.")]
SkipBadRows = Annotated[bool, typer.Option(help="Keep the good rows of a file and leave out the bad ones.")]
Problems = Annotated[Path | None, typer.Option(help="Write every problem of a refused file to this CSV.")]
PolicyFile = Annotated[
    Path | None,
    typer.Option("--policy", exists=True, dir_okay=False, help="Rules, a TOML file; the defaults if none."),
]
SchoolWeek = Annotated[
    str | None,
    typer.Option("--week", metavar="WEEK", help="A school week (2025-26 W07), with the same week of earlier years."),
]
Cluster = Annotated[
    str | None,
    typer.Option(metavar="tcp://HOST:PORT", help="Let a Dask scheduler's workers do it; the result is the same."),
]


Reason = Annotated[str, typer.Option(help="Why; kept in the history, so name nobody.")]
DataFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV, Excel, Parquet or JSON.")]
RoleOption = Annotated[str, typer.Option("--role", "-r", help=USER_ROLES)]
KeyRole = Annotated[str, typer.Option("--role", "-r", help=KEY_ROLES)]
Sheet = Annotated[str, typer.Option(metavar="NAME", help="Of a workbook; its first visible sheet if none.")]
Keep = Annotated[
    list[str] | None,
    typer.Option(metavar="COLUMN", help="Carry this column of your file into the answers (repeatable); never stored."),
]
Locale = Annotated[
    str,
    typer.Option(help="How a CSV is written: de, fr … with ; and decimal commas, en with commas; auto: as yours."),
]
