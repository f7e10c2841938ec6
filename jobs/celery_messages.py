"""Ids of jobs, sent to Celery's workers through their broker. Celery's one door.

A message wakes a worker and says nothing else: claim, lease and result stay in the store's queue, so that a message
that is lost, late or twice there does no harm.
"""

import logging
from collections.abc import Iterable
from typing import Any

from errors import MissingExtra

WORK_TASK = "gradewatch.work"
"""The name of the task that does the job whose id it is given."""

CELERY_QUEUE = "gradewatch"
EXPIRES_SECONDS = 60.0
"""After which a message is dropped: what still waits then is sent again by the tick."""

BROKER_SECONDS = 2.0

log = logging.getLogger("gradewatch.jobs")


def open_celery(broker: str) -> Any:
    """The Celery application of a broker. It connects when it is first needed. Raises MissingExtra."""
    try:
        from celery import Celery
    except ImportError as error:
        raise MissingExtra("work by Celery", "celery") from error
    app = Celery("gradewatch", broker=broker)
    app.conf.update(
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=BROKER_SECONDS,
        broker_transport_options={"socket_connect_timeout": BROKER_SECONDS, "socket_timeout": BROKER_SECONDS},
        task_default_queue=CELERY_QUEUE,
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
    )
    return app


class Messages:
    """Sends ids to the workers of one broker; a broker that is away is told to the log, and nobody waits for it."""

    def __init__(self, broker: str) -> None:
        self._app = open_celery(broker)

    def send(self, ids: Iterable[str]) -> int:
        """How many were sent."""
        sent = 0
        try:
            for one in ids:
                self._app.send_task(WORK_TASK, [one], queue=CELERY_QUEUE, expires=EXPIRES_SECONDS, retry=False)
                sent += 1
        except Exception as error:  # kombu's and the transport's own; the tick sends them again
            log.warning("Celery's broker took no message: %s", type(error).__name__)
        return sent
