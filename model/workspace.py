"""The open workspace: domains, store, bundles, champions, and the service that answers.

Entry points open it once and pass it down. It reads no environment and decides nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from clock import new_id, now
from database.observed_weeks import ObservedByDomain
from database.open import open_store
from database.pairs import Learned
from database.records import Event
from database.store import Durability, Journal, RecordStore
from errors import Category, GradewatchError
from model.artifacts import Artifacts
from model.objections import Objections
from model.registry import Champions, learned_by
from model.service import PredictionService
from model.shared_artifacts import SharedArtifacts, open_artifacts
from preprocessing.schema import DomainSchema, load_domains
from preprocessing.validation.pii import pseudonym

SECRET_EVENT = "pseudonym_secret"  # noqa: S105 - the name of an event


class UnusableWorkspace(GradewatchError):
    """The settings describe no workspace that could be opened; the message says what to change."""

    category = Category.MISUSED


@dataclass(frozen=True)
class Workspace:
    """What is open together. secret: key of the student pseudonyms. tree_lookup: whether many rows may go
    through small trees by tables. open_graphs: whether champions are loaded to answer at once, or to be looked at.
    tracking: where an MLflow server is told of trainings; "" where none is."""

    schemas: Mapping[str, DomainSchema]
    store: RecordStore
    artifacts: Artifacts
    secret: bytes
    tree_lookup: bool = True
    open_graphs: bool = False
    tracking: str = ""

    @cached_property
    def champions(self) -> Champions:
        """Loaded champions, fresh as of the first use; `refresh` brings them up to date."""
        champions = Champions(
            self.store,
            self.artifacts,
            self.schemas,
            tree_lookup=self.tree_lookup,
            open_graphs=self.open_graphs,
        )
        champions.refresh()
        return champions

    @cached_property
    def service(self) -> PredictionService:
        return PredictionService(
            self.schemas, self.champions, self.store, secret=self.secret, objections=self.objections
        )

    @cached_property
    def objections(self) -> Objections:
        """Who must not be scored, as of the first use; `refresh` brings them up to date."""
        objections = Objections(self.store, self.secret)
        objections.refresh()
        return objections

    @cached_property
    def learned(self) -> Learned:
        """What each model learned from."""
        return learned_by(self.artifacts)

    @cached_property
    def weeks(self) -> ObservedByDomain:
        """What is known of single students week by week, kept in this process."""
        return ObservedByDomain(self.store, self.schemas)

    def publish_models(self) -> list[str]:
        """Give all machines the registered models that only this one has, where they share them; which."""
        if not isinstance(self.artifacts, SharedArtifacts):
            return []
        return self.artifacts.publish(model.version for model in self.store.models())

    def close(self) -> None:
        self.store.close()


def open_workspace(
    *,
    database_url: str,
    artifacts_dir: Path,
    artifacts_url: str = "",
    domains_dir: Path | None,
    secret: bytes,
    pool_size: int = 10,
    durability: Durability = "normal",
    tree_lookup: bool = True,
) -> Workspace:
    """Open everything. artifacts_url, artifacts_dir: as `model.shared_artifacts.open_artifacts` takes them.

    Raises SchemaError for a domain file, StoreUnavailable for the database, UnusableWorkspace for an address that leads
    to none, a library that is not installed, or a secret that is not the one this database was begun with.
    """
    schemas = load_domains(domains_dir)
    try:
        store = open_store(database_url, pool_size=pool_size, durability=durability)
    except (ValueError, ImportError) as error:
        raise UnusableWorkspace(f"the database cannot be opened: {error}") from error
    try:
        artifacts = open_artifacts(artifacts_url, store, artifacts_dir)
        require_secret(store, secret)
    except BaseException:
        store.close()
        raise
    return Workspace(schemas=schemas, store=store, artifacts=artifacts, secret=secret, tree_lookup=tree_lookup)


def require_secret(store: Journal, secret: bytes) -> None:
    """Raises UnusableWorkspace where `store` holds pseudonyms made with another secret: one student would be two."""
    check = pseudonym("is this the secret?", secret)
    begun = store.events(kind=SECRET_EVENT, limit=1)
    if not begun:
        store.add_event(Event(id=new_id(), kind=SECRET_EVENT, at=now(), details={"check": check}))
    elif begun[0].details.get("check") != check:
        raise UnusableWorkspace(
            "this database was begun with another pseudonym secret: its students would not be recognised. Set "
            "GRADEWATCH_PSEUDONYM_SECRET to the first one (it may lie in the first data folder as pseudonym.secret; "
            "gradewatch restore brings it along)"
        )
