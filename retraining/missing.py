"""What is missing for serving: domains in which nobody serves, and champions whose files cannot be had here.

It loads no model and nothing that trains, since every start asks.
"""

from database.records import ChampionKey
from model.artifacts import CorruptArtifact, MissingArtifact
from model.workspace import Workspace
from preprocessing.schema import DomainSchema


def missing_champions(workspace: Workspace) -> list[DomainSchema]:
    """The domains in which nobody serves."""
    served = {champion.domain for champion in workspace.store.champions()}
    return [schema for name, schema in sorted(workspace.schemas.items()) if name not in served]


def unservable(workspace: Workspace) -> dict[ChampionKey, str]:
    """The champions whose files cannot be had here, each with the reason; nothing is loaded."""
    found = {}
    for champion in workspace.store.champions():
        try:
            workspace.artifacts.load(champion.version)
        except (MissingArtifact, CorruptArtifact) as error:
            found[champion.key] = str(error)
    return found
