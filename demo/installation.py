"""The demo's installation under the data folder of one's own: added, opened with its own clock, removed.

Its students never meet anybody's records: it has a database, models and a secret of its own, and no process but the
dashboard on this machine opens it.
"""

import shutil
from datetime import datetime
from pathlib import Path

from clock import Clock
from database.store import RecordStore
from demo.clocks import LastDay
from demo.plot import LAST_INSTANT
from demo.snapshot import DATABASE, MODELS_FOLDER, SECRET, unpack
from model.workspace import Workspace, open_workspace


def demo_folder(data_dir: Path) -> Path:
    """Where the demo lies, if it is there."""
    return data_dir / "demo"


def demo_mark(data_dir: Path) -> int | None:
    """A number that is another one for each demo that was put there; None where there is none."""
    try:
        return (demo_folder(data_dir) / DATABASE).stat().st_ino
    except FileNotFoundError:
        return None


def add_demo(data_dir: Path) -> None:
    """Put the demo there. Raises DemoThere where it is."""
    unpack(demo_folder(data_dir))


def remove_demo(data_dir: Path) -> bool:
    """Remove the demo with all that was done in it; whether it was there."""
    folder, there = demo_folder(data_dir), demo_mark(data_dir) is not None
    if folder.exists():
        gone = folder.rename(folder.with_name(f".{folder.name}-removed"))  # at once, for whoever looks
        shutil.rmtree(gone)
    return there


def open_demo(data_dir: Path) -> tuple[Workspace, Clock]:
    """Its workspace and its clock. Raises StoreUnavailable, UnusableWorkspace."""
    opened = open_installation(demo_folder(data_dir))
    return opened, LastDay(_newest(opened.store))


def open_installation(folder: Path) -> Workspace:
    """The workspace in a folder with a secret, as the story began it or as it was unpacked."""
    return open_workspace(
        database_url=f"sqlite:///{folder / DATABASE}",
        artifacts_dir=folder / MODELS_FOLDER,
        domains_dir=None,
        secret=(folder / SECRET).read_bytes(),
    )


def _newest(store: RecordStore) -> datetime:
    """When something was done last, by the story or by a visitor since."""
    events, accesses = store.events(limit=1), store.accesses(limit=1)
    return max([LAST_INSTANT, *(one.at for one in events), *(one.at for one in accesses)])
