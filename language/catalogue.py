"""Sentences in the language that is spoken: English stands in the code, the others in `catalogues/LANGUAGE.po`.

A catalogue is read when its language is first spoken; there is no compiled form of it. Sentences are whole and have
named places, since no other language orders words as English does.
"""

import gettext
import io
from functools import cache

from language.speech import CATALOGUES, SOURCE_LANGUAGE, current


def _(message: str) -> str:
    """`message`, a literal, in the language that is spoken; itself where nobody has translated it."""
    return _catalogue(current().language).gettext(message) if message else ""


def ngettext(one: str, many: str, n: int) -> str:
    """The form of a sentence that belongs to `n`.

    >>> ngettext("{n} student", "{n} students", 2).format(n="2")
    '2 students'
    """
    return _catalogue(current().language).ngettext(one, many, n)


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    if language == SOURCE_LANGUAGE:
        return gettext.NullTranslations()
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = io.BytesIO()
    with (CATALOGUES / f"{language}.po").open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
