"""What the API does to the truth: create, read, cancel, retry, correct and delete jobs."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import BigInteger, and_, bindparam, cast, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from common.errors import ConflictError, NotFoundError
from common.hints import Rgb
from common.jobs.database import Database, at_commit
from common.jobs.ending import end_job
from common.jobs.ids import content_key, is_id, sha256_hex
from common.jobs.models import WHOLE_SET, Attempt, Delivery, Job, Page, ReferenceModel, Series, Tenant
from common.jobs.queueing import first_missing_stage, new_page, queue_set, reopen, requeue, require_correctable
from common.jobs.records import JobVersion, JobView, NewEvaluation, NewHints, NewJob, PageVersion, SetView
from common.jobs.series import hold_series, lock_series_of, remember_colours, set_references
from common.jobs.states import (
    JOB_ENDED,
    JobKind,
    JobStatus,
    ModelStatus,
    PageStatus,
    job_sources,
    page_sources,
)
from common.jobs.tenants import UNLIMITED, Limits, require_room
from common.names import TRAINING_VERSION, Artifact, Stage
from common.params import TRAINING_PARAMS, JobParams, first_changed_stage
from common.telemetry import PAGES_ENDED

NUMBERS_AT_ONCE = 500
"""Pages that one query names; SQLite takes 32,766 variables at most."""

# All pages and the whole set are in it by the sum of their times of change: the greatest alone would miss a change by a
# machine whose clock is behind. Whole numbers, whose sum is the same in any order.
_CHANGES = func.sum(cast((Page.updated_at - Job.created_at) * 1e6, BigInteger))
_VERSION = (
    select(
        Job.tenant_id,
        Job.status,
        ReferenceModel.status,
        Job.updated_at,
        Job.revision,
        Job.series_id,
        ReferenceModel.progress,
        ReferenceModel.attempt,
        ReferenceModel.failures,
        func.count(Page.number),
        _CHANGES,
        func.max(Page.updated_at),
    )
    .outerjoin(ReferenceModel, ReferenceModel.key == Job.model_key)
    .outerjoin(Page, Page.job_id == Job.id)
    .where(Job.id == bindparam("job_id"))
    .group_by(Job.id, ReferenceModel.key)
)
_PAGE_VERSION = (
    select(Job.tenant_id, Page.status, Page.stage, Page.attempt, Page.updated_at)
    .join(Job, Job.id == Page.job_id)
    .where(Page.job_id == bindparam("job_id"), Page.number == bindparam("number"), Page.number != WHOLE_SET)
)


def model_key(references: list[dict[str, Any]], params: JobParams) -> str:
    """The key of the weights that these references and settings give."""
    settings = {name: getattr(params, name) for name in TRAINING_PARAMS}
    digests = [reference["sha256"] for reference in references]
    return content_key(version=TRAINING_VERSION, references=digests, settings=settings)


class JobStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def ensure_tenant(self, tenant_id: str) -> None:
        with self._database.writing() as session:
            if session.get(Tenant, tenant_id) is None:
                try:
                    with session.begin_nested():
                        session.add(Tenant(id=tenant_id, created_at=time.time()))
                except IntegrityError:
                    return  # another process was first: the tenant is there

    def create_job(self, new: NewJob, limits: Limits = UNLIMITED) -> None:
        """Insert a job and its pages in one transaction, and what becomes of its series.

        Raises:
            QuotaError: there is no room for it.
            ConflictError: it is there already.
            SeriesChangedError: its series is not what it was seen to be.
        """
        now = time.time()
        key = model_key(new.references, new.params)
        of_pages = sum(page.source["size"] for page in new.pages if page.source)
        with self._database.writing() as session:
            series = hold_series(session, new.tenant_id, new.series) if new.series else None
            grown = new.series.size - series.stored_bytes if new.series and series else 0
            room = {"pages": len(new.pages), "new_bytes": new.stored_bytes + of_pages + grown}
            require_room(session, new.tenant_id, limits, **room)
            _require_new(session, new.id)
            _ensure_model(session, key, now)
            if series and new.series:
                set_references(series, new.series, now)
            session.flush()
            job = Job(
                id=new.id,
                tenant_id=new.tenant_id,
                series_id=series and series.id,
                colours=series.colours if series else [],
                kind=JobKind.COLORIZE,
                name=new.name,
                status=JobStatus.QUEUED,
                params=new.params.model_dump(mode="json"),
                pages_total=len(new.pages),
                references=new.references,
                model_key=key,
                extras=new.extras,
                archive_key=new.archive_key,
                archive_name=new.archive_name,
                unpacked=new.archive_key is None,
                keep_days=new.keep_days,
                callback_url=new.callback_url,
                stored_bytes=new.stored_bytes,
                created_at=now,
                updated_at=now,
            )
            session.add(job)
            session.flush()
            queue_set(session, job)
            session.add_all(new_page(new.id, number, page, now) for number, page in enumerate(new.pages, 1))

    def create_evaluation(self, new: NewEvaluation, limits: Limits = UNLIMITED) -> None:
        """Insert an evaluation in one transaction. Raises QuotaError, ConflictError (there already)."""
        now = time.time()
        with self._database.writing() as session:
            require_room(session, new.tenant_id, limits, new_bytes=new.stored_bytes)
            _require_new(session, new.id)
            job = Job(
                id=new.id,
                tenant_id=new.tenant_id,
                kind=JobKind.EVALUATE,
                name=new.name,
                status=JobStatus.QUEUED,
                params={},
                pages_total=0,
                references=new.references,
                sets={"real": new.real, "output": new.output},
                unpacked=True,
                keep_days=new.keep_days,
                callback_url=new.callback_url,
                stored_bytes=new.stored_bytes,
                created_at=now,
                updated_at=now,
            )
            session.add(job)
            session.flush()
            queue_set(session, job)

    def has_job(self, job_id: str) -> bool:
        with self._database.reading() as session:
            return session.get(Job, job_id) is not None

    def get_job(self, tenant_id: str, job_id: str) -> JobView:
        with self._database.reading() as session:
            return self._view(session, _own_job(session, tenant_id, job_id))

    def job_version(self, tenant_id: str, job_id: str) -> JobVersion:
        """What changes whenever anything changes that `get_job` shows: one statement, for who asks again and again.

        Raises:
            NotFoundError: no such job of this tenant.
        """
        rows = self._database.ask(_VERSION, job_id=job_id) if is_id(job_id) else ()
        if not rows or rows[0][0] != tenant_id:
            raise NotFoundError(f"no job {job_id}")
        _, status, model_status, *_ = rows[0]
        return JobVersion(status, model_status, _digest(rows[0]))

    def page_version(self, tenant_id: str, job_id: str, number: int) -> PageVersion:
        """The same for `get_page`."""
        rows = self._database.ask(_PAGE_VERSION, job_id=job_id, number=number) if is_id(job_id) else ()
        if not rows or rows[0][0] != tenant_id:
            raise NotFoundError(f"no page {number} in job {job_id}")
        return PageVersion(rows[0][1], _digest(rows[0]))

    def list_jobs(self, tenant_id: str, limit: int, before: str | None, status: str | None) -> list[JobView]:
        """Own jobs, newest first; `before` is the id of the last job of the page of jobs before this one."""
        query = select(Job).where(Job.tenant_id == tenant_id).order_by(Job.id.desc()).limit(limit)
        if before is not None:
            query = query.where(Job.id < before)
        if status is not None:
            query = query.where(Job.status == status)
        with self._database.reading() as session:
            return [self._view(session, job) for job in session.scalars(query)]

    def list_pages(self, tenant_id: str, job_id: str, limit: int, after: int) -> list[Page]:
        query = select(Page).where(Page.job_id == job_id, Page.number > after).order_by(Page.number).limit(limit)
        with self._database.reading() as session:
            _own_job(session, tenant_id, job_id)
            return list(session.scalars(query))

    def changed_pages(self, tenant_id: str, job_id: str, after: tuple[float, int], limit: int) -> list[Page]:
        """Pages of a job behind a time of change and a number, in this order; not the whole set."""
        since, number = after
        later = or_(Page.updated_at > since, and_(Page.updated_at == since, Page.number > number))
        query = select(Page).where(Page.job_id == job_id, Page.number != WHOLE_SET, Page.updated_at >= since, later)
        with self._database.reading() as session:
            _own_job(session, tenant_id, job_id)
            return list(session.scalars(query.order_by(Page.updated_at, Page.number).limit(limit)))

    def get_page(self, tenant_id: str, job_id: str, number: int) -> Page:
        with self._database.reading() as session:
            _own_job(session, tenant_id, job_id)
            return _page(session, job_id, number)

    def cancel_job(self, tenant_id: str, job_id: str) -> None:
        """Cancel what has not ended; a job that has ended already stays as it is."""
        with self._database.writing() as session:
            job = _own_job(session, tenant_id, job_id, lock=True)
            if job.status not in job_sources(JobStatus.CANCELLED):
                return
            cancelled = session.execute(
                update(Page)
                .where(Page.job_id == job_id, Page.status.in_(page_sources(PageStatus.CANCELLED)))
                .values(status=PageStatus.CANCELLED, stage=None, lease_until=None, updated_at=time.time())
                .returning(Page.number)
            ).scalars()
            pages = sum(number != WHOLE_SET for number in cancelled)
            at_commit(session, lambda: PAGES_ENDED.labels(PageStatus.CANCELLED).inc(pages))
            end_job(session, job, JobStatus.CANCELLED)

    def retry_job(self, tenant_id: str, job_id: str) -> int:
        """Queue what failed of a job that has ended once more: pages, and their scoring together; returns how many.

        Raises:
            ConflictError: the job has not ended, or was cancelled.
        """
        with self._database.writing() as session:
            job = _own_job(session, tenant_id, job_id, lock=True)
            if job.status not in JOB_ENDED - {JobStatus.CANCELLED}:
                raise ConflictError(f"job {job_id} is {job.status}: only an ended job can be tried again")
            query = select(Page).where(Page.job_id == job_id, Page.status == PageStatus.FAILED)
            # A page that could not even be taken out of its archive has nothing to try again with.
            failed = [
                page for page in session.scalars(query) if page.number == WHOLE_SET or Artifact.SOURCE in page.artifacts
            ]
            if not failed:
                return 0
            reopen(session, job)
            pages = [page for page in failed if page.number != WHOLE_SET]
            if pages and job.model_key:
                _ensure_model(session, job.model_key, time.time())
            for page in pages:
                requeue(page, first_missing_stage(page))
            return len(failed)

    def set_hints(
        self,
        tenant_id: str,
        job_id: str,
        new_hints: dict[int, NewHints],
        limits: Limits = UNLIMITED,
        colours: Mapping[Rgb, Rgb] | None = None,
    ) -> None:
        """Give pages, by number, other hints and run them again from s2p: all of them, or none.

        Args:
            tenant_id: whose job it is.
            job_id: the job.
            new_hints: by page; none where only `colours` are remembered.
            limits: what the tenant may have under way.
            colours: corrected ones that led to the new hints, for the job and its series to remember.

        Raises:
            ConflictError: a page or its job is under way, cancelled, or was skipped, or its hints have changed.
            InputError: job or series would have too many corrected colours.
            QuotaError: so many pages more may not be under way.
        """
        with self._database.writing() as session:
            series = lock_series_of(session, job_id) if colours else None
            job = _own_job(session, tenant_id, job_id, lock=True)
            if colours:
                remember_colours(job, series, colours)
            if not new_hints:
                return
            pages = _pages(session, job_id, sorted(new_hints))
            for page in pages:
                require_correctable(page)
                if page_params(job, page).stop_after == "cgan":
                    raise ConflictError(f"job {job_id} stops after cgan: hints would change nothing")
                if new_hints[page.number].replaces not in (None, page.artifacts[Artifact.HINTS]["key"]):
                    raise ConflictError(f"page {page.number} has got other hints meanwhile: try again")
            reopen(session, job)
            # In the order in which feeding locks: the whole set, which is opened above, before the tenant.
            require_room(session, tenant_id, limits, pages=len(new_hints))
            for page in pages:
                page.artifacts = {**page.artifacts, Artifact.HINTS: new_hints[page.number].entry}
                requeue(page, Stage.S2P)

    def set_params(self, tenant_id: str, job_id: str, number: int, params: JobParams) -> Stage | None:
        """Give one page other parameters; it runs again from the first stage that the change touches.

        Returns:
            That stage; None when nothing changes.

        Raises:
            ConflictError: the change would train another reference model, or the page or its job is under way.
        """
        with self._database.writing() as session:
            job = _own_job(session, tenant_id, job_id, lock=True)
            page = _page(session, job_id, number)
            old = page_params(job, page)
            stage = first_changed_stage(old, params)
            if any(getattr(old, name) != getattr(params, name) for name in (*TRAINING_PARAMS, "stop_after", "archive")):
                fixed = ", ".join((*TRAINING_PARAMS, "stop_after", "archive"))
                raise ConflictError(f"{fixed} belong to the whole job: submit a new job to change them")
            if stage is None:
                return None
            require_correctable(page)
            reopen(session, job)
            page.params = params.model_dump(mode="json")
            requeue(page, stage)
            return stage

    def delete_job(self, tenant_id: str, job_id: str) -> None:
        """Delete a job that has ended from the truth; its objects are the caller's to delete.

        Raises:
            ConflictError: the job has not ended; it must be cancelled first.
        """
        with self._database.writing() as session:
            job = _own_job(session, tenant_id, job_id, lock=True)
            if job.status not in JOB_ENDED:
                raise ConflictError(f"job {job_id} is {job.status}: cancel it before deleting it")
            remove_job(session, job)

    def _view(self, session: Session, job: Job) -> JobView:
        pages = select(Page.status, func.count()).where(Page.job_id == job.id, Page.number > WHOLE_SET)
        counts = dict(session.execute(pages.group_by(Page.status)).all())
        whole_set = session.execute(
            select(Page.status, Page.artifacts, Page.error_code, Page.error_detail).where(
                Page.job_id == job.id, Page.number == WHOLE_SET
            )
        ).one_or_none()
        model = session.get_one(ReferenceModel, job.model_key) if job.model_key else None
        series = session.scalar(select(Series.name).where(Series.id == job.series_id)) if job.series_id else None
        return JobView(job, model, counts, SetView(*whole_set) if whole_set else None, series)


def _digest(row: Iterable[object]) -> str:
    return sha256_hex(repr(tuple(row)).encode())


def remove_job(session: Session, job: Job) -> None:
    """Delete a job with its pages from the truth; the caller holds the job's row."""
    for table in (Attempt, Delivery, Page):
        session.execute(delete(table).where(table.job_id == job.id))
    session.delete(job)


def page_params(job: Job, page: Page) -> JobParams:
    """The parameters that hold for a page: its own where it was corrected, else the job's."""
    return JobParams.model_validate(page.params or job.params)


def _require_new(session: Session, job_id: str) -> None:
    # A request that is repeated while its first try, held for dead, is still at work.
    if session.get(Job, job_id) is not None:
        raise ConflictError(f"job {job_id} is there already")


def _own_job(session: Session, tenant_id: str, job_id: str, *, lock: bool = False) -> Job:
    # Who changes a job's pages locks the job first: all do it in this order.
    job = session.get(Job, job_id, with_for_update=lock) if is_id(job_id) else None
    if job is None or job.tenant_id != tenant_id:
        raise NotFoundError(f"no job {job_id}")
    return job


def _page(session: Session, job_id: str, number: int) -> Page:
    return _pages(session, job_id, [number])[0]


def _pages(session: Session, job_id: str, numbers: list[int]) -> list[Page]:
    found: dict[int, Page] = {}
    for start in range(0, len(numbers), NUMBERS_AT_ONCE):
        some = Page.number.in_(numbers[start : start + NUMBERS_AT_ONCE])
        query = select(Page).where(Page.job_id == job_id, Page.number > WHOLE_SET, some)
        found |= {page.number: page for page in session.scalars(query)}
    for number in numbers:
        if number not in found:
            raise NotFoundError(f"no page {number} in job {job_id}")
    return [found[number] for number in numbers]


def _ensure_model(session: Session, key: str, now: float) -> None:
    # Again where another job with the same reference was first; a sweep may even take the row away after that.
    while (model := session.get(ReferenceModel, key, with_for_update=True, populate_existing=True)) is None:
        try:
            with session.begin_nested():
                session.add(ReferenceModel(key=key, status=ModelStatus.MISSING, created_at=now, used_at=now))
            return
        except IntegrityError:
            continue
    model.used_at = now
    if model.status == ModelStatus.FAILED:  # somebody asks again: it gets another chance
        model.status, model.failures, model.error_code, model.error_detail = ModelStatus.MISSING, 0, None, None
