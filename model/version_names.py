"""What people call a model: v1, v2, … of what it is a model of, in the order in which versions were registered.

A version's digest stays its name for machines. Nothing is removed from the registry, so that a number stays what it is.
"""

import re
from collections.abc import Iterable, Mapping

from database.records import ChampionKey, ModelVersion

_NAME = re.compile(r"v[1-9][0-9]*")


def version_names(models: Iterable[ModelVersion]) -> Mapping[str, str]:
    """Digest to "v3", each among those of its domain, target and moment. models: all of these, in any order."""
    names: dict[str, str] = {}
    counts: dict[ChampionKey, int] = {}
    for model in sorted(models, key=lambda one: (one.at, one.version)):
        if model.version not in names:
            counts[model.key] = counts.get(model.key, 0) + 1
            names[model.version] = f"v{counts[model.key]}"
    return names


def is_version_name(text: str) -> bool:
    """Whether this is one, and no beginning of a digest.

    >>> is_version_name("v12"), is_version_name("12ab")
    (True, False)
    """
    return _NAME.fullmatch(text) is not None
