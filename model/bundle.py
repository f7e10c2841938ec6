"""A trained model as files: an ONNX graph, a manifest, drift profiles, the ids of its training rows.

The same data and seed give the same bytes; no file holds code, a pickle, a clock time or a student row.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from database.layout import pack_ids, unpack_ids
from database.pairs import LearnedRows
from drift.impact import Said
from errors import Category, GradewatchError
from model.chance_ranges import ChanceRanges
from model.naive import NaiveRule
from model.scores import Overtaken, PairedGain, Scores
from preprocessing.encode import Cell, Encoding
from preprocessing.schema import DomainSchema, Target
from preprocessing.schema_changes import Effect, SchemaChange, changes_for

GRAPH, MANIFEST, PROFILE, ROWS_FILE = "graph.onnx", "manifest.json", "profile.bin", "rows.bin"
ASIDE, CONTENTS, CONTEXT_FILE = "aside.bin", "contents.bin", "context.bin"
FORMAT = 1
RECORDS, EXAMPLES = "records", "generated examples"


class BrokenBundle(GradewatchError):
    """Files that are not a whole bundle of a format this version reads."""

    category = Category.CONFLICT


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """Where a model comes from.

    data: hash of its training rows. training: shared by all models of one run. source: RECORDS of an institution, or
    EXAMPLES that were generated and stand for no student. task: the value whose bands are answered by the same
    distribution, of its model and of theirs; empty where a target is a task of its own.
    """

    data: str
    training: str
    source: str
    rows: int
    split: str
    seed: int
    code: str
    libraries: Mapping[str, str]
    task: str = ""


class ErrorTable(msgspec.Struct, frozen=True, kw_only=True):
    """The absolute errors of held-out rows (target units, or levels), in cells by `model.answer_frame.hardness`.

    low, high: the range of hardness. centers: the mean hardness of each cell, rising. n, mean, variance: of the errors
    in each cell. inflation: how much more the mean error scatters than if rows were independent (at least 1; whole
    groups go wrong together).
    """

    low: float
    high: float
    centers: tuple[float, ...]
    n: tuple[int, ...]
    mean: tuple[float, ...]
    variance: tuple[float, ...]
    inflation: float = 1.0


class Bands(msgspec.Struct, frozen=True, kw_only=True):
    """Where outcomes lie about an answered value, beside cuts (rising; the first band lies below the first).

    below: for each cut, the chance that the outcome lies below it where the answer is `at` (rising); it falls with the
    answer, learned from answers to unseen rows. sided: whether on each side of a cut more than half of the outcomes are
    held to lie there, as where the level is answered too, which is the band of the value. minimum, maximum: of the
    value.
    """

    cuts: tuple[float, ...]
    minimum: float | None
    maximum: float | None
    at: tuple[float, ...]
    below: tuple[tuple[float, ...], ...]
    sided: bool = False


class MissingPattern(msgspec.Struct, frozen=True, kw_only=True):
    """How unseen rows were answered that lacked these inputs, of those that the model rests on, and no other.

    mae, naive_mae: mean absolute error (target units, or levels) of the model and of the plain rule over the n rows.
    verdict: whether the model was credibly better or worse than the rule (90 %, over clusters), or neither. half_width:
    as in the manifest, of these rows alone.
    """

    missing: tuple[str, ...]
    n: int
    mae: float
    naive_mae: float
    verdict: Literal["better", "alike", "worse"]
    half_width: float | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about a model but its graph.

    inputs: the columns it reads. center, scale: a value is what the graph says times scale plus center. temperature:
    divides the log-probabilities of a classifier (calibration; Guo et al. 2017). half_width: with `coverage` as share,
    how far a value may be from the answer, in target units. ranges: numeric input to (lowest, highest) training value.
    reference: input to (value, share) as training rows held them: every level, or numbers that stand for equal parts,
    and None for the missing; single columns, no rows. Empty in bundles from before answers were explained.
    importance: input to the rise of the mean absolute error (target units) when its values are shuffled. errors: of
    held-out rows, by how hard the answer was, for estimates before outcomes are known (None in older bundles).
    scores: candidate (and "naive") to out-of-fold scores. overtaken: candidate to why it has none. beats_naive: whether
    the chosen one does, by its criterion. against_rule: how much smaller its mean absolute error is than the plain
    rule's on the same held-out rows (None in older bundles).
    parity: largest difference from scikit-learn over 20,000 nasty rows. effective_shares: of columns of the drift
    profile, the effective sample size over the rows, for the values and for the missing rate, where less than 1
    (`drift.samples`); `worth` in stored bundles.
    said: the probabilities of held-out class answers (None for values and in older bundles). learned: the schema of
    then as plain values (empty in older bundles). patterns: of missing inputs that take more than half of the
    importance and that training had often enough to judge the answers. bands: how likely outcomes lie below each cut
    point of the value that the graph says; of a class that has them, the level is the band of that value. too_large:
    candidates that are better by the score, to the megabytes of their graphs, which are above what was allowed.
    chance_ranges: where the true chance lies behind one that is told within a horizon (None without horizons and in
    older bundles).
    """

    format: int = FORMAT
    domain: str
    target: Target
    moment: str
    schema: str
    inputs: tuple[str, ...]
    encoding: Encoding
    candidate: str
    naive: NaiveRule
    center: float = 0.0
    scale: float = 1.0
    temperature: float = 1.0
    half_width: float | None = None
    coverage: float | None = None
    ranges: Mapping[str, tuple[float, float]]
    reference: Mapping[str, tuple[tuple[Cell, float], ...]] = {}
    importance: Mapping[str, float]
    errors: ErrorTable | None = None
    scores: Mapping[str, Scores]
    overtaken: Mapping[str, Overtaken] = {}
    uncalibrated_brier: float | None = None
    beats_naive: bool
    against_rule: PairedGain | None = None
    parity: float
    lineage: Lineage
    effective_shares: Mapping[str, tuple[float, float]] = msgspec.field(default_factory=dict, name="worth")
    said: Said | None = None
    learned: Mapping[str, Any] = {}
    patterns: tuple[MissingPattern, ...] = ()
    bands: Bands | None = None
    too_large: Mapping[str, float] = {}
    chance_ranges: ChanceRanges | None = None


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """A manifest with its graph, drift profiles and training row ids.

    profile: of the rows offered to training that the model would answer, with or without an outcome. aside: of those
    that lack an input; both together are the population that it was trained from. Empty where there were none, or so
    few that it would say nearly as much as the rows, and in older bundles. contents: of training rows without a student
    key, what each moment sees of them (`database.pairs.content_id`), where that tells rows apart. context: the profile
    of what places the rows offered to training (`drift.profile.count_context`); empty where nothing does.
    """

    manifest: Manifest
    graph: bytes
    profile: bytes
    rows: frozenset[str]
    aside: bytes = b""
    contents: frozenset[str] = frozenset()
    context: bytes = b""

    @property
    def megabytes(self) -> float:
        """Of its graph (10^6 bytes)."""
        return len(self.graph) / 1e6

    @property
    def learned(self) -> LearnedRows:
        """What the model learned from."""
        return LearnedRows(self.rows, self.contents)

    def files(self) -> dict[str, bytes]:
        """File name to content."""
        files = {
            GRAPH: self.graph,
            MANIFEST: msgspec.json.format(msgspec.json.encode(self.manifest, order="sorted"), indent=1),
            PROFILE: self.profile,
            ROWS_FILE: pack_ids(self.rows),
        }
        further = {ASIDE: self.aside, CONTENTS: pack_ids(self.contents), CONTEXT_FILE: self.context}
        return files | {name: content for name, content in further.items() if content}


def read_bundle(files: Mapping[str, bytes]) -> Bundle:
    """The bundle that `files` hold. Raises BrokenBundle."""
    if missing := {GRAPH, MANIFEST, PROFILE, ROWS_FILE} - files.keys():
        raise BrokenBundle(f"the bundle lacks {', '.join(sorted(missing))}")
    try:
        version = msgspec.json.decode(files[MANIFEST], type=dict[str, Any]).get("format")
        if version != FORMAT:
            raise BrokenBundle(f"the bundle has format {version}; this version reads {FORMAT}")
        manifest = msgspec.json.decode(files[MANIFEST], type=Manifest)
    except msgspec.DecodeError as error:
        raise BrokenBundle(f"the bundle's manifest cannot be read: {error}") from None
    ids = frozenset(unpack_ids(files[ROWS_FILE]))
    return Bundle(
        manifest=manifest,
        graph=files[GRAPH],
        profile=files[PROFILE],
        rows=ids,
        aside=files.get(ASIDE, b""),
        contents=frozenset(unpack_ids(files.get(CONTENTS, b""))),
        context=files.get(CONTEXT_FILE, b""),
    )


def band_rule(manifest: Manifest) -> str:
    """How a class that is bands of a value is answered, in a sentence."""
    return (
        f"the level is the band of the answered {manifest.lineage.task}, the middle of the distribution that the "
        "probabilities are of as well; another level may be likelier"
    )


def answered_levels(outputs: NDArray[np.float64], *, banded: bool) -> NDArray[np.intp]:
    """(n,) level numbers that (n, levels) probabilities are answered with: the likeliest; of bands the middle one, in
    which the value lies that the same distribution is answered with."""
    if banded:
        return np.asarray((np.cumsum(outputs, axis=1) > 0.5).argmax(axis=1))
    return np.asarray(outputs.argmax(axis=1))


def changes_since(manifest: Manifest, schema: DomainSchema) -> tuple[SchemaChange, ...]:
    """What has changed in a domain since a model of it learned, what stops the model first; nothing mostly."""
    if manifest.learned:
        found = changes_for(
            manifest.learned,
            schema,
            target=manifest.target.name,
            moment=manifest.moment,
            inputs=manifest.inputs,
            seen=manifest.ranges,
        )
        return (*_changed_bands(manifest, schema), *found)
    if manifest.schema == schema.fingerprint:
        return ()
    known = {f.name for f in schema.features_at(manifest.moment)} if manifest.moment in schema.moments else set()
    gone = [name for name in manifest.inputs if name not in known]
    gone += [] if manifest.target.name in schema.target_by_name else [manifest.target.name]
    if gone:
        return (SchemaChange(f"gone: {', '.join(gone)}", Effect.STOP),)
    return (SchemaChange("something that this older model cannot name", Effect.WARN),)


def _changed_bands(manifest: Manifest, schema: DomainSchema) -> list[SchemaChange]:
    target = schema.target_by_name.get(manifest.target.name)
    if target is None:
        return []
    what = f"target {target.name!r}"
    if manifest.bands and target.kind != "value":
        leader = schema.target_by_name[schema.leader(target.name)]
        if leader.cut_points != manifest.bands.cuts:
            return [SchemaChange(f"{what}: its bands are cut elsewhere, or no more", Effect.STOP)]
    if target.pass_mark == manifest.target.pass_mark:
        return []
    marks = [f"{mark:g}" if mark is not None else "none" for mark in (manifest.target.pass_mark, target.pass_mark)]
    return [SchemaChange(f"{what}: its pass mark was {marks[0]}, is now {marks[1]}", Effect.WARN)]


def content_digest(files: Mapping[str, bytes]) -> str:
    """SHA-256 (hex) over the names and hashes of `files`, in name order."""
    lines = [f"{name} {hashlib.sha256(files[name]).hexdigest()}\n" for name in sorted(files)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
