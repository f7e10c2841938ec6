"""`python -m cli.reference`: writes the pages of docs/reference that are made of what they tell.

These are the command line, from the commands, and the older addresses, from their table. A test holds the pages to it.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

import cli.main  # noqa: F401 - it hangs every verb on the tree
from api.older_addresses import OLDER_ADDRESSES, OlderAddress
from cli.apps import app
from cli.output import EXIT_CODES
from errors import Category

REFERENCE = Path(__file__).resolve().parents[1] / "docs" / "reference"
COMMANDS_PAGE, OLDER_PAGE = REFERENCE / "command-line.md", REFERENCE / "older-addresses.md"

PAGE_HEAD = """# The command line

Made from the commands themselves by `python -m cli.reference`; `gradewatch VERB --help` says the same. Answers go to
the standard output, everything about them to the error output. What takes long names the step at hand there, on a
terminal as it goes, elsewhere every few seconds.

## Exit codes

| code | means |
|---|---|
"""

CATEGORIES: Mapping[Category, str] = {
    Category.MISUSED: "settings, files of the workspace or options that cannot be worked with",
    Category.UNAUTHENTICATED: "nobody knows who asks",
    Category.FORBIDDEN: "whoever asks may not",
    Category.UNAVAILABLE: "something does not answer or is busy now; the same may work later",
    Category.TOO_MANY: "more was asked in a while than is allowed",
    Category.DAMAGED: "what was kept cannot be read",
}


OLDER_HEAD = """# Addresses of older systems

Made from the table in `api/older_addresses.py` by `python -m cli.reference`; a test makes every call of it. Programs
that were written for one of the systems before this one go on as they are: same address, same body, and the fields
that they read are in the answer. Behind it stands the canonical address: the same scoring, log, permissions and limits,
and the same refusals ([problem details](http-api.md#refusals)).

- An answer has the older fields and, beside them, all of ours (`answers` with interval, plain rule and chance of
  failing, `warning`, `id` …): what the older form cannot say is not left out. `?form=gradewatch` gives ours alone.
- Where sign-in is on, everybody shows a key or a token, also callers who had a session or nothing: they get 401 until
  they do. A key of the role `client` may do what the assignment dashboard's callers did
  ([roles](../how-to/let-others-in.md#roles)).
- Training files of these systems are read as they are ([data files](data-files.md#files-of-older-systems)).

| of the | call | says who asks by | sends | reads | ours | here |
|---|---|---|---|---|---|---|
"""


def older_page() -> str:
    """The page of the older addresses as Markdown."""
    return OLDER_HEAD + "\n".join(map(_older_line, OLDER_ADDRESSES)) + "\n"


def _older_line(one: OlderAddress) -> str:
    sent = one.body or (one.file.partition("\n")[0].split(",") if one.file else ())
    sends = ("a CSV of " if one.file else "") + ", ".join(f"`{name}`" for name in sent)
    reads = ", ".join(f"`{name}`" for name in one.reads)
    status = f" ({one.status})" if one.status != 200 else ""
    cells = [one.system, f"`{one.method} {one.path}`", " and ".join(one.shows), sends, reads + status]
    return f"| {' | '.join([*cells, f'`{one.ours}`', one.remark])} |"


def page() -> str:
    """The page as Markdown."""
    group = get_command(app)
    assert isinstance(group, TyperGroup)  # noqa: S101 - narrows the type
    return PAGE_HEAD + "\n".join([*_exit_codes(), *_commands(group, "gradewatch")]) + "\n"


def _exit_codes() -> Iterator[str]:
    yield "| 0 | done |"
    yield "| 1 | refused or failed, with a reason |"
    yield "| 2 | wrong usage, or a setting that cannot be read |"
    yield "| 3 to 9 | findings: 3 drift, 4 errors rose, 5 a champion was replaced, 6 not enough data; others are kept |"
    for code in sorted(set(EXIT_CODES.values())):
        yield f"| {code} | {'; '.join(CATEGORIES[one] for one in EXIT_CODES if EXIT_CODES[one] == code)} |"


def _commands(command: TyperGroup | TyperCommand, name: str) -> Iterator[str]:
    """A command's section, and those of the verbs below it."""
    yield from ("", f"## `{name}`", "", " ".join((command.help or "").partition("Exit codes:")[0].split()))
    choices = _choices_of(command.callback) if command.callback else {}
    if command.params:
        yield from ("", "| option | default | |", "|---|---|---|")
    for parameter in command.params:
        yield f"| {_names(parameter)} | {_default(parameter)} | {_words(parameter, choices.get(parameter.name, ()))} |"
    for verb, below in getattr(command, "commands", {}).items():
        yield from _commands(below, f"{name} {verb}")


def _names(parameter: Any) -> str:
    if isinstance(parameter, TyperArgument):
        return f"`{str(parameter.name).upper()}`"
    return ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])


def _default(parameter: Any) -> str:
    if parameter.required:
        return "must be given"
    if isinstance(parameter, TyperOption) and parameter.is_flag and isinstance(parameter.default, bool):
        return "yes" if parameter.default else "no"
    return "" if parameter.default in (None, "") else f"`{parameter.default}`"


def _words(parameter: Any, choices: Sequence[str]) -> str:
    """What is said about it, and what may be chosen."""
    words = " ".join((parameter.help or "").split())
    return f"{words} One of {', '.join(f'`{one}`' for one in choices)}.".strip() if choices else words


def _choices_of(callback: Callable[..., Any]) -> dict[str, tuple[str, ...]]:
    found = inspect.signature(callback, eval_str=True).parameters
    return {name: _choices(parameter.annotation) for name, parameter in found.items()}


def _choices(annotation: Any) -> tuple[str, ...]:
    parts = get_args(annotation)
    return parts if get_origin(annotation) is Literal else _choices(parts[0]) if parts else ()


if __name__ == "__main__":
    COMMANDS_PAGE.write_text(page(), encoding="utf-8")
    OLDER_PAGE.write_text(older_page(), encoding="utf-8")
