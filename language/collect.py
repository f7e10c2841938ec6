"""`python -m language.collect`: every sentence of the code into every catalogue. Sentences that are gone are taken out,
new ones wait for their translation; what is translated stays.
"""

import io
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec.yaml
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from language.retold import KEPT_FORMS
from language.speech import CATALOGUES, END_OF_TITLE, SOURCE_LANGUAGE, languages

ROOT = Path(__file__).resolve().parent.parent
TRANSLATED = (
    "language",
    "drift",
    "model",
    "retraining",
    "overview",
    "advice",
    "reports",
    "dashboard",
)  # packages whose sentences are for people and in their language
DOMAINS = ROOT / "preprocessing" / "domains"
STUDY_PLANS = ROOT / "advice" / "catalogue.yaml"
HOW_READ = [("**.py", "python"), ("**.html", "jinja2")]
KEYWORDS = {"_": None, "ngettext": (1, 2)}
HEADER = """msgid ""
msgstr ""
"Language: {language}\\n"
"Plural-Forms: {plural}\\n"
"Content-Type: text/plain; charset=utf-8\\n"

"""


def sentences() -> Catalog:
    """Every sentence that stands in the code or in a paper as a literal argument of `_` or `ngettext`, the forms of
    those that records keep, and the texts of the shipped domains and study plans."""
    found = Catalog()
    for package in TRANSLATED:
        for _file, _line, message, comments, context in extract_from_dir(
            ROOT / package, method_map=HOW_READ, keywords=KEYWORDS
        ):
            found.add(message, auto_comments=comments, context=context)
    for file in sorted(DOMAINS.glob("*.toml")):
        domain = tomllib.loads(file.read_text(encoding="utf-8"))
        for text in _texts_of({name: part for name, part in domain.items() if name != "description"}):
            found.add(text)
    for form in KEPT_FORMS:
        found.add(form)
    for entry in msgspec.yaml.decode(STUDY_PLANS.read_bytes())["entries"]:
        for name in ("title", "what", "how_long"):
            found.add(entry[name])
    return found


def _texts_of(part: Mapping[str, Any]) -> Iterator[str]:
    """What a domain's file says to readers: titles, units, labels, moments, the beginnings of descriptions."""
    for name, value in part.items():
        if name in ("labels", "moment_titles"):
            yield from value.values()
        elif name in ("title", "unit", "description", "theme") and value:
            yield END_OF_TITLE.split(value, maxsplit=1)[0].strip() if name == "description" else value
        elif isinstance(value, dict):
            yield from _texts_of(value)
        elif isinstance(value, list):
            for one in value:
                yield from _texts_of(one) if isinstance(one, dict) else ()


def catalogue_of(language: str) -> Catalog:
    """The catalogue of a language as it stands."""
    with (CATALOGUES / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


def updated(language: str) -> str:
    """The text of a catalogue with the sentences that the code has now, in the order of the alphabet."""
    catalogue = catalogue_of(language)
    catalogue.update(sentences(), no_fuzzy_matching=True)
    text = io.BytesIO()
    write_po(text, catalogue, width=0, omit_header=True, sort_output=True, no_location=True, ignore_obsolete=True)
    return (
        HEADER.format(language=language, plural=catalogue.plural_forms.rstrip(";"))
        + text.getvalue().decode().strip()
        + "\n"
    )


if __name__ == "__main__":
    for each in languages():
        if each != SOURCE_LANGUAGE:
            (CATALOGUES / f"{each}.po").write_text(updated(each), encoding="utf-8")
