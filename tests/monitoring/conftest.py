"""The fixtures of an installation with a champion, shared with the tests of retraining."""

from tests.retraining.conftest import begun, folder, home

__all__ = ["begun", "folder", "home"]
