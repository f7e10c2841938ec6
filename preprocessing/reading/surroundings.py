"""What stands around a table in a file that people made: sums of its rows, footers, units, other tables.

It takes away what is no row or column of the table, and tells what; it knows nothing of what columns mean.
"""

import re
from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from preprocessing.validation.pii import looks_identifying

FEW_OF_MAIN = 0.5  # of the rows of a table, of another one that stands beside it
NUMBERS_ABOVE = 0.8  # of the cells of a column, where a text below them heads another table
LOOKED_AT = 1_000  # rows by which a column of codes is known
CODES_AMONG = 0.9  # of its cells
FEWEST_KEYS = 10
FEWEST_SHARE = 0.2  # different keys a row: students may return each term
MOST_AT_EDGE = 6  # rows without a key at the end; more are no footer
KEY_LIKE = 0.9  # distinct values per row
MOST_SUMMARIES = 3  # rows of one name; a column with more of them holds levels

NUMBER_LIKE = re.compile(r"[\s\d.,%/+()*\u00a0\u202f'-]*|n/?a|-+")
CODE_LIKE = r"^\s*#?[\w\-./]*\d[\w\-./]*\s*$"
SHORT_NUMBER = r"^[1-9]?[0-9]{0,3}$|^[+-]?[0-9]+[.,][0-9]+$"
UNIT_LIKE = re.compile(
    r"\(?(?:%|(?:in )?percent|/ ?\d+|h|hrs?|hours?|min\.?|minutes?|pts?\.?|points?|marks?|punkte|pkt\.?|stunden|std\.?"
    r"|heures?|horas?|ore|uren|puntos|pontos|punti|punten|max\.? ?\d+|0 ?[-–] ?\d+)\)?",
    re.IGNORECASE,
)

SUMMARIES = frozenset(
    "total totals subtotal grandtotal sum average mean median minimum maximum min max average_mark classaverage "
    "pointspossible possiblepoints maxpoints maximumpoints maxscore maximumscore maxmarks maximummarks outof weight "
    "weights weighting weightings stddev standarddeviation count overallaverage coursetotal highest lowest best worst "
    "highestmark lowestmark highestscore lowestscore range variance passrate numberofstudents studentcount n "
    "summe gesamt insgesamt durchschnitt mittelwert mittel schnitt notenschnitt klassenschnitt höchstpunktzahl "
    "maximalpunktzahl maximalepunktzahl gewicht gewichtung standardabweichung anzahl anzahlschüler beste schlechteste "
    "minimalwert maximalwert "
    "somme moyenne médiane ecarttype écarttype barème bareme coefficient coefficients coef pondération "
    "moyennedelaclasse moyennegénérale noteminimale notemaximale effectif "
    "suma promedio promediodelgrupo mediana puntosposibles puntajemáximo puntuaciónmáxima ponderación peso media "
    "soma média pontuaçãomáxima ponderação pesos "
    "somma totale punteggiomassimo voto_massimo "
    "ortalama toplam enyüksek endüşük średnia suma najwyższa najniższa μέσοσόρος μέσος σύνολο "
    "totaal gemiddelde maximum_aantal_punten weging som klasgemiddelde".replace("_", "").split()
)
"""What rows are called that sum up others, in the languages of headers, letters only."""

Told = tuple[pl.DataFrame, tuple[str, ...]]
"""A table, and what was taken from it, a sentence each."""


def without_surroundings(frame: pl.DataFrame, first_row: int, *, whole: bool) -> Told:
    """The table alone. first_row: the number of its first row as users count. whole: whether these are all rows of the
    file, by whose edges footers and other tables are known."""
    steps: list[Callable[[pl.DataFrame, int], Told]] = [without_summaries]
    told: list[str] = []
    steps = [_without_table_below, *steps, _without_edges] if whole else steps
    for step in steps:
        frame, notes = step(frame, first_row)
        told += notes
    return frame, tuple(told)


def table_beside(frame: pl.DataFrame, header: Sequence[str]) -> tuple[int, str]:
    """How many columns of a sheet belong to its first table, and what to say of another that stands beside it, behind
    an empty column and in fewer rows."""
    filled = [_filled(frame, [place]) for place in range(frame.width)]
    used = [bool(name.strip() or cells.any()) for name, cells in zip(header, filled, strict=True)]
    start = used.index(True) if any(used) else 0
    end = used.index(False, start) if False in used[start:] else frame.width
    beside = [place for place in range(end, frame.width) if used[place]]
    main = np.logical_or.reduce(filled[start:end]) if end > start else np.zeros(frame.height, dtype=bool)
    if not beside or np.logical_or.reduce([filled[place] for place in beside]).sum() >= FEW_OF_MAIN * main.sum():
        return frame.width, ""
    names = ", ".join(repr(header[place]) for place in beside if header[place].strip())
    return end, f"what stands apart behind an empty column ({names or 'no header'}) is another table: not read"


def names_of_two_rows(header: Sequence[str], first: Sequence[str | None]) -> list[str]:
    """The names of columns whose header stands in two rows, "Exam" over "Part 1" and "Part 2"; nothing where it does
    not. first: the row under the header."""
    words = _words(first)
    blank = {column for column, name in enumerate(header) if not name.strip()}
    if not blank or not blank <= words.keys() or 0 in words or any(map(NUMBER_LIKE.fullmatch, words.values())):
        return []
    names, group = [], ""
    for column, name in enumerate(header):
        group = name.strip() or group
        names.append(f"{group} {words[column]}" if column in words else group)
    return names


def _filled(frame: pl.DataFrame, places: Sequence[int]) -> NDArray[np.bool_]:
    """(rows,) where something stands in one of the columns."""
    cells = [frame.to_series(place).str.strip_chars().fill_null("") != "" for place in places]
    return np.asarray(np.logical_or.reduce([one.to_numpy() for one in cells]), dtype=bool)


def _without_table_below(frame: pl.DataFrame, first_row: int) -> Told:
    """Without a table below an empty row, known by a header of its own: words under numbers."""
    if not frame.width or not frame.to_series(0).null_count():
        return frame, ()
    blank = ~_filled(frame, range(frame.width))
    starts = [int(place) for place in np.flatnonzero(blank[:-1] & ~blank[1:]) + 1 if place > 1]
    for place in starts:
        below = place + 1 if len(_words(frame.row(place))) == 1 and place + 1 < frame.height else place
        if _heads_another(frame, place, frame.row(below)):
            said = f"row {place + first_row} begins another table: it and the rows below it were not read"
            return frame[:place], (said,)
    return frame, ()


def _heads_another(frame: pl.DataFrame, place: int, row: Sequence[str | None]) -> bool:
    words = _words(row)
    names = set(words.values())
    if len(words) < 2 or len(names) < len(words) or any(map(_is_value, names)):
        return False
    if any(names & set(frame.to_series(column)[:place]) for column in words):  # a word for absence, it may be
        return False
    above = [frame.to_series(column)[:place].drop_nulls().head(LOOKED_AT) for column in words]
    shares = [np.mean([bool(NUMBER_LIKE.fullmatch(cell)) for cell in cells]) for cells in above if len(cells)]
    return any(share >= NUMBERS_ABOVE for share in shares)


def _is_value(word: str) -> bool:
    return bool(NUMBER_LIKE.fullmatch(word) or re.search(CODE_LIKE, word))


def _words(row: Sequence[str | None]) -> dict[int, str]:
    """What stands in a row, by column."""
    return {column: cell.strip() for column, cell in enumerate(row) if cell and cell.strip()}


def _without_edges(frame: pl.DataFrame, first_row: int) -> Told:
    """Without units under the header, and without first and last rows whose first cell is a text among codes."""
    key = next((column for column in frame.columns[:3] if _is_codes(frame[column])), None)
    if key is None:
        return frame, ()
    column = frame.columns.index(key)
    found = [0] if _is_units(frame.row(0), column) or _is_no_key(frame.row(0), column) else []
    last: list[int] = []
    for place in range(frame.height - 1, 0, -1):
        words = _words(frame.row(place))
        if words and not _is_no_key(frame.row(place), column):
            break
        last += [place] if words else []
        if len(last) > MOST_AT_EDGE:
            last = []
            break
    found += last[::-1]
    notes = [f"row {place + first_row}{_shown(frame.row(place))} is no row of the table: left out" for place in found]
    return without_rows(frame, found), tuple(notes)


def _is_codes(cells: pl.Series) -> bool:
    """Whether a column holds opaque codes of many rows, and neither marks nor a few classes or terms."""
    given = cells.head(LOOKED_AT).drop_nulls().str.strip_chars()
    codes = given.filter(given.str.contains(CODE_LIKE) & ~given.str.contains(SHORT_NUMBER))
    return len(codes) >= CODES_AMONG * len(given) and codes.n_unique() >= max(FEWEST_KEYS, len(given) * FEWEST_SHARE)


def _is_units(row: Sequence[str | None], key: int) -> bool:
    words = _words(row)
    return len(words) > 1 and key not in words and all(UNIT_LIKE.fullmatch(word) for word in words.values())


def _is_no_key(row: Sequence[str | None], key: int) -> bool:
    """Whether words stand where other rows have a code."""
    word = _words(row).get(key, "")
    return len(word) > 1 and not re.search(CODE_LIKE, word) and bool(re.search(r"[^\W\d_]{2}", word))


def _shown(row: Sequence[str | None]) -> str:
    word = next(iter(_words(row).values()), "")
    return "" if looks_identifying(word) else f" ({word[:40]!r})"


def without_rows(frame: pl.DataFrame, places: Sequence[int]) -> pl.DataFrame:
    """The table with nothing in these rows, so that others keep their numbers."""
    if not places:
        return frame
    kept = np.ones(frame.height, dtype=bool)
    kept[[*places]] = False
    return frame.with_columns(pl.when(pl.Series(kept)).then(pl.all()).otherwise(None).name.keep())


def without_summaries(frame: pl.DataFrame, first_row: int) -> Told:
    """The table with rows that sum up others blanked, and a note for each: "Points Possible", "Average", "Total".

    A row is one where the first text in it says so, as few others do, where the rest of it is numbers or blank or the
    column hardly ever repeats a value, as names and keys do.
    """
    found: dict[int, str] = {}
    for column in frame.columns[:3]:
        if frame.schema[column] != pl.String:
            continue
        texts = frame[column]
        said = texts.filter(~texts.str.contains(r"\d")).drop_nulls().unique()  # most cells of keys have digits
        plain = said.str.to_lowercase().str.replace_all(r"[^\p{L}]", "")
        named = dict(zip(said.filter(plain.is_in(SUMMARIES)), plain.filter(plain.is_in(SUMMARIES)), strict=True))
        if not named:
            continue
        places = texts.is_in(list(named)).fill_null(value=False).arg_true().to_list()
        often = pl.Series([named[texts[place]] for place in places]).value_counts(name="rows")
        levels = set(often.filter(pl.col("rows") > MOST_SUMMARIES).to_series(0).to_list())
        names = texts.n_unique() > KEY_LIKE * frame.height
        for place in places:
            known = named[texts[place]] in levels
            if not known and _sums_up(frame.row(place), frame.columns.index(column), names):
                found.setdefault(place, texts[place].strip())
    notes = [f"row {place + first_row} ({word!r}) sums up others: left out" for place, word in sorted(found.items())]
    return without_rows(frame, list(found)), tuple(notes)


def _sums_up(row: Sequence[str | None], named: int, key: bool) -> bool:
    """Whether nothing stands before the name in a row, and only numbers after it, or anything in a column of keys."""
    cells = [(cell or "").strip() for cell in row]
    return not any(cells[:named]) and (key or all(NUMBER_LIKE.fullmatch(cell) for cell in cells[named + 1 :]))
