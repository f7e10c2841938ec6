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
from demo.snapshot import DATABASE, MADE_OF, MODELS_FOLDER, SECRET, digest_of, unpack
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


def renew_demo(data_dir: Path) -> bool:
    """Put the demo of this version in the place of another version's, with all that was done in that; whether one
    was."""
    made_of = demo_folder(data_dir) / MADE_OF
    if demo_mark(data_dir) is None or (made_of.exists() and made_of.read_text(encoding="ascii") == digest_of()):
        return False
    gone = _put_aside(data_dir)
    add_demo(data_dir)  # while the other still lies there, so that no number is given twice
    shutil.rmtree(gone)
    return True


def remove_demo(data_dir: Path) -> bool:
    """Remove the demo with all that was done in it; whether it was there."""
    there = demo_mark(data_dir) is not None
    if demo_folder(data_dir).exists():
        shutil.rmtree(_put_aside(data_dir))
    return there


def _put_aside(data_dir: Path) -> Path:
    """Out of the way at once, for whoever looks; where it lies then."""
    folder = demo_folder(data_dir)
    return folder.rename(folder.with_name(f".{folder.name}-removed"))


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
