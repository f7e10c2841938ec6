"""The catalogue of what may be recommended: a YAML file that an institution can edit, checked as a whole when read.

It knows no student; what of it is chosen for whom, `advice.plan` says.

>>> shipped = load_catalogue()
>>> len(shipped.entries) >= 25, shipped.entry("quiz-yourself").evidence
(True, 'strong')
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

from errors import Category, GradewatchError

SHIPPED_CATALOGUE = Path(__file__).parent / "catalogue.yaml"

ReasonFamily = Literal["missing_work", "attendance", "study_habits", "weak_subject", "drop"]
"""What a student can be advised about."""

Evidence = Literal["strong", "moderate", "minimal"]
"""How well it is shown that it helps, the words of the What Works Clearinghouse, the best first."""

EVIDENCE: tuple[Evidence, ...] = get_args(Evidence)
FAMILIES: tuple[ReasonFamily, ...] = get_args(ReasonFamily)


class BadCatalogue(GradewatchError):
    """A catalogue that cannot be used; the message names the file and everything wrong in it."""

    category = Category.MISUSED


class EvidenceSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Where it is shown: title, who published it and when, which recommendation of it, and its address."""

    title: str
    publisher: str
    recommendation: str = ""
    url: str = ""


class PlanEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Something to do. what: in two or three sentences to the student. how_long: for how long, how often. reasons: the
    families of reasons that it answers. support: who must take part: the student alone, or the institution too, which
    then is asked for it only where the student is likelier than not to end below the pass mark."""

    id: str
    title: str
    what: str
    how_long: str
    reasons: tuple[ReasonFamily, ...]
    evidence: Evidence
    source: EvidenceSource
    support: Literal["student", "institution"] = "student"


class Catalogue(msgspec.Struct, frozen=True, dict=True):
    """Entries in the order of the file, in which the first of equally good ones is chosen first."""

    entries: tuple[PlanEntry, ...]

    @cached_property
    def by_id(self) -> Mapping[str, PlanEntry]:
        return {entry.id: entry for entry in self.entries}

    def entry(self, id: str) -> PlanEntry:
        """Raises KeyError."""
        return self.by_id[id]


def load_catalogue(path: Path | None = None) -> Catalogue:
    """The catalogue in a file; the shipped one if none. Raises BadCatalogue."""
    file = path or SHIPPED_CATALOGUE
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadCatalogue(f"{file}: cannot be read: {error}") from None
    return read_catalogue(text, source=str(file))


def read_catalogue(text: str, *, source: str = "catalogue") -> Catalogue:
    """The catalogue that YAML `text` describes. Raises BadCatalogue, `source` named, listing all that is wrong."""
    try:
        document = msgspec.yaml.decode(text)
    except msgspec.DecodeError as error:
        raise BadCatalogue(f"{source}: no YAML: {' '.join(str(error).split())}") from None
    listed = document.get("entries") if isinstance(document, dict) else None
    if not isinstance(listed, list) or not listed or set(document) != {"entries"}:
        raise BadCatalogue(f"{source}: must be one key, entries, with a list of them")
    problems = [problem for place, entry in enumerate(listed, 1) for problem in _entry_problems(place, entry)]
    ids = [entry.get("id") for entry in listed if isinstance(entry, dict)]
    problems += [f"id {one!r} is there {ids.count(one)} times" for one in dict.fromkeys(ids) if ids.count(one) > 1]
    if problems:
        raise BadCatalogue("\n".join(f"{source}: {problem}" for problem in problems))
    return Catalogue(msgspec.convert(listed, tuple[PlanEntry, ...]))


def _entry_problems(place: int, given: Any) -> Iterator[str]:
    """Everything wrong with one entry, where each of its fields is looked at by itself."""
    what = f"entry {place}"
    if not isinstance(given, dict):
        yield f"{what} must have keys ({', '.join(PlanEntry.__struct_fields__)})"
        return
    if isinstance(given.get("id"), str):
        what += f" ({given['id']})"
    yield from (f"{what}: {problem}" for problem in _field_problems(PlanEntry, given))
    if isinstance(given.get("source"), dict):
        yield from (f"{what}: source.{problem}" for problem in _field_problems(EvidenceSource, given["source"]))
        url = given["source"].get("url", "")
        if isinstance(url, str) and url and not url.startswith(("https://", "http://")):
            yield f"{what}: source.url {url!r} must begin with https://"
    if given.get("reasons") == []:
        yield f"{what}: reasons is empty: it would never be chosen"


def _field_problems(kind: type[msgspec.Struct], given: Mapping[Any, Any]) -> Iterator[str]:
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    yield from (f"{name!r} is no key; there are {', '.join(fields)}" for name in given if name not in fields)
    for name, field in fields.items():
        if name not in given:
            if field.required:
                yield f"{name} is missing"
        elif field.type is str:
            if not isinstance(given[name], str) or not given[name].strip():
                yield f"{name} must be a text"
        elif field.type is not EvidenceSource or not isinstance(given[name], dict):
            try:
                msgspec.convert(given[name], field.type)
            except msgspec.ValidationError as error:
                yield f"{name}: {error}"
