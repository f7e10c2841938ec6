"""The docs are true where a machine can tell: links, settings, commands."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from benchmarks.result import PAGE
from benchmarks.result import page as benchmarks_page
from cli import reference
from cli.apps import app
from drift.statistics import MEASURES, TESTS
from settings import Settings, variable

ROOT = Path(__file__).resolve().parents[1]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
DECISION = re.compile(
    r"# (?P<number>\d{4}) (?P<title>[^\n]+)\n\nDate: (?P<date>\d{4}-\d\d-\d\d)\n"
    r"Status: (?P<status>accepted|(?:amended|superseded|overturned) by (?P<later>\d{4}))\n"
    r"(?:\n## Context\n\n.+?)?\n## Decision\n\n.+?(?:\n## Figures\n\n.+?)?",
    re.DOTALL,
)
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_page_of_benchmarks_shows_the_results_that_are_kept() -> None:
    assert PAGE.read_text(encoding="utf-8") == benchmarks_page()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#|<)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_tests_that_the_docs_name_are_there() -> None:
    named = {one for page in PAGES for one in re.findall(r"`(tests/\S+\.py)::(\w+)`", page.read_text(encoding="utf-8"))}
    assert len(named) > 10
    assert [one for one in sorted(named) if f"def {one[1]}(" not in (ROOT / one[0]).read_text(encoding="utf-8")] == []


def test_every_setting_is_described() -> None:
    page = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    names = [variable(name) for name in Settings.model_fields]
    assert [name for name in names if f"`{name}`" not in page] == []


def test_the_files_that_the_architecture_names_are_there() -> None:
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_]+(?:/[\w.]+)+/?|[a-z_]+\.py|[a-z_]+/)`", page))
    assert len(named) > 40
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_every_command_is_described_as_it_is() -> None:
    assert reference.COMMANDS_PAGE.read_text(encoding="utf-8") == reference.page(), "run python -m cli.reference"


def test_every_older_address_is_described_as_the_table_has_it() -> None:
    assert reference.OLDER_PAGE.read_text(encoding="utf-8") == reference.older_page(), "run python -m cli.reference"


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


def test_decisions_are_numbered_without_gaps() -> None:
    assert [page.name[:4] for page in DECISIONS] == [f"{number:04d}" for number in range(1, len(DECISIONS) + 1)]


def test_every_decision_has_its_head_and_the_index_says_the_same() -> None:
    index = (DECISIONS[0].parent / "README.md").read_text(encoding="utf-8")
    rows = [line.rpartition(" | ")[0] for line in index.splitlines() if line.startswith("| [")]
    assert rows == [_index_row(page) for page in DECISIONS]


def _index_row(page: Path) -> str:
    """What the index says of a decision, but for its last cell: the decision in a line."""
    found = DECISION.fullmatch(page.read_text(encoding="utf-8"))
    assert found, f"{page.name} lacks the head or the sections that every decision has"
    number, title, date, status, later = found.groups()
    assert page.name.startswith(number)
    assert later is None or (later != number and any(one.name.startswith(later) for one in DECISIONS))
    return f"| [{number}]({page.name}) | {title} | {date} | {status}"


def test_every_registered_statistic_of_drift_stands_in_the_reference() -> None:
    page = (ROOT / "docs" / "reference" / "drift.md").read_text(encoding="utf-8")
    rows = [
        f"| {test.name} | {test.of} | yes | {test.method}; effect: {test.effect}; interval: "
        f"{test.interval_method.partition(': ')[2]} |"
        for test in TESTS.values()
    ]
    rows += [
        f"| {one.name} | {', '.join(one.of)} | no | {one.meaning} (`{'`, `'.join(one.fields)}`) |" for one in MEASURES
    ]
    assert [row for row in rows if row not in page.splitlines()] == []
