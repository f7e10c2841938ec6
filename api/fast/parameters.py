"""Query parameters: values of an address that must go together with a domain.

It needs no framework; what an address names is found in `api.routes.dependencies`.
"""

from collections.abc import Collection, Iterable

from errors import GradewatchError
from preprocessing.schema import DomainSchema

NAMED = 5  # unknown parameters that a refusal names


class BadQueryParameter(GradewatchError):
    """Query parameters that do not go together, or a value that is none of those there are."""


def moment_of(schema: DomainSchema, moment: str | None) -> str | None:
    """`moment`, if the domain has it. Raises BadQueryParameter."""
    if moment is not None and moment not in schema.moments:
        raise BadQueryParameter(f"moment {moment!r:.80} is none of {', '.join(schema.moments)}")
    return moment


def refuse_unknown(asked: Iterable[str], known: Collection[str]) -> None:
    """Raises BadQueryParameter, which names the parameters that are not `known`; their values it does not repeat.

    >>> refuse_unknown(["limt"], ["limit"])
    Traceback (most recent call last):
    api.fast.parameters.BadQueryParameter: no parameter is called 'limt' here; there is: limit
    """
    unknown = sorted(set(asked) - set(known))
    if unknown:
        names = ", ".join(f"{name!r:.40}" for name in unknown[:NAMED])
        there = f"there is: {', '.join(known)}" if known else "this address takes none"
        raise BadQueryParameter(f"no parameter is called {names} here; {there}")
