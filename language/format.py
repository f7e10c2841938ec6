"""Numbers, shares, days and instants as they are written where the reader lives.

What is written is for people and never for a program, and so is what is read back; `language.speech` says for whom.
"""

import re
from datetime import date, datetime
from functools import cache
from zoneinfo import ZoneInfo

from language.speech import SOURCE_LANGUAGE, _, current

PERCENT = "\u00a0%"  # with a space that no line breaks at, in every language alike
BETWEEN_DIGITS = dict.fromkeys(map(ord, " \t\u00a0\u202f'’"))  # what may stand in a typed number
SIMPLE = re.compile(r"[+-]?\d+([.,]\d+)?")
GROUPED = re.compile(r"[+-]?\d{1,3}([.,])\d{3}(?:\1\d{3})*(?!\1)[.,]\d+")  # thousands and decimals by different signs
AMBIGUOUS = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}")


def number(value: float, digits: int = 1, *, signed: bool = False) -> str:
    """At most `digits` decimals, thousands apart; never "-0". signed: with a plus before what is above 0.

    >>> number(12.63), number(12.0), number(1234.56), number(-0.04), number(0.3, signed=True)
    ('12.6', '12', '1,234.6', '0', '+0.3')
    """
    rounded, locale = round(value, digits) + 0.0, current().locale
    plus = "+" if signed and rounded > 0 else ""
    if locale == SOURCE_LANGUAGE:  # of commands and jobs, which Babel's tables would cost more than all their sentences
        told = f"{rounded:,.{digits}f}"
        return plus + (told.rstrip("0").rstrip(".") if digits else told)
    from babel.numbers import format_decimal

    places = f".{'#' * digits}" if digits else ""
    return plus + format_decimal(rounded, format=f"#,##0{places}", locale=locale)


def as_written(figure: str) -> str:
    """A number or share that was written as programs do, with the signs of the reader; plain English leaves it.

    >>> as_written("+1,234.50"), as_written("9.5%")
    ('+1,234.50', '9.5%')
    """
    locale = current().locale
    if locale == SOURCE_LANGUAGE:
        return figure
    from babel.numbers import get_decimal_symbol, get_group_symbol

    signs = {",": get_group_symbol(locale), ".": get_decimal_symbol(locale), "%": PERCENT}
    return "".join(signs.get(one, one) for one in figure)


def count(value: int) -> str:
    """A number of things, thousands apart.

    >>> count(120000)
    '120,000'
    """
    return number(value, 0)


def share(value: float, digits: int = 0) -> str:
    """A share of 1 in percent.

    >>> share(0.764) == "76\\u00a0%"
    True
    """
    return number(value * 100, digits) + PERCENT


def interval(low: float, high: float, digits: int = 1) -> str:
    """A range from its lower to its upper end.

    >>> interval(8, 12.44), interval(-0.1, 0.3)
    ('8–12.4', '-0.1 to 0.3')
    """
    ends = {"low": number(low, digits), "high": number(high, digits)}
    return "{low}–{high}".format(**ends) if low >= 0 else _("{low} to {high}").format(**ends)


def day(value: date, *, short: bool = False) -> str:
    """A day; of an instant the day that it is for the reader. short: without its year.

    >>> day(date(2026, 11, 27)), day(date(2026, 11, 27), short=True)
    ('Nov 27, 2026', 'Nov 27')
    """
    from babel.dates import format_date, format_skeleton

    if isinstance(value, datetime):
        value = value.astimezone(ZoneInfo(current().zone)).date()
    locale = current().locale
    return str(format_skeleton("MMMd", value, locale=locale)) if short else format_date(value, "medium", locale=locale)


def time_of_day(value: datetime) -> str:
    """The time of an aware instant where the reader is, to the minute."""
    from babel.dates import format_time

    spoken = current()
    return format_time(value, "short", tzinfo=ZoneInfo(spoken.zone), locale=spoken.locale)


def moment(value: datetime) -> str:
    """Day and time of an aware instant where the reader is.

    >>> from datetime import UTC
    >>> moment(datetime(2026, 11, 27, 14, 5, tzinfo=UTC)).replace("\\u202f", " ")
    'Nov 27, 2026, 2:05 PM'
    """
    return _("{day}, {time}").format(day=day(value), time=time_of_day(value))


@cache
def chart_format(locale: str) -> dict[str, object]:
    """How a locale writes numbers and dates, as Plotly and d3 have it told.

    >>> german = chart_format("de")
    >>> german["decimal"], german["thousands"], german["dayMonth"], german["date"]
    (',', '.', '%-d. %b', '%d.%m.%Y')
    """
    from babel import Locale

    known = Locale.parse(locale)
    signs, patterns = known.number_symbols["latn"], known.datetime_skeletons
    widths = {"days": "wide", "shortDays": "abbreviated", "months": "wide", "shortMonths": "abbreviated"}
    names = {
        name: [known.days["format"][width][(n - 1) % 7] for n in range(7)]  # from Sunday
        if name.lower().endswith("days")
        else [known.months["format"][width][n] for n in range(1, 13)]
        for name, width in widths.items()
    }
    days = {"month": "yMMM", "dayMonth": "MMMd", "dayMonthYear": "yMMMd"}
    return {
        "decimal": signs["decimal"],
        "thousands": signs["group"],
        **names,
        **{key: _told_to_d3(patterns[of].pattern) for key, of in days.items()},
        "date": _told_to_d3(known.date_formats["medium"].pattern),
    }


@cache
def typed_day(locale: str) -> str:
    """The order and signs of a day that is typed.

    >>> typed_day("de"), typed_day("fr"), typed_day("en")
    ('DD.MM.YYYY', 'DD/MM/YYYY', 'MM/DD/YYYY')
    """
    from babel import Locale

    letters = {"y": "YYYY", "M": "MM", "d": "DD"}
    pattern = Locale.parse(locale).date_formats["short"].pattern
    return re.sub(r"y+|M+|d+", lambda found: letters[found[0][0]], pattern)


@cache
def typed_moment(locale: str) -> str:
    """The order and signs of a day with its time, to the minute, as moment.js has them.

    >>> typed_moment("de"), typed_moment("en_US")
    ('DD.MM.YYYY HH:mm', 'MM/DD/YYYY h:mm A')
    """
    from babel import Locale

    twelve = "a" in Locale.parse(locale).time_formats["short"].pattern
    return f"{typed_day(locale)} {'h:mm A' if twelve else 'HH:mm'}"


def _told_to_d3(pattern: str) -> str:
    """A pattern of days in Unicode's letters, in those of d3."""
    letters = {"y": "%Y", "yyyy": "%Y", "MMM": "%b", "MM": "%m", "M": "%-m", "dd": "%d", "d": "%-d"}
    return re.sub(r"y+|M+|d+", lambda found: letters.get(found[0], found[0]), pattern.replace("'", ""))


def parse_number(text: str) -> float:
    """The number that somebody typed, whatever decimal sign they are used to: "12,5" is 12.5, never 125. Raises
    ValueError where the text is no number, or could be two: "1,234" and "1.234" are thousands somewhere.

    >>> [parse_number(text) for text in ("12,5", " 12.5 ", "1 234,5", "1,234.5", "-3")]
    [12.5, 12.5, 1234.5, 1234.5, -3.0]
    """
    plain = text.translate(BETWEEN_DIGITS).replace("−", "-")
    if grouped := GROUPED.fullmatch(plain):
        return float(plain.replace(grouped[1], "").replace(",", "."))
    if not SIMPLE.fullmatch(plain):
        raise ValueError(_("“{text}” is no number").format(text=text))
    if AMBIGUOUS.fullmatch(plain):
        raise ValueError(_("“{text}” may mean two numbers: leave out what parts thousands").format(text=text))
    return float(plain.replace(",", "."))
