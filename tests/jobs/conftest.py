from tests.retraining.conftest import begun, folder, workspace

__all__ = ["begun", "folder", "workspace"]
