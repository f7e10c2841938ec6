"""Being told to stop: by SIGTERM, as services are, or by Ctrl-C."""

import os
import signal
import threading


def stop_at_signals(stop: threading.Event) -> None:
    """Have both set `stop`; called in the main thread.

    A handler runs in the main thread between any two steps of what it does: setting `stop` there, while that waits for
    it, would ask for a lock that the wait itself holds. So another thread sets it, told through a pipe.
    """
    told, tell = os.pipe()

    def wait() -> None:
        os.read(told, 1)
        stop.set()

    threading.Thread(target=wait, name="signals", daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os.write(tell, b"!"))
