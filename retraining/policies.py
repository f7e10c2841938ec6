"""A user's rules in one TOML file: what counts as drift, when to retrain, what a challenger must show.

Reading only; the rules themselves, and what follows from them, are with those who apply them.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

import msgspec

from drift.policy import DriftPolicy
from errors import GradewatchError
from retraining.policy import PromotionPolicy
from retraining.trigger import TriggerPolicy

FEWEST_RECORDS = 100  # as for the setting of the workspace


KIND_WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    int | None: "a whole number",
    float | None: "a number",
    bool: "true or false",
    str: "a text",
    dict[str, float]: "a table of numbers by column",
    tuple[str, ...]: "a list of texts",
    Literal["", "small", "large"]: '"small", "large" or "" for none',
}


class BadPolicy(GradewatchError):
    """A file that holds no policy; the message names the file, the place and what is allowed there."""


class TrainingPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """window: how many of the newest labelled records a challenger learns from and is judged on; None: as many as the
    workspace is set to. foundation: files of TabICL's checkpoints, which compete where rows are few. temporal: the size
    of a recurrent network that competes where columns look back on earlier weeks; none "". checkpoints: the folder in
    which its training finds its place again. Raises ValueError for a window of fewer than 100."""

    window: int | None = None
    foundation: tuple[str, ...] = ()
    temporal: Literal["", "small", "large"] = ""
    checkpoints: str = ""

    @property
    def checkpoint_folder(self) -> Path | None:
        """Where networks keep what they have learned so far."""
        return Path(self.checkpoints) if self.checkpoints else None

    def __post_init__(self) -> None:
        if self.window is not None and self.window < FEWEST_RECORDS:
            raise ValueError(f"window is {self.window}, fewer than {FEWEST_RECORDS} records")


class Policies(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The rules of a workspace or of one run; what a file leaves out keeps its default."""

    drift: DriftPolicy = DriftPolicy()
    trigger: TriggerPolicy = TriggerPolicy()
    promotion: PromotionPolicy = PromotionPolicy()
    training: TrainingPolicy = TrainingPolicy()


def read_policies(path: Path) -> Policies:
    """The rules in a TOML file with the tables [drift], [trigger], [promotion] and [training].

    Raises BadPolicy with everything that is wrong in it.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadPolicy(f"{path}: cannot be read as TOML: {error}") from error
    known = {field.name: field.type for field in msgspec.structs.fields(Policies)}
    there = ", ".join(f"[{name}]" for name in known)
    problems = [f"[{name}] is no table of a policy; there are {there}" for name in sorted(document.keys() - known)]
    parts: dict[str, object] = {}
    for name, kind in known.items():
        if name in document:
            part, wrong = _read_part(kind, document[name])
            parts |= {name: part}
            problems += [f"[{name}] {problem.removeprefix(f'{name} policy: ')}" for problem in wrong]
    if problems:
        raise BadPolicy(f"{path} is no policy:" + "".join(f"\n  {problem}" for problem in problems))
    return Policies(**parts)  # type: ignore[arg-type]


def _read_part(kind: type, given: object) -> tuple[object, list[str]]:
    """One table as a record of `kind`, and all that is wrong with it: unknown names, wrong types, wrong values."""
    if not isinstance(given, dict):
        return None, ["is a value; write its settings below it, one a line"]
    fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
    there = ", ".join(sorted(fields))
    problems = [f"has no {name!r}; it may have {there}" for name in sorted(given.keys() - fields)]
    values = {}
    for name in sorted(given.keys() & fields):
        try:
            values[name] = msgspec.convert(given[name], fields[name])
        except msgspec.ValidationError as error:
            problems.append(f"{name} is {given[name]!r}, not {KIND_WORDS.get(fields[name], f'right: {error}')}")
    try:
        return kind(**values), problems
    except ValueError as error:
        return None, [*problems, str(error)]
