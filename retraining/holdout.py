"""Which rows judge a challenger: the newest that neither model knows, whole clusters, held out of its training.

Everything else teaches the challenger; what does neither is counted by its reason. Nothing here fits or scores.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from database.records import ChampionKey, LabeledRecord
from preprocessing.copies import ORDINARY, content_numbers, copies
from preprocessing.periods import rank_periods
from preprocessing.schema import DomainSchema
from preprocessing.split import Rows, cluster_kind, clusters, seasons, students
from preprocessing.validation.validate import frame_of

Mask = NDArray[np.bool_]

COPIES = "copies of other rows, which count once"
KNOWN = "rows of a {} that the champion has learned from"
JUDGED_STUDENTS = "rows of students who judge in another group"


@dataclass(frozen=True)
class Holdout:
    """Typed frames: `teaching` rows for the challenger, `judging` rows for both, `unseen` by the champion so far.

    clusters: of the judging rows; kind: "group" or "student", what they are. units: of the judging rows, by student and
    by content: rows with the same number say nothing that is their own. left_out: how many unseen rows could not judge,
    by reason.
    """

    teaching: pl.DataFrame
    judging: pl.DataFrame
    unseen: pl.DataFrame
    clusters: Rows
    kind: str = "student"
    units: tuple[Rows, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many of the judging rows say something of their own."""
        return min([self.judging.height, *(len(np.unique(labels)) for labels in self.units)])


def ordered_frame(records: Sequence[LabeledRecord], schema: DomainSchema) -> pl.DataFrame:
    """The records as a typed frame, oldest first.

    Ordered by period where there is one, then by arrival. Rows that arrived together come in an order that has nothing
    to do with the file's (a file sorted by school or mark must not decide which rows are "newest").
    """
    rank = rank_periods((r.period for r in records if r.period), schema.period_order)
    ordered = sorted(records, key=lambda r: (rank.get(r.period or "", -1), *_receipt(r), _scatter(r.id)))
    return frame_of(ordered, schema)


def arrivals(records: Sequence[LabeledRecord]) -> dict[str, int]:
    """By record: which of the uploads it came with, counted from the oldest."""
    order = {receipt: place for place, receipt in enumerate(sorted({_receipt(record) for record in records}))}
    return {record.id: order[_receipt(record)] for record in records}


def _receipt(record: LabeledRecord) -> tuple[float, datetime]:
    """The order of receipt; what is not stored yet is newest, and has only its time."""
    return record.receipt or float("inf"), record.at


def _scatter(record: str) -> bytes:
    return hashlib.sha256(record.encode()).digest()


def hold_out(
    frame: pl.DataFrame,
    schema: DomainSchema,
    key: ChampionKey,
    seen: Collection[str],
    *,
    share: float,
    arrived: Mapping[str, int] | None = None,
) -> Holdout:
    """Split an ordered typed `frame` of complete rows. seen: ids of the rows that the champion was trained on.

    Copies count once, and not at all where the champion knows one of them. Clusters (group, else student) with any seen
    row judge nothing, but for two kinds: rows of a later period than all that the champion knows, where students are
    the clusters, and groups that only have an old name (`_renewed`; arrived: `arrivals`). Of the rest the
    newest are held out, by whole periods or whole clusters, until they hold `share` of all unseen rows, and are two
    clusters at least: one alone says nothing about the next.
    """
    kind = cluster_kind(frame, schema)
    known = np.asarray(frame["_record"].is_in(list(seen)).to_numpy(), dtype=bool)
    counted = _counted(frame, schema, key, known)
    unseen = ~known & counted
    groups = clusters(frame, schema)
    renewed = _renewed(frame, schema, groups, known, unseen, arrived or {})
    groups = np.where(renewed, groups + groups.max(initial=0) + 1, groups)
    later = _later(frame, schema, known) & unseen
    eligible = unseen & (later | ~np.isin(groups, np.unique(groups[known])))
    wanted = int(np.ceil(share * unseen.sum()))
    parted = later & (not schema.reaches)  # weeks of one student share an outcome: judges are whole students
    judging = _newest(frame, groups, eligible, parted, wanted, int(unseen.sum()))
    idle = unseen & ~judging & _of_students(frame, judging & renewed)
    reasons = {
        COPIES: int((~counted & ~known).sum()),
        KNOWN.format(kind): int((unseen & ~eligible).sum()),
        JUDGED_STUDENTS: int(idle.sum()),
    }
    judges = frame.filter(pl.Series(judging))
    return Holdout(
        teaching=frame.filter(pl.Series(counted & ~judging & ~idle)),
        judging=judges,
        unseen=frame.filter(pl.Series(unseen)),
        clusters=groups[judging],
        kind=kind,
        units=(students(judges), content_numbers(judges, schema.content_of(key.target, key.moment))),
        left_out={reason: count for reason, count in reasons.items() if count},
    )


def among(holdout: Holdout, records: Collection[str]) -> Holdout:
    """The same with only those judging rows whose ids are among `records`."""
    kept = holdout.judging["_record"].is_in(list(records))
    chosen = np.asarray(kept.to_numpy(), dtype=bool)
    units = tuple(labels[chosen] for labels in holdout.units)
    return replace(holdout, judging=holdout.judging.filter(kept), clusters=holdout.clusters[chosen], units=units)


def _counted(frame: pl.DataFrame, schema: DomainSchema, key: ChampionKey, known: Mask) -> Mask:
    """Which rows count: of each copied content the known ones, or else the first."""
    found = copies(frame, *schema.contents_of(key.target, key.moment))
    contents = np.unique(found[known])
    return np.asarray((found == ORDINARY) | known | ((found == np.arange(len(found))) & ~np.isin(found, contents)))


def _renewed(
    frame: pl.DataFrame,
    schema: DomainSchema,
    groups: Rows,
    known: Mask,
    unseen: Mask,
    arrived: Mapping[str, int],
) -> Mask:
    """Unseen rows of groups that only share their name with one that the champion knows, where no period tells.

    So it is where all of a name's unseen rows came later than all that the champion learned under that name, and none
    of its students is known to the champion.
    """
    found = np.zeros(frame.height, dtype=bool)
    if cluster_kind(frame, schema) == "student" or not known.any():
        return found
    dated = np.asarray(frame["_period"].is_not_null().to_numpy()) if schema.period else found
    uploads = np.array([arrived.get(record, 0) for record in frame["_record"].to_list()])
    named = np.asarray(frame["_student"].is_not_null().to_numpy())
    met = _of_students(frame, known)
    for group in np.intersect1d(groups[known], groups[unseen & ~dated]):
        new, old = unseen & (groups == group), known & (groups == group)
        if named[new].all() and not met[new].any() and uploads[new].min() > uploads[old].max():
            found |= new
    return found


def _of_students(frame: pl.DataFrame, rows: Mask) -> Mask:
    """The rows of all students that any of `rows` is about."""
    students = frame.filter(pl.Series(rows))["_student"].drop_nulls().unique()
    return np.asarray(frame["_student"].is_in(students.to_list()).fill_null(False).to_numpy(), dtype=bool)


def _later(frame: pl.DataFrame, schema: DomainSchema, known: Mask) -> Mask:
    """Rows of a later period (`split.seasons`) than all that the champion knows, where students are the clusters; else
    none."""
    if not schema.period or cluster_kind(frame, schema) != "student":
        return np.zeros(frame.height, dtype=bool)
    rank = seasons(frame, schema)
    return np.asarray(rank > rank[known].max(initial=-1))


def _newest(frame: pl.DataFrame, groups: Rows, eligible: Mask, later: Mask, wanted: int, unseen: int) -> Mask:
    """The rows that judge: `wanted` of the eligible ones or somewhat more.

    Later periods are held out whole, newest first; one that would leave no unseen row to learn from is parted by
    clusters, as are rows without a later period.
    """
    judging = np.zeros(len(groups), dtype=bool)
    for period in _parts(frame, eligible, later):
        if judging.sum() >= wanted and len(np.unique(groups[judging])) > 1:
            break
        if later[period].any() and judging.sum() + period.sum() < unseen:
            judging |= period
        else:
            judging |= period & np.isin(groups, _newest_clusters(groups, period, wanted - int(judging.sum())))
    return judging


def _parts(frame: pl.DataFrame, eligible: Mask, later: Mask) -> Iterator[Mask]:
    """Later periods, newest first, then all other eligible rows together; the frame is ordered by period."""
    periods = frame["_period"].to_numpy() if "_period" in frame.columns else np.array([None] * frame.height)
    for period in dict.fromkeys(periods[eligible & later][::-1].tolist()):
        yield eligible & later & (periods == period)
    if (eligible & ~later).any():
        yield eligible & ~later


def _newest_clusters(groups: Rows, eligible: Mask, wanted: int) -> list[int]:
    """Eligible clusters, newest first by their last row, until they hold `wanted` rows."""
    chosen: list[int] = []
    held = 0
    sizes = np.bincount(groups[eligible])
    for group in dict.fromkeys(groups[eligible][::-1].tolist()):
        if held >= wanted and len(chosen) > 1:
            break
        chosen.append(group)
        held += int(sizes[group])
    return chosen
