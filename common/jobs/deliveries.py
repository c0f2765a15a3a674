"""News of jobs for their callback URLs: written down as the job ends, in the same transaction, and sent until taken.

What is sent is decided here, once; a delivery's id and body stay the same however often it is tried.
"""

import json
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from common.errors import NotFoundError
from common.jobs.database import Database
from common.jobs.ids import is_id, new_id
from common.jobs.models import WHOLE_SET, Delivery, Job, Page
from common.jobs.tenants import ensure_webhook_secret

JOB_ENDED_EVENT: Final = "job.ended"
PAUSES_S: Final = (5.0, 30.0, 120.0, 600.0, 1800.0, 7200.0, 18_000.0, 36_000.0)
"""Between the tries of a delivery, in seconds; after the last one, 18 hours after the first, it is given up."""
LONGEST_PAUSE_S: Final = 86_400.0
"""A receiver may ask for a longer pause (Retry-After), up to this."""
CANDIDATES: Final = 200


class DeliveryStatus(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True)
class DueDelivery:
    """A delivery that somebody has taken to send it now."""

    id: str
    tenant_id: str
    job_id: str
    url: str
    payload: str
    secret: str


@dataclass(frozen=True)
class Try:
    """How one try at a delivery ended.

    Attributes:
        at: when it began, in seconds since 1970.
        seconds: how long it took.
        status: the HTTP status that was answered, if any was.
        error: what went wrong; None when it was taken.
        is_final: whether another try is of no use.
        retry_after_s: the pause that the receiver asked for, in seconds.
    """

    at: float
    seconds: float
    status: int | None = None
    error: str | None = None
    is_final: bool = False
    retry_after_s: float | None = None


def queue_news(session: Session, job: Job) -> None:
    """Have a job's callback URL told that it has ended; the caller holds the job's row and commits."""
    if job.callback_url is None:
        return
    now = time.time()
    session.flush()
    pages = select(Page.status, func.count()).where(Page.job_id == job.id, Page.number > WHOLE_SET)
    counts = dict(session.execute(pages.group_by(Page.status)).all())
    data = {
        "id": job.id,
        "kind": job.kind,
        "status": job.status,
        "pages": {"total": job.pages_total, **counts},
        "link": f"/v1/jobs/{job.id}",
    }
    moment = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    session.add(
        Delivery(
            id=new_id(),
            job_id=job.id,
            event=JOB_ENDED_EVENT,
            url=job.callback_url,
            payload=json.dumps({"type": JOB_ENDED_EVENT, "timestamp": moment, "data": data}, separators=(",", ":")),
            status=DeliveryStatus.PENDING,
            next_at=now,
            created_at=now,
        )
    )


class DeliveryStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def take_due(self, limit: int, per_tenant: int, held: Counter[str], lease_s: float) -> list[DueDelivery]:
        """Take deliveries that are due, the longest due first, for `lease_s` seconds; nobody else sends them meanwhile.

        Args:
            limit: how many at most.
            per_tenant: how many a tenant may have under way; one with slow receivers must not hold up the others.
            held: how many each tenant has under way already.
            lease_s: after so long without `record` somebody else may take them, in seconds.
        """
        full = [tenant_id for tenant_id, count in held.items() if count >= per_tenant]
        with self._database.reading() as session:
            if session.scalar(select(Delivery.id).where(*_is_due(time.time())).limit(1)) is None:
                return []  # on SQLite, a writer with nothing to write would still keep the others waiting
        now, held = time.time(), Counter(held)
        taken: list[DueDelivery] = []
        query = select(Delivery, Job.tenant_id).join(Job, Job.id == Delivery.job_id)
        query = query.where(*_is_due(now), Job.tenant_id.not_in(full)).order_by(Delivery.next_at).limit(CANDIDATES)
        with self._database.writing() as session:
            for delivery, tenant_id in session.execute(query.with_for_update(of=Delivery, skip_locked=True)).all():
                if len(taken) < limit and held[tenant_id] < per_tenant:
                    held[tenant_id] += 1
                    delivery.lease_until = now + lease_s
                    secret = ensure_webhook_secret(session, tenant_id)
                    taken.append(
                        DueDelivery(delivery.id, tenant_id, delivery.job_id, delivery.url, delivery.payload, secret)
                    )
        return taken

    def record(self, delivery_id: str, result: Try) -> DeliveryStatus | None:
        """Write down how a try ended; returns what the delivery is now, None when its job is gone or it had ended."""
        now = time.time()
        with self._database.writing() as session:
            delivery = session.get(Delivery, delivery_id, with_for_update=True)
            if delivery is None or delivery.status != DeliveryStatus.PENDING:
                return None
            entry: dict[str, Any] = {"at": result.at, "seconds": round(result.seconds, 3)}
            entry |= {"status": result.status, "error": result.error}
            delivery.tries = [*delivery.tries, entry]
            delivery.lease_until = None
            if result.error is None:
                delivery.status, delivery.ended_at = DeliveryStatus.DELIVERED, now
            elif result.is_final or len(delivery.tries) > len(PAUSES_S):
                delivery.status, delivery.ended_at = DeliveryStatus.FAILED, now
            else:
                pause_s = max(PAUSES_S[len(delivery.tries) - 1], result.retry_after_s or 0.0)
                delivery.next_at = now + min(pause_s, LONGEST_PAUSE_S)
            return DeliveryStatus(delivery.status)

    def list_deliveries(self, tenant_id: str, job_id: str, limit: int) -> list[Delivery]:
        """A job's deliveries, the latest first. Raises NotFoundError."""
        query = select(Delivery).where(Delivery.job_id == job_id).order_by(Delivery.id.desc()).limit(limit)
        with self._database.reading() as session:
            job = session.get(Job, job_id) if is_id(job_id) else None
            if job is None or job.tenant_id != tenant_id:
                raise NotFoundError(f"no job {job_id}")
            return list(session.scalars(query))


def _is_due(now: float) -> tuple[ColumnElement[bool], ...]:
    is_free = or_(Delivery.lease_until.is_(None), Delivery.lease_until < now)
    return Delivery.status == DeliveryStatus.PENDING, Delivery.next_at <= now, is_free
