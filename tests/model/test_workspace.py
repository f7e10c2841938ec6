"""Opening an installation: what is refused, in words."""

from pathlib import Path

import pytest

from model.workspace import UnusableWorkspace, Workspace, open_workspace

FIRST, OTHER = b"the first secret of a school", b"another secret of the school"


def opened(folder: Path, secret: bytes, url: str = "") -> Workspace:
    address = url or f"sqlite:///{folder / 'gradewatch.db'}"
    return open_workspace(database_url=address, artifacts_dir=folder / "models", domains_dir=None, secret=secret)


def test_a_database_opens_with_the_secret_it_was_begun_with_and_no_other(tmp_path: Path) -> None:
    opened(tmp_path, FIRST).close()
    opened(tmp_path, FIRST).close()
    with pytest.raises(UnusableWorkspace, match="another pseudonym secret"):
        opened(tmp_path, OTHER)
    opened(tmp_path, FIRST).close()


def test_an_address_that_leads_to_no_database_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(UnusableWorkspace, match="no store for 'nope'"):
        opened(tmp_path, FIRST, url="nope")
