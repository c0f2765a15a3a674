"""What waits and what is under way, over all tenants: for operators and autoscalers."""

import threading
import time
from dataclasses import dataclass
from typing import Final

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.orm import Session

from common.errors import DatabaseError
from common.jobs.database import Database
from common.jobs.deliveries import DeliveryStatus
from common.jobs.dispatch import has_page_at_cgan
from common.jobs.feeding import WORKER_SILENT_S, is_bulk_job
from common.jobs.models import WHOLE_SET, Delivery, Job, Page, ReferenceModel, Worker
from common.jobs.states import JOB_OPEN, ModelStatus, PageStatus
from common.logging import get_logger
from common.names import JOB_CLASSES, Stage

FRESH_S: Final = 5.0
"""However many ask, the truth is looked at this often, in seconds."""
STALE_S: Final = 60.0
"""What was seen longer ago is told to nobody, in seconds."""
WAITING, SENT, RUNNING = "waiting", "sent", "running"


@dataclass(frozen=True)
class Pages:
    """Pages at a stage that are alike.

    Attributes:
        stage: due, or under way.
        is_bulk: whether their jobs go after interactive ones.
        state: waiting (in SQL), sent (to the stage's queue) or running.
        may_go: False while their reference model is missing.
        count: how many.
        since: when the first of them came into this state, in seconds since 1970.
    """

    stage: Stage
    is_bulk: bool
    state: str
    may_go: bool
    count: int
    since: float


@dataclass(frozen=True)
class Overview:
    """Attributes:
    at: when it was looked at, in seconds since 1970.
    jobs: by status, all of them.
    pages: what has not ended.
    slots: by queue, of workers that are alive.
    workers: the same of the workers.
    trainings: reference models that open jobs wait for, by status.
    deliveries: webhooks that have not been taken yet.
    """

    at: float
    jobs: dict[str, int]
    pages: list[Pages]
    slots: dict[str, int]
    workers: dict[str, int]
    trainings: dict[str, int]
    deliveries: int

    def demand(self, stage: Stage) -> int:
        """How many slots could work at this moment: what waits and may go, what was sent and what runs."""
        pages = sum(one.count for one in self.pages if one.stage is stage and one.may_go)
        return pages + (sum(self.trainings.values()) if stage is Stage.CGAN else 0)

    def oldest_s(self, stage: Stage, job_class: str) -> float:
        """How long the oldest page that may run and does not has been at a stage, in seconds; 0 where there is none."""
        since = [
            one.since
            for one in self.pages
            if one.stage is stage and JOB_CLASSES[one.is_bulk] == job_class and one.may_go and one.state != RUNNING
        ]
        return max(0.0, self.at - min(since)) if since else 0.0


class OverviewStore:
    """Safe to share between threads."""

    def __init__(self, database: Database, interactive_pages: int) -> None:
        self._database = database
        self._interactive_pages = interactive_pages
        self._lock = threading.Lock()
        self._seen: tuple[float, Overview] | None = None

    def look(self) -> Overview:
        """The truth as it was when somebody asked before, at most `STALE_S` seconds ago. Raises DatabaseError.

        Whoever asks after `FRESH_S` has it looked at again, for the next one, and does not wait for that: where a
        million pages are open it takes a second.
        """
        seen = self._seen
        if seen is None:
            return self._refresh()
        age_s = time.monotonic() - seen[0]
        if age_s > FRESH_S and self._lock.acquire(blocking=False):
            threading.Thread(target=self._refresh_aside, name="overview", daemon=True).start()
        if age_s > STALE_S:
            # Nobody asked for long, or the database is away: a scrape must not wait for it to find that out.
            raise DatabaseError(f"what was seen last is {age_s:.0f} s old; it is looked at again")
        return seen[1]

    def _refresh(self) -> Overview:
        at = time.monotonic()
        with self._database.reading() as session:
            overview = _read(session, self._interactive_pages)
        self._seen = at, overview
        return overview

    def _refresh_aside(self) -> None:
        try:
            self._refresh()
        except DatabaseError as error:  # what was seen grows stale, and then whoever asks is told
            get_logger(__name__).warning("the overview stays as it was", reason=str(error))
        finally:
            self._lock.release()


def _read(session: Session, interactive_pages: int) -> Overview:
    now = time.time()
    jobs = session.execute(select(Job.status, func.count()).group_by(Job.status))
    alive = select(Worker.queue, func.sum(Worker.slots), func.count()).where(Worker.seen_at > now - WORKER_SILENT_S)
    workers = session.execute(alive.group_by(Worker.queue)).all()
    wanted = select(Job.id).where(Job.model_key == ReferenceModel.key, Job.status.in_(JOB_OPEN), has_page_at_cgan())
    trainings = session.execute(
        select(ReferenceModel.status, func.count())
        .where(ReferenceModel.status.in_((ModelStatus.MISSING, ModelStatus.TRAINING)), wanted.exists())
        .group_by(ReferenceModel.status)
    )
    pending = select(func.count()).select_from(Delivery).where(Delivery.status == DeliveryStatus.PENDING)
    return Overview(
        at=now,
        jobs=dict(jobs.all()),
        pages=_read_pages(session, interactive_pages),
        slots={queue: int(slots) for queue, slots, _ in workers},
        workers={queue: count for queue, _, count in workers},
        trainings=dict(trainings.all()),
        deliveries=session.scalar(pending) or 0,
    )


def _read_pages(session: Session, interactive_pages: int) -> list[Pages]:
    state = case((Page.worker.is_not(None), RUNNING), (Page.lease_until.is_not(None), SENT), else_=WAITING)
    is_ready = or_(Page.stage != Stage.CGAN, ReferenceModel.status == ModelStatus.READY)
    may_go = and_(Job.unpacked.is_(True), is_ready)
    kinds = (Page.stage, is_bulk_job(interactive_pages), state, may_go)
    # A job's whole set waits from the start, but not for a worker.
    counts = or_(Page.number > WHOLE_SET, Page.lease_until.is_not(None))
    query = (
        select(*kinds, func.count(), func.min(Page.updated_at))
        .join(Job, Job.id == Page.job_id)
        .outerjoin(ReferenceModel, ReferenceModel.key == Job.model_key)
        .where(and_(Page.status.in_((PageStatus.QUEUED, PageStatus.RUNNING)), Job.status.in_(JOB_OPEN), counts))
        .group_by(*kinds)
    )
    return [
        Pages(Stage(stage or ""), bool(is_bulk), found, bool(goes), count, since)
        for stage, is_bulk, found, goes, count, since in session.execute(query)
    ]
