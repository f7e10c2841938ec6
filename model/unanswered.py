"""Rows of a file that nobody answers: at moments without a champion, or about students who objected. They are problems
of theirs, found before anything is logged.

What a moment is, is the schema's to say; who answers at it, the registry's.
"""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from model.objections import OBJECTED
from model.registry import NoChampion, SchemaChanged
from model.service import PredictionService

if TYPE_CHECKING:
    from preprocessing.validation.results import Validated


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


def without_unanswered(
    service: PredictionService, silent: Mapping[str, NoChampion], checked: "Validated", name: str
) -> "Validated":
    """What was checked, without the rows that nobody answers. name: of the file."""
    import polars as pl

    from preprocessing.validation.tables import without_rows

    waits = checked.frame["_moment"].is_in(list(silent))
    checked = without_rows(checked, waits, lambda moment: str(silent[moment]), name)
    if service.objections is None or not service.objections.marks:
        return checked
    places = service.objections.among(checked.frame["_student"].to_list())
    numbers = pl.int_range(checked.frame.height, eager=True)
    return without_rows(checked, numbers.is_in(places), lambda _: OBJECTED, name)
