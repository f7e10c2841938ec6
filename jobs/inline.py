"""A job done by whoever asked for it, here and now; should this process be killed, the queue gives it to a worker.

Only for what takes seconds, or tells its progress often, which holds the lease.
"""

import os
import socket
import time

from database.records import Job
from errors import Category, GradewatchError
from jobs.child import Claim, do_job
from jobs.job_settings import JobSettings
from jobs.kinds import JOB_KINDS
from language import use
from language.speech import SOURCE_LANGUAGE
from model.workspace import Workspace

INLINE_LEASE_SECONDS = 600.0
LOOK_AGAIN_SECONDS = 0.2


class JobWaits(GradewatchError):
    """A job that cannot be done yet; it is done when a worker comes by."""

    category = Category.UNAVAILABLE


class JobFailed(GradewatchError):
    """A job that was not done; the message says why."""

    category = Category.CONFLICT


def do_here(workspace: Workspace, id: str, settings: JobSettings) -> Job:
    """The job, when it has ended: done by this process, or by a worker that was first. Raises JobWaits, JobFailed."""
    store, name = workspace.store, f"{socket.gethostname()}:{os.getpid()}"
    while not (job := _known(workspace, id)).ended:
        if job.state == "waiting" and job.problem is not None:
            raise JobWaits(f"{job.problem.detail}; a worker does it then (gradewatch worker), as job {id}")
        claimed = store.claim_job([job.kind], name, INLINE_LEASE_SECONDS)
        if claimed is None:
            time.sleep(LOOK_AGAIN_SECONDS)
        elif claimed.attempts > JOB_KINDS[job.kind].attempts:
            raise JobFailed(f"job {claimed.id} has died too often")
        else:
            with use(SOURCE_LANGUAGE):  # what it keeps is not said in the language of whoever looks at a page
                do_job(workspace, Claim(claimed.id, claimed.token, INLINE_LEASE_SECONDS), settings)
    if job.state != "done":
        raise JobFailed(job.problem.detail if job.problem else f"job {id} was {job.state}")
    return job


def _known(workspace: Workspace, id: str) -> Job:
    job = workspace.store.job(id)
    if job is None:
        raise JobFailed(f"job {id} is gone")
    return job
