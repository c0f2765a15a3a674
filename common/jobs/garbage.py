"""What the sweep does to the truth: find what is kept no longer, and delete it where nobody took it up meanwhile.

Everything is found first, without locks, and checked again under the row's lock when it is deleted. So several sweeps
may run side by side, and a retry or a submission that comes at the same moment either wins or finds nothing.
"""

import time
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, func, select

from common.jobs.database import Database
from common.jobs.models import IdempotencyKey, Job, Page, ReferenceModel, Series, Upload, Worker
from common.jobs.states import JOB_ENDED, ModelStatus
from common.jobs.store import remove_job

DAY_S = 86_400.0


def expiry(finished_at: float, keep_days: float) -> float:
    """When a job that ended then is kept no longer; seconds since 1970."""
    return finished_at + keep_days * DAY_S


@dataclass(frozen=True)
class PageNow:
    """What of a page's objects counts: its attempt, and the keys that it refers to."""

    number: int
    attempt: int
    keys: frozenset[str]


class GarbageStore:
    def __init__(self, database: Database, *, keep_days: float) -> None:
        """`keep_days` holds for jobs that name none of their own."""
        self._database = database
        self._keep_days = keep_days

    def expired_jobs(self, limit: int, after: str = "") -> list[str]:
        """Ids of jobs that ended longer ago than they are kept, those behind `after`, in order."""
        query = select(Job.id).where(*self._is_expired(), Job.id > after).order_by(Job.id).limit(limit)
        with self._database.reading() as session:
            return list(session.scalars(query))

    def remove_expired_job(self, job_id: str) -> bool:
        """Delete a job if it is still expired; its objects are the caller's to delete then.

        False when it was taken up again or somebody else deleted it.
        """
        with self._database.writing() as session:
            job = session.scalar(select(Job).where(Job.id == job_id, *self._is_expired()).with_for_update())
            if job is None:
                return False
            remove_job(session, job)
            return True

    def known_jobs(self, job_ids: Collection[str]) -> set[str]:
        with self._database.reading() as session:
            return set(session.scalars(select(Job.id).where(Job.id.in_(job_ids))))

    def old_uploads(self, before: float, limit: int, after: str = "") -> list[str]:
        """Ids of uploads announced before then, those behind `after`, in order."""
        query = select(Upload.id).where(Upload.created_at < before, Upload.id > after)
        with self._database.reading() as session:
            return list(session.scalars(query.order_by(Upload.id).limit(limit)))

    def remove_upload(self, upload_id: str, before: float) -> str | None:
        """Delete an upload that was announced before then; returns its object's key, the caller's to delete.

        None when somebody else deleted it, or it was announced once more meanwhile.
        """
        with self._database.writing() as session:
            upload = session.get(Upload, upload_id, with_for_update=True)
            if upload is None or upload.created_at >= before:
                return None
            session.delete(upload)
            return upload.storage_key

    def known_uploads(self, upload_ids: Collection[str]) -> set[str]:
        with self._database.reading() as session:
            return set(session.scalars(select(Upload.id).where(Upload.id.in_(upload_ids))))

    def series_references(self, series_ids: Collection[str]) -> set[str]:
        """The keys that these series refer to; none where there is no such series."""
        query = select(Series.references).where(Series.id.in_(series_ids))
        with self._database.reading() as session:
            return {reference["key"] for references in session.scalars(query) for reference in references}

    def unused_models(self, before: float, limit: int, after: str = "") -> list[str]:
        """Keys of models last used before then that no job refers to, those behind `after`, in order."""
        query = select(ReferenceModel.key).where(*_is_unused(before), ReferenceModel.key > after)
        with self._database.reading() as session:
            return list(session.scalars(query.order_by(ReferenceModel.key).limit(limit)))

    def remove_unused_model(self, key: str, before: float) -> bool:
        """Delete a model if it is still unused; False when a job took it up, or somebody else deleted it.

        Jobs lock a model's row before they refer to it: one that comes now waits, and makes a new row.
        """
        with self._database.writing() as session:
            # Locked first, and asked about in a second statement: one statement would not see a job that was inserted
            # while it waited for the lock.
            if session.get(ReferenceModel, key, with_for_update=True) is None:
                return False
            gone = session.execute(
                delete(ReferenceModel)
                .where(ReferenceModel.key == key, *_is_unused(before))
                .returning(ReferenceModel.key)
                .execution_options(synchronize_session=False)
            )
            return gone.first() is not None

    def known_models(self, model_keys: Collection[str]) -> set[str]:
        with self._database.reading() as session:
            return set(session.scalars(select(ReferenceModel.key).where(ReferenceModel.key.in_(model_keys))))

    def remove_old_answers(self, before: float) -> int:
        """Forget the answers to requests that came before then and may be repeated no longer."""
        old = delete(IdempotencyKey).where(IdempotencyKey.created_at < before)
        with self._database.writing() as session:
            return len(session.execute(old.returning(IdempotencyKey.key)).all())

    def remove_silent_workers(self, before: float) -> int:
        """Forget the workers that have not signed in since then: those that were killed never sign off."""
        with self._database.writing() as session:
            gone = session.execute(delete(Worker).where(Worker.seen_at < before).returning(Worker.name))
            return len(gone.all())

    def repeated_pages(self, job_id: str) -> list[PageNow]:
        """The pages of a job, and its whole set, that ran more than once: only they have anything left over."""
        query = select(Page.number, Page.attempt, Page.artifacts).where(Page.job_id == job_id, Page.attempt > 1)
        with self._database.reading() as session:
            rows = session.execute(query.order_by(Page.number)).all()
        return [
            PageNow(number, attempt, frozenset(entry["key"] for entry in artifacts.values()))
            for number, attempt, artifacts in rows
        ]

    def _is_expired(self) -> tuple[ColumnElement[bool], ...]:
        kept_s = func.coalesce(Job.keep_days, self._keep_days) * DAY_S
        return Job.status.in_(JOB_ENDED), Job.finished_at + kept_s < time.time()


def _is_unused(before: float) -> tuple[ColumnElement[bool], ...]:
    referring = select(Job.id).where(Job.model_key == ReferenceModel.key)
    return ReferenceModel.used_at < before, ReferenceModel.status != ModelStatus.TRAINING, ~referring.exists()
