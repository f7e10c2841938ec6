"""Scores files of any length in bounded memory: nothing is logged or written before the whole file is checked.

The answers come from `model.service` by whole columns, here or on the workers of a cluster. It reads no format itself.
"""

import glob
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple, Protocol

import msgspec
import numpy as np
import polars as pl
import polars.selectors as cs
from numpy.typing import NDArray

from clock import now
from cluster import map_on
from database.packed import PackedPredictions
from database.records import digest
from model.answer_files import Dialect, UnusableOutput, dialect_of, sink_of, with_kept
from model.answer_frame import answer_schema, frame_of_batches
from model.registry import NoChampion
from model.sent_models import send_models
from model.service import PredictionService
from model.unanswered import require_answers, silent_moments, without_unanswered
from model.workspace import Workspace
from preprocessing.columns import tables_of
from preprocessing.reading.chunks import open_source
from preprocessing.reading.raw_table import UnreadableFile, some_of
from preprocessing.schema import DomainSchema, Target
from preprocessing.validation.files import CheckedFile, check_file, own_column
from preprocessing.validation.rules import Problem, left_out

LOGGED_AT_ONCE = 10_000  # rows of one commit
PARTIAL = ".partial"
SOURCE = "cli"

Progress = Callable[[str, float], None]
"""Hears the name of the step at hand and which share of it is done."""


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a file. rows: answered. skipped: left out as bad, for `problems` (bounded; all are counted).
    known: whether an earlier run had logged the same file with the same models; nothing is then logged twice."""

    rows: int
    skipped: int
    problems: tuple[Problem, ...]
    problem_count: int
    ignored_columns: tuple[str, ...]
    notes: tuple[str, ...]
    known: bool

    @property
    def remarks(self) -> list[str]:
        """What a user should know about it, a sentence each."""
        said = list(self.notes)
        if self.ignored_columns:
            said.append(f"columns that are no input, not read: {some_of(self.ignored_columns)}")
        if self.skipped:
            said.append(f"{left_out(self.skipped)}, with {self.problem_count:,} problems")
        if self.known:
            said.append("an earlier run has logged this file with the same models: nothing was logged twice")
        return said


def score_file(  # noqa: PLR0913 - each is an option of a command
    workspace: Workspace,
    domain: str,
    path: Path,
    output: Path,
    *,
    moment: str | None = None,
    log: bool = True,
    sheet: str = "",
    keep: Sequence[str] = (),
    locale: str = "auto",
    skip_bad_rows: bool = False,
    cluster: str | None = None,
    progress: Progress = lambda _step, _share: None,
) -> Scored:
    """Answers every row of `path` and writes the answers to `output` (.csv, .xlsx or .parquet), which appears when it
    is complete and not before.

    log: every prediction is in the store before its answer is written. The same file with the same models is logged
    once, however often it is scored. sheet: of a workbook. keep: columns of the file that its answers carry, which are
    never stored. locale: `answer_files.dialect_of`, of a CSV output. skip_bad_rows: leave bad rows out, where else any
    of them refuses the file.
    cluster: the address of a Dask scheduler, whose workers then answer what is checked here, and logged here in order.
    Raises UnusableOutput, UnreadableFile, BadData, NoChampion and UnknownDomain before anything is logged;
    StoreUnavailable and what `cluster.map_on` raises, with what was logged so far kept.
    """
    schema, columns = workspace.service.schema(domain), keep
    _check_output(path, output)
    dialect_of(locale)
    source = open_source(path, sheet=sheet)
    silent = silent_moments(workspace.service, domain)

    def check(*, keep: Callable[[pl.DataFrame], object], progress: Callable[[float], None]) -> CheckedFile:
        sieve = partial(without_unanswered, workspace.service, silent)
        read = partial(check_file, source, schema, secret=workspace.secret, moment=moment, columns=columns)
        checked = read(sieve=sieve, keep=keep, progress=progress)
        require_answers(silent, checked.moments)
        if not skip_bad_rows:
            checked.require_clean()
        return checked

    answer = _answer_while_checking if not log and cluster is None else partial(_check_then_answer, log, cluster)
    with _workplace(output) as folder:
        answered = answer(workspace, schema, check, _Spool(folder), progress)
        if not answered.rows:
            answered.checked.require_clean()
            raise UnreadableFile(f"{path.name}: no row to answer")
        targets = tuple(target for target in schema.targets if target.name in answered.answers.collect_schema())
        write = sink_of(output, targets, dialect_of(locale, answered.checked.separator))
        _publish(write, answered.answers, folder / output.name, output)
    return _scored(answered)


# Answering ----------------------------------------------------------------------------------------------------------


class _Check(Protocol):
    """`check_file` of the file at hand. Raises BadData where bad rows refuse it, NoChampion where nobody answers it."""

    def __call__(self, *, keep: Callable[[pl.DataFrame], object], progress: Callable[[float], None]) -> CheckedFile: ...


class _Answered(NamedTuple):
    """The answers to `rows` rows of a checked file. known: `Scored.known`."""

    checked: CheckedFile
    answers: pl.LazyFrame
    rows: int
    known: bool = False


def _scored(answered: _Answered) -> Scored:
    checked = answered.checked
    return Scored(
        rows=answered.rows,
        skipped=checked.rows - answered.rows,
        problems=checked.problems,
        problem_count=checked.problem_count,
        ignored_columns=checked.ignored_columns,
        notes=checked.notes,
        known=answered.known,
    )


def _check_then_answer(
    log: bool,
    cluster: str | None,
    workspace: Workspace,
    schema: DomainSchema,
    check: _Check,
    spool: "_Spool",
    progress: Progress,
) -> _Answered:
    """Every row is checked before the first is answered, and logged if `log`."""
    checked = check(keep=spool.keep, progress=lambda share: progress("checking", share))
    job = _Job(workspace, schema, _answered_at(workspace, schema, checked.moments), checked.digest, log)
    known, rows = log and _known(job, spool, checked.repeated), 0
    models: _Models = _ModelsHere(workspace.service, schema) if cluster is None else send_models(workspace, schema)
    for part in map_on(cluster, _score, spool.slices(without=checked.repeated), models):
        answers = _told(job, part)
        spool.keep_answers(answers)
        rows += answers.height
        progress("scoring", rows / max(1, checked.good))
    return _Answered(checked, spool.answers(job.wanted), rows, known)


def _answer_while_checking(
    workspace: Workspace, schema: DomainSchema, check: _Check, spool: "_Spool", progress: Progress
) -> _Answered:
    """Nothing is logged, so rows can be answered as they are found good: the answers are thrown away if a later row
    refuses the file."""
    job = _Job(workspace, schema, _answered_at(workspace, schema, schema.moments))
    here = _ModelsHere(workspace.service, schema)

    def answer(frame: pl.DataFrame) -> None:
        spool.keep_answers(_told(job, _score(here, frame)))

    checked = check(keep=answer, progress=lambda share: progress("scoring", share))
    wanted = answer_schema(_answered_at(workspace, schema, checked.moments), logged=False)
    if not checked.good:
        return _Answered(checked, pl.LazyFrame(schema=wanted), 0)
    answers = spool.answers(job.wanted)
    answers = answers.drop(job.wanted.keys() - wanted.keys())
    if not len(checked.repeated):
        return _Answered(checked, answers, checked.good)
    kept = answers.filter(~pl.col("row").is_in(pl.Series(checked.repeated).implode()))
    return _Answered(checked, kept, int(kept.select(pl.len()).collect().item()))


def _answered_at(workspace: Workspace, schema: DomainSchema, moments: Sequence[str]) -> tuple[Target, ...]:
    """The targets that any of the moments answers."""
    found = set[str]()
    for moment in moments:
        with suppress(NoChampion):
            found |= workspace.champions.at(schema.name, moment).keys()
    return tuple(target for target in schema.targets if target.name in found)


@dataclass(frozen=True)
class _Job:
    """What a file's rows are answered for. targets: those that the answers have columns for. file: its digest. log:
    whether they are logged. at: when they are answered."""

    workspace: Workspace
    schema: DomainSchema
    targets: tuple[Target, ...]
    file: str = ""
    log: bool = False
    at: datetime = field(default_factory=now)

    @property
    def wanted(self) -> Mapping[str, pl.DataType]:
        """The columns of its answers."""
        return answer_schema(self.targets, logged=self.log)

    def named(self, batch: PackedPredictions, rows: Sequence[int]) -> PackedPredictions:
        """The predictions under ids (32 hex digits) of the answers to these rows of this file by these very models:
        told again, they are known again, and the store leaves them as they are. Ids of one file are neighbours in the
        store's index."""
        by = (batch.common.moment, tuple((one.target, one.model, one.generation) for one in batch.answers))
        first = digest([self.schema.name, self.schema.fingerprint, self.file, by])[:22]
        return PackedPredictions(
            batch.common._replace(at=self.at),
            [f"{first}{row:010x}" for row in rows],
            batch.inputs,
            batch.answers,
            batch.shadow,
            students=batch.students,
            groups=batch.groups,
            periods=batch.periods,
        )


class _Models(Protocol):
    """Who answers."""

    @property
    def schema(self) -> DomainSchema: ...
    @property
    def service(self) -> PredictionService: ...


@dataclass(frozen=True)
class _ModelsHere:
    """Those that are in memory."""

    service: PredictionService
    schema: DomainSchema


class _Part(NamedTuple):
    """The predictions of some rows, not logged yet: a batch of those that the same models answer, by column, and the
    numbers of each batch's rows. own: what the user's file has beside them, by `_row`."""

    batches: list[PackedPredictions]
    rows: list[list[int]]
    own: pl.DataFrame


def _score(models: _Models, frame: pl.DataFrame) -> _Part:
    """What is answered to the rows of a typed frame."""
    batches = models.service.score_columns(models.schema, tables_of(frame, models.schema), source=SOURCE)
    numbers = frame["_row"].to_list()
    own = frame.select("_row", cs.starts_with(own_column("")))
    if len(batches) == 1:
        return _Part(batches, [numbers], own)
    places = {id: place for place, id in enumerate(sorted(id for batch in batches for id in batch.ids))}  # noqa: A001
    return _Part(batches, [[numbers[places[id]] for id in batch.ids] for batch in batches], own)  # noqa: A001


def _told(job: _Job, part: _Part) -> pl.DataFrame:
    """The answers to a part, each in the store by now, if they are logged."""
    if not job.log:
        return _beside(frame_of_batches(part.batches, part.rows, job.targets, logged=False), part.own)
    named = [job.named(batch, rows) for batch, rows in zip(part.batches, part.rows, strict=True)]
    job.workspace.store.add_predictions(batches=named)
    return _beside(frame_of_batches(named, part.rows, job.targets), part.own)


def _beside(answers: pl.DataFrame, own: pl.DataFrame) -> pl.DataFrame:
    """The answers, which are sorted by row, with the user's own columns of these rows."""
    if own.width == 1:  # the numbers of the rows alone
        return answers
    kept = own.sort("_row").drop("_row")
    return with_kept(answers, kept.rename(lambda name: name.removeprefix(own_column(""))))


def _known(job: _Job, spool: "_Spool", repeated: NDArray[np.int64]) -> bool:
    """Whether the first row of the file is in the store already, answered by the same models."""
    first = next(spool.slices(without=repeated), None)
    if first is None:
        return False
    part = _score(_ModelsHere(job.workspace.service, job.schema), first[:1])
    return job.workspace.store.prediction(job.named(part.batches[0], part.rows[0]).ids[0]) is not None


# Files --------------------------------------------------------------------------------------------------------------


class _Spool:
    """Checked rows and their answers, on disk for as long as the work lasts: a file is read once, and no change of it
    in between can part what was checked from what is scored."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.chunks = 0
        self._answered = 0

    def keep(self, frame: pl.DataFrame) -> None:
        frame.write_ipc(self._folder / f"rows-{self.chunks:06}.arrow", compression="lz4")
        self.chunks += 1

    def rows(self, *, without: NDArray[np.int64]) -> Iterator[pl.DataFrame]:
        """The kept frames in order. without: numbers of rows to leave out, ascending."""
        dropped = pl.Series(without)
        for number in range(self.chunks):
            frame = pl.read_ipc(self._folder / f"rows-{number:06}.arrow")
            kept = frame.filter(~pl.col("_row").is_in(dropped.implode())) if len(dropped) else frame
            if kept.height:
                yield kept

    def slices(self, *, without: NDArray[np.int64]) -> Iterator[pl.DataFrame]:
        """The kept rows, so many at a time as one commit takes. without: as for `rows`."""
        for frame in self.rows(without=without):
            yield from frame.iter_slices(LOGGED_AT_ONCE)

    def keep_answers(self, answers: pl.DataFrame) -> None:
        answers.write_ipc(self._folder / f"answers-{self._answered:06}.arrow", compression="lz4")
        self._answered += 1

    def answers(self, wanted: Mapping[str, pl.DataType]) -> pl.LazyFrame:
        """All that were kept; wanted: their columns."""
        if not self._answered:
            return pl.LazyFrame(schema=wanted)
        return pl.scan_ipc([self._folder / f"answers-{number:06}.arrow" for number in range(self._answered)])


def _check_output(path: Path, output: Path) -> None:
    """Raises UnusableOutput for one that cannot be written, before anything is read."""
    if output.exists() and path.samefile(output):
        raise UnusableOutput(f"{output.name} is the file to score itself; give the answers another name")
    if output.is_dir():
        raise UnusableOutput(f"{output} is a folder; name a .csv, .xlsx or .parquet file")
    sink_of(output, (), Dialect())


@contextmanager
def _workplace(output: Path) -> Iterator[Path]:
    """A folder beside the output, of its owner alone, that goes when the work ends; those of killed runs go first."""
    output.parent.mkdir(parents=True, exist_ok=True)
    for left in output.parent.glob(f".{glob.escape(output.name)}.*{PARTIAL}"):
        if not _lives(left.name.removesuffix(PARTIAL).rsplit(".", 2)[1]):
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(mkdtemp(prefix=f".{output.name}.{os.getpid()}.", suffix=PARTIAL, dir=output.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _lives(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True


def _publish(write: Callable[[pl.LazyFrame, Path], object], answers: pl.LazyFrame, aside: Path, output: Path) -> None:
    """Writes the answers aside, makes them durable, and gives them their name."""
    write(answers, aside)
    with aside.open("rb+") as file:
        os.fsync(file.fileno())
    aside.replace(output)
