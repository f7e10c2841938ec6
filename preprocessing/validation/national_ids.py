"""Numbers by which states know people, told by their shape and check digits. One may be so by chance, a column is not.

>>> looks_national("123.456.789-09"), looks_national("RSSMRA85T10A562S"), looks_national("S000123")
(True, True, False)
"""

import re
from collections.abc import Callable, Mapping

SURE = re.compile(
    r"[0-9]{3}-[0-9]{2}-[0-9]{4}"  # US social security
    r"|[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}"  # CPF, Brazil
    r"|[A-Z]{6}[0-9]{2}[A-EHLMPRST][0-9]{2}[A-Z][0-9]{3}[A-Z]"  # codice fiscale, Italy
    r"|[12] ?[0-9]{2} ?(?:0[1-9]|1[0-2]) ?[0-9][0-9AB] ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}"  # NIR, France
    r"|[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]"  # national insurance, UK
    r"|[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?"  # IBAN
)
"""Shapes that hardly anything else has."""


def _digits(text: str, count: int) -> list[int] | None:
    plain = re.sub(r"[ .\-]", "", text)
    return [int(digit) for digit in plain] if len(plain) == count and plain.isdecimal() else None


def _dni(text: str) -> bool:
    found = re.fullmatch(r"([XYZ]?)([0-9]{7,8})-?([A-Z])", text)
    if found is None:
        return False
    number = int({"X": "0", "Y": "1", "Z": "2"}.get(found[1], "") + found[2])
    return "TRWAGMYFPDXBNJZSQVHLCKE"[number % 23] == found[3]


def _pesel(text: str) -> bool:
    digits = _digits(text, 11)
    if not digits or not 1 <= (digits[2] * 10 + digits[3]) % 20 <= 12:
        return False
    weighted = sum(weight * digit for weight, digit in zip((1, 3, 7, 9) * 3, digits[:10], strict=False))
    return (10 - weighted % 10) % 10 == digits[10]


def _tc_kimlik(text: str) -> bool:
    digits = _digits(text, 11)
    if not digits or not digits[0]:
        return False
    tenth = (7 * sum(digits[0:9:2]) - sum(digits[1:8:2])) % 10
    return tenth == digits[9] and sum(digits[:10]) % 10 == digits[10]


def _cpf(text: str) -> bool:
    digits = _digits(text, 11)
    if not digits or len(set(digits)) == 1:
        return False
    ends = [sum((count + 1 - i) * digits[i] for i in range(count)) * 10 % 11 % 10 for count in (9, 10)]
    return ends == digits[9:]


def _bsn(text: str) -> bool:
    digits = _digits(text, 9)
    if not digits or not any(digits):
        return False
    return (sum((9 - i) * digits[i] for i in range(8)) - digits[8]) % 11 == 0


CHECKED: Mapping[str, Callable[[str], bool]] = {
    "DNI or NIE": _dni,
    "PESEL": _pesel,
    "TC kimlik": _tc_kimlik,
    "CPF": _cpf,
    "BSN": _bsn,
}
"""Numbers that only their check digits tell from others; one in ten to a hundred passes by chance."""
ALL_BUT_SLIPS = 0.9
FEWEST = 8  # values of which nearly all pass: by chance once in 40 million columns


def looks_national(text: str) -> bool:
    """Whether one text has the shape of a national number that hardly anything else has."""
    return SURE.fullmatch(text) is not None


def national_column(sample: list[str]) -> str | None:
    """Which national number a column's values are, or None."""
    if len(sample) < FEWEST:
        return None
    for name, check in CHECKED.items():
        if sum(map(check, sample)) >= ALL_BUT_SLIPS * len(sample):
            return name
    return None
