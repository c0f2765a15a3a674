"""What is counted and timed, by the names that dashboards, alerts and autoscalers go by: docs/observability.md.

A service is several processes: gunicorn's, or a pool's parent and its child. They count together through files that
`share_metrics` makes, prometheus_client's multiprocess mode. Every metric has labels, or is made without a value until
it is used: so nothing is written before `share_metrics` was called, and nothing at all by importing this.
"""

import atexit
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    values,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from common.names import VERSION

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
FOLDER_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus_client's own: child processes find the files by it."""

SHORT: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Bounds of what should take milliseconds, in seconds."""
LONG: Final = (0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 7.5, 10, 15, 20, 30, 60, 120, 300, 600)
"""Bounds of what takes a stage's time, in seconds."""
LONGEST: Final = (1, 5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)
"""Bounds of trainings, in seconds."""
WAITS: Final = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 14_400, 86_400)
"""Bounds of waiting in a queue, in seconds."""

disable_created_metrics()  # type: ignore[no-untyped-call]  # twice the lines, and nobody asks for them

# What this process counts by itself; where files are shared, what all processes counted is read from them instead.
_own = CollectorRegistry()


def _counter(name: str, help_text: str, *labels: str) -> Counter:
    return Counter(name, help_text, labels, registry=_own)


def _gauge(name: str, help_text: str, *labels: str) -> Gauge:
    return Gauge(name, help_text, labels, registry=_own, multiprocess_mode="mostrecent")


def _histogram(name: str, help_text: str, bounds: tuple[float, ...], *labels: str) -> Histogram:
    return Histogram(name, help_text, labels, registry=_own, buckets=bounds)


# The API's
HTTP_REQUESTS = _counter("nurie_http_requests", "Requests answered.", "method", "route", "status")
HTTP_SECONDS = _histogram(
    "nurie_http_request_seconds",
    "From a request's head to its answer's; long polls left out.",
    SHORT,
    "method",
    "route",
)

# The stages'
STAGE_SECONDS = _histogram(
    "nurie_stage_seconds", "A stage's work on a page, from its claim.", LONG, "stage", "preset", "weights", "device"
)
TRAINING_SECONDS = _histogram("nurie_training_seconds", "A reference model's training.", LONGEST, "preset", "device")
QUEUE_WAIT = _histogram("nurie_queue_wait_seconds", "From a page's sending to its claim.", WAITS, "stage", "class")
ATTEMPTS = _counter("nurie_attempts", "Runs of a stage, by how they ended.", "stage", "outcome")
CACHE_LOOKUPS = _counter("nurie_cache_lookups", "Looks for a kept result.", "stage", "result")
WORKER_READY = _gauge("nurie_worker_ready", "1 while the worker takes work.", "stage")
WORKER_REFUSED = _gauge("nurie_worker_refused", "1 while the worker refuses work: its golden page failed.", "stage")
GOLDEN_ERROR = _gauge(
    "nurie_golden_error", "The golden page's largest deviation, as a share of what is allowed.", "stage"
)
GOLDEN_RUNS = _counter("nurie_golden_runs", "Golden pages that were done.", "stage", "result")
OOM_STEPS = _counter("nurie_oom_steps", "Steps taken because memory was short.", "stage", "step")

# Control's
DUTY_SECONDS = _histogram("nurie_control_duty_seconds", "A duty of one round of control.", SHORT, "duty")
DUTY_CPU = _counter("nurie_control_cpu_seconds", "Processor time that a duty of control took.", "duty")
PAGES_SENT = _counter("nurie_pages_sent", "Pages sent to the queues.", "class")
DISPATCH_WAIT = _histogram("nurie_dispatch_wait_seconds", "From when a page is due to its sending.", WAITS, "class")
REAPED = _counter("nurie_reaped", "Work that was lost and is sent again.", "what")
DELIVERIES = _counter("nurie_deliveries", "Tries to deliver a webhook.", "outcome")
DELIVERY_SECONDS = _histogram("nurie_delivery_seconds", "A try to deliver a webhook.", SHORT, "outcome")

# Of whoever does it
PAGES_ENDED = _counter("nurie_pages_ended", "Pages that ended.", "state")
JOBS_ENDED = _counter("nurie_jobs_ended", "Jobs that ended.", "state")
STORAGE_SECONDS = _histogram("nurie_storage_seconds", "A request to storage.", SHORT, "operation")
STORAGE_ERRORS = _counter("nurie_storage_errors", "Requests to storage that were not answered.", "operation")
DATABASE_SECONDS = _histogram("nurie_database_seconds", "A transaction, with what is done in it.", SHORT, "kind")
DATABASE_ERRORS = _counter("nurie_database_errors", "Transactions that the database did not answer.", "kind")


def share_metrics() -> None:
    """Have this process and all that it starts count together; called once, before anything is counted.

    The files are removed when this process ends; the few that a killed one leaves are small.
    """
    folder = tempfile.mkdtemp(prefix="nurie-metrics-")
    os.environ[FOLDER_VARIABLE] = folder
    values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]
    atexit.register(_remove, folder, os.getpid())


def begin_counting(counter: Counter, *labels: Iterable[str]) -> None:
    """Show a counter as 0 for every combination of these labels: the first that is counted would be missed else.

    Prometheus sees an increase between two samples, not where a series begins.
    """
    for combination in product(*labels):
        counter.labels(*combination)


def render_metrics(*more: Collector) -> bytes:
    """All that was counted by the processes that count together, in Prometheus' text format.

    `more` are collectors that are asked at this moment.
    """
    registry = CollectorRegistry()
    if folder := os.environ.get(FOLDER_VARIABLE):
        MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
    for collector in (_Build(), *(() if folder else (_own,)), *more):
        registry.register(collector)
    return generate_latest(registry)


def read_sample(name: str, **labels: str) -> float:
    """A sample of this process's own, 0 where nothing was counted: for tests."""
    return _own.get_sample_value(name, labels) or 0.0


@contextmanager
def timed(observe: Callable[[float], object]) -> Iterator[None]:
    """Have what is done inside timed, however it ends."""
    started = time.perf_counter()
    try:
        yield
    finally:
        observe(time.perf_counter() - started)


class _Build(Collector):
    def collect(self) -> Iterator[GaugeMetricFamily]:
        build = GaugeMetricFamily("nurie_build_info", "The version that runs.", labels=["version"])
        build.add_metric([VERSION], 1)
        yield build


def _remove(folder: str, pid: int) -> None:
    if os.getpid() == pid:  # a forked child leaves through the same door
        shutil.rmtree(Path(folder), ignore_errors=True)
