"""Sends a bounded number of prediction requests to a running service and measures what a caller sees.

It writes HTTP/1.1 to plain streams: an HTTP library costs several times as much as answering does, and would measure
itself. It judges nothing.
"""

import asyncio
import ipaddress
import os
import ssl
import time
from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

import msgspec

from errors import GradewatchError
from preprocessing.schema import DomainSchema

if TYPE_CHECKING:
    from preprocessing.validation.results import Validated

MOST_SECONDS, REQUESTS, CONNECTIONS = 600.0, 10_000_000, 1_000  # no test may ask for more
ANSWER_SECONDS = 30.0  # seconds that one answer may take
KEY_VARIABLE = "GRADEWATCH_API_KEY"
LONGEST_HEAD = 1 << 16
INVENTED_ROWS = 1_000  # invented rows at least
MOST_ROWS_SENT = 100_000  # in one request


class BadAddress(GradewatchError):
    """An address or a bound that is not tested; the message says which would be."""


class LoadTarget(msgspec.Struct, frozen=True, kw_only=True):
    """Where requests go. headers: sent with each."""

    host: str
    port: int
    secure: bool
    path: str
    headers: Mapping[str, str] = {}


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent: POSTs of `bodies` in turn, `rows` rows in each, over so many connections at once, until either
    bound is reached."""

    target: LoadTarget
    bodies: Sequence[bytes]
    rows: int = 1
    connections: int = 16
    seconds: float = 10.0
    requests: int = REQUESTS


class LoadResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came back. seconds: from first to last request. latencies: of answered requests, seconds, ascending.
    errors: what went wrong (a status, or how the connection failed) to how often; rows: of requests answered 200."""

    seconds: float
    requests: int
    rows: int
    latencies: Sequence[float]
    errors: Mapping[str, int]

    def quantile(self, share: float) -> float:
        """The latency, in seconds, that a `share` (0 to 1) of the answers keep within; 0 where there is no answer."""
        if not self.latencies:
            return 0.0
        return self.latencies[min(len(self.latencies) - 1, int(share * len(self.latencies)))]


def target_of(url: str, path: str, key: str | None = None) -> LoadTarget:
    """`path` at the service whose address is `url`. key: an API key. Raises BadAddress."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadAddress(f"{url!r} is no address of a service; give one like http://127.0.0.1:8000")
    secure = parts.scheme == "https"
    headers = {"host": parts.netloc.rpartition("@")[2], "content-type": "application/json"}
    headers |= {"authorization": f"Bearer {key}"} if key else {}
    port = parts.port or (443 if secure else 80)
    return LoadTarget(
        host=parts.hostname, port=port, secure=secure, path=parts.path.rstrip("/") + path, headers=headers
    )


def check_bounds(load: Load) -> None:
    """Raises BadAddress for a load without an end, or beyond what this tool is for."""
    if not 0 < load.seconds <= MOST_SECONDS or not 0 < load.requests <= REQUESTS:
        raise BadAddress(f"a load test ends: at most {MOST_SECONDS:.0f} seconds and {REQUESTS:,} requests")
    if not 0 < load.connections <= CONNECTIONS:
        raise BadAddress(f"1 to {CONNECTIONS:,} connections at once, not {load.connections}")


def run_load(
    load: Load, *, until: Callable[[], bool] = lambda: False, hear: Callable[[bytes], object] = lambda _: None
) -> LoadResult:
    """Sends the load and waits for its end. until: ends it sooner. hear: gets the body of every answer with status 200.

    Raises BadAddress for bounds that are none.
    """
    check_bounds(load)
    return asyncio.run(_send_all(load, until, hear))


class _Tally:
    """What all connections have seen so far."""

    def __init__(self, hear: Callable[[bytes], object]) -> None:
        self.hear = hear
        self.latencies = array("d")
        self.errors: Counter[str] = Counter()
        self.good = 0


async def _send_all(load: Load, until: Callable[[], bool], hear: Callable[[bytes], object]) -> LoadResult:
    tally, numbers, start = _Tally(hear), count(), time.perf_counter()
    requests = [_request(load.target, body) for body in load.bodies]

    def next_request() -> bytes | None:
        number = next(numbers)
        if number >= load.requests or time.perf_counter() - start >= load.seconds or until():
            return None
        return requests[number % len(requests)]

    await asyncio.gather(*(_connection(load.target, next_request, tally) for _ in range(load.connections)))
    return LoadResult(
        seconds=time.perf_counter() - start,
        requests=len(tally.latencies) + sum(n for kind, n in tally.errors.items() if not kind.startswith("status")),
        rows=tally.good * load.rows,
        latencies=sorted(tally.latencies),
        errors=dict(tally.errors),
    )


async def _connection(target: LoadTarget, next_request: Callable[[], bytes | None], tally: _Tally) -> None:
    """One connection's requests, one after another; opened anew where it breaks."""
    stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    try:
        while (request := next_request()) is not None:
            begun = time.perf_counter()
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    stream = stream or await _open(target)
                    status, keep, body = await _exchange(*stream, request)
            except (OSError, EOFError, TimeoutError, ValueError) as error:
                tally.errors[_kind(error)] += 1
                _close(stream)
                stream = None
                await asyncio.sleep(0.01)  # a service that is gone is not asked as fast as one can ask
                continue
            tally.latencies.append(time.perf_counter() - begun)
            if status == 200:
                tally.good += 1
                tally.hear(body)
            else:
                tally.errors[f"status {status}"] += 1
            if not keep:
                _close(stream)
                stream = None
    finally:
        _close(stream)


def _kind(error: Exception) -> str:
    kinds = {TimeoutError: "no answer in time", ConnectionRefusedError: "refused", ValueError: "no HTTP"}
    return kinds.get(type(error), "connection broken")


async def _open(target: LoadTarget) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    context = ssl.create_default_context() if target.secure else None
    return await asyncio.open_connection(target.host, target.port, ssl=context, limit=LONGEST_HEAD)


def _close(stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None) -> None:
    if stream is not None:
        stream[1].close()


def _request(target: LoadTarget, body: bytes) -> bytes:
    head = [f"POST {target.path} HTTP/1.1", *(f"{name}: {value}" for name, value in target.headers.items())]
    return "\r\n".join([*head, f"content-length: {len(body)}", "", ""]).encode("latin-1") + body


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> tuple[int, bool, bytes]:
    """Status, whether the connection lives on, and the body. Raises ValueError for what is no HTTP/1.1."""
    writer.write(request)
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
    except asyncio.LimitOverrunError:
        raise ValueError("a head without an end") from None
    if not head.startswith(b"http/1.1 "):
        raise ValueError("no HTTP/1.1")
    place = head.find(b"\r\ncontent-length:")
    if place >= 0:
        body = await reader.readexactly(int(head[place + 17 : head.index(b"\r\n", place + 17)]))
    elif b"\r\ntransfer-encoding: chunked" in head:
        body = b""
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readexactly(2)
    else:
        raise ValueError("an answer of unknown length")
    return int(head[9:12]), b"\r\nconnection: close" not in head, body


def key_of_environment() -> str | None:
    """The API key of GRADEWATCH_API_KEY: a command line would show it to everyone on the machine."""
    return os.environ.get(KEY_VARIABLE)


# What to send -------------------------------------------------------------------------------------------------------


class RowsFile(NamedTuple):
    """A file of rows to send. sheet, skip_bad_rows: how it is read; hear: gets what was read."""

    path: Path
    sheet: str = ""
    skip_bad_rows: bool = False
    hear: "Callable[[Validated], object]" = lambda _: None


def plan_load(
    url: str,
    domain: str,
    *,
    rows: int = 1,
    file: RowsFile | None = None,
    connections: int = 16,
    seconds: float = 10.0,
    requests: int | None = None,
    key: str | None = None,
) -> Load:
    """A load of valid rows: those of `file`, or invented by the rules of the domain as the service itself tells them.

    rows: of one request; more than one go to the batch route. requests: the other bound, where one is given. Raises
    BadAddress where the service does not answer or does not know the domain; what reading a file raises.
    """
    if not 1 <= rows <= MOST_ROWS_SENT:
        raise BadAddress(f"1 to {MOST_ROWS_SENT:,} rows in a request, not {rows:,}")
    schema = _ask_schema(url, domain, key)
    found = _invented(schema, rows) if file is None else _of_file(schema, file)
    if rows == 1:
        bodies = [msgspec.json.encode(row) for row in found]
    else:
        starts = range(0, max(1, len(found) - rows + 1), rows)
        bodies = [msgspec.json.encode((found[start : start + rows] * rows)[:rows]) for start in starts]
    path = f"/api/v1/{quote(domain, safe='')}/predict" + ("/batch" if rows > 1 else "")
    load = Load(
        target=target_of(url, path, key),
        bodies=bodies,
        rows=rows,
        connections=connections,
        seconds=seconds,
        requests=requests or REQUESTS,
    )
    check_bounds(load)
    return load


def _ask_schema(url: str, domain: str, key: str | None) -> DomainSchema:
    target = target_of(url, f"/api/v1/domains/{quote(domain, safe='')}", key)
    base = f"{urlsplit(url).scheme}://{target.headers['host']}{target.path}"
    question = Request(base, headers=dict(target.headers))  # noqa: S310 (http or https: `target_of` has looked)
    try:
        with urlopen(question, timeout=ANSWER_SECONDS) as answer:  # noqa: S310 (as above)
            return msgspec.json.decode(answer.read(), type=DomainSchema)
    except HTTPError as error:
        advice = f"; set {KEY_VARIABLE}" if error.code in (401, 403) else ""
        raise BadAddress(f"{url} answers {error.code} to a question about domain {domain!r}{advice}") from None
    except (OSError, msgspec.DecodeError) as error:
        raise BadAddress(f"no service answers at {url}: {error}") from None


def _invented(schema: DomainSchema, rows: int) -> list[dict[str, object]]:
    """Rows without student keys: as many as make different requests, so that no cache answers them all."""
    from preprocessing.synthetic import generate

    frame = generate(schema, rows=max(INVENTED_ROWS, 2 * rows), seed=0)
    return _filled(frame.select(feature.name for feature in schema.features).to_dicts())


def _of_file(schema: DomainSchema, file: RowsFile) -> list[dict[str, object]]:
    """The rows of a file without student keys. Raises UnreadableFile and BadData."""
    from preprocessing.reading.files import read_table
    from preprocessing.validation.validate import rows_of, validate_table

    no_keys = b"student keys are not sent"
    raw = read_table(file.path, sheet=file.sheet)
    valid = validate_table(raw, schema, secret=no_keys, with_targets="ignored").require_good(skip=file.skip_bad_rows)
    file.hear(valid)
    return _filled([dict(row.inputs) for row in rows_of(valid.frame, schema)])


def _filled(rows: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def is_local(url: str) -> bool:
    """Whether an address leads to this machine only."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_consent(url: str, *, consent: bool) -> None:
    """Raises BadAddress for a machine that is not this one, unless somebody says that it is theirs to burden."""
    if not is_local(url) and not consent:
        raise BadAddress(f"{url} is another machine: burden only what is yours; say --yes if it is")
