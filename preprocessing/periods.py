"""When periods were: years, seasons, terms and numbers read off their names, unless a schema says the order.

It orders periods and never says what a date is.

>>> sorted_periods(["Spring 2024", "Fall 2024", "Spring 2025", "Fall 2023"])
['Fall 2023', 'Spring 2024', 'Fall 2024', 'Spring 2025']
>>> sorted_periods(["2. Halbjahr 2023/24", "1. Halbjahr 2024/25", "1. Halbjahr 2023/24"])[0]
'1. Halbjahr 2023/24'
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import NamedTuple

YEAR_OF_WEEK = r"^(\d{4}\S*) W\d{2}$"
"""The school year in the name of a school week (`preprocessing.panel.school_year.SchoolYear.week_name`), "2025-26 W07".
Such names sort as the weeks do."""

WINTER_QUARTER, SPRING, SUMMER, AUTUMN, WINTER = 1, 2, 3, 4, 5


def is_week(period: str) -> bool:
    """Whether a period is called as school weeks are.

    >>> is_week("2025-26 W07"), is_week("2025-26")
    (True, False)
    """
    return period[-3:-2] == "W" and re.match(YEAR_OF_WEEK, period) is not None


def _numbered(*lines: str, start: int) -> dict[str, int]:
    return {word: number for number, line in enumerate(lines, start) for word in line.split()}


SEASONS: Mapping[str, int] = _numbered(
    "spring fruhling fruhjahr printemps primavera voorjaar lente lent hilary bahar wiosna",
    "summer sommer sommersemester sose ss ete verano verao estate zomer trinity yaz lato letni",
    "fall autumn herbst automne otono outono autunno najaar herfst michaelmas guz jesien",
    "winter wintersemester wise ws hiver invierno inverno kis zima zimowy",
    start=SPRING,
)
"""Seasons and terms that are called after them, without accents, in the languages of headers."""

ORDINALS: Mapping[str, int] = _numbered(
    "first erstes erster erste premier premiere primer primero primera primeiro primo prima eerste i",
    "second zweites zweiter zweite deuxieme seconde segundo segunda secondo seconda tweede ii",
    "third drittes dritter dritte troisieme tercer tercero tercera terceiro terceira terzo terza derde iii",
    "fourth viertes vierter vierte quatrieme cuarto cuarta quarto quarta vierde iv",
    start=1,
)
MONTHS: Mapping[str, int] = _numbered(
    "jan january januar janvier enero janeiro gennaio januari",
    "feb february februar fevrier febrero fevereiro febbraio februari",
    "mar march marz mars marzo marco maart",
    "apr april avril abril aprile",
    "may mai mayo maio maggio mei",
    "jun june juni juin junio junho giugno",
    "jul july juli juillet julio julho luglio",
    "aug august aout agosto augustus",
    "sep sept september septembre septiembre setembro settembre",
    "oct october oktober octobre octubre outubro ottobre okt",
    "nov november novembre noviembre novembro",
    "dec december dezember decembre diciembre dezembro dicembre dez",
    start=1,
)
EMPTY_WORDS = frozenset(
    """
    t s q h p w hj term terms semester sem trimester trimestre trim quarter quartal halbjahr period periode periodo
    semestre cuatrimestre bimestre quadrimestre bim week woche semaine semana settimana wk year schuljahr sy ay annee
    ano anno jahr school academic session block er re e eme nd st rd th o a de del di du of the kwartaal blok schooljaar
    curso escolar lectivo letivo scolaire scolastico donem donemi yariyil yariyili yili semestr okres rok szkolny
    """.split()  # noqa: SIM905 (a word list reads better so)
)
"""Words of a period's name that say nothing of its time."""

NO_ACCENTS = str.maketrans({"ß": "ss", "ı": "i", "ł": "l", "ø": "o"})
"""Letters that are one without an accent, and are not taken apart by Unicode."""

SPAN = re.compile(r"(?<!\d)((?:19|20)\d\d)\s*[/\-–]\s*((?:19|20)?\d\d)(?!\d)")
SHORT_SPAN = re.compile(r"(?<!\d)(\d\d)\s*/\s*(\d\d)(?!\d)")
LONE_YEAR = re.compile(r"(?<!\d)((?:19|20)\d\d)(?!\d)")
PERIOD_WORD = re.compile(r"[a-z]+|\d+")


class _Time(NamedTuple):
    """year: in which the period, or its school year, begins. season: 0 without one. part: of the year or season."""

    year: int
    season: int
    part: tuple[int, ...]


def sorted_periods(periods: Iterable[str], declared: Sequence[str] = ()) -> list[str]:
    """The different periods from the oldest on: those `declared` in their order, then the others by what they say."""
    ranks = rank_periods(periods, declared)
    return sorted(ranks, key=ranks.__getitem__)


def rank_periods(periods: Iterable[str], declared: Sequence[str] = ()) -> dict[str, int]:
    """Each period's place in time, 0 being the oldest.

    Where all of them tell a year, a season or a number, that orders them; else their digits as numbers and the rest as
    text. Periods that are not `declared` are newer than those that are.
    """
    known = {period: place for place, period in enumerate(declared)}
    different = set(periods)
    keys = _times(different - known.keys())
    later = sorted(different - known.keys(), key=lambda period: (keys.get(period, ()), natural_key(period)))
    ordered = [*sorted(different & known.keys(), key=known.__getitem__), *later]
    return {period: place for place, period in enumerate(ordered)}


def tells_time(periods: Iterable[str]) -> bool:
    """Whether every one of these texts names a time, and not only a number, in words that are understood.

    >>> tells_time(["WS 2023/24", "SS 2024"]), tells_time(["1er trimestre", "T2"]), tells_time(["1", "2"])
    (True, True, False)
    """
    different = set(periods)
    return bool(_times(different)) and all(
        not period.strip().isdecimal() or len(period.strip()) == 4 for period in different
    )


def _times(periods: Set[str]) -> dict[str, tuple[object, ...]]:
    """When each period was; nothing where one of them does not say it, or where two say the same."""
    read = {period: _read(period) for period in periods}
    times = {period: time for period, time in read.items() if time is not None}
    if len(times) < len(periods):
        return {}
    in_autumn = any(time.season == AUTUMN for time in times.values())
    found = {period: _in_calendar(time, _is_span(period), in_autumn) for period, time in times.items()}
    return found if len(set(found.values())) == len(found) else {}


def _in_calendar(time: _Time, span: bool, in_autumn: bool) -> tuple[object, ...]:
    """A time as calendars count. in_autumn: whether other periods are called after autumn."""
    if (not time.year or span) and time.season in (SPRING, SUMMER):
        return time.year + 1, time.season, time.part  # a school year begins in autumn
    if time.year and not span and time.season == WINTER and in_autumn:
        return time.year, WINTER_QUARTER, time.part  # between a fall and a spring: it begins the year
    return tuple(time)


def _is_span(period: str) -> bool:
    return bool(SPAN.search(period) or SHORT_SPAN.search(period))


def _read(period: str) -> _Time | None:
    plain = period.casefold().translate(NO_ACCENTS)
    plain = "".join(c for c in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(c))
    year, rest = _year(plain)
    season, part = 0, list[int]()
    for word in PERIOD_WORD.findall(rest):
        if word.isdecimal():
            part.append(int(word))
        elif word in SEASONS and not season:
            season = SEASONS[word]
        elif word in ORDINALS or word in MONTHS:
            part.append(ORDINALS.get(word) or MONTHS[word])
        elif year and len(word) == 1:
            part.append(ord(word))  # 2013B, 2013J
        elif word not in EMPTY_WORDS:
            return None
    if not year and not season and not part:
        return None
    if season and not year and len(part) == 1 and part[0] < 100:
        year, part = 2000 + part[0], []  # WS23
    return _Time(year, season, tuple(part))


def _year(plain: str) -> tuple[int, str]:
    """The year in which it begins, 0 without one, and what else there is."""
    if span := SPAN.search(plain):
        first, second = int(span[1]), int(span[2])
        if second in (first + 1, (first + 1) % 100):
            return first, plain[: span.start()] + " " + plain[span.end() :]
    if (span := SHORT_SPAN.search(plain)) and int(span[2]) == (int(span[1]) + 1) % 100:
        return 2000 + int(span[1]), plain[: span.start()] + " " + plain[span.end() :]
    if found := LONE_YEAR.search(plain):
        return int(found[1]), plain[: found.start()] + " " + plain[found.end() :]
    return 0, plain


def natural_key(text: str) -> tuple[tuple[int, int | str], ...]:
    """A sort key that reads digits as numbers: "week 9" before "week 10", "2013J" before "2014B"."""
    return tuple((0, int(run)) if run.isdecimal() else (1, run) for run in re.findall(r"\d+|\D+", text))
