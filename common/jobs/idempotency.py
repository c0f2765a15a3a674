"""POSTs that a client may repeat: the first answer is kept, and given again.

Source: draft-ietf-httpapi-idempotency-key-header-07. A request is entered here before it is worked on, together with
the id of what it will make. So one whose process died in between is taken up again under the same id, and makes nothing
twice.
"""

import time
from dataclasses import dataclass

from sqlalchemy.exc import IntegrityError

from common.errors import InFlightError, ReusedKeyError
from common.jobs.database import Database
from common.jobs.ids import new_id
from common.jobs.models import IdempotencyKey

KEPT_S = 86_400.0
"""How long an answer is kept, in seconds."""
LOCKED_S = 30.0
"""A request that was not renewed for so long is no longer worked on: its process has died, in seconds."""


@dataclass(frozen=True)
class Answer:
    """What was answered the first time."""

    status: int
    headers: dict[str, str]
    body: str


@dataclass(frozen=True)
class Reservation:
    """A request to be worked on; what it makes has this id, and may be there already."""

    resource_id: str
    is_repeated: bool


class IdempotencyStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, tenant_id: str, key: str, request_sha256: str) -> Answer | Reservation:
        """Enter a request, or find what was answered to it.

        Raises:
            ReusedKeyError: the key was used for another request.
            InFlightError: the same request is being worked on at this moment.
        """
        now = time.time()
        try:
            with self._database.writing() as session:
                entry = session.get(IdempotencyKey, (tenant_id, key), with_for_update=True)
                if entry is not None and entry.created_at < now - KEPT_S:
                    session.delete(entry)
                    session.flush()
                    entry = None
                if entry is None:
                    reservation = Reservation(new_id(), is_repeated=False)
                    session.add(
                        IdempotencyKey(
                            tenant_id=tenant_id,
                            key=key,
                            request_sha256=request_sha256,
                            resource_id=reservation.resource_id,
                            created_at=now,
                            locked_until=now + LOCKED_S,
                        )
                    )
                    return reservation
                if entry.request_sha256 != request_sha256:
                    raise ReusedKeyError("Idempotency-Key: it was used for another request: take a new one")
                if entry.status is not None:
                    return Answer(entry.status, entry.headers or {}, entry.body or "")
                if entry.locked_until is not None and entry.locked_until > now:
                    raise _in_flight()
                entry.locked_until = now + LOCKED_S
                return Reservation(entry.resource_id, is_repeated=True)
        except IntegrityError:  # another process entered it at the same moment
            raise _in_flight() from None

    def renew(self, tenant_id: str, key: str) -> None:
        """The request is still worked on."""
        with self._database.writing() as session:
            entry = session.get(IdempotencyKey, (tenant_id, key), with_for_update=True)
            if entry is not None and entry.locked_until is not None:
                entry.locked_until = time.time() + LOCKED_S

    def finish(self, tenant_id: str, key: str, answer: Answer) -> None:
        """Keep the answer."""
        with self._database.writing() as session:
            entry = session.get(IdempotencyKey, (tenant_id, key), with_for_update=True)
            if entry is not None:
                entry.status, entry.headers, entry.body = answer.status, answer.headers, answer.body
                entry.locked_until = None

    def release(self, tenant_id: str, key: str) -> None:
        """Forget a request that was refused, and made nothing: it may come again, and may be another one then."""
        with self._database.writing() as session:
            entry = session.get(IdempotencyKey, (tenant_id, key), with_for_update=True)
            if entry is not None and entry.status is None:
                session.delete(entry)

    def unlock(self, tenant_id: str, key: str) -> None:
        """A request whose answer is not kept, as it grows old or was lost: whoever repeats it finds what it made."""
        with self._database.writing() as session:
            entry = session.get(IdempotencyKey, (tenant_id, key), with_for_update=True)
            if entry is not None and entry.status is None:
                entry.locked_until = None


def _in_flight() -> InFlightError:
    return InFlightError("Idempotency-Key: the same request is being worked on: ask again in a moment")
