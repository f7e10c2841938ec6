"""In which language and time zone something is said, to whoever a thread or a request works for; and its sentences.

English stands in the code, the others in `catalogues/LANGUAGE.po`: a catalogue is read when its language is first
spoken; there is no compiled form of it. Sentences are whole and have named places, since no other language orders words
as English does.
"""

import gettext
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import NamedTuple

CATALOGUES = Path(__file__).resolve().parent / "catalogues"
END_OF_TITLE = re.compile(r"[:;,]| \(")
"""What ends the title in a description: "mother's education: 0 none, 1 primary" is called by the words before it."""

SOURCE_LANGUAGE = "en"  # the sentences in the code themselves


class Speech(NamedTuple):
    """language: of the sentences, one of `languages()`. locale: of numbers and dates, as "en_GB". zone: IANA's name."""

    language: str = SOURCE_LANGUAGE
    locale: str = SOURCE_LANGUAGE
    zone: str = "UTC"


_given: ContextVar[Speech | None] = ContextVar("speech", default=None)
_asked: Callable[[], Speech] = Speech


def current() -> Speech:
    """What is spoken here: by `use`, else what `ask` was told to ask, else English and UTC."""
    return _given.get() or _asked()


@contextmanager
def use(locale: str, zone: str = "UTC") -> Iterator[Speech]:
    """Speak as `speech_of` says, until the block ends.

    >>> with use("de-AT") as spoken:
    ...     spoken.language, spoken.locale
    ('de', 'de_AT')
    """
    token = _given.set(speech_of(locale, zone))
    try:
        yield current()
    finally:
        _given.reset(token)


def ask(source: Callable[[], Speech]) -> None:
    """Where `use` said nothing, ask `source` each time: for a server whose visitors differ and whose threads come and
    go."""
    global _asked  # noqa: PLW0603 - one process is one kind of server
    _asked = source


@cache
def languages() -> tuple[str, ...]:
    """English and those that have a catalogue."""
    return (SOURCE_LANGUAGE, *sorted(file.stem for file in CATALOGUES.glob("*.po")))


@cache
def speech_of(locale: str, zone: str = "UTC") -> Speech:
    """The nearest that there is to a locale as browsers name it: its language where that is shipped, with its region's
    numbers; else English. A zone that nobody knows is UTC.

    >>> speech_of("pt-BR", "Nowhere/At-All")
    Speech(language='en', locale='en', zone='UTC')
    """
    from babel import Locale, UnknownLocaleError
    from babel.dates import get_timezone

    try:
        asked = Locale.parse(locale.replace("-", "_"))
    except (UnknownLocaleError, ValueError, TypeError):
        asked = Locale(SOURCE_LANGUAGE)
    if asked.language not in languages():
        asked = Locale(SOURCE_LANGUAGE)
    try:
        get_timezone(zone)
    except LookupError:
        zone = "UTC"
    return Speech(asked.language, str(asked), zone)


def _(message: str) -> str:
    """`message`, a literal, in the language that is spoken; itself where nobody has translated it."""
    return catalogue_in(current().language).gettext(message) if message else ""


def worded(text: str) -> str:
    """A text that stands in a file and not in the code, such as what a domain calls a column, in the language that is
    spoken: those of the shipped domains are in the catalogues, an institution's own are in its language already."""
    return catalogue_in(current().language).gettext(text) if text else ""


def ngettext(one: str, many: str, n: int) -> str:
    """The form of a sentence that belongs to `n`.

    >>> ngettext("{n} student", "{n} students", 2).format(n="2")
    '2 students'
    """
    return catalogue_in(current().language).ngettext(one, many, n)


@cache
def catalogue_in(language: str) -> gettext.NullTranslations:
    """The sentences of a language."""
    if language == SOURCE_LANGUAGE:
        return gettext.NullTranslations()
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = io.BytesIO()
    with (CATALOGUES / f"{language}.po").open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
