"""Which rows judge a challenger: the newest that the champion has not seen, whole clusters, held out of its training.

Everything else teaches the challenger. Nothing here fits or scores.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from database.records import LabeledRecord
from preprocessing.periods import rank_periods
from preprocessing.schema import DomainSchema
from preprocessing.split import clusters
from preprocessing.validation.validate import frame_of


@dataclass(frozen=True)
class Holdout:
    """Typed frames: `teaching` rows for the challenger, `judging` rows for both, `unseen` by the champion so far."""

    teaching: pl.DataFrame
    judging: pl.DataFrame
    unseen: pl.DataFrame
    clusters: NDArray[np.int64]


def ordered_frame(records: Sequence[LabeledRecord], schema: DomainSchema) -> pl.DataFrame:
    """The records as a typed frame, oldest first.

    Ordered by period where there is one, then by arrival. Rows that arrived together come in an order that has nothing
    to do with the file's (a file sorted by school or mark must not decide which rows are "newest").
    """
    rank = rank_periods((r.period for r in records if r.period), schema.period_order)
    ordered = sorted(records, key=lambda r: (rank.get(r.period or "", -1), r.at, _scatter(r.id)))
    return frame_of(ordered, schema)


def _scatter(record: str) -> bytes:
    return hashlib.sha256(record.encode()).digest()


def hold_out(frame: pl.DataFrame, schema: DomainSchema, seen: Collection[str], *, share: float) -> Holdout:
    """Split an ordered typed `frame` of complete rows. seen: ids of the rows that the champion was trained on.

    Clusters (group, else student) with any seen row judge nothing. Of the other clusters the newest are held out
    until they hold `share` of all unseen rows, and are two at least: one alone says nothing about the next.
    """
    groups = clusters(frame, schema)
    known = np.asarray(frame["_record"].is_in(list(seen)).to_numpy(), dtype=bool)
    spoiled = np.unique(groups[known])
    unseen = ~known
    eligible = unseen & ~np.isin(groups, spoiled)
    judging = np.isin(groups, _newest_clusters(groups, eligible, int(np.ceil(share * unseen.sum()))))
    return Holdout(
        teaching=frame.filter(pl.Series(~judging)),
        judging=frame.filter(pl.Series(judging)),
        unseen=frame.filter(pl.Series(unseen)),
        clusters=groups[judging],
    )


def among(holdout: Holdout, records: Collection[str]) -> Holdout:
    """The same with only those judging rows whose ids are among `records`."""
    kept = holdout.judging["_record"].is_in(list(records))
    clusters = holdout.clusters[np.asarray(kept.to_numpy(), dtype=bool)]
    return replace(holdout, judging=holdout.judging.filter(kept), clusters=clusters)


def _newest_clusters(groups: NDArray[np.int64], eligible: NDArray[np.bool_], wanted: int) -> list[int]:
    """Eligible clusters, newest first by their last row, until they hold `wanted` rows."""
    chosen: list[int] = []
    held = 0
    sizes = np.bincount(groups)
    for group in dict.fromkeys(groups[eligible][::-1].tolist()):
        if held >= wanted and len(chosen) > 1:
            break
        chosen.append(group)
        held += int(sizes[group])
    return chosen
