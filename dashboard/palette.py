"""The colours of the theme that a visitor sees; which colours there are is told by `language.palette`."""

import streamlit as st

from language.palette import DARK, LIGHT, Palette, State

__all__ = ["Palette", "State", "palette"]


def palette() -> Palette:
    """Of the theme that is shown; light where nobody can tell."""
    return DARK if st.context.theme.type == "dark" else LIGHT
