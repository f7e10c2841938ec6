"""The demo beside an installation of one's own: added by a word, removed by a word, never written over or mixed."""

from pathlib import Path

from clock import living_by, new_id, now
from database.records import Event
from demo.installation import add_demo, demo_folder, demo_mark, open_demo, remove_demo, renew_demo
from demo.snapshot import MADE_OF
from settings import Settings
from tests.command import run_command


def test_what_somebody_did_in_it_stays_until_they_remove_it(tmp_path: Path) -> None:
    assert run_command(tmp_path, "demo", "add").returncode == 0
    workspace, clock = open_demo(tmp_path)
    with living_by(clock):
        workspace.store.add_event(Event(id=new_id(), kind="done by a visitor", at=now()))
    workspace.close()
    again = run_command(tmp_path, "demo", "add")
    assert (again.returncode, "demo remove" in again.stderr) == (1, True)
    workspace, later = open_demo(tmp_path)
    [done] = workspace.store.events(kind="done by a visitor")
    assert later() >= done.at, "time goes on where it stood"
    workspace.close()


def test_adding_and_removing_it_leaves_ones_own_installation_as_it_was(tmp_path: Path) -> None:
    own = Settings(data_dir=tmp_path)
    own.open_workspace().close()
    before = contents(tmp_path)
    add_demo(tmp_path)
    workspace, _ = open_demo(tmp_path)
    assert workspace.secret != own.secret()
    workspace.close()
    assert {name: content for name, content in contents(tmp_path).items() if not name.startswith("demo/")} == before
    assert remove_demo(tmp_path)
    assert contents(tmp_path) == before
    assert not remove_demo(tmp_path)


def test_that_of_an_earlier_version_makes_room_for_this_one_s(tmp_path: Path) -> None:
    add_demo(tmp_path)
    mark = demo_mark(tmp_path)
    assert not renew_demo(tmp_path), "this version's stays, with what was done in it"
    (demo_folder(tmp_path) / MADE_OF).write_text("another", encoding="ascii")
    told = run_command(tmp_path, "setup", "--no-models", "--demo")
    assert (told.returncode, "this version's" in told.stdout) == (0, True)
    assert demo_mark(tmp_path) != mark
    assert not renew_demo(tmp_path)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_no_server_that_asks_who_calls_has_one(tmp_path: Path) -> None:
    asked = {"GRADEWATCH_AUTH": "on", "GRADEWATCH_TOKEN_SECRET": "s" * 32}
    found = run_command(tmp_path, "demo", "add", **asked)
    assert (found.returncode, "shows no invented school" in found.stderr) == (78, True)
    assert run_command(tmp_path, "setup", "--no-models", "--demo", **asked).returncode == 0
    assert not demo_folder(tmp_path).exists()


def test_it_comes_with_a_new_folder_and_does_not_come_back(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    for there in (True, False):
        assert run_command(tmp_path, "setup", "--no-models", "--demo", GRADEWATCH_DATA_DIR=str(folder)).returncode == 0
        assert demo_folder(folder).exists() is there
        remove_demo(folder)
