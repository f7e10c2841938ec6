"""`python -m language.collect`: every sentence of the code into every catalogue. Sentences that are gone are taken out,
new ones wait for their translation; what is translated stays.
"""

import io
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from language.speech import CATALOGUES, SOURCE_LANGUAGE, languages

ROOT = Path(__file__).resolve().parent.parent
TRANSLATED = (
    "language",
    "drift",
    "overview",
    "advice",
    "dashboard",
)  # packages whose sentences are for people and in their language
KEYWORDS = {"_": None, "ngettext": (1, 2)}
HEADER = """msgid ""
msgstr ""
"Language: {language}\\n"
"Plural-Forms: {plural}\\n"
"Content-Type: text/plain; charset=utf-8\\n"

"""


def sentences() -> Catalog:
    """Every sentence that stands in the code as a literal argument of `_` or `ngettext`."""
    found = Catalog()
    for package in TRANSLATED:
        for _file, _line, message, comments, context in extract_from_dir(ROOT / package, keywords=KEYWORDS):
            found.add(message, auto_comments=comments, context=context)
    return found


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
