"""The start of the `gradewatch` command: `worker`, plain `serve` and `run` begin at once, the rest is for `cli.main`.

The libraries that read and explain commands are a sixth of what a start costs, and a server keeps them in memory. This
explains nothing: options that are not plain, and starts that are refused, go the command line's way, which has words.
"""

import gc
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def main() -> None:
    """The `gradewatch` command."""
    options = plain_options(sys.argv[2:]) if sys.argv[1:2] == ["serve"] else None
    ports = plain_options(sys.argv[2:], PORTS) if sys.argv[1:2] == ["run"] else None
    if sys.argv[1:] == ["worker"]:
        _work()
    elif ports is not None:
        _run(ports)
    elif options is None or not _serve(options):
        gc.set_threshold(RARELY)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # what is half done is swept away
        from cli.main import main as read_command

        read_command()


RARELY = 100_000
"""Objects made until the garbage collector looks: what libraries make when they are loaded stays, and looking through
it hundreds of times is a tenth of a second of every command."""


Readers = Mapping[str, Callable[[str], Any]]
"""What reads the value of an option, by the option's name; None for a value that it cannot be."""


def plain_options(arguments: Sequence[str], known: Readers | None = None) -> dict[str, Any] | None:
    """The options of `serve`, or those `known`, each with a value of its own; None where there is anything else.

    >>> plain_options(["--port", "8001"]), plain_options(["--help"])
    ({'port': 8001}, None)
    """
    known = PLAIN if known is None else known
    names, values = arguments[::2], arguments[1::2]
    if len(names) != len(values) or len(set(names)) < len(names) or not known.keys() >= set(names):
        return None
    found = {name.removeprefix("--"): known[name](value) for name, value in zip(names, values, strict=True)}
    return None if None in found.values() else found


def _text(value: str) -> str | None:
    return value if value and not value.startswith("-") else None


def _number(value: str) -> int | None:
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None


PLAIN: Readers = {"--host": _text, "--port": _number, "--workers": _number}
PORTS: Readers = {"--api-port": _number, "--dashboard-port": _number}


def _serve(options: Mapping[str, Any]) -> bool:
    """Serve until told to stop. False, and nothing done, where that is refused."""
    gc.disable()  # as `serve_api` does, which loads more
    from deployment.server import HOST, PORT, announcement, serve_api
    from settings import Settings

    host, port = options.get("host", HOST), options.get("port", PORT)
    try:
        Settings().require_safe(host)
    except Exception:  # whatever it is, the command line comes to it again, and says it
        gc.enable()
        return False
    print(announcement(host, port), file=sys.stderr, flush=True)
    serve_api(host=host, port=port, workers=options.get("workers", 1))
    return True


def _run(ports: Mapping[str, int]) -> None:
    """Set up and serve until told to stop, in a process that loads next to nothing."""
    from deployment import local

    raise SystemExit(local.run(**{name.replace("-", "_"): port for name, port in ports.items()}))


def _work() -> None:
    """Do background work until told to stop; a refusal is said by the command line."""
    from deployment.work import work
    from errors import GradewatchError

    try:
        work()
    except (GradewatchError, OSError, ValueError) as error:
        from cli.output import explain

        raise SystemExit(explain(error)) from None


if __name__ == "__main__":
    main()
