"""How a job ends, whatever ends it: its state, the news of it, its count and its trace."""

import time

from sqlalchemy.orm import Session

from common.jobs.database import at_commit
from common.jobs.deliveries import queue_news
from common.jobs.models import Job
from common.jobs.states import JobStatus, job_sources
from common.telemetry import JOBS_ENDED
from common.tracing import record_job


def end_job(session: Session, job: Job, status: JobStatus) -> None:
    """End a job whose row the caller holds, and have its callback URL told."""
    assert job.status in job_sources(status)
    job.status = status
    job.finished_at = job.updated_at = time.time()
    queue_news(session, job)
    at_commit(session, JOBS_ENDED.labels(status).inc)
    at_commit(session, lambda: record_job(job.id, job.created_at, status))
