"""What versions of models and their errors are called on every page."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dashboard import words
from database.records import ModelVersion
from language import _
from language.format import number
from model.version_names import version_names
from overview.decision_words import told_unit


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

    def told(self, version: str) -> str:
        """A version with its kind: "ridge v3"."""
        return f"{self.kind(version)} {self.of(version)}".strip()


def names_among(models: Sequence[ModelVersion]) -> Names:
    """Of these, which are all versions of what they are models of."""
    return Names(version_names(models), {one.version: one.candidate for one in models})


def amount(value: float, unit: str, *, signed: bool = False) -> str:
    """An error or gain in its unit: "0.89 points"."""
    return f"{number(value, 2, signed=signed)}{words.space(told_unit(unit))}"
