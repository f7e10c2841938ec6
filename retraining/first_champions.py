"""Training that serves: every target and moment of a domain trained, kept and, where nobody serves yet, installed.

Replacing a champion that serves is not done here: that takes a decision (`retraining.run`).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Unpack

import msgspec
import polars as pl

from advice.helped import unhelped
from clock import now
from database.errors import Conflict
from database.ingest import Intake, labeled
from database.records import ChampionKey, ModelVersion, Succession
from database.store import ModelRegistry
from database.withdrawal import rows_withdrawn
from errors import Category, GradewatchError
from heap import give_back_memory
from model.artifacts import Artifacts, CorruptArtifact, MissingArtifact
from model.bundle import EXAMPLES, BrokenBundle, Bundle, Manifest
from model.export import ParityError
from model.registry import SchemaChanged, find_model, install, load_bundle, require_fit, rows_of_models
from model.scores import told_against_rule
from model.workspace import Workspace
from preprocessing.schema import DomainSchema, TaskKind
from preprocessing.validation.validate import frame_of
from retraining.experiments import follow, tell_training
from retraining.policy import MAX_MEGABYTES
from training.train import NotTrainable, TrainingOptions, train_task


class UnknownChampion(GradewatchError):
    """The domain has no such target or moment."""

    category = Category.UNKNOWN


class Trained(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one target at one moment: a model and whether it serves now, or the reason for none.

    remarks: inputs that tell the outcome so well that someone should look whether they are known by then. questions:
    what else someone should settle.
    """

    key: ChampionKey
    model: ModelVersion | None = None
    bundle: Bundle | None = None
    installed: bool = False
    reason: str = ""
    remarks: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()


def keys_of(
    schema: DomainSchema,
    targets: Sequence[str] | None = None,
    moments: Sequence[str] | None = None,
    task: TaskKind = "both",
) -> list[ChampionKey]:
    """The champions that a domain has, or those of the named targets, moments and task. Raises UnknownChampion where
    there are none."""
    for name in targets or ():
        if name not in schema.target_by_name:
            raise UnknownChampion(f"{schema.name} has no target {name!r}; it has {', '.join(schema.target_by_name)}")
    for name in moments or ():
        if name not in schema.moments:
            raise UnknownChampion(f"{schema.name} has no moment {name!r}; it has {', '.join(schema.moments)}")
    known = schema.targets_of(task)
    chosen = [name for name in targets or known if name in known]
    if not chosen:
        raise UnknownChampion(f"{schema.name} has no such target of {task}; it has {', '.join(known) or 'none'}")
    return [ChampionKey(schema.name, target, moment) for target in chosen for moment in moments or schema.moments]


def train_domain(
    workspace: Workspace,
    schema: DomainSchema,
    frame: pl.DataFrame,
    keys: Sequence[ChampionKey],
    *,
    actor: str,
    **options: Unpack[TrainingOptions],
) -> Iterator[Trained]:
    """Train each of `keys` on a typed `frame` with `_record` ids; install it where no model of records serves yet.

    The models of one task (a value and its bands) are trained and installed together, whichever of them was named.
    options: of `training.train.train_task`, graphs as large as promotions allow by default.
    """
    options.setdefault("max_megabytes", MAX_MEGABYTES)
    done: set[ChampionKey] = set()
    for key in keys:
        if key in done:
            continue
        try:
            found = train_task(schema, key, frame, **options)
        except (NotTrainable, ParityError) as error:
            tell_training(workspace.store, key, actor, reason=str(error))
            yield Trained(key=key, reason=str(error))
            continue
        give_back_memory()
        models = [register(workspace.store, workspace.artifacts, training.bundle) for training in found]
        done |= {model.key for model in models}
        told = _install_first(workspace, schema, models, actor)
        for model, training, (installed, reason) in zip(models, found, told, strict=True):
            remarks, bundle = tuple(map(str, training.suspects)), training.bundle
            tell_training(workspace.store, model.key, actor, reason=reason, version=model.version, serves=installed)
            yield Trained(
                key=model.key,
                model=model,
                bundle=bundle,
                installed=installed,
                reason=reason,
                remarks=remarks,
                questions=training.questions,
            )
    follow(workspace)


def train_file(
    workspace: Workspace,
    domain: str,
    intake: Intake,
    keys: Sequence[ChampionKey],
    *,
    keep: Callable[[], object],
    **options: Unpack[TrainingOptions],
) -> Iterator[Trained]:
    """Train each of `keys` on the rows of a labelled file. keep: stores them; it is called once one has succeeded.

    Rows that nothing could be learned from are not stored: as labelled records they would teach the next challenger.
    """
    schema, kept = workspace.schemas[domain], False
    frame = frame_of(labeled(domain, intake.records()), schema)
    give_back_memory()
    for one in train_domain(workspace, schema, frame, keys, actor="train", **options):
        if one.model and not kept:
            keep()
            kept = True
        yield one


def train_records(
    workspace: Workspace,
    schema: DomainSchema,
    keys: Sequence[ChampionKey],
    *,
    window: int,
    actor: str,
    **options: Unpack[TrainingOptions],
) -> Iterator[Trained]:
    """Train each of `keys` on the newest labelled records that are stored, `window` of them at most, but for those of
    students who were helped.

    Raises NotTrainable where there are none.
    """
    stored = workspace.store.labeled_records(schema.name, limit=window)
    records = unhelped(workspace.store, schema.name, stored, 0.0).records
    if not records:
        raise NotTrainable(f"{schema.name}: no labelled records yet; upload a labelled file first")
    frame = frame_of(records, schema)
    yield from train_domain(workspace, schema, frame, keys, actor=actor, **options)


def _install_first(
    workspace: Workspace, schema: DomainSchema, models: Sequence[ModelVersion], actor: str
) -> list[tuple[bool, str]]:
    """Of each model of one task whether it serves now, and why: all or none of them do. Where one of the present models
    gives way, all do: the new one would be no task with the others."""
    serving = {one.key: one for one in workspace.store.champions()}
    present = [serving.get(model.key) for model in models]
    told = [_standing(workspace, schema, *one) for one in zip(models, present, strict=True)]
    if way := next((reason for (free, reason), one in zip(told, present, strict=True) if free and one), ""):
        told = [(True, reason if free else f"moves with a model of its task, which {way}") for free, reason in told]
    if not all(free for free, _ in told):
        other = "a model that is one task with it serves and stays"
        return [(False, other if free else reason) for free, reason in told]
    expected = {one.key: one.generation for one in present if one}
    try:
        install(workspace.store, models, action="promote", actor=actor, reason=told[0][1], expected=expected)
    except Conflict:
        return [(False, "another champion was installed meanwhile, and stays")] * len(models)
    return told


def _standing(
    workspace: Workspace, schema: DomainSchema, model: ModelVersion, serving: Succession | None
) -> tuple[bool, str]:
    """Whether a model may serve without a contest, and why, or why not."""
    if serving is None:
        return True, "first champion"
    if serving.version == model.version:
        return False, "it serves already: the same data and seed gave the same model"
    if reason := why_replaced(workspace, schema, serving):
        return True, reason
    return False, (
        f"{serving.version[:12]} serves and stays; let `gradewatch retrain` compare them, or use "
        f"`gradewatch models activate {model.version[:12]}`"
    )


def why_replaced(workspace: Workspace, schema: DomainSchema, serving: Succession) -> str:
    """Why a champion gives way to a model of records without a contest; empty where only a contest replaces it."""
    if find_model(workspace.store, serving.version, serving.key).lineage["source"] == EXAMPLES:
        return f"replaces a model of {EXAMPLES}"
    if told := _unlearned(workspace, serving):
        return f"replaces a model that learned from {told} that were withdrawn"
    try:
        require_fit(load_bundle(workspace.artifacts, serving.version).manifest, schema)
    except (MissingArtifact, CorruptArtifact, BrokenBundle):
        return ""
    except SchemaChanged:
        return f"replaces a model of another schema of {schema.name}"
    return ""


def learned_rows(workspace: Workspace, serving: Succession) -> frozenset[str]:
    """The rows that teach nothing new about a champion: those that it learned. None of one most of whose rows were
    withdrawn: what stands under their ids now came in their place."""
    return frozenset() if _unlearned(workspace, serving) else rows_of_models(workspace.artifacts, [serving.version])


def _unlearned(workspace: Workspace, serving: Succession) -> str:
    """How many of its rows were withdrawn since a champion came to serve, where that is most of them."""
    gone = rows_withdrawn(workspace.store, serving.domain, serving.at).get(serving.version, 0)
    rows = find_model(workspace.store, serving.version, serving.key).lineage["rows"]
    return f"{gone:,} of its {rows:,} rows" if 2 * gone > rows else ""


def register(store: ModelRegistry, artifacts: Artifacts, bundle: Bundle) -> ModelVersion:
    """Keep the bundle, then the record of it; in that order, so that no record names files that are not there."""
    manifest = bundle.manifest
    model = ModelVersion(
        version=artifacts.save(bundle.files()),
        domain=manifest.domain,
        target=manifest.target.name,
        moment=manifest.moment,
        candidate=manifest.candidate,
        scores=_listed(manifest),
        lineage=msgspec.to_builtins(manifest.lineage),
        at=now(),
    )
    store.add_model(model)
    return model


def _listed(manifest: Manifest) -> dict[str, Any]:
    """The scores of a model and, beside them, of the plain rule, with how both compare in words."""
    own, naive = (dict(msgspec.to_builtins(manifest.scores[name])) for name in (manifest.candidate, "naive"))
    said = {"rule": str(manifest.naive)}
    if manifest.against_rule is not None:
        unit = "levels" if manifest.target.levels else manifest.target.unit
        said["comparison"] = told_against_rule(manifest.against_rule, unit)
    return own | {"naive": naive | said}
