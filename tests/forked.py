"""Commands without the wait for libraries: a process that has loaded them begins each command as a fork of itself.

Loading is most of what a short command costs, and hundreds are run. Each is still a process of its own, with its own
folder, environment, streams and end; tests of what a command loads start a fresh interpreter instead. Nothing is loaded
whose threads a fork would lose: polars and ONNX Runtime are left to the command.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile

from cli import output

LOADED = (
    *("sklearn.ensemble", "sklearn.linear_model", "skl2onnx", "alembic.command", "pydantic_settings"),
    *("database.sql", "overview.feed", "cli.main"),
)
LONGEST = 1 << 17
"""Bytes of a request: arguments and an environment."""


class Forks:
    """The process that has everything loaded; it ends with the one that made this."""

    def __init__(self, root: Path) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.forked", str(theirs.fileno())],
                cwd=root, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=[theirs.fileno()],
            )  # fmt: skip

    def close(self) -> None:
        self._socket.close()
        self._process.wait()

    def run(
        self, module: str, arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str], typed: str,
        patience: float,
    ) -> subprocess.CompletedProcess[str]:  # fmt: skip
        """What came of `python -m MODULE ARGUMENTS` in `folder`. Raises subprocess.TimeoutExpired, and ends it, after
        `patience` seconds."""
        asked = json.dumps([module, [*arguments], str(folder), {**environment}]).encode()
        with ExitStack() as stack:
            typing, out, err = (stack.enter_context(TemporaryFile("w+", encoding="utf-8")) for _ in range(3))
            typing.write(typed)
            typing.seek(0)
            heard, told = os.pipe()
            answer = stack.enter_context(os.fdopen(heard, encoding="utf-8"))
            try:
                socket.send_fds(self._socket, [asked], [typing.fileno(), out.fileno(), err.fileno(), told])
            finally:
                os.close(told)
            process = int(answer.readline())
            if not select.select([answer], [], [], patience)[0]:
                os.kill(process, signal.SIGKILL)
                raise subprocess.TimeoutExpired([module, *arguments], patience)
            code = int(answer.readline())
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess([module, *arguments], code, out.read(), err.read())


@cache
def forks(root: Path) -> Forks:
    """The one of this process."""
    made = Forks(root)
    atexit.register(made.close)
    return made


def fork_on_request(asked: socket.socket) -> None:
    """Answer until the other end is closed. In each fork this returns too: with its request as `sys.argv`."""
    while True:
        words, streams, _flags, _address = socket.recv_fds(asked, LONGEST, 4)
        if not words:
            with suppress(ChildProcessError):
                while os.wait():
                    pass
            os._exit(0)
        if os.fork() == 0:
            break
        for one in streams:
            os.close(one)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
    asked.close()
    answer = streams.pop()
    if command := os.fork():
        os.write(answer, f"{command}\n".encode())
        os.write(answer, f"{os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])}\n".encode())
        os._exit(0)
    os.close(answer)
    for place, one in enumerate(streams):
        os.dup2(one, place)
        os.close(one)
    module, arguments, folder, environment = json.loads(words)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    for console in (output.out, output.err):
        console.width = int(environment["COLUMNS"])  # else that of when it was made
    os.chdir(folder)
    sys.argv = [module, *arguments]


def end_after(work: Callable[[], object]) -> None:
    """End this process as an interpreter does when `work` has returned or raised, but for taking apart all that is
    loaded, module by module: that takes longer than most commands."""
    code: object = 0
    try:
        work()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    if not isinstance(code, int | None):
        print(code, file=sys.stderr)
        code = 1
    threading._shutdown()  # waits for threads
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


if __name__ == "__main__":
    gc.disable()
    for name in LOADED:
        importlib.import_module(name)
    gc.freeze()
    gc.enable()
    fork_on_request(socket.socket(fileno=int(sys.argv[1])))
    end_after(lambda: runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True))
