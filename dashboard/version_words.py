"""What versions and errors are called on the page Models."""

from collections.abc import Mapping
from typing import NamedTuple

from dashboard import words
from language import _
from language.format import number


class Names(NamedTuple):
    """names: digest to "v3". kinds: digest to its candidate."""

    names: Mapping[str, str]
    kinds: Mapping[str, str]

    def of(self, version: str | None) -> str:
        """A version as people call it; the beginning of its digest where it is not registered."""
        if version is None:
            return _("nobody")
        return self.names.get(version) or words.version(version)

    def kind(self, version: str) -> str:
        """What kind of model it is."""
        return words.candidate(self.kinds.get(version, ""))


def amount(value: float, unit: str, *, signed: bool = False) -> str:
    """An error or gain in its unit: "0.89 points"."""
    return f"{number(value, 2, signed=signed)}{words.space(told_unit(unit))}"


def told_unit(unit: str) -> str:
    """A unit of errors as it is said."""
    return _("levels") if unit == "levels" else unit
