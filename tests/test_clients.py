"""The load test and the security check, against this service and against one that does everything wrong."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from deployment.loadtest import BadAddress, Load, RowsFile, is_local, plan_load, require_consent, run_load, target_of
from deployment.security import check_service
from tests.api.conftest import start
from tests.api.serving import Server
from tests.command import run_command


class Weak(BaseHTTPRequestHandler):
    """Answers everyone, to every host, from every site; shows its traces; reads whatever length is announced."""

    protocol_version = "HTTP/1.1"
    server_version = "Weak/0.1"

    def do_GET(self) -> None:
        if self.path == "/.env":
            self._say(200, b"SECRET=1", "text/plain")
        elif self.path.startswith(("/api/v1/domains", "/metrics", "/docs", "/health")):
            self._say(200, b"{}", "application/json")
        else:
            self._say(500, b'Traceback (most recent call last):\n  File "/srv/app.py"', "text/plain")

    def do_POST(self) -> None:
        self.rfile.read(min(int(self.headers["content-length"]), 300_000))
        self._say(500 if self.headers["content-length"] == "0" else 200, b"{}", "application/json")

    do_OPTIONS = do_TRACE = do_GET  # noqa: N815 (the names that http.server calls)

    def _say(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.send_header("access-control-allow-origin", self.headers.get("origin", "*"))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def weak(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr("deployment.security.CHECK_SECONDS", 0.5)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Weak)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service that has just been installed: no champion, nobody asked who they are."""
    with ExitStack() as stack:
        yield start(stack, tmp_path_factory.mktemp("plain"), {})


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """A service that asks for keys, and a key."""
    folder = tmp_path_factory.mktemp("guarded")
    settings = {"GRADEWATCH_AUTH": "on", "GRADEWATCH_TOKEN_SECRET": "x7" * 20, "GRADEWATCH_RATE_LIMIT": "off"}
    with ExitStack() as stack:
        server = start(stack, folder, settings)
        yield server, gradewatch(server, "keys", "create", "check", "--role", "analyst").stdout.strip()


def gradewatch(server: Server, *arguments: str, key: str = "") -> subprocess.CompletedProcess[str]:
    return run_command(server.folder, *arguments, **server.environment | {"GRADEWATCH_API_KEY": key, "COLUMNS": "200"})


def test_the_security_check_finds_nothing_in_a_fresh_service(plain: Server) -> None:
    assert [finding for finding in check_service(plain.url) if not finding.safe] == []
    assert gradewatch(plain, "security-check", plain.url).returncode == 0


def test_the_security_check_finds_nothing_where_keys_are_asked_for(guarded: tuple[Server, str]) -> None:
    server, key = guarded
    findings = check_service(server.url, key=key)
    assert [finding for finding in findings if not finding.safe] == []
    names = {finding.check for finding in findings}
    assert "POST /api/v1/engagement/predict without a key" in names
    assert "GET /api/v1/accesses without a key" in names
    assert "access with an unsigned token" in names


def test_the_security_check_finds_what_is_wrong(weak: str, plain: Server) -> None:
    findings = {finding.check for finding in check_service(weak) if not finding.safe}
    assert findings >= {
        "header x-content-type-options of /health",
        "header cache-control of /health",
        "frames of /health",
        "versions told by /health",
        "file /.env",
        "CORS for any site",
        "a change that another site's page asks for",
        "a host of another name",
        "a body that is truncated, to /api/v1/engagement/predict",
        "a body that is deeply nested, to /api/v1/engagement/predict/batch",
        "a body that is empty, to /api/v1/engagement/predict",
        "a body of a terabyte",
        "the error page of /no-such-page",
        "method TRACE",
    }
    said = gradewatch(plain, "security-check", weak)
    assert said.returncode == 1
    assert "Traceback (most recent call last)" in said.stdout, "what was seen is said"


@pytest.mark.parametrize("command", ["loadtest", "security-check"])
def test_another_machine_is_left_alone_unless_it_is_said_to_be_ones_own(command: str, plain: Server) -> None:
    refused = gradewatch(plain, command, "http://gradewatch.example:8000")
    assert refused.returncode == 1
    assert "another machine: burden only what is yours; say --yes if it is" in refused.stderr


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:8000", True),
        ("http://[::1]:8000", True),
        ("https://localhost", True),
        ("http://127.0.0.1.example.org", False),
        ("http://10.0.0.1", False),
        ("http://localhost@example.org", False),
    ],
)
def test_which_machine_an_address_leads_to(url: str, local: bool) -> None:
    assert is_local(url) is local
    if not local:
        with pytest.raises(BadAddress):
            require_consent(url, consent=False)
    require_consent(url, consent=True)


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://localhost", "", "http://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(BadAddress, match="no address of a service"):
        target_of(url, "/x")


@pytest.mark.parametrize("bounds", [{"seconds": 601.0}, {"seconds": 0.0}, {"connections": 0}, {"connections": 1001}])
def test_a_load_without_an_end_is_refused(plain: Server, bounds: dict[str, float]) -> None:
    with pytest.raises(BadAddress):
        plan_load(plain.url, "engagement", **bounds)  # type: ignore[arg-type]


def test_an_unknown_domain_or_an_absent_service_is_said(plain: Server) -> None:
    with pytest.raises(BadAddress, match="404"):
        plan_load(plain.url, "nowhere")
    with pytest.raises(BadAddress, match="no service answers"):
        plan_load("http://127.0.0.1:9", "engagement")


def test_a_load_counts_every_answer_and_what_went_wrong(plain: Server) -> None:
    """A service without champions refuses every prediction: 409 each."""
    result = run_load(plan_load(plain.url, "engagement", requests=50, connections=4))
    assert (result.requests, result.rows, len(result.latencies)) == (50, 0, 50)
    assert set(result.errors) == {"status 409"}
    assert 0 < result.quantile(0.5) <= result.quantile(0.99) <= result.quantile(1.0)
    said = gradewatch(plain, "loadtest", plain.url, "--requests", "20")
    assert said.returncode == 1
    assert "error: status 409" in said.stdout


def test_a_service_that_hangs_up_is_an_error_of_its_own() -> None:
    target = target_of("http://127.0.0.1:9", "/")
    result = run_load(Load(target=target, bodies=[b"{}"], connections=2, seconds=0.2))
    assert set(result.errors) == {"refused"}
    assert result.latencies == []


def test_a_load_of_a_file_sends_its_rows_without_student_keys(plain: Server, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("student_id,comprehension,attention,focus,retention,engagement_time\ns1,1,2,3,4,5\ns2,2,3,4,5,6\n")
    load = plan_load(plain.url, "engagement", rows=3, file=RowsFile(path))
    assert load.target.path == "/api/v1/engagement/predict/batch"
    assert load.bodies[0].count(b'"comprehension"') == 3
    assert not any(b"s1" in body for body in load.bodies)


def test_a_key_is_shown_as_a_bearer_token() -> None:
    assert target_of("http://localhost:1/base/", "/x", "abc").headers["authorization"] == "Bearer abc"
    assert target_of("http://localhost:1/base/", "/x", "abc").path == "/base/x"
