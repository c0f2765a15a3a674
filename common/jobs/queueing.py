"""How pages are queued in the truth: for the first time, and again after a correction or a failure."""

import time

from sqlalchemy.orm import Session

from common.errors import ConflictError
from common.jobs.models import WHOLE_SET, Job, Page
from common.jobs.records import NewPage
from common.jobs.states import JOB_OPEN, JobStatus, PageStatus, job_sources
from common.names import SET_ARTIFACTS, STAGE_ARTIFACTS, STAGES, Artifact, Stage


def new_page(job_id: str, number: int, page: NewPage, now: float, stage: Stage = Stage.CGAN) -> Page:
    """A page that waits for its first stage; `now` in seconds since 1970."""
    return Page(
        job_id=job_id,
        number=number,
        name=page.name,
        status=PageStatus.QUEUED,
        stage=stage,
        artifacts={} if page.source is None else {Artifact.SOURCE: page.source},
        truth_key=page.truth_key,
        truth_sha256=page.truth_sha256,
        updated_at=now,
    )


def queue_set(session: Session, job: Job) -> None:
    """Have a job's pages scored together once all have ended: for the first time, or anew."""
    if job.params.get("stop_after"):
        return  # no page gets as far as to be scored
    whole_set = session.get(Page, (job.id, WHOLE_SET), with_for_update=True)
    if whole_set is None:  # of a new job, or of one from before there were reports
        session.add(new_page(job.id, WHOLE_SET, NewPage("set", None), time.time(), Stage.METRICS))
    else:
        requeue(whole_set, Stage.METRICS)


def reopen(session: Session, job: Job) -> None:
    """Have a job run again of which something is about to be queued again; the caller holds the job's row.

    Raises:
        ConflictError: it is in a state that it cannot run again from.
    """
    if job.status not in JOB_OPEN:
        if job.status not in job_sources(JobStatus.RUNNING):
            raise ConflictError(f"job {job.id} is {job.status}: it cannot run again now")
        job.status, job.finished_at, job.updated_at = JobStatus.RUNNING, None, time.time()
    queue_set(session, job)


def require_correctable(page: Page) -> None:
    """Raises ConflictError: it is under way, or has nothing yet that could be corrected."""
    if page.status not in (PageStatus.SUCCEEDED, PageStatus.FAILED):
        raise ConflictError(f"page {page.number} is {page.status}: it cannot be changed now")
    if Artifact.HINTS not in page.artifacts:
        raise ConflictError(f"page {page.number} has no hints yet: retry it first")


def requeue(page: Page, stage: Stage) -> None:
    """Have a page run again from a stage; what this and later stages made is let go."""
    assert page.status != PageStatus.CANCELLED
    later = STAGES[STAGES.index(stage) :]
    gone = {artifact for due in later for artifact in STAGE_ARTIFACTS[due]}.union(SET_ARTIFACTS)
    page.artifacts = {name: value for name, value in page.artifacts.items() if name not in gone}
    page.status, page.stage, page.worker, page.lease_until = PageStatus.QUEUED, stage, None, None
    page.attempt += 1  # a message of before, or who works on one still, must find nothing
    page.failures, page.not_before, page.error_code, page.error_detail = 0, 0.0, None, None
    page.timings = {name: value for name, value in page.timings.items() if name not in later}
    page.weights = {name: value for name, value in page.weights.items() if name not in later}
    page.metrics, page.updated_at = None, time.time()


def first_missing_stage(page: Page) -> Stage:
    """Where a page that failed goes on."""
    for stage in STAGES:
        if any(artifact not in page.artifacts for artifact in STAGE_ARTIFACTS[stage]):
            return stage
    return Stage.METRICS
