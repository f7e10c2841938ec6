"""Which models are one task: a value's, and those of the classes that are bands of it, made in one training.

They answer by one distribution, so that they are promoted, activated and brought back together. Nothing here does that.
"""

from collections.abc import Sequence

from database.records import ChampionKey, ModelVersion
from database.store import ModelRegistry

SHARED_LINEAGE = ("task", "training", "data", "rows", "seed")
"""What partners share of the lineage."""


def partners_of(store: ModelRegistry, model: ModelVersion) -> list[ModelVersion]:
    """The other models of the task that `model` belongs to, the newest of each target; none mostly."""
    if not model.lineage.get("task"):
        return []
    found: dict[ChampionKey, ModelVersion] = {}
    for one in store.models():
        alike = (one.domain, one.moment) == (model.domain, model.moment) and one.target != model.target
        if alike and all(one.lineage.get(part) == model.lineage.get(part) for part in SHARED_LINEAGE):
            found.setdefault(one.key, one)
    return list(found.values())


def in_words(partners: Sequence[ModelVersion]) -> str:
    """That these move along; empty where there are none."""
    names = " and ".join(one.target for one in partners)
    return f"{names}, one task with it, {'move' if len(partners) > 1 else 'moves'} along" if partners else ""
