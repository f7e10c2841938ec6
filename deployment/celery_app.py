"""`celery -A deployment.celery_app worker`: Celery's workers, for those who run these anyway.

Each does the job whose id it is sent as `gradewatch worker` would: claimed in the store, in a process of its own, under
a lease. One thread of the parent gives the sign of life and makes the passes of the tick.
"""

import threading
from typing import Any

from settings import Settings


def create_celery(settings: Settings) -> Any:
    """The application, its task and what a worker does besides. Raises UnsafeStart without a broker, MissingExtra."""
    from celery.signals import worker_ready, worker_shutdown

    from deployment.work import do_one, wait_upon
    from jobs.celery_messages import WORK_TASK, open_celery

    app, stop = open_celery(settings.require_broker()), threading.Event()
    app.task(do_one, name=WORK_TASK)

    def begin(**_: object) -> None:
        threading.Thread(target=wait_upon, args=(stop,), name="tick", daemon=True).start()

    worker_ready.connect(begin, weak=False)
    worker_shutdown.connect(lambda **_: stop.set(), weak=False)
    return app


def __getattr__(name: str) -> Any:
    """`app`, made when Celery first asks for it."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()["app"] = app = create_celery(Settings())
    return app
