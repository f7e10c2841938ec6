"""Observations as a folder of Parquet files, one for each kind that there is: attendance.parquet, grades.parquet ….

The form in which they go from one program of ours to another, exactly; it maps no columns and mends nothing.
"""

from pathlib import Path

import polars as pl

from preprocessing.panel.kinds import OBSERVATION_KINDS
from preprocessing.panel.observations import BadObservations, Observations, check, of_kinds


def read_folder(folder: Path) -> Observations:
    """The checked observations in `folder`; a kind without a file has none. Raises BadObservations."""
    files = {kind: folder / f"{kind}.parquet" for kind in OBSERVATION_KINDS}
    if not any(file.exists() for file in files.values()):
        raise BadObservations(f"{folder} holds none of {', '.join(file.name for file in files.values())}")
    return check(of_kinds({kind: _read(file) for kind, file in files.items() if file.exists()}))


def write_folder(observations: Observations, folder: Path) -> None:
    """Write all kinds that there are into `folder`, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind, frame in check(observations).frames():
        if frame.height:
            frame.write_parquet(folder / f"{kind}.parquet")


def _read(file: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(file)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise BadObservations(f"{file.name} cannot be read as Parquet: {error}") from error
