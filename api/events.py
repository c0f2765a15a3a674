"""/v1/jobs/{id}/events: what happens to a job, as server-sent events, for those who would rather be told than ask.

Each event holds a whole state, as the routes show it, so that one that comes twice does no harm. Its id says how far
the client has come: with `Last-Event-ID` it gets what has changed since.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from flask import Response, request
from flask_openapi import APIBlueprint, Tag
from pydantic import BaseModel

from api.context import Context, get_context
from api.polling import LOOK_EVERY_S, leave_place, take_place
from api.problems import Problem, problem_response
from api.requests import JobPath
from api.views import view_job, view_page
from common.errors import NotFoundError, OutageError
from common.jobs.states import JOB_ENDED
from common.logging import get_logger

MEDIA_TYPE: Final = "text/event-stream"
KEEP_ALIVE_S: Final = 10.0
"""A line without meaning goes out after so long without an event: proxies drop what is silent, in seconds."""
LONGEST_S: Final = 300.0
"""A stream ends after so long, and the client comes back by itself: so that a stop never has to wait, in seconds."""
RECONNECT_MS: Final = 2000
SKEW_S: Final = 2.0
"""The clocks of machines that change pages differ by less: changes as old as that are looked at again, in seconds."""
BATCH: Final = 200

blueprint = APIBlueprint("events", __name__, abp_tags=[Tag(name="jobs", description="Chapters to colour")])


@blueprint.get(
    "/v1/jobs/<job_id>/events",
    summary="What happens to a job, as server-sent events",
    description="`job` at once, then `page` and `job` with the new state whenever it changes; with Last-Event-ID also "
    "the pages that have changed since. Ends when the job has ended, or after five minutes: then come back with "
    "Last-Event-ID. 204 when there is nothing more to come.",
    responses={200: None, 204: None, 404: Problem, 503: Problem},
)
def get_events(path: JobPath) -> Response:
    context = get_context()
    tenant_id = context.tenant_id
    cursor = _Cursor.parse(request.headers.get("Last-Event-ID"))
    version = context.jobs.job_version(tenant_id, path.job_id)
    if cursor.version == version.version[: _Cursor.DIGITS] and version.status in JOB_ENDED:
        return Response(status=HTTPStatus.NO_CONTENT)
    if not take_place():
        return problem_response(503, "too_many_streams", "too many clients follow events: poll the job instead")
    stream = _Stream(context, tenant_id, path.job_id, cursor)
    response = Response(stream.events(), mimetype=MEDIA_TYPE, headers={"Cache-Control": "no-store"})
    response.headers["X-Accel-Buffering"] = "no"  # nginx would gather events until there are enough of them
    response.call_on_close(leave_place)
    return response


@dataclass(frozen=True)
class _Cursor:
    """How far a client has come: the time of the last change that it saw, and the job's version."""

    changed_at: float
    version: str

    DIGITS = 16

    @classmethod
    def parse(cls, text: str | None) -> "_Cursor":
        """What is no id of ours is as good as none."""
        at, _, version = (text or "").partition("-")
        try:
            return cls(int(at) / 1e6, version)
        except (ValueError, OverflowError):
            return cls(time.time(), "")

    def __str__(self) -> str:
        return f"{round(self.changed_at * 1e6)}-{self.version}"


class _Stream:
    def __init__(self, context: Context, tenant_id: str, job_id: str, cursor: _Cursor) -> None:
        self._context = context
        self._tenant_id = tenant_id
        self._job_id = job_id
        self._cursor = cursor
        self._told: dict[int, float] = {}  # page → when the change was that was told last
        self._has_ended = False

    def events(self) -> Iterator[str]:
        """Until the job has ended or is gone, or the stream is old; after an outage the client comes back."""
        yield f"retry: {RECONNECT_MS}\n\n"
        until, quiet_since = time.monotonic() + LONGEST_S, time.monotonic()
        try:
            while time.monotonic() < until and not self._has_ended:
                for event in self._look():
                    quiet_since = time.monotonic()
                    yield event
                if time.monotonic() > quiet_since + KEEP_ALIVE_S:
                    quiet_since = time.monotonic()
                    yield ": still there\n\n"
                if not self._has_ended:
                    time.sleep(LOOK_EVERY_S)
        except (NotFoundError, OutageError) as error:
            get_logger(__name__).info("events ended", job=self._job_id, reason=str(error))

    def _look(self) -> Iterator[str]:
        """What has changed since the last look: pages, and then the job, in a state that is no older than theirs."""
        jobs = self._context.jobs
        version = jobs.job_version(self._tenant_id, self._job_id)
        short = version.version[: _Cursor.DIGITS]
        if short == self._cursor.version:
            return
        after = (self._cursor.changed_at - SKEW_S, -1)
        while pages := jobs.changed_pages(self._tenant_id, self._job_id, after, BATCH):
            for page in pages:
                if self._told.get(page.number) != page.updated_at:
                    self._told[page.number] = page.updated_at
                    # Not the version: a client that comes back from here is told of the job again, and of later pages.
                    self._cursor = _Cursor(max(self._cursor.changed_at, page.updated_at), self._cursor.version)
                    yield self._event("page", view_page(page))
            after = (pages[-1].updated_at, pages[-1].number)
        self._cursor = _Cursor(self._cursor.changed_at, short)
        view = jobs.get_job(self._tenant_id, self._job_id)
        yield self._event("job", view_job(view, self._context.settings.keep_days))
        self._has_ended = version.status in JOB_ENDED

    def _event(self, kind: str, model: BaseModel) -> str:
        return f"id: {self._cursor}\nevent: {kind}\ndata: {model.model_dump_json()}\n\n"
