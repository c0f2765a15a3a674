"""The state machine of jobs, pages and reference models. Pure."""

from enum import StrEnum
from typing import Final


class JobKind(StrEnum):
    """What a job is for: colouring pages, or scoring pictures that somebody has already."""

    COLORIZE = "colorize"
    EVALUATE = "evaluate"


class JobStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    PACKAGING = "packaging"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"


class PageStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


class ModelStatus(StrEnum):
    MISSING = "missing"
    TRAINING = "training"
    READY = "ready"
    FAILED = "failed"


JOB_MOVES: Final[dict[JobStatus, frozenset[JobStatus]]] = {
    JobStatus.QUEUED: frozenset({JobStatus.RUNNING, JobStatus.PACKAGING, JobStatus.CANCELLED}),
    JobStatus.RUNNING: frozenset({JobStatus.PACKAGING, JobStatus.CANCELLED}),
    JobStatus.PACKAGING: frozenset({JobStatus.SUCCEEDED, JobStatus.PARTIAL, JobStatus.FAILED, JobStatus.CANCELLED}),
    # A finished job runs again when failed pages are retried or a page is corrected.
    JobStatus.SUCCEEDED: frozenset({JobStatus.RUNNING}),
    JobStatus.PARTIAL: frozenset({JobStatus.RUNNING}),
    JobStatus.FAILED: frozenset({JobStatus.RUNNING}),
    JobStatus.CANCELLED: frozenset(),
}

PAGE_MOVES: Final[dict[PageStatus, frozenset[PageStatus]]] = {
    # The whole set alone is skipped before it ran, and queued again after that.
    PageStatus.QUEUED: frozenset({PageStatus.RUNNING, PageStatus.FAILED, PageStatus.CANCELLED, PageStatus.SKIPPED}),
    PageStatus.RUNNING: frozenset(PageStatus) - {PageStatus.RUNNING},
    PageStatus.SUCCEEDED: frozenset({PageStatus.QUEUED}),
    PageStatus.FAILED: frozenset({PageStatus.QUEUED}),
    PageStatus.CANCELLED: frozenset(),
    PageStatus.SKIPPED: frozenset({PageStatus.QUEUED}),
}

JOB_ENDED: Final = frozenset({JobStatus.SUCCEEDED, JobStatus.PARTIAL, JobStatus.FAILED, JobStatus.CANCELLED})
JOB_OPEN: Final = frozenset({JobStatus.QUEUED, JobStatus.RUNNING})
PAGE_ENDED: Final = frozenset({PageStatus.SUCCEEDED, PageStatus.FAILED, PageStatus.CANCELLED, PageStatus.SKIPPED})


def job_sources(target: JobStatus) -> frozenset[JobStatus]:
    """The states from which a job may move to `target`: what every UPDATE compares with."""
    return frozenset(source for source, targets in JOB_MOVES.items() if target in targets)


def page_sources(target: PageStatus) -> frozenset[PageStatus]:
    """The states from which a page may move to `target`: what every UPDATE compares with."""
    return frozenset(source for source, targets in PAGE_MOVES.items() if target in targets)


def job_outcome(pages: dict[PageStatus, int]) -> JobStatus:
    """What a job ends as, given how many pages ended how."""
    good = pages.get(PageStatus.SUCCEEDED, 0) + pages.get(PageStatus.SKIPPED, 0)
    if good == sum(pages.values()):
        return JobStatus.SUCCEEDED
    return JobStatus.PARTIAL if good else JobStatus.FAILED
