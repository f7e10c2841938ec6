"""A user's rules in one TOML file: what counts as drift, when to retrain, what a challenger must show.

Reading only; the rules themselves, and what follows from them, are with those who apply them.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec

from drift.report import DriftPolicy
from retraining.policy import PromotionPolicy
from retraining.trigger import TriggerPolicy


class BadPolicy(ValueError):
    """A file that holds no policy; the message names the file, the place and what is allowed there."""


class Policies(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The rules of an installation or of one run; what a file leaves out keeps its default."""

    drift: DriftPolicy = DriftPolicy()
    trigger: TriggerPolicy = TriggerPolicy()
    promotion: PromotionPolicy = PromotionPolicy()


def read_policies(path: Path) -> Policies:
    """The rules in a TOML file with the tables [drift], [trigger] and [promotion]. Raises BadPolicy."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadPolicy(f"{path}: cannot be read as TOML: {error}") from error
    problems = []
    known = {field.name: field.type for field in msgspec.structs.fields(Policies)}
    problems += [f"[{name}] is no table of a policy; there are {sorted(known)}" for name in document.keys() - known]
    parts = {}
    for name in document.keys() & known:
        allowed = {field.name for field in msgspec.structs.fields(known[name])}
        given = document[name] if isinstance(document[name], dict) else {}
        unknown = sorted(given.keys() - allowed)
        problems += [f"[{name}] has no {key!r}; it may have {sorted(allowed)}" for key in unknown]
        try:
            parts[name] = msgspec.convert({k: v for k, v in given.items() if k in allowed}, known[name])
        except (msgspec.ValidationError, ValueError) as error:
            problems.append(f"[{name}] {error}")
    if problems:
        raise BadPolicy(f"{path}: " + "; ".join(problems))
    return Policies(**parts)
