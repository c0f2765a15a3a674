"""What control does to the truth: choose pages to send, recover lost ones, move jobs to their end."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, update
from sqlalchemy.orm import Session

from common.errors import WorkerLostError
from common.jobs.database import Database
from common.jobs.ending import end_job
from common.jobs.feeding import PageMessage, feed_pages, has_room
from common.jobs.models import WHOLE_SET, Job, Page, ReferenceModel
from common.jobs.states import (
    JOB_OPEN,
    PAGE_ENDED,
    JobKind,
    JobStatus,
    ModelStatus,
    PageStatus,
    job_outcome,
    job_sources,
)
from common.jobs.work import end_page, finish_pages
from common.names import STAGES, Artifact, Stage

FindWaiting = Callable[[Stage], set[tuple[object, ...]]]
"""The arguments of the messages that wait in a stage's queue; those of a page are (job id, number, attempt)."""


@dataclass(frozen=True)
class TrainingMessage:
    key: str
    job_id: str
    attempt: int


class DispatchStore:
    def __init__(self, database: Database, *, queue_lease_s: float, max_failures: int) -> None:
        self._database = database
        self._queue_lease_s = queue_lease_s
        self._max_failures = max_failures

    def archives_to_unpack(self) -> list[Job]:
        query = select(Job).where(Job.unpacked.is_(False), Job.status.in_(JOB_OPEN)).order_by(Job.id)
        with self._database.reading() as session:
            return list(session.scalars(query))

    def page_names(self, job_id: str) -> dict[int, str]:
        query = select(Page.number, Page.name).where(Page.job_id == job_id, Page.status == PageStatus.QUEUED)
        query = query.where(Page.number > WHOLE_SET)
        with self._database.reading() as session:
            return dict(session.execute(query.order_by(Page.number)).all())

    def set_extras(self, job_id: str, extras: list[dict[str, Any]]) -> None:
        """Note what of an archive is no page: [{name, key, sha256, size} or {name, error}]."""
        with self._database.writing() as session:
            job = session.get(Job, job_id, with_for_update=True)
            if job is not None:
                # Another control may have unpacked the same archive: what it counted counts no more.
                job.stored_bytes += sum(one.get("size", 0) for one in extras) - sum(
                    one.get("size", 0) for one in job.extras
                )
                job.extras = extras

    def set_source(self, job_id: str, number: int, source: dict[str, object]) -> None:
        with self._database.writing() as session:
            page = session.get_one(Page, (job_id, number), with_for_update=True)
            # Another control may have unpacked the same archive, and a worker be at the page by now.
            page.artifacts = {Artifact.SOURCE: source} | page.artifacts

    def fail_page(self, job_id: str, number: int, code: str, detail: str) -> None:
        """Fail a page that waits and can never run."""
        with self._database.writing() as session:
            job = session.get_one(Job, job_id, with_for_update=True)
            page = session.get_one(Page, (job_id, number))
            if page.status == PageStatus.QUEUED:
                page.error_code, page.error_detail, page.updated_at = code, detail, time.time()
                end_page(session, page, PageStatus.FAILED)
                session.flush()
                finish_pages(session, job)

    def set_unpacked(self, job_id: str) -> None:
        with self._database.writing() as session:
            session.execute(update(Job).where(Job.id == job_id).values(unpacked=True))

    def start_trainings(self) -> list[TrainingMessage]:
        """Raise the attempt of every model that open jobs wait for and nobody trains; the caller sends the messages."""
        now = time.time()
        query = (
            select(ReferenceModel.key, func.min(Job.id))
            .join(Job, Job.model_key == ReferenceModel.key)
            .where(Job.status.in_(JOB_OPEN), ReferenceModel.status == ModelStatus.MISSING)
            .where(ReferenceModel.not_before <= now)
            .where(has_page_at_cgan())
            .group_by(ReferenceModel.key)
        )
        due = select(ReferenceModel.key).where(ReferenceModel.status == ModelStatus.MISSING)
        with self._database.reading() as session:
            # As a rule there is none, and the search for its jobs, which takes long where many are open, is spared.
            if session.scalar(due.where(ReferenceModel.not_before <= now).limit(1)) is None:
                return []
            wanted = session.execute(query).all()
        if not wanted:
            return []  # on SQLite, a writer with nothing to write would still keep the workers waiting
        messages = []
        with self._database.writing() as session:
            for key, job_id in wanted:
                locked = select(ReferenceModel).where(
                    ReferenceModel.key == key, ReferenceModel.status == ModelStatus.MISSING
                )
                model = session.scalar(locked.with_for_update(skip_locked=True))
                if model is None:
                    continue
                model.attempt += 1
                model.status, model.worker, model.lease_until = ModelStatus.TRAINING, None, now
                messages.append(TrainingMessage(model.key, job_id, model.attempt))
        return messages

    def fail_untaught(self) -> None:
        """Fail the pages that wait for a model whose training failed for good."""
        query = (
            select(Page.job_id, Page.number, ReferenceModel.error_code, ReferenceModel.error_detail)
            .join(Job, Job.id == Page.job_id)
            .join(ReferenceModel, ReferenceModel.key == Job.model_key)
            .where(ReferenceModel.status == ModelStatus.FAILED, Job.status.in_(JOB_OPEN))
            .where(Page.status == PageStatus.QUEUED, Page.stage == Stage.CGAN)
        )
        with self._database.reading() as session:
            rows = session.execute(query).all()
        for job_id, number, code, detail in rows:
            self.fail_page(job_id, number, code or "training_failed", detail or "the training failed")

    def start_pages(self, interactive_pages: int) -> list[PageMessage]:
        """Raise the attempt of the pages that go next, about two per slot; the caller sends the messages."""
        with self._database.reading() as session:
            if not has_room(session):
                return []
        with self._database.writing() as session:
            return feed_pages(session, interactive_pages)

    def lost_pages(self, find_waiting: FindWaiting) -> int:
        """Queue again what was lost: pages whose worker fell silent, and pages whose message has vanished."""
        now = time.time()
        held = select(Page).where(Page.status == PageStatus.RUNNING, Page.worker.is_not(None), Page.lease_until < now)
        unheld = (
            select(Page)
            .where(Page.worker.is_(None), Page.lease_until < now - self._queue_lease_s)
            .where(Page.status.in_((PageStatus.QUEUED, PageStatus.RUNNING)))
        )
        count = 0
        if self._is_any(held):
            with self._database.writing() as session:
                for page in _lock_pages(session, held):
                    count += 1
                    self._give_up_holder(session, page, now)
        if self._is_any(unheld):
            # The broker is asked before anything is locked: it may take its time. What is sent meanwhile is no suspect.
            waiting = {stage.value: find_waiting(stage) for stage in STAGES}
            with self._database.writing() as session:
                for page in _lock_pages(session, unheld):
                    if (page.job_id, page.number, page.attempt) not in waiting[page.stage or ""]:
                        count += 1
                        # The attempt must move on at once: the message may yet turn up, and must then be stale.
                        page.attempt += 1
                        page.status, page.lease_until, page.updated_at = PageStatus.QUEUED, None, now
        return count

    def lost_trainings(self, find_waiting: FindWaiting) -> int:
        """The same for trainings."""
        now = time.time()
        silent = and_(ReferenceModel.worker.is_not(None), ReferenceModel.lease_until < now)
        unclaimed = and_(ReferenceModel.worker.is_(None), ReferenceModel.lease_until < now - self._queue_lease_s)
        late = select(ReferenceModel).where(ReferenceModel.status == ModelStatus.TRAINING, or_(silent, unclaimed))
        if not self._is_any(late):
            return 0
        waiting = {(ids[0], ids[-1]) for ids in find_waiting(Stage.CGAN)}
        count = 0
        with self._database.writing() as session:
            for model in session.scalars(late.with_for_update(skip_locked=True)).all():
                if model.worker is None:
                    if (model.key, model.attempt) in waiting:
                        continue
                else:
                    model.failures += 1
                count += 1
                model.attempt += 1
                model.worker, model.lease_until, model.status = None, None, ModelStatus.MISSING
                if model.failures >= self._max_failures:
                    model.status, model.error_code = ModelStatus.FAILED, WorkerLostError.code
                    model.error_detail = f"the worker was lost {model.failures} times during the training"
        return count

    def _is_any(self, query: Select[Any]) -> bool:
        with self._database.reading() as session:
            return bool(session.scalar(select(query.exists())))

    def finish_stuck(self) -> None:
        """Move jobs on whose last page ended unnoticed."""
        open_pages = select(Page.job_id).where(
            Page.job_id == Job.id, Page.status.in_((PageStatus.QUEUED, PageStatus.RUNNING))
        )
        stuck = select(Job).where(Job.status.in_(JOB_OPEN), ~open_pages.exists())
        if self._is_any(stuck):
            with self._database.writing() as session:
                for job in session.scalars(stuck.with_for_update(skip_locked=True)).all():
                    finish_pages(session, job)

    def jobs_to_package(self) -> list[tuple[Job, list[Page]]]:
        """Jobs of which all has ended, each with its pages, or an evaluation with its set."""
        with self._database.reading() as session:
            jobs = session.scalars(select(Job).where(Job.status == JobStatus.PACKAGING).order_by(Job.id)).all()
            pages = select(Page).order_by(Page.number)
            return [(job, list(session.scalars(pages.where(*_decisive(job))))) for job in jobs]

    def finish_job(self, job_id: str, result_key: str | None, result_bytes: int = 0) -> JobStatus | None:
        """End a packaged job as its pages ended; None when it is no longer packaging (cancelled, deleted)."""
        with self._database.writing() as session:
            job = session.get(Job, job_id, with_for_update=True)
            if job is None or job.status != JobStatus.PACKAGING:
                return None
            statuses = session.scalars(select(Page.status).where(*_decisive(job))).all()
            outcome = job_outcome(Counter(PageStatus(status) for status in statuses))
            job.result_key, job.revision = result_key, job.revision + 1
            job.stored_bytes += result_bytes  # those of earlier results stay, as long as the job does
            end_job(session, job, outcome)
            return outcome

    def fail_job(self, job_id: str) -> None:
        """End a job that cannot be packaged: a bug of ours, which the log tells about."""
        with self._database.writing() as session:
            job = session.get(Job, job_id, with_for_update=True)
            if job is not None and job.status in job_sources(JobStatus.FAILED):
                end_job(session, job, JobStatus.FAILED)

    def _give_up_holder(self, session: Session, page: Page, now: float) -> None:
        holder, page.worker, page.lease_until, page.updated_at = page.worker, None, None, now
        if page.status in PAGE_ENDED:
            return
        page.failures += 1
        page.error_code = WorkerLostError.code
        page.error_detail = f"worker {holder} fell silent during {page.stage}"
        # Fences the silent worker off: if it wakes up, its commit finds another attempt.
        page.attempt += 1
        if page.failures >= self._max_failures:
            job = session.get_one(Job, page.job_id, with_for_update=True)
            end_page(session, page, PageStatus.FAILED)
            session.flush()
            finish_pages(session, job)
        else:
            page.status = PageStatus.QUEUED


def _lock_pages(session: Session, query: Select[Page]) -> list[Page]:
    """Lock pages for a change, each after its job: everybody locks in this order, so nobody waits in a circle.

    What another transaction works on at this moment is left out: it is not lost.
    """
    job_ids = sorted({page.job_id for page in session.scalars(query)})
    locked = session.scalars(select(Job.id).where(Job.id.in_(job_ids)).with_for_update(skip_locked=True)).all()
    again = query.where(Page.job_id.in_(locked)).with_for_update(skip_locked=True)
    return list(session.scalars(again.execution_options(populate_existing=True)))


def _decisive(job: Job) -> tuple[ColumnElement[bool], ...]:
    """What a job ends by: its pages, from which a report that failed takes nothing; an evaluation has only its set."""
    if job.kind == JobKind.EVALUATE:
        return Page.job_id == job.id, Page.number == WHOLE_SET
    return Page.job_id == job.id, Page.number > WHOLE_SET


def has_page_at_cgan() -> ColumnElement[bool]:
    """Of a job: whether a page of it waits for its reference model, or could use it."""
    return (
        select(Page.job_id)
        .where(Page.job_id == Job.id, Page.status == PageStatus.QUEUED, Page.stage == Stage.CGAN)
        .exists()
    )
