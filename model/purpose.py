"""What this installation is for, who may use it, and for what it must not be used: said wherever answers are described.

It decides nothing; what must not be done with answers is for people to keep to.
"""

import msgspec

MISUSES = ("admitting or placing students", "discipline and exclusion", "grading")
"""What no installation may be used for, whatever its settings say."""


class IntendedPurpose(msgspec.Struct, frozen=True, kw_only=True):
    """The purpose in a sentence, and who may act on answers."""

    purpose: str = "Finding students who may need help while there is time to help, and seeing whether it did."
    users: str = "Teachers, advisors and analysts of this institution."

    def __str__(self) -> str:
        return f"{self.purpose} For: {self.users} Not for: {'; '.join(MISUSES)}."
