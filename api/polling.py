"""How clients follow a job cheaply: strong ETags from one small query, waiting for a change, and events as they come.

Nothing here holds a database connection while it waits.
"""

import hashlib
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from flask import Response, request
from pydantic import BaseModel

from api.replies import json_reply
from common.jobs.records import JobVersion
from common.jobs.states import JOB_ENDED, JobStatus, ModelStatus, PageStatus
from common.names import VERSION

LOOK_EVERY_S: Final = 0.25
"""How often a waiting request looks whether anything has changed, in seconds."""
MAX_WAITING: Final = 64
"""Requests of a process that may wait, or follow events, at once; half of its threads stay free for the others."""
RETRY_AFTER_S: Final[dict[str, int]] = {
    "training": 5,  # takes tens of seconds at least
    JobStatus.QUEUED: 3,
    JobStatus.RUNNING: 2,
    JobStatus.PACKAGING: 1,
}

_waiting = threading.BoundedSemaphore(MAX_WAITING)


def take_place() -> bool:
    """Take a place among the requests that may wait, to be left again; False where all are taken."""
    return _waiting.acquire(blocking=False)


def leave_place() -> None:
    _waiting.release()


def wait_for_change(look: Callable[[], JobVersion], wait_s: float) -> JobVersion:
    """The job's version once it is another than the client knows, or than it was; or after `wait_s` seconds."""
    found = look()
    first = found.version
    deadline = time.monotonic() + wait_s
    if not wait_s or not _is_known(first):
        return found
    if not take_place():
        return found  # as if it had not asked to wait: it comes again after Retry-After
    try:
        while found.status not in JOB_ENDED and found.version == first and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY_S)
            found = look()
    finally:
        leave_place()
    return found


class Versioned(Protocol):
    """A state that has a name of its own: SHA-256, hex."""

    @property
    def version(self) -> str: ...


def answer(
    found: Versioned, view: Callable[[], BaseModel], look: Callable[[], Versioned], retry_after: int | None
) -> Response:
    """The view with its ETag, or 304 where the client has it already.

    A strong ETag names these very bytes: the view is read again if anything changed while it was read.
    """
    etag = etag_of(found.version)
    if request.if_none_match and etag in request.if_none_match:
        response = Response(status=304)
    else:
        response = json_reply(view())
        while (now := look()).version != found.version:
            found, response = now, json_reply(view())
        etag = etag_of(found.version)
    response.set_etag(etag)
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


def etag_of(version: str) -> str:
    # Another release may show the same state otherwise.
    return hashlib.sha256(f"{VERSION} {version}".encode()).hexdigest()[:32]


def retry_after_s(version: JobVersion) -> int | None:
    """When it is worth to ask again, in seconds; None for a job that has ended."""
    if version.status in JOB_ENDED:
        return None
    if version.model_status in (ModelStatus.MISSING, ModelStatus.TRAINING) and version.status != JobStatus.PACKAGING:
        return RETRY_AFTER_S["training"]
    return RETRY_AFTER_S[version.status]


def page_retry_after_s(status: str) -> int | None:
    return {PageStatus.QUEUED: 3, PageStatus.RUNNING: 1}.get(PageStatus(status))


def _is_known(version: str) -> bool:
    """Whether the client has seen this version, or has seen none and waits for whatever comes next."""
    return not request.if_none_match or etag_of(version) in request.if_none_match
