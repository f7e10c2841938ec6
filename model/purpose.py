"""What this installation is for, who may use it, and for what it must not be used: said wherever answers are described.

It decides nothing; what must not be done with answers is for people to keep to.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

MISUSES = ("admitting or placing students", "discipline and exclusion", "grading")
"""What no installation may be used for, whatever its settings say."""


class IntendedPurpose(msgspec.Struct, frozen=True, kw_only=True):
    """The purpose in a sentence, and who may act on answers. misuses: what the institution refuses beside MISUSES.
    objecting: how people object there, in a sentence. provider: name and address of who answers for the system. ""
    where nothing is said."""

    purpose: str = "Finding students who may need help while there is time to help, and seeing whether it did."
    users: str = "Teachers, advisors and analysts of this institution."
    misuses: tuple[str, ...] = ()
    objecting: str = ""
    provider: str = ""

    @property
    def not_for(self) -> tuple[str, ...]:
        """All that it must not be used for."""
        return (*MISUSES, *(one for one in self.misuses if one not in MISUSES))

    def told(self) -> Mapping[str, Any]:
        """As descriptions for machines have it."""
        said = {"purpose": self.purpose, "users": self.users, "not_for": self.not_for}
        more = {"objecting": self.objecting, "provider": self.provider}
        return said | {name: text for name, text in more.items() if text}

    def __str__(self) -> str:
        return f"{self.purpose} For: {self.users} Not for: {'; '.join(self.not_for)}."
