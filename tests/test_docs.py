"""The docs are true where a machine can tell: links, settings, commands."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from cli.main import app
from settings import Settings, variable

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#|<)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_setting_is_described() -> None:
    page = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    names = [variable(name) for name in Settings.model_fields]
    assert [name for name in names if f"`{name}`" not in page] == []


def test_every_command_that_the_docs_show_exists() -> None:
    verbs = get_command(app).commands  # type: ignore[attr-defined]
    shown = {
        words
        for page in PAGES
        for words in re.findall(r"^\$ gradewatch ([\w-]+(?: \w+)?)", page.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert shown
    for words in shown:
        verb, _, noun = words.partition(" ")
        assert verb in verbs, words
        assert not noun or not hasattr(verbs[verb], "commands") or noun in verbs[verb].commands, words
