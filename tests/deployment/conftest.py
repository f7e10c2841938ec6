"""A running service, shared with the tests of the API."""

from tests.api.conftest import shared, trained

__all__ = ["shared", "trained"]
