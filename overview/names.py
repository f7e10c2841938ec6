"""What is called how in sentences about a domain: targets and moments by their descriptions, actors without their kind.

It asks no store.
"""

from database.records import ChampionKey
from language import _, worded
from preprocessing.schema import DomainSchema, title_of


def model_title(schema: DomainSchema, key: ChampionKey) -> str:
    """What a champion answers: its target, and where the domain has several, its moment."""
    target = schema.target_by_name.get(key.target)
    name = title_of(target) if target else key.target
    if len(schema.moments) == 1:
        return name
    return _("{target} ({moment})").format(target=name, moment=moment_title(schema, key.moment))


def moment_title(schema: DomainSchema, moment: str) -> str:
    """When the model of a moment is asked."""
    if moment in schema.moment_titles:
        return worded(schema.moment_titles[moment])
    if moment in schema.feature_by_name:
        return _("after {mark}").format(mark=title_of(schema.feature_by_name[moment]))
    return _("at {moment}").format(moment=moment)


def person(actor: str | None) -> str:
    """Who did something, without the kind of account: "user:anna" is anna.

    >>> person("user:anna"), person("key:office"), person("cli"), person(None)
    ('anna', 'office', 'cli', '')
    """
    return (actor or "").removeprefix("user:").removeprefix("key:")


def shorten(text: str, most: int = 120) -> str:
    """A text of at most so many characters, cut between words.

    >>> shorten("one two three", 9)
    'one two …'
    """
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1].rsplit(" ", 1)[0].rstrip(" ,;:.") + " …"
