"""The fixtures of an installation with a champion, shared with the tests of retraining."""

from tests.retraining.conftest import begun, folder, with_few_trees, workspace

__all__ = ["begun", "folder", "with_few_trees", "workspace"]
