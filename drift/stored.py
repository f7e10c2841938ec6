"""Profiles as text that fits a database's document, and small at any number of rows.

Where a document is kept is not decided here. The edges of a grid are left out: they are the champion's, and the same
in every document.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from drift.column import GRID_FROM, BinnedColumn, Column, Floats, NumericColumn, ProfileError, bin_numbers, grid_of
from drift.profile import Profile


class Grids:
    """The grids of one reference, made when first asked for; of no reference there are none."""

    def __init__(self, reference: Profile | None) -> None:
        self._columns = reference.columns if reference else {}
        self._made: dict[str, tuple[Floats, str]] = {}

    def edges(self, name: str) -> Floats | None:
        """The edges for column `name`; None where the reference has no numbers there."""
        found = self._find(name)
        return found[0] if found else None

    def mark(self, name: str) -> str | None:
        """What tells the grid of column `name` from another one."""
        found = self._find(name)
        return found[1] if found else None

    def _find(self, name: str) -> tuple[Floats, str] | None:
        column = self._columns.get(name)
        if name not in self._made and column is not None and not column.categorical and column.present:
            assert isinstance(column, NumericColumn | BinnedColumn)  # noqa: S101 (it is not categorical)
            edges = column.edges if isinstance(column, BinnedColumn) else grid_of(column)
            self._made[name] = (edges, hashlib.sha256(edges.tobytes()).hexdigest()[:16])
        return self._made.get(name)


def compacted(profile: Profile, grids: Grids) -> Profile:
    """The profile with columns of more than 16,384 distinct values counted on their grid, where there is one.

    Others stay exact, so that small samples are compared exactly whatever they are compared with.
    """
    return replace(profile, columns={name: _compacted(column, name, grids) for name, column in profile.columns.items()})


def _compacted(column: Column, name: str, grids: Grids) -> Column:
    if not isinstance(column, NumericColumn) or len(column.values) <= GRID_FROM:
        return column
    edges = grids.edges(name)
    return column if edges is None else bin_numbers(column, edges)


def pack(profile: Profile, grids: Grids) -> tuple[str, dict[str, str]]:
    """The profile as ASCII text, and the marks of the grids that are needed to read it again.

    Raises ProfileError for a column that is counted on another grid.
    """
    bare, marks = dict(profile.columns), {}
    for name, column in profile.columns.items():
        if isinstance(column, BinnedColumn):
            marks[name] = _required(name, column.edges, grids)
            bare[name] = replace(column, edges=np.zeros(0))
    return base64.b64encode(zlib.compress(replace(profile, columns=bare).to_bytes())).decode("ascii"), marks


def _required(name: str, edges: Floats, grids: Grids) -> str:
    mark, expected = grids.mark(name), grids.edges(name)
    if mark is None or expected is None or not np.array_equal(expected, edges):
        raise ProfileError(f"column {name!r}: counted on the grid of another reference")
    return mark


def unpack(text: str, marks: Mapping[str, str], grids: Grids) -> Profile:
    """The profile that `pack` made into `text`. ProfileError when it is damaged or was counted on other grids."""
    try:
        profile = Profile.from_bytes(zlib.decompress(base64.b64decode(text, validate=True)))
    except (binascii.Error, zlib.error, ValueError) as error:
        raise ProfileError(f"the stored profile is damaged: {error}") from error
    columns = dict(profile.columns)
    for name, mark in marks.items():
        column, edges = columns.get(name), grids.edges(name)
        if edges is None or grids.mark(name) != mark or not isinstance(column, BinnedColumn):
            raise ProfileError(f"column {name!r}: counted on the grid of another reference")
        columns[name] = replace(column, edges=edges)
    return replace(profile, columns=columns)
