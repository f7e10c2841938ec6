"""Profiles made by several processes of a real cluster: the same bits as on one machine, whatever happens."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")

from drift.cluster import profile_partitions, versions  # noqa: E402
from drift.column import BinnedColumn, ProfileError  # noqa: E402
from drift.profile import build_profile  # noqa: E402
from preprocessing.schema import DomainSchema, Feature, Target  # noqa: E402

ROOT = Path(__file__).parents[2]
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


def hesitant(marker: Path, seed: int) -> pl.DataFrame:
    """Partition `seed`, which cannot be had the first time."""
    try:
        marker.touch(exist_ok=False)
    except FileExistsError:
        return sample(seed)
    raise OSError("the network is away")


def deadly() -> pl.DataFrame:
    """What kills whoever asks for it."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


def part(order: list[int], start: int, stop: int) -> pl.DataFrame:
    """Rows `start` to `stop` of all samples in an order."""
    return pl.concat([sample(seed) for seed in order])[start:stop]


CLUSTER = """
import sys
from distributed import LocalCluster

with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster:
    print(cluster.scheduler_address, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def client() -> Iterator[object]:
    """A cluster in processes of its own, where killed workers are replaced whatever a test makes of warnings."""
    waiting = {"DASK_DISTRIBUTED__SCHEDULER__NO_WORKERS_TIMEOUT": "120s"}
    command = [sys.executable, "-W", "ignore", "-c", CLUSTER]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ | waiting
    ) as cluster:
        assert cluster.stdin
        assert cluster.stdout
        with distributed.Client(cluster.stdout.readline().strip()) as client:
            yield client
        cluster.stdin.close()


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


def test_a_partition_that_cannot_be_read_is_named_and_the_cluster_goes_on(client, files, tmp_path) -> None:
    damaged = tmp_path / "damaged.parquet"
    damaged.write_bytes(files[0].read_bytes()[:300])
    with pytest.raises(ProfileError, match="not a Parquet file") as failed:
        profile_partitions([*files[:2], damaged], SCHEMA, client)
    assert failed.value.__notes__ == [f"in partition 2 (the first is 0): {damaged}"]
    with pytest.raises(FileNotFoundError) as failed_too:
        profile_partitions([tmp_path / "gone.parquet", files[0]], SCHEMA, client)
    assert "in partition 0" in failed_too.value.__notes__[0]
    assert profile_partitions(files, SCHEMA, client).to_bytes() == build_profile(one_machine(), SCHEMA).to_bytes()


def test_a_partition_that_fails_for_a_moment_is_read_again(client, files, tmp_path) -> None:
    partitions = [*files[:4], partial(hesitant, tmp_path / "tried", 4)]
    assert profile_partitions(partitions, SCHEMA, client).to_bytes() == build_profile(one_machine(), SCHEMA).to_bytes()


def test_a_partition_that_ends_every_worker_is_named(client, files, tmp_path) -> None:
    with pytest.raises(distributed.KilledWorker, match="partition 1 "):
        profile_partitions([files[0], deadly], SCHEMA, client)
    assert profile_partitions(files, SCHEMA, client).to_bytes() == build_profile(one_machine(), SCHEMA).to_bytes()


def test_workers_of_other_versions_are_refused(client, files, monkeypatch) -> None:
    monkeypatch.setattr("drift.cluster.versions", lambda: versions() | {"gradewatch": "0.0.0"})
    with pytest.raises(ProfileError, match=r"'gradewatch': '0\.0\.0'.*install the same everywhere"):
        profile_partitions(files[:1], SCHEMA, client)


@settings(max_examples=8, deadline=None)
@given(st.permutations(range(5)), st.lists(st.integers(1, 4), unique=True, max_size=3))
def test_neither_order_nor_cuts_change_a_bit(client, order, cuts) -> None:
    """Any division of the rows into partitions, counted in any order."""
    rows = pl.concat([sample(seed) for seed in order])
    edges = [0, *(cut * 5_000 + 17 for cut in sorted(cuts)), rows.height]
    parts = [partial(part, order, start, stop) for start, stop in pairwise(edges)]
    assert profile_partitions(parts, SCHEMA, client).to_bytes() == build_profile(one_machine(), SCHEMA).to_bytes()
