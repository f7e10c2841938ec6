"""One table of states and colours for pages, papers and commands: a state is a word and a shape before it is a colour.

Colours of states are never used for series, and no other module names a colour.
"""

from enum import StrEnum
from typing import NamedTuple

from language.speech import _


class State(StrEnum):
    """How something stands; its value is the name of its colour in a `Palette`."""

    GOOD = "good"
    LOOK = "look"
    ACT = "act"
    OPEN = "open"
    INFO = "info"

    @property
    def word(self) -> str:
        """What the state is called."""
        return {
            State.GOOD: _("holds"),
            State.LOOK: _("look at it"),
            State.ACT: _("needs you"),
            State.OPEN: _("too few to tell"),
            State.INFO: _("for your knowledge"),
        }[self]

    @property
    def icon(self) -> str:
        """Its icon, as Streamlit names those that it brings along."""
        return f":material/{ICONS[self]}:"

    @property
    def symbol(self) -> str:
        """Its dot in a chart, as Plotly names it."""
        return SYMBOLS[self]


ICONS = {
    State.GOOD: "check_circle",
    State.LOOK: "visibility",
    State.ACT: "error",
    State.OPEN: "hourglass_empty",
    State.INFO: "info",
}
SYMBOLS = {
    State.GOOD: "circle",
    State.LOOK: "circle-dot",
    State.ACT: "square",
    State.OPEN: "circle-open",
    State.INFO: "diamond-open",
}


class Palette(NamedTuple):
    """Colours as #rrggbb. good to info: of the states. model, rule, challenger, before, now: of the series that charts
    and papers tell apart everywhere alike. model_pale: what belongs to the model and is not it (a range, another
    candidate). text, muted, faint, grid, surface, raised: of what stands around them, from most to least."""

    good: str
    look: str
    act: str
    open: str
    info: str
    model: str
    model_pale: str
    rule: str
    challenger: str
    before: str
    now: str
    text: str
    muted: str
    faint: str
    grid: str
    surface: str
    raised: str

    def of(self, state: State) -> str:
        """The colour of a state."""
        return str(getattr(self, state.value))

    def faded(self, colour: str, strength: float) -> str:
        """A colour so strong, from 0 to 1, on the surface, where a legend would not show that it lets it through.

        >>> LIGHT.faded("#000000", 0.2)
        '#cccccc'
        """
        pairs = zip(bytes.fromhex(colour[1:]), bytes.fromhex(self.surface[1:]), strict=True)
        return "#" + bytes(round(over * strength + under * (1 - strength)) for over, under in pairs).hex()

    @property
    def several(self) -> tuple[str, ...]:
        """Of things that have no colour of their own, such as domains, in this order."""
        return (self.model, self.now, self.challenger, self.before, self.rule)


LIGHT = Palette(
    good="#2c6e49",
    look="#a35200",
    act="#b3261e",
    open="#5b6670",
    info="#1f5f8b",
    model="#1f5f8b",
    model_pale="#a9c6da",
    rule="#77818c",
    challenger="#7b4f9d",
    before="#5d738a",
    now="#c05a00",
    text="#0d1722",
    muted="#4d5a66",
    faint="#d5dde5",
    grid="#e6ebf0",
    surface="#ffffff",
    raised="#f3f6f9",
)
DARK = Palette(
    good="#6fcf97",
    look="#f2b366",
    act="#ff8a80",
    open="#aab4bf",
    info="#6db3e0",
    model="#6db3e0",
    model_pale="#2f5773",
    rule="#98a3ae",
    challenger="#c79bea",
    before="#9fb3c8",
    now="#f29d52",
    text="#e8edf2",
    muted="#aab4bf",
    faint="#3a444e",
    grid="#29313a",
    surface="#14181d",
    raised="#1e242b",
)
