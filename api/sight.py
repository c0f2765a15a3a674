"""`/metrics`: what Prometheus and autoscalers ask, and how long requests take.

What is told of jobs and pages comes from the truth, so that every process of the API tells the same.
"""

import hmac
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any, Final

from flask import Flask, Response, g, request
from flask_openapi import APIBlueprint, Tag
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from api.context import get_context
from api.problems import Problem
from common.errors import AuthError, DatabaseError
from common.jobs.ids import is_id
from common.jobs.overview import RUNNING, SENT, WAITING, Overview, OverviewStore
from common.jobs.states import JobStatus, ModelStatus
from common.logging import get_logger
from common.names import JOB_CLASSES, STAGES
from common.settings import Settings
from common.telemetry import CONTENT_TYPE, HTTP_REQUESTS, HTTP_SECONDS, render_metrics
from common.tracing import record_request
from storage.connect import find_folder

BEARER: Final = "bearer "
STREAM: Final = "text/event-stream"
UNMATCHED: Final = "unmatched"
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

blueprint = APIBlueprint("sight", __name__, abp_tags=[Tag(name="health", description="For operators")])


@blueprint.get("/metrics", summary="What Prometheus asks: docs/observability.md", responses={200: None, 401: Problem})
def get_prometheus_metrics() -> Response:
    context = get_context()
    _require_token(context.settings)
    return Response(render_metrics(Truth(context.overviews), Disks(context.settings)), content_type=CONTENT_TYPE)


def register_measuring(app: Flask) -> None:
    """Count and time every request, and note in a job's trace what changes the job."""

    @app.before_request
    def start() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def measure(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else UNMATCHED
        method = request.method if request.method in METHODS else "other"  # or everybody could make series without end
        HTTP_REQUESTS.labels(method, route, str(response.status_code)).inc()
        seconds = time.perf_counter() - g.started
        # How long a client chose to wait says nothing of us.
        if response.mimetype != STREAM and request.args.get("wait", "0") == "0":
            HTTP_SECONDS.labels(method, route).observe(seconds)
        if method not in ("GET", "HEAD", "OPTIONS") and (job_id := _job_of(response)):
            record_request(f"{method} {route}", job_id, time.time() - seconds, response.status_code)
        return response


class Truth(Collector):
    """Jobs, pages, slots: what the database says."""

    def __init__(self, overviews: OverviewStore) -> None:
        self._overviews = overviews

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            overview = self._overviews.look()
        except DatabaseError as error:
            # The rest is worth the more to who looks for the reason.
            get_logger(__name__).warning("metrics without the truth", reason=str(error))
            return
        yield from _queues(overview)
        yield _family("nurie_jobs", "Jobs, by state.", "state", _filled(JobStatus, overview.jobs))
        yield _family("nurie_slots", "Slots of workers that are alive.", "queue", _filled(STAGES, overview.slots))
        yield _family("nurie_workers", "Workers that are alive.", "queue", _filled(STAGES, overview.workers))
        wanted = (ModelStatus.MISSING, ModelStatus.TRAINING)
        trainings = _filled(wanted, overview.trainings)
        yield _family("nurie_trainings", "Reference models that open jobs wait for.", "state", trainings)
        yield GaugeMetricFamily("nurie_deliveries_pending", "Webhooks that were not taken yet.", overview.deliveries)


class Disks(Collector):
    """Room where this machine keeps things; a bucket has no end that we know of."""

    def __init__(self, settings: Settings) -> None:
        self._folders = {"data": settings.data, "storage": find_folder(settings.storage_url)}

    def collect(self) -> Iterator[GaugeMetricFamily]:
        usage = {what: shutil.disk_usage(path) for what, path in self._folders.items() if path and path.is_dir()}
        free = {what: disk.free for what, disk in usage.items()}
        yield _family("nurie_disk_free_bytes", "Room that is left.", "what", free)
        yield _family(
            "nurie_disk_size_bytes", "Room that there is.", "what", {what: disk.total for what, disk in usage.items()}
        )


def _queues(overview: Overview) -> Iterator[GaugeMetricFamily]:
    pages = GaugeMetricFamily("nurie_pages", "Pages that have not ended.", labels=["queue", "class", "state"])
    oldest = GaugeMetricFamily(
        "nurie_queue_oldest_seconds", "How long the oldest page has been waiting.", labels=["queue", "class"]
    )
    counts: Counter[tuple[str, str, str]] = Counter()
    for one in overview.pages:
        counts[one.stage, JOB_CLASSES[one.is_bulk], one.state] += one.count
    for stage, job_class in product(STAGES, JOB_CLASSES):
        for state in (WAITING, SENT, RUNNING):
            pages.add_metric([stage, job_class, state], counts[stage, job_class, state])
        oldest.add_metric([stage, job_class], overview.oldest_s(stage, job_class))
    yield pages
    yield oldest
    demand = {stage: overview.demand(stage) for stage in STAGES}
    yield _family("nurie_queue_demand", "Slots that could work at this moment.", "queue", demand)


def _family(name: str, help_text: str, label: str, found: Mapping[Any, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help_text, labels=[label])
    for key, value in found.items():
        family.add_metric([str(key)], value)
    return family


def _filled(keys: Iterable[str], found: dict[str, int]) -> dict[str, int]:
    """With a 0 for what there is none of: a gap in a graph would look like a fault."""
    return {key: found.get(key, 0) for key in keys}


def _require_token(settings: Settings) -> None:
    """Raises AuthError."""
    token = settings.metrics_token
    if token is None:
        if settings.auth == "off":
            return  # on loopback alone
        raise AuthError("/metrics is closed: the operator may open it with NURIE_METRICS_TOKEN")
    header = request.headers.get("Authorization", "")
    shown = header[len(BEARER) :].strip() if header.lower().startswith(BEARER) else ""
    if not hmac.compare_digest(shown.encode(), token.get_secret_value().encode()):
        raise AuthError("/metrics asks for its own token: Authorization: Bearer …")


def _job_of(response: Response) -> str | None:
    """The job that a request was about: named in its path, or made by it."""
    named = (request.view_args or {}).get("job_id") or response.headers.get("Location", "").rpartition("/v1/jobs/")[2]
    return named if is_id(named) else None
