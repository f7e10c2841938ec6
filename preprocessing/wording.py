"""What readers call the columns of a domain: words of its file in place of codes. Nothing is computed here."""

import re

from preprocessing.schema import ContextColumn, Feature, Target

LONGEST_TITLE = 60  # characters; a longer description is a sentence, and no name


def title(column: Feature | Target | ContextColumn) -> str:
    """A column's name for people: its description up to the first mark, else its name."""
    words = re.split(r"[:;,]| \(", column.description, maxsplit=1)[0].strip()
    if not words or len(words) > LONGEST_TITLE:
        return column.name
    return words[0].upper() + words[1:]
