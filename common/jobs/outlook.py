"""How far down the queue a job is, and when it may be done: an estimate by how long stages took lately."""

import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from common.jobs.database import Database
from common.jobs.feeding import WORKER_SILENT_S
from common.jobs.models import WHOLE_SET, Attempt, Job, Page, ReferenceModel, Worker
from common.jobs.states import JOB_ENDED, JOB_OPEN, ModelStatus, PageStatus
from common.names import STAGES, Stage

LOOK_EVERY_S: Final = 3.0
"""However many clients ask, the queue is looked at this often, in seconds."""
LOOK_AGAIN_S: Final = 0.5
"""And this often for jobs that are not in it."""
PACE_S: Final = 3600.0
"""What stages took within so many seconds says what they will take."""
DONE: Final = "done"
LAST_TRAININGS: Final = 20

Work = Counter[Stage]
"""How many pages have a stage before them still."""


@dataclass(frozen=True)
class Outlook:
    """Attributes:
    pages_ahead: pages of other jobs that go before this job's last.
    pages_left: pages of the job that have not ended.
    seconds: until the job has ended; None where no time is known yet.
    """

    pages_ahead: int
    pages_left: int
    seconds: float | None


@dataclass(frozen=True)
class _Waiting:
    """What a job that has not ended waits for."""

    job_id: str
    tenant_id: str
    is_bulk: bool
    pages: int
    work: Work


@dataclass(frozen=True)
class _Queue:
    jobs: list[_Waiting]  # in the order in which they came
    slots: dict[str, int]  # by queue
    seconds: dict[str, float]  # mean of a page, by stage
    training_s: float | None

    def find(self, job_id: str) -> _Waiting | None:
        return next((one for one in self.jobs if one.job_id == job_id), None)


class OutlookStore:
    """Safe to share between threads."""

    def __init__(self, database: Database, interactive_pages: int) -> None:
        self._database = database
        self._interactive_pages = interactive_pages
        self._lock = threading.Lock()
        self._seen: tuple[float, _Queue] | None = None

    def find(self, job: Job) -> Outlook:
        """A job's outlook, as the queue was at most a few seconds ago."""
        if job.status in JOB_ENDED:
            return Outlook(0, 0, 0.0)
        queue = self._look(LOOK_EVERY_S)
        if queue.find(job.id) is None:
            queue = self._look(LOOK_AGAIN_S)  # it may have come since
        if (own := queue.find(job.id)) is None:
            return Outlook(0, 0, None)  # all of its pages have ended, or it has none: what is left is not told in pages
        ahead = _find_ahead(own, queue.jobs)
        pages_ahead = sum(pages for pages, _ in ahead)
        work = sum((part for _, part in ahead), Work(own.work))
        return Outlook(pages_ahead, own.pages, self._estimate(job, own, work, queue))

    def _estimate(self, job: Job, own: _Waiting, work: Work, queue: _Queue) -> float | None:
        due = [stage for stage in STAGES if own.work[stage]]
        if any(stage not in queue.seconds for stage in due):
            return None
        # The slowest pool sets the pace; the last page goes through the others after that.
        slowest = max(
            (work[stage] * queue.seconds[stage] / max(1, queue.slots.get(stage, 0)) for stage in due), default=0
        )
        through = sum(queue.seconds[stage] for stage in due)
        training = self._estimate_training(job, queue.training_s)
        return None if training is None else training + max(slowest, through)

    def _estimate_training(self, job: Job, usual_s: float | None) -> float | None:
        with self._database.reading() as session:
            model = session.get(ReferenceModel, job.model_key) if job.model_key else None
        if model is None or model.status in (ModelStatus.READY, ModelStatus.FAILED):
            return 0.0
        return None if usual_s is None else usual_s * (1 - model.progress)

    def _look(self, longest_s: float) -> _Queue:
        """The queue as it was at most so many seconds ago."""
        with self._lock:
            now = time.monotonic()
            if self._seen is None or self._seen[0] < now - longest_s:
                with self._database.reading() as session:
                    self._seen = now, _read_queue(session, self._interactive_pages)
            return self._seen[1]


def _find_ahead(own: _Waiting, jobs: list[_Waiting]) -> list[tuple[int, Work]]:
    """What goes before a job's last page, as (pages, work): its tenant's earlier jobs, and as much of each other's.

    Interactive jobs go before bulk, and tenants take turns (`common.jobs.feeding`).
    """
    others = [one for one in jobs if one is not own]
    first = [one for one in others if one.is_bulk < own.is_bulk]
    like = [one for one in others if one.is_bulk == own.is_bulk]
    mine = [one for one in like if one.tenant_id == own.tenant_id and one.job_id < own.job_id]
    found = [(one.pages, one.work) for one in (*first, *mine)]
    turns: dict[str, int] = defaultdict(lambda: own.pages + sum(one.pages for one in mine))
    for one in like:
        if one.tenant_id != own.tenant_id:
            pages = min(one.pages, turns[one.tenant_id])
            turns[one.tenant_id] -= pages
            share = Work({stage: round(count * pages / one.pages) for stage, count in one.work.items()})
            found.append((pages, share))
    return found


def _read_queue(session: Session, interactive_pages: int) -> _Queue:
    open_pages = (
        select(Job.id, Job.tenant_id, Job.pages_total, Page.stage, func.count())
        .join(Job, Job.id == Page.job_id)
        .where(Page.status.in_((PageStatus.QUEUED, PageStatus.RUNNING)), Page.number > WHOLE_SET)
        .where(Job.status.in_(JOB_OPEN))
        .group_by(Job.id, Job.tenant_id, Job.pages_total, Page.stage)
        .order_by(Job.id)
    )
    stops = session.execute(select(Job.id, Job.params).where(Job.status.in_(JOB_OPEN)))
    last_stages = {
        job_id: STAGES.index(Stage(stop)) + 1 for job_id, params in stops if (stop := params.get("stop_after"))
    }
    jobs: dict[str, _Waiting] = {}
    for job_id, tenant_id, total, stage, count in session.execute(open_pages):
        one = jobs.get(job_id) or _Waiting(job_id, tenant_id, total > interactive_pages, 0, Work())
        due = STAGES[STAGES.index(Stage(stage or STAGES[0])) : last_stages.get(job_id, len(STAGES))]
        work = one.work + Work(dict.fromkeys(due, count))
        jobs[job_id] = _Waiting(job_id, tenant_id, one.is_bulk, one.pages + count, work)
    now = time.time()
    alive = select(Worker.queue, func.sum(Worker.slots)).where(Worker.seen_at > now - WORKER_SILENT_S)
    slots = {queue: int(count) for queue, count in session.execute(alive.group_by(Worker.queue))}
    pace = select(Attempt.stage, func.avg(Attempt.ended_at - Attempt.started_at)).where(
        Attempt.stage.in_(STAGES),  # the index begins with it
        Attempt.ended_at > now - PACE_S,
        Attempt.outcome == DONE,
        Attempt.number > WHOLE_SET,
    )
    seconds = {stage: float(mean) for stage, mean in session.execute(pace.group_by(Attempt.stage))}
    last = (
        select(ReferenceModel.seconds)
        .where(ReferenceModel.status == ModelStatus.READY, ReferenceModel.seconds.is_not(None))
        .order_by(ReferenceModel.created_at.desc())
        .limit(LAST_TRAININGS)
    )
    trainings = [float(value) for value in session.scalars(last) if value is not None]
    return _Queue(list(jobs.values()), slots, seconds, sum(trainings) / len(trainings) if trainings else None)
