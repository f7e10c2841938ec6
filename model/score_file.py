"""Scores files of any length in bounded memory: nothing is logged or written before the whole file is checked.

The answers come from `model.service` and, unlogged, by whole columns from `model.answer_frame`. It reads no format
itself.
"""

import glob
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple, Protocol

import msgspec
import numpy as np
import polars as pl
from msgspec.structs import replace
from numpy.typing import NDArray

from database.records import Prediction, digest
from errors import GradewatchError
from model.answer_frame import answer_frame, answer_schema, frame_of_predictions
from model.registry import NoChampion
from model.workspace import Workspace
from preprocessing.reading.files import UnreadableFile
from preprocessing.schema import DomainSchema, Target
from preprocessing.validation.files import CheckedFile, check_file
from preprocessing.validation.rules import Problem
from preprocessing.validation.validate import rows_of

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
            said.append(f"columns that are no input, not read: {', '.join(self.ignored_columns)}")
        if self.skipped:
            said.append(f"{self.skipped:,} bad rows left out, with {self.problem_count:,} problems")
        if self.known:
            said.append("an earlier run has logged this file with the same models: nothing was logged twice")
        return said


class UnusableOutput(GradewatchError):
    """An output that cannot be written as asked; the message says what can."""


def score_file(
    workspace: Workspace,
    domain: str,
    path: Path,
    output: Path,
    *,
    moment: str | None = None,
    log: bool = True,
    skip_bad_rows: bool = False,
    progress: Progress = lambda _step, _share: None,
) -> Scored:
    """Answers every row of `path` and writes the answers to `output` (.csv or .parquet), which appears when it is
    complete and not before.

    log: every prediction is in the store before its answer is written. The same file with the same models is logged
    once, however often it is scored. skip_bad_rows: leave bad rows out, where else any of them refuses the file.
    Raises UnusableOutput, UnreadableFile, BadData, NoChampion and UnknownDomain before anything is logged;
    StoreUnavailable, with what was logged so far kept.
    """
    schema = workspace.service.schema(domain)
    write = _writer(path, output)
    check = partial(check_file, path, schema, secret=workspace.secret, moment=moment)
    answer = _check_then_log if log else _answer_while_checking
    with _workplace(output) as folder:
        answered = answer(workspace, schema, check, _Spool(folder), skip_bad_rows, progress)
        if not answered.rows:
            answered.checked.require_clean()
            raise UnreadableFile(f"{path.name}: no row to answer")
        _publish(write, answered.answers, folder / output.name, output)
    return _scored(answered)


# Answering ----------------------------------------------------------------------------------------------------------


class _Check(Protocol):
    """`check_file` of the file at hand."""

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


def _check_then_log(
    workspace: Workspace, schema: DomainSchema, check: _Check, spool: "_Spool", skip_bad_rows: bool, progress: Progress
) -> _Answered:
    """Every row is checked before the first is logged."""
    checked = check(keep=spool.keep, progress=lambda share: progress("checking", share))
    if not skip_bad_rows:
        checked.require_clean()
    job = _Job(workspace, schema, _answered_at(workspace, schema, checked.moments), checked.digest)
    rows, known = 0, _known(workspace, job, spool, checked.repeated)
    for number, frame in enumerate(spool.rows(without=checked.repeated), start=1):
        spool.keep_answers(_logged(job, frame))
        rows += frame.height
        progress("scoring", number / spool.chunks)
    return _Answered(checked, spool.answers(), rows, known)


def _answer_while_checking(
    workspace: Workspace, schema: DomainSchema, check: _Check, spool: "_Spool", skip_bad_rows: bool, progress: Progress
) -> _Answered:
    """Nothing is logged, so rows can be answered as they are found good: the answers are thrown away if a later row
    refuses the file."""
    job = _Job(workspace, schema, _answered_at(workspace, schema, schema.moments, all_of_them=False))
    without_champion: list[NoChampion] = []

    def answer(frame: pl.DataFrame) -> None:
        try:
            if not without_champion:
                spool.keep_answers(_unlogged(job, frame))
        except NoChampion as error:
            without_champion.append(error)  # what is wrong with the rows is said first

    checked = check(keep=answer, progress=lambda share: progress("scoring", share))
    if not skip_bad_rows:
        checked.require_clean()
    if without_champion:
        raise without_champion[0]
    wanted = answer_schema(_answered_at(workspace, schema, checked.moments), logged=False)
    if not checked.good:
        return _Answered(checked, pl.LazyFrame(schema=wanted), 0)
    answers = spool.answers().select(*wanted)
    if not len(checked.repeated):
        return _Answered(checked, answers, checked.good)
    kept = answers.filter(~pl.col("row").is_in(pl.Series(checked.repeated).implode()))
    return _Answered(checked, kept, int(kept.select(pl.len()).collect().item()))


def _answered_at(
    workspace: Workspace, schema: DomainSchema, moments: Sequence[str], *, all_of_them: bool = True
) -> tuple[Target, ...]:
    """The targets that any of the moments answers. Raises NoChampion where one has none, if `all_of_them` must."""
    found = set[str]()
    for moment in moments:
        with nullcontext() if all_of_them else suppress(NoChampion):
            found |= workspace.champions.at(schema.name, moment).keys()
    return tuple(target for target in schema.targets if target.name in found)


@dataclass(frozen=True)
class _Job:
    """What a file's rows are answered with. targets: those that the answers have columns for. file: its digest."""

    workspace: Workspace
    schema: DomainSchema
    targets: tuple[Target, ...]
    file: str = ""
    ids: dict[object, str] = field(default_factory=dict)

    def id(self, row: int, prediction: Prediction) -> str:
        """The id (32 hex digits) of the answer to a row of this file by these very models: told again, it is known
        again, and the store leaves it as it is. Ids of one file are neighbours in the store's index."""
        said = tuple((answer.target, answer.model, answer.generation) for answer in prediction.answers)
        by = (prediction.moment, said)
        if by not in self.ids:
            self.ids[by] = digest([self.schema.name, self.schema.fingerprint, self.file, by])[:22]
        return f"{self.ids[by]}{row:010x}"


def _predictions(job: _Job, frame: pl.DataFrame) -> tuple[list[int], list[Prediction]]:
    """Row numbers and predictions of the rows of a typed frame, not logged yet."""
    rows = rows_of(frame, job.schema)
    found = job.workspace.service.score(job.schema, rows, source=SOURCE)
    named = [replace(one, id=job.id(row.row, one)) for row, one in zip(rows, found, strict=True)]
    return [row.row for row in rows], named


def _known(workspace: Workspace, job: _Job, spool: "_Spool", repeated: NDArray[np.int64]) -> bool:
    """Whether the first row of the file is in the store already, answered by the same models."""
    first = next(spool.rows(without=repeated), None)
    if first is None:
        return False
    _, (prediction,) = _predictions(job, first[:1])
    return workspace.store.prediction(prediction.id) is not None


def _logged(job: _Job, frame: pl.DataFrame) -> pl.DataFrame:
    """The answers to a piece, each in the store by now."""
    parts = []
    for part in frame.iter_slices(LOGGED_AT_ONCE):
        rows, predictions = _predictions(job, part)
        job.workspace.store.add_predictions(predictions)
        parts.append(frame_of_predictions(rows, predictions, job.targets))
    return pl.concat(parts)


def _unlogged(job: _Job, frame: pl.DataFrame) -> pl.DataFrame:
    """The answers to a piece. By column, but where a split decides row by row who answers."""
    parts = []
    moments = frame["_moment"].unique(maintain_order=True)
    for moment in moments:
        part = frame if len(moments) == 1 else frame.filter(pl.col("_moment") == moment)
        champions = job.workspace.champions.at(job.schema.name, moment)
        if any(one.challenger and one.challenger.trial.mode == "split" for one in champions.values()):
            rows, predictions = _predictions(job, part)
            parts.append(frame_of_predictions(rows, predictions, job.targets, logged=False))
        else:
            parts.append(answer_frame(part, champions, job.targets))
    return pl.concat(parts) if len(parts) == 1 else pl.concat(parts).sort("row")


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

    def keep_answers(self, answers: pl.DataFrame) -> None:
        answers.write_ipc(self._folder / f"answers-{self._answered:06}.arrow", compression="lz4")
        self._answered += 1

    def answers(self) -> pl.LazyFrame:
        return pl.scan_ipc([self._folder / f"answers-{number:06}.arrow" for number in range(self._answered)])


def _writer(path: Path, output: Path) -> Callable[[pl.LazyFrame, Path], object]:
    """What writes a file of the output's kind. Raises UnusableOutput."""
    if output.exists() and path.samefile(output):
        raise UnusableOutput(f"{output.name} is the file to score itself; give the answers another name")
    if output.is_dir():
        raise UnusableOutput(f"{output} is a folder; name a .csv or .parquet file")
    try:
        return WRITERS[output.suffix.casefold()]
    except KeyError:
        raise UnusableOutput(f"answers are written as .csv or .parquet; {output.name!r} is neither") from None


WRITERS: Mapping[str, Callable[[pl.LazyFrame, Path], object]] = {
    ".csv": lambda answers, path: answers.sink_csv(path),
    ".parquet": lambda answers, path: answers.sink_parquet(path, compression_level=1),
    ".pq": lambda answers, path: answers.sink_parquet(path, compression_level=1),
}


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
