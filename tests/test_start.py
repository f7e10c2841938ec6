"""`serve` with plain options starts without the command line's libraries; everything else is the command line's."""

import subprocess
import sys
from pathlib import Path

import pytest

from cli.start import PORTS, plain_options
from tests.command import run_command


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ([], {}),
        (["--port", "8001"], {"port": 8001}),
        (["--workers", "2", "--host", "::1"], {"workers": 2, "host": "::1"}),
        (["--help"], None),
        (["--port"], None),
        (["--port", "many"], None),
        (["--port", "-1"], None),
        (["--port", "1", "--port", "2"], None),
        (["--port=8001"], None),
        (["--host", "--port"], None),
        (["--reload", "yes"], None),
    ],
)
def test_only_options_with_values_of_their_kind_are_plain(
    arguments: list[str], options: dict[str, object] | None
) -> None:
    assert plain_options(arguments) == options


def test_a_refused_start_says_why_as_the_command_line_does(tmp_path: Path) -> None:
    found = run_command(tmp_path, "serve", "--host", "0.0.0.0", alone=True)
    assert found.returncode == 78
    assert "GRADEWATCH_AUTH" in found.stderr
    assert "Traceback" not in found.stderr


def test_a_wrong_option_is_wrong_usage(tmp_path: Path) -> None:
    found = run_command(tmp_path, "serve", "--ports", "1")
    assert found.returncode == 2
    assert "No such option" in found.stderr


def test_every_other_verb_is_the_command_lines(tmp_path: Path) -> None:
    assert "school" in run_command(tmp_path, "domain", "list", alone=True).stdout


def test_serving_loads_no_command_line() -> None:
    words = "import sys, cli.start, deployment.server, settings; print({'typer', 'rich'} & set(sys.modules))"
    assert said(words) == "set()"


def test_who_waits_for_what_run_has_started_holds_next_to_nothing() -> None:
    assert plain_options(["--api-port", "8010"], PORTS) == {"api-port": 8010}
    words = "import cli.start, deployment.local; print(open('/proc/self/status').read())"
    resident = next(line for line in said(words).splitlines() if line.startswith("VmRSS"))
    assert int(resident.split()[1]) < 40_000, "kB"


def said(words: str) -> str:
    return subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True).stdout.strip()
