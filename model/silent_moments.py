"""Moments at which nobody answers: a file's rows at them are problems of theirs, found before anything is logged.

What a moment is, is the schema's to say; who answers at it, the registry's.
"""

from collections.abc import Collection, Mapping

from model.registry import NoChampion, SchemaChanged
from model.service import PredictionService


def silent_moments(service: PredictionService, domain: str) -> dict[str, NoChampion]:
    """Of a domain's moments those that have no champion, and why."""
    silent: dict[str, NoChampion] = {}
    for moment in service.schema(domain).moments:
        try:
            service.champions.at(domain, moment)
        except NoChampion as error:
            silent[moment] = error
    return silent


def require_answers(silent: Mapping[str, NoChampion], moments: Collection[str]) -> None:
    """Raises NoChampion where none of a file's `moments` is answered, SchemaChanged where one of them was, by a
    champion that learned another schema."""
    found = [silent[moment] for moment in moments if moment in silent]
    changed = [error for error in found if isinstance(error, SchemaChanged)]
    if changed or (found and len(found) == len(moments)):
        raise [*changed, *found][0]
