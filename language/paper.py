"""What all papers share that are read without a server: the colours of the one table by name, and how text stands."""

from functools import cache
from pathlib import Path

from language.palette import DARK, LIGHT, Palette

PRINTED = LIGHT._replace(text="#000000", muted="#444444")


def paper_colours() -> str:
    """The first line of a paper's style sheet: colours as `var(--now)`, light, dark and printed."""
    dark = f"@media (prefers-color-scheme:dark){{:root{{{_variables(DARK)}}}}}"
    printed = f"@media print{{:root{{{_variables(PRINTED)}}}}}"
    return f":root{{color-scheme:light dark;{_variables(LIGHT)}}}{dark}{printed}"


@cache
def paper_style() -> str:
    """The same, and how the text of most papers stands: `paper.css`."""
    return f"{paper_colours()}\n{Path(__file__).with_suffix('.css').read_text(encoding='utf-8')}"


def _variables(palette: Palette) -> str:
    return ";".join(f"--{name.replace('_', '-')}:{colour}" for name, colour in palette._asdict().items())
