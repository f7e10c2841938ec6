"""Who is champion: promoting, rolling back, activating, and the models that a process has loaded.

Every change is a compare-and-swap on the generation, its audit row in the same commit. Whether a model deserves to be
champion is decided elsewhere.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from threading import Lock

import msgspec

from clock import now
from database.pairs import Learned, LearnedRows
from database.records import Action, ChampionKey, Event, ModelVersion, Succession, digest
from database.store import ModelRegistry, RecordStore
from database.withdrawal import require_nobody_named
from errors import Category, GradewatchError
from model.artifacts import KEPT_ARTIFACT, Artifacts, CorruptArtifact, MissingArtifact
from model.bundle import BrokenBundle, Bundle, Manifest, changes_since, read_bundle
from model.partners import partners_of
from model.pauses import Pause, pause_of, pauses
from model.predictor import Predictor
from model.trial import Trial, running_trials
from model.version_names import is_version_name, version_names
from preprocessing.schema import DomainSchema
from preprocessing.schema_changes import Effect

KEPT_VERSIONS = 10
ROWS_LOOKED_UP = 5_000  # at once


class NoSuchModel(GradewatchError):
    """No registered model fits; the message says what was looked for and what there is."""

    category = Category.UNKNOWN


class NoChampion(GradewatchError):
    """Nobody serves this domain at this moment."""

    category = Category.CONFLICT


class SchemaChanged(NoChampion):
    """The champion learned another schema than the domain has now: what it would be given is not what it learned."""


class Paused(NoChampion):
    """Nothing is answered, until somebody resumes."""

    category = Category.UNAVAILABLE
    retry_after = 300


class Challenger(msgspec.Struct, frozen=True):
    """A loaded challenger and the trial that it is in."""

    predictor: Predictor
    trial: Trial


class Serving(msgspec.Struct, frozen=True):
    """A loaded champion, the registry's generation that made it one, and who is tried next to it.

    changes: what has changed in its domain since it learned, none of which makes its answers mean something else.
    """

    predictor: Predictor
    generation: int
    challenger: Challenger | None = None
    changes: tuple[str, ...] = ()


class UnfitChampion(msgspec.Struct, frozen=True):
    """A champion that does not fit its domain any more, and why."""

    version: str
    generation: int
    why: tuple[str, ...]


def install(
    store: ModelRegistry,
    models: Sequence[ModelVersion],
    *,
    action: Action,
    actor: str,
    reason: str,
    expected: Mapping[ChampionKey, int] | None = None,
) -> list[Succession]:
    """Make `models` the champions of their keys, all or none, and return the audit rows.

    expected: the generation that the caller's decision was made on, per key (0: none); what is there now by default.
    Raises Conflict when someone else was first.
    """
    if expected is None:
        expected = {champion.key: champion.generation for champion in store.champions()}
    at = now()
    successions = [
        Succession(
            domain=model.domain,
            target=model.target,
            moment=model.moment,
            generation=expected.get(model.key, 0) + 1,
            version=model.version,
            action=action,
            actor=actor,
            reason=reason,
            at=at,
        )
        for model in models
    ]
    store.succeed(successions)
    return successions


def rollback(
    store: ModelRegistry,
    keys: Sequence[ChampionKey],
    *,
    actor: str,
    reason: str,
    artifacts: Artifacts | None = None,
    schemas: Mapping[str, DomainSchema] | None = None,
) -> list[Succession]:
    """Bring back the champions before the present ones, all or none.

    "Before" undoes: after A, B, a rollback serves A, and a second one has nothing left to undo. Of several keys those
    without a champion before are left alone. artifacts: where given, a model whose files are gone or spoiled is
    refused; with `schemas` one that learned another schema, too. Champions of one task (`model.partners`) go together.
    Raises NamesSomebody, NoSuchModel when nothing can be brought back, SchemaChanged, Conflict in a race.
    """
    require_nobody_named(reason)
    models, expected = [], {}
    for key in _with_partners(store, keys):
        history = store.successions(key)
        line = _line_of_descent(history)
        if len(line) > 1:
            models.append(find_model(store, line[-2], key))
            expected[key] = history[-1].generation
    if not models:
        raise NoSuchModel(f"no champion before the present one: {', '.join(str(key) for key in keys)}")
    _require_files(artifacts, models, schemas)
    return install(store, models, action="rollback", actor=actor, reason=reason, expected=expected)


def _with_partners(store: ModelRegistry, keys: Sequence[ChampionKey]) -> list[ChampionKey]:
    """The keys, and those whose champions are one task with theirs."""
    serving = {one.key: one.version for one in store.champions()}
    found = dict.fromkeys(keys)
    for key in keys:
        for model in [one for one in store.models(key) if one.version == serving.get(key)]:
            partners = partners_of(store, model)
            found |= dict.fromkeys(one.key for one in partners if serving.get(one.key) == one.version)
    return list(found)


def _line_of_descent(history: Sequence[Succession]) -> list[str]:
    """Versions in the order they took over, with everything that rollbacks undid left out."""
    line: list[str] = []
    for succession in history:
        if succession.action == "rollback":
            line.pop()
        elif not line or line[-1] != succession.version:
            line.append(succession.version)
    return line


def activate(
    store: ModelRegistry,
    domain: str,
    version: str,
    *,
    all_targets: bool,
    actor: str,
    reason: str,
    artifacts: Artifacts | None = None,
    schemas: Mapping[str, DomainSchema] | None = None,
) -> list[Succession]:
    """Make an earlier version champion again, with those of its task; with all_targets every model that was trained in
    the same run.

    artifacts, schemas: as for `rollback`. Raises NamesSomebody, NoSuchModel, SchemaChanged, Conflict.
    """
    require_nobody_named(reason)
    chosen = find_model(store, version, domain)
    models = {one.key: one for one in (chosen, *partners_of(store, chosen))}
    if all_targets:
        run = chosen.lineage["training"]
        same = [model for model in store.models() if model.domain == domain and model.lineage["training"] == run]
        models = {model.key: model for model in reversed(same)} | models
    _require_files(artifacts, list(models.values()), schemas)
    return install(store, list(models.values()), action="activate", actor=actor, reason=reason)


def promote(
    store: ModelRegistry,
    domain: str,
    version: str,
    *,
    actor: str,
    reason: str,
    generation: int | None = None,
    artifacts: Artifacts | None = None,
    schemas: Mapping[str, DomainSchema] | None = None,
) -> list[Succession]:
    """Make a version champion that never was, with those of its task: a person's decision, where no contest made one.

    generation: of the champion that the decision was made about; whoever is there by default. artifacts, schemas: as
    for `rollback`. Raises NamesSomebody, NoSuchModel, SchemaChanged, Conflict.
    """
    require_nobody_named(reason)
    chosen = find_model(store, version, domain)
    if any(one.version == chosen.version for one in store.successions(chosen.key)):
        raise NoSuchModel(f"{chosen.version[:12]} was champion of {chosen.key} before: activate it")
    models = [chosen, *partners_of(store, chosen)]
    _require_files(artifacts, models, schemas)
    expected = {champion.key: champion.generation for champion in store.champions()}
    if generation is not None:
        expected[chosen.key] = generation
    return install(store, models, action="promote", actor=actor, reason=reason, expected=expected)


def _require_files(
    artifacts: Artifacts | None, models: Sequence[ModelVersion], schemas: Mapping[str, DomainSchema] | None
) -> None:
    """A version that was swept, or fits no more, must not become champion; one that is chosen now must not be swept."""
    if artifacts is None:
        return
    for model in models:
        try:
            artifacts.require(model.version)
        except (MissingArtifact, CorruptArtifact) as error:
            raise NoSuchModel(f"{model.key} cannot be served by {model.version[:12]}: {error}") from None
        if schemas is not None and model.domain in schemas:
            require_fit(load_bundle(artifacts, model.version).manifest, schemas[model.domain])


def find_model(store: ModelRegistry, version: str, within: ChampionKey | str) -> ModelVersion:
    """The model whose version starts with `version`, or is called so ("v3"), in a key or a whole domain. Raises
    NoSuchModel."""
    if isinstance(within, ChampionKey):
        models = store.models(within)
    else:
        models = [model for model in store.models() if model.domain == within]
    names = version_names(models)
    named = is_version_name(version)
    found = [one for one in models if (names[one.version] == version if named else one.version.startswith(version))]
    if len(found) == 1:
        return found[0]
    if found and named:
        each = ", ".join(f"{model.version[:12]} ({model.target}@{model.moment})" for model in found)
        raise NoSuchModel(f"{version} is the name of {len(found)} models in {within}; give one of {each}")
    if found:
        raise NoSuchModel(f"{version!r} is the beginning of {len(found)} versions in {within}; give more of it")
    known = ", ".join(model.version[:12] for model in models[:5]) or "none"
    raise NoSuchModel(f"no version {version!r} in {within}; the newest are: {known}")


def load_bundle(artifacts: Artifacts, version: str) -> Bundle:
    """The bundle of a version, checked. Raises MissingArtifact, CorruptArtifact or BrokenBundle."""
    return read_bundle(artifacts.load(version))


def require_fit(manifest: Manifest, schema: DomainSchema | None) -> None:
    """Raises SchemaChanged where a model learned another schema than `schema`, in a way that stops it."""
    changes = changes_since(manifest, schema) if schema else ()
    if why := [change.words for change in changes if change.effect is Effect.STOP]:
        raise SchemaChanged(_unfit(manifest.domain, why))


def _unfit(domain: str, why: Sequence[str]) -> str:
    return (
        f"the model learned another {domain} than its file describes now: {'; '.join(why)}. Train a new one on rows of "
        f"the new form (gradewatch train --domain {domain} --data FILE), or undo the change"
    )


def rows_of_models(artifacts: Artifacts, versions: Sequence[str]) -> frozenset[str]:
    """The ids of all rows that one of these versions was trained on; of a bundle that is gone they are unknown."""
    found: frozenset[str] = frozenset()
    for version in versions:
        try:
            found |= load_bundle(artifacts, version).rows
        except (MissingArtifact, CorruptArtifact, BrokenBundle) as error:
            if error.category is Category.UNAVAILABLE:  # not gone: it cannot be said now what it learned
                raise
    return found


def learned_from_batch(store: RecordStore, artifacts: Artifacts, domain: str, batch: str) -> dict[str, int]:
    """How many rows of a stored batch the models of a domain learned from, by version; those that did not are left out.

    A row that a newer batch says again is that batch's.
    """
    found: dict[str, int] = {}
    for version in {model.version for model in store.models() if model.domain == domain}:
        learned = sorted(rows_of_models(artifacts, [version]))
        for start in range(0, len(learned), ROWS_LOOKED_UP):
            some = learned[start : start + ROWS_LOOKED_UP]
            numbers = {row.number for row in store.newest_rows(domain, some, "labeled")}
            there = {row.record for row in store.batch_rows(batch, numbers)} if numbers else set()
            if count := len(there.intersection(some)):
                found[version] = found.get(version, 0) + count
    return found


def learned_by(artifacts: Artifacts) -> Learned:
    """What each version learned from, read once; None where its bundle is gone or spoiled."""
    read: dict[str, LearnedRows] = {}

    def learned(version: str) -> LearnedRows | None:
        if version not in read:
            with suppress(MissingArtifact, CorruptArtifact, BrokenBundle):
                read[version] = load_bundle(artifacts, version).learned
        return read.get(version)

    return learned


def collect_garbage(store: RecordStore, artifacts: Artifacts, *, older_than: float = 3600.0) -> list[str]:
    """Remove bundles that are neither champion nor on trial nor among the ten newest versions of a key, nor the last
    ten champions.

    Only what is `older_than` seconds old goes, so that a model being registered right now stays. Returns what went.
    """
    champions = store.champions()
    kept = {champion.version for champion in champions}
    kept.update(trial.challenger for trial in running_trials(store, champions).values())
    kept.update(one.name for one in store.documents(KEPT_ARTIFACT))
    for champion in champions:
        kept.update(_line_of_descent(store.successions(champion.key))[-KEPT_VERSIONS:])
    for key in {model.key for model in store.models()}:
        kept.update(model.version for model in store.models(key)[:KEPT_VERSIONS])
    return artifacts.sweep(kept, older_than=older_than)


class Champions:
    """The champions that this process has in memory. loaded: all of them, another mapping whenever one changes.
    stopped: those that learned another schema than their domain has now; at their moments nobody answers. paused: whose
    models do not answer, by domain. Reading never waits; `refresh` swaps in what changed. open_graphs: at once, so that
    one that cannot be run is found here; else whoever asks a model first opens its graph."""

    def __init__(
        self,
        store: RecordStore,
        artifacts: Artifacts,
        schemas: Mapping[str, DomainSchema],
        *,
        tree_lookup: bool = True,
        open_graphs: bool = True,
    ) -> None:
        self._store = store
        self._artifacts = artifacts
        self._schemas = schemas
        self._tree_lookup = tree_lookup
        self._open_graphs = open_graphs
        self.loaded: Mapping[ChampionKey, Serving] = {}
        self.stopped: Mapping[ChampionKey, UnfitChampion] = {}
        self.paused: Mapping[str, Pause] = {}
        self._broken: dict[ChampionKey, int] = {}
        self._broken_trials: set[str] = set()
        self._refreshing = Lock()

    def refresh(self) -> list[ChampionKey]:
        """Load every champion whose generation or trial changed; the keys that did.

        A bundle that is missing or spoiled leaves the old champion serving, or the champion without its challenger,
        and an event says why. A champion that learned another schema is stopped, and an event says so. Each is kept
        once, whichever process meets it.
        """
        with self._refreshing:
            self.paused = pauses(self._store)
            serving, stopped = dict(self.loaded), dict(self.stopped)
            changed = []
            champions = self._store.champions()
            trials = running_trials(self._store, champions)
            for succession in champions:
                key, present = succession.key, serving.get(succession.key)
                if key in stopped and stopped[key].generation == succession.generation:
                    continue
                current = self._current(succession, present)
                if isinstance(current, UnfitChampion):
                    serving.pop(key, None)
                    stopped[key] = current
                    changed.append(key)
                    continue
                if current is None:
                    continue
                stopped.pop(key, None)
                challenger = self._challenger(trials.get(key), current)
                if present is not current or challenger is not current.challenger:
                    serving[key] = msgspec.structs.replace(current, challenger=challenger)
                    changed.append(key)
            self.stopped, self.loaded = stopped, serving
            return changed

    def _current(self, succession: Succession, present: Serving | None) -> Serving | UnfitChampion | None:
        """The champion as the registry has it; `present` as it is where nothing changed or nothing better loads."""
        if present and present.generation == succession.generation:
            return present
        if present and present.predictor.version == succession.version:
            predictor = present.predictor
        else:
            try:
                predictor = self._load(succession.version)
            except (MissingArtifact, CorruptArtifact, BrokenBundle) as error:
                self._report(succession, str(error), present)
                return present
        self._broken.pop(succession.key, None)
        schema = self._schemas.get(succession.domain)
        changes = changes_since(predictor.manifest, schema) if schema else ()
        if why := tuple(change.words for change in changes if change.effect is Effect.STOP):
            about = {"champion": str(succession.key), "version": succession.version, "why": "; ".join(why)}
            self._tell("champion_stopped", succession.domain, about, (*_cause(succession), why))
            return UnfitChampion(succession.version, succession.generation, why)
        return Serving(predictor, succession.generation, changes=tuple(change.words for change in changes))

    def _challenger(self, trial: Trial | None, current: Serving) -> Challenger | None:
        """Who is tried next to the champion; nobody where the trial is of another generation or cannot be loaded."""
        if trial is None or trial.generation != current.generation:
            return None
        if current.challenger and current.challenger.trial == trial:
            return current.challenger
        try:
            predictor = self._load(trial.challenger)
            require_fit(predictor.manifest, self._schemas.get(trial.domain))
            return Challenger(predictor, trial)
        except (MissingArtifact, CorruptArtifact, BrokenBundle, SchemaChanged) as error:
            if trial.id not in self._broken_trials:
                about = {"champion": str(trial.key), "version": trial.challenger, "trial": trial.id, "why": str(error)}
                self._tell("challenger_not_loaded", trial.domain, about, trial.id)
                self._broken_trials.add(trial.id)
            return None

    def _load(self, version: str) -> Predictor:
        predictor = Predictor(load_bundle(self._artifacts, version), version, tree_lookup=self._tree_lookup)
        if self._open_graphs:
            predictor.open()
        return predictor

    def _report(self, succession: Succession, why: str, present: Serving | None) -> None:
        if self._broken.get(succession.key) == succession.generation:
            return
        details = {
            "champion": str(succession.key),
            "version": succession.version,
            "why": why,
            "serving_instead": present.predictor.version if present else None,
        }
        self._tell("champion_not_loaded", succession.domain, details, _cause(succession))
        self._broken[succession.key] = succession.generation

    def _tell(self, kind: str, domain: str, details: Mapping[str, str | None], cause: object) -> None:
        """An event, kept once for each cause, however many processes meet it and how often."""
        self._store.add_event(Event(id=digest([kind, cause]), kind=kind, at=now(), domain=domain, details=details))

    def at(self, domain: str, moment: str) -> dict[str, Serving]:
        """Target to champion, at one moment. Raises NoChampion, naming the moments that have one; SchemaChanged where
        any of the moment's champions is stopped; Paused."""
        if (pause := self.pause_of(domain)) and pause.answers == "none":
            raise Paused(f"{domain}: {pause}")
        for key, one in self.stopped.items():
            if (key.domain, key.moment) == (domain, moment):
                raise SchemaChanged(f"{key}: {_unfit(domain, one.why)}")
        found = {k.target: s for k, s in self.loaded.items() if k.domain == domain and k.moment == moment}
        if not found and any(key.domain == domain and key.moment == moment for key in self._broken):
            raise NoChampion(
                f"the champion of {domain} at moment {moment!r} cannot be loaded: its files are missing or damaged; "
                "roll back, or activate another version (gradewatch history says why)"
            )
        if not found:
            moments = sorted({key.moment for key in self.loaded if key.domain == domain})
            there = f"there are some at {', '.join(moments)}" if moments else "train one first"
            raise NoChampion(f"no champion for {domain} at moment {moment!r}; {there}")
        return found

    def pause_of(self, domain: str) -> Pause | None:
        """Whether a domain's models pause."""
        return pause_of(self.paused, domain) if self.paused else None

    def is_stopped(self, domain: str, moment: str) -> bool:
        """Whether any champion of the moment is, or its domain is answered by nobody."""
        pause = self.pause_of(domain)
        if pause and pause.answers == "none":
            return True
        return any((key.domain, key.moment) == (domain, moment) for key in self.stopped)

    @property
    def broken(self) -> Mapping[ChampionKey, int]:
        """Champions that could not be loaded, with the generation that failed."""
        return dict(self._broken)


def _cause(succession: Succession) -> tuple[str, str, int]:
    """A champion as something that can fail to serve."""
    return str(succession.key), succession.version, succession.generation
