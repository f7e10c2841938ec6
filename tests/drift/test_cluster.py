"""Profiles made by several processes of a real cluster: the same bits as on one machine, whatever happens."""

import os
import signal
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest

distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")

from drift.cluster import profile_partitions  # noqa: E402
from drift.column import BinnedColumn, ProfileError  # noqa: E402
from drift.profile import build_profile  # noqa: E402
from preprocessing.schema import DomainSchema, Feature, Target  # noqa: E402

SCHEMA = DomainSchema(
    name="invented",
    title="",
    features=(
        Feature(name="mark", kind="numeric"),
        Feature(name="time", kind="numeric"),
        Feature(name="level", kind="categorical", open=True),
    ),
    targets=(Target(name="y"),),
)


def sample(seed: int, rows: int = 5_000) -> pl.DataFrame:
    draw = np.random.default_rng(seed)
    time = np.where(draw.random(rows) < 0.1, np.nan, draw.normal(size=rows))
    return pl.DataFrame({"mark": draw.integers(0, 21, rows), "time": time, "level": draw.choice(list("abc"), rows)})


def fatal(marker: Path, seed: int) -> pl.DataFrame:
    """Partition `seed`; the first worker that asks for it is killed, as the machine under it would kill it."""
    try:
        marker.touch(exist_ok=False)
    except FileExistsError:
        return sample(seed)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


@pytest.fixture(scope="module")
def client() -> Iterator[object]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the cluster's own making: ports in use, sockets left open by the dead
        cluster = distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
        )
        with cluster, distributed.Client(cluster) as client:
            yield client


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("partitions")
    for seed in range(5):
        sample(seed).write_parquet(folder / f"{seed}.parquet")
    return sorted(folder.iterdir())


def one_machine() -> pl.DataFrame:
    return pl.concat([sample(seed) for seed in range(5)])


def test_a_cluster_s_profile_is_the_one_machine_s_bit_for_bit(client, files) -> None:
    assert profile_partitions(files, SCHEMA, client).to_bytes() == build_profile(one_machine(), SCHEMA).to_bytes()


def test_on_a_reference_s_grid_too(client, files) -> None:
    reference = build_profile(sample(9, 30_000), SCHEMA)
    found = profile_partitions(files[::-1], SCHEMA, client, reference=reference)
    assert isinstance(found.columns["time"], BinnedColumn)
    assert found.to_bytes() == build_profile(one_machine(), SCHEMA).on_grid_of(reference).to_bytes()


def test_a_worker_killed_on_the_way_changes_no_bit(client, files, tmp_path) -> None:
    marker = tmp_path / "killed"
    partitions = [*files[:3], partial(fatal, marker, 3), files[4]]
    found = profile_partitions(partitions, SCHEMA, client)
    assert marker.exists()
    assert found.to_bytes() == build_profile(one_machine(), SCHEMA).to_bytes()


def test_partitions_that_do_not_go_together_are_refused(client, files) -> None:
    with pytest.raises(ProfileError, match="no partitions"):
        profile_partitions([], SCHEMA, client)
    other = partial(pl.DataFrame, {"mark": [1]})
    with pytest.raises(ProfileError, match=r"\['level', 'time'\] are in only one"):
        profile_partitions([files[0], other], SCHEMA, client)
