"""Query parameters: values of an address that must go together with a domain.

It needs no framework; what an address names is found in `api.routes.dependencies`.
"""

from errors import GradewatchError
from preprocessing.schema import DomainSchema


class BadQueryParameter(GradewatchError):
    """Query parameters that do not go together, or a value that is none of those there are."""


def moment_of(schema: DomainSchema, moment: str | None) -> str | None:
    """`moment`, if the domain has it. Raises BadQuestion."""
    if moment is not None and moment not in schema.moments:
        raise BadQueryParameter(f"moment {moment!r:.80} is none of {', '.join(schema.moments)}")
    return moment
