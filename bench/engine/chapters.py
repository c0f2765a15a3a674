"""Jobs as the API would insert them, for any tenant, and what the truth says of them afterwards."""

from contextlib import suppress

import numpy as np
from sqlalchemy import func, select

from common.broker import Broker
from common.errors import BrokerError
from common.imaging import encode_image
from common.jobs.database import Database
from common.jobs.ids import new_id, sha256_hex
from common.jobs.models import WHOLE_SET, Attempt, Job, Page
from common.jobs.records import NewJob, NewPage
from common.jobs.states import JOB_ENDED, PageStatus
from common.jobs.store import JobStore
from common.names import STAGES
from common.params import JobParams
from storage import keys
from storage.protocol import ObjectStore

PAGE = encode_image(np.full((48, 32, 3), 128, np.uint8))
REFERENCES = [{"name": "reference.png", "key": "none", "sha256": "0" * 64}]
"""The same for all, so that one training at the start serves every job; the fast stages read none."""


class Chapters:
    def __init__(self, database: Database, store: ObjectStore, broker: Broker) -> None:
        self._database, self._store, self._broker = database, store, broker
        self._jobs = JobStore(database)

    def close(self) -> None:
        self._database.close()

    def submit(self, tenant: str, pages: int) -> str:
        """Insert a job and wake control; returns the job's id."""
        job_id = self.insert(tenant, pages)
        self.wake_control()
        return job_id

    def insert(self, tenant: str, pages: int) -> str:
        job_id = new_id()
        key = keys.source(job_id, 1)
        self._store.put(key, PAGE, media_type="image/png")
        # One object for all pages, each under a digest of its own: so that none is linked from another.
        sources = [
            {"key": key, "sha256": sha256_hex(f"{job_id} {number}".encode()), "size": len(PAGE), "filename": "a.png"}
            for number in range(1, pages + 1)
        ]
        new = [NewPage(f"{number:04}.png", source) for number, source in enumerate(sources, 1)]
        self._jobs.ensure_tenant(tenant)
        self._jobs.create_job(NewJob(job_id, tenant, JobParams(), new, REFERENCES))
        return job_id

    def wake_control(self) -> None:
        with suppress(BrokerError):  # Redis may be starting; control looks by itself soon
            self._broker.wake_control()

    def created_at(self, job_id: str) -> float:
        """UNIX time, as all times here, in seconds."""
        with self._database.reading() as session:
            return session.get_one(Job, job_id).created_at

    def ended_at(self, job_id: str) -> float | None:
        """None until the job has ended."""
        with self._database.reading() as session:
            job = session.get_one(Job, job_id)
            return job.finished_at if job.status in JOB_ENDED else None

    def first_claim_at(self, job_id: str) -> float | None:
        """When a worker took a page of the job for the first time; None until then."""
        with self._database.reading() as session:
            return session.scalar(select(func.min(Attempt.started_at)).where(Attempt.job_id == job_id))

    def page_ends(self, job_id: str) -> list[float]:
        """When the pages of a job that are done left their last stage, in order of time."""
        ends = select(Attempt.ended_at).where(Attempt.job_id == job_id, Attempt.number > WHOLE_SET)
        ends = ends.where(Attempt.stage == STAGES[-1], Attempt.outcome == "done").order_by(Attempt.ended_at)
        with self._database.reading() as session:
            return [end for end in session.scalars(ends) if end is not None]

    def pages_done(self) -> dict[str, int]:
        """Tenant → number of pages done."""
        done = select(Job.tenant_id, func.count()).join(Page, Page.job_id == Job.id)
        done = done.where(Page.number > WHOLE_SET, Page.status == PageStatus.SUCCEEDED).group_by(Job.tenant_id)
        with self._database.reading() as session:
            return dict(session.execute(done).all())
