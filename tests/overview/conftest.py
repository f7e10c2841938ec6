"""The fixtures of an installation with a champion, shared with the tests of retraining."""

from tests.retraining.conftest import begun, folder, workspace

__all__ = ["begun", "folder", "workspace"]
