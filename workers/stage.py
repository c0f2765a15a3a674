"""What every stage task shares: claim, lease, heartbeat, artifacts, stage keys, retry, record."""

import json
import threading
import time
from collections.abc import Callable, Iterable
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePosixPath
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
from billiard.pool import EX_RECYCLE
from celery import Task
from celery.exceptions import SoftTimeLimitExceeded
from numpy.typing import NDArray

from common.broker import Broker
from common.errors import (
    BrokerError,
    CancelledError,
    DeviceLostError,
    NotFoundError,
    NurieError,
    OutageError,
    OutOfMemoryError,
    RetryableError,
    StageTimeoutError,
)
from common.imaging import MEDIA_TYPES, decode_image, encode_image
from common.jobs.database import Database
from common.jobs.ids import content_key, new_id, sha256_hex
from common.jobs.models import WHOLE_SET
from common.jobs.work import Claim, PageRef, StageOutcome, WorkStore
from common.logging import bind_ids, clear_ids, get_logger
from common.names import (
    CODE_VERSIONS,
    FILE_TYPES,
    JOB_CLASSES,
    PAGE_TASKS,
    SET_TASK,
    Artifact,
    RunOutcome,
    Stage,
    artifact_filename,
)
from common.params import STAGE_PARAMS, JobParams
from common.settings import Settings, get_settings
from common.telemetry import ATTEMPTS, CACHE_LOOKUPS, QUEUE_WAIT, STAGE_SECONDS
from common.tracing import job_span
from storage import keys
from storage.configured import open_configured_store
from workers.aside import Aside
from workers.celery import worker_name
from workers.library_errors import is_gpu_failure, is_out_of_memory, release_memory
from workers.patience import PatientStore, wait_out

T = TypeVar("T")

MANIFEST = keys.STAGE_MANIFEST
MANIFEST_VERSION = 2
JSON_TYPE = "application/json"
REFRESH_S = 86_400.0
"""A use has a kept result's manifest written anew, so that the sweep knows of it, but not more often than this."""
BACKOFF_LIMIT_S = 300.0
OUTAGE_PAUSE_S = 10.0
"""When a page that was given back because storage or the database stayed away is tried again, in seconds."""
LOOK_EVERY_S = 1.0
"""How often a running stage looks, between its steps, whether it is still wanted, in seconds."""


@dataclass(frozen=True)
class Resources:
    """What a worker process holds open."""

    settings: Settings
    work: WorkStore
    store: PatientStore
    broker: Broker
    aside: Aside = field(default_factory=Aside)
    is_spent: threading.Event = field(default_factory=threading.Event)
    """Set when a GPU failed in this process: it must take nothing more."""

    def wake_control(self) -> None:
        """Tell control that there is room, or something to end; without a broker it looks by itself soon."""
        try:
            self.broker.wake_control()
        except BrokerError as error:
            get_logger(__name__).info("control was not woken", reason=str(error))


@lru_cache(maxsize=1)
def get_resources() -> Resources:
    settings = get_settings()
    database = Database(settings.database_url)
    work = WorkStore(database, settings.lease_s, worker_name())
    store = PatientStore(open_configured_store(settings), settings.outage_limit_s)
    return Resources(settings, work, store, Broker(settings.broker_url))


class Heartbeat:
    """Renews a lease from a thread of its own while a stage computes."""

    def __init__(self, renew: Callable[[], bool], every_s: float) -> None:
        self._renew = renew
        self._every_s = every_s
        self._stop = threading.Event()
        self._looked_at = time.monotonic()
        self.lost = threading.Event()
        # Lines that the thread logs carry the ids of the stage that it beats for.
        self._thread = threading.Thread(target=copy_context().run, args=(self._beat,), name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._stop.wait(self._every_s) and not self.lost.is_set():
            self._look()

    def is_lost(self) -> bool:
        """Whether the work is no longer ours; asks at most once in `LOOK_EVERY_S` seconds, between two beats too."""
        if not self.lost.is_set() and time.monotonic() > self._looked_at + LOOK_EVERY_S:
            self._look()
        return self.lost.is_set()

    def _look(self) -> None:
        self._looked_at = time.monotonic()
        try:
            if not self._renew():
                self.lost.set()
        except Exception:  # noqa: BLE001  a database that is away for a moment must not end the stage
            get_logger(__name__).warning("heartbeat failed", exc_info=True)


@dataclass
class StageRun:
    """One run of a stage on a page: what the room's code reads from and writes to."""

    claim: Claim
    stage: Stage
    resources: Resources
    heartbeat: Heartbeat
    outputs: dict[str, Any] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)
    """Keys that this run has written: to be deleted when it comes to nothing."""
    weights: str | None = None
    weights_key: str | None = None
    device: str = "cpu"
    warning: str | None = None
    metrics: dict[str, Any] | None = None
    skipped: bool = False
    is_kept: bool = True
    """False where other circumstances would give a better result: it is not linked into other jobs."""

    @property
    def params(self) -> JobParams:
        return self.claim.params

    @property
    def page_label(self) -> str:
        return f"page {self.claim.ref.number} ({self.claim.name})"

    def read(self, artifact: Artifact) -> bytes:
        self.check_still_ours()
        entry = self.claim.artifacts.get(artifact)
        if entry is None:
            raise NotFoundError(f"{self.page_label} has no {artifact}")
        return self.resources.store.get(entry["key"])

    def read_picture(self, artifact: Artifact) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB; pictures from clients are checked against the limits."""
        label = self.page_label if artifact is Artifact.SOURCE else f"{self.page_label}: {artifact}"
        return decode_image(self.read(artifact), label, self.resources.settings.image_limits)

    def read_truth(self) -> NDArray[np.uint8] | None:
        if self.claim.truth is None:
            return None
        data = self.resources.store.get(self.claim.truth["key"])
        return decode_image(data, f"{self.page_label}: truth", self.resources.settings.image_limits)

    def read_output(self, artifact: Artifact) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB of a picture among the run's outputs: a part that an earlier run made."""
        self.check_still_ours()
        data = self.resources.store.get(self.outputs[artifact]["key"])
        return decode_image(data, f"{self.page_label}: {artifact}", self.resources.settings.image_limits)

    def write(self, artifact: Artifact, data: bytes, picture_format: str = "png") -> None:
        self.check_still_ours()
        ref = self.claim.ref
        filename = artifact_filename(artifact, picture_format)
        key = keys.attempt_artifact(ref.job_id, ref.number, ref.attempt, filename)
        media_type = FILE_TYPES.get(PurePosixPath(filename).suffix) or MEDIA_TYPES[picture_format]
        self.written.append(key)
        self.resources.store.put(key, data, media_type=media_type)
        self.outputs[artifact] = describe(key, data, filename)

    def write_picture(self, artifact: Artifact, picture: NDArray[Any]) -> None:
        picture_format = self.params.format if artifact is Artifact.FINAL else "png"
        self.write(artifact, encode_image(picture, picture_format), picture_format)

    def skip(self) -> None:
        """The page passes through byte for byte."""
        self.skipped = True
        self.outputs = {Artifact.FINAL: self.claim.artifacts[Artifact.SOURCE]}

    def check_still_ours(self) -> None:
        """Raises CancelledError when the page was cancelled, or taken from a run that had fallen silent."""
        if self.heartbeat.is_lost():
            raise CancelledError(f"{self.page_label} is no longer this run's")


REPORT = "report"
"""Scoring all pages of a job together, where stages are told apart by the time that they take."""
REFERENCE_MODEL = "reference model"
"""How the weights of a page's draft are called, before the model's key."""

Work = Callable[[StageRun], None]
NameWeights = Callable[[StageRun], str]
"""Names the weights that the work will use, for stages whose weights an operator may change."""


def run_stage(
    task: Task, stage: Stage, ids: tuple[str, int, int], work: Work, name_weights: NameWeights | None = None
) -> None:
    """Run a stage's work on a page as one message asks for it; end the chain unless the stage was committed."""
    ref = PageRef(*ids)
    bind_ids(job=ref.job_id, page=ref.number, attempt=ref.attempt, stage=stage.value)
    try:
        resources = get_resources()
        if not execute_stage(resources, stage, ref, work, name_weights):
            task.request.chain = None  # the next stage of this chain has nothing to claim
        resources.wake_control()
        leave_if_spent(resources)
    finally:
        clear_ids()


def leave_if_spent(resources: Resources) -> None:
    """End a process in which a GPU failed, once all is recorded: the next one has to pass its golden page first."""
    if resources.is_spent.is_set():
        get_logger(__name__).error("the GPU or its driver failed: this process ends, another one is examined")
        raise SystemExit(EX_RECYCLE)


def execute_stage(
    resources: Resources, stage: Stage, ref: PageRef, work: Work, name_weights: NameWeights | None = None
) -> bool:
    """Claim, work, commit. Returns whether the page goes on to its next stage."""
    task = SET_TASK if ref.number == WHOLE_SET else PAGE_TASKS[stage]
    with job_span(task, ref.job_id, page=ref.number, attempt=ref.attempt) as span:
        outcome = _execute(resources, stage, ref, work, name_weights)
        span.set_attribute("nurie.outcome", outcome)
    ATTEMPTS.labels(stage, outcome).inc()
    if outcome == OutOfMemoryError.code:
        release_memory()  # only now: until the error was dealt with, its traceback held on to the tensors
    return outcome in (RunOutcome.DONE, RunOutcome.CACHED)


def _execute(
    resources: Resources, stage: Stage, ref: PageRef, work: Work, name_weights: NameWeights | None = None
) -> str:
    """As `execute_stage`; returns how it ended: a `RunOutcome`, or an error's code."""
    log = get_logger(__name__)
    claim = settle(resources, lambda: resources.work.claim_page(ref, stage))
    if claim is None:
        log.info("stale message: somebody else has this page, or nobody wants it any more")
        return RunOutcome.STALE
    is_bulk = claim.job_pages > resources.settings.interactive_pages
    QUEUE_WAIT.labels(stage, JOB_CLASSES[is_bulk]).observe(claim.waited_s)
    started = time.monotonic()
    heartbeat = Heartbeat(lambda: resources.work.renew_page(ref, stage), resources.settings.heartbeat_s)
    run = StageRun(claim, stage, resources, heartbeat)
    try:
        with heartbeat:
            run.weights_key = name_weights(run) if name_weights else None
            if not (cached := _find_kept(run)):
                work(run)
    except CancelledError as error:
        log.info("given up", reason=str(error))
        _discard(run)
        return RunOutcome.CANCELLED
    except Exception as error:  # noqa: BLE001  every error ends as the page's state, with its code
        code = _record_failure(resources, stage, ref, error)
        _discard(run)
        return code
    seconds = time.monotonic() - started
    outcome = StageOutcome(run.outputs, seconds, cached, run.skipped, run.weights, run.metrics, run.warning)
    if not settle(resources, lambda: resources.work.commit_page(ref, stage, outcome)):
        # What was written stays for the sweep: a commit whose answer was lost looks the same from here.
        log.info("stale result: nothing committed", seconds=round(seconds, 2))
        return RunOutcome.STALE
    if not cached and not run.skipped and run.is_kept and stage_is_pure(run):
        # In a bucket these are half a dozen requests: neither the page's next stage nor the slot's next page waits.
        try:
            resources.aside.do(lambda: _keep_all_for_reuse(run))
        except SoftTimeLimitExceeded:  # it waited for the one before; the page is committed and must go on
            log.warning("could not keep the result for reuse: storage is slow")
    log.info("stage done", seconds=round(seconds, 2), cached=cached, skipped=run.skipped)
    if cached or run.skipped:
        return RunOutcome.SKIPPED if run.skipped else RunOutcome.CACHED
    kind = stage if ref.number != WHOLE_SET else REPORT  # which takes as long as its set is large
    STAGE_SECONDS.labels(kind, run.params.preset, _weights_label(run.weights), run.device).observe(seconds)
    return RunOutcome.DONE


def _weights_label(weights: str | None) -> str:
    """Weights by what they are: a metric must not have a label for every reference model."""
    return REFERENCE_MODEL if weights and weights.startswith(REFERENCE_MODEL) else weights or "none"


def _find_kept(run: StageRun) -> bool:
    """Link the stage's kept result, or the part of it that is kept; returns whether nothing is left to do."""
    if not stage_is_pure(run):
        return False
    is_whole = _link_cached(run, stage_key(run))
    is_part = not is_whole and run.stage in REUSED_PARTS and _link_cached(run, part_key(run))
    CACHE_LOOKUPS.labels(run.stage, "hit" if is_whole else "part" if is_part else "miss").inc()
    return is_whole


def stage_is_pure(run: StageRun) -> bool:
    """Whether all inputs of the stage are there, so that its key can be formed; a whole set has none of them."""
    return all(artifact in run.claim.artifacts for artifact in _INPUTS[run.stage])


_INPUTS = {
    Stage.CGAN: (Artifact.SOURCE,),
    Stage.S2P: (Artifact.SOURCE, Artifact.HINTS),
    Stage.INKNHUE: (Artifact.SOURCE, Artifact.SKETCH, Artifact.ROUGH),
    Stage.METRICS: (Artifact.SOURCE, Artifact.FINAL),
}


@dataclass(frozen=True)
class ReusedPart:
    """An artifact that does not depend on all of its stage's parameters.

    Attributes:
        artifact: found among the run's outputs where an earlier run made it, and not to be made again then.
        free_of: parameters that it does not depend on.
    """

    artifact: Artifact
    free_of: frozenset[str]


REUSED_PARTS = {Stage.INKNHUE: ReusedPart(Artifact.ALIGNED, frozenset({"blend", "format"}))}
"""So that another λ re-runs the blend alone."""


def stage_key(run: StageRun) -> str:
    """The same inputs, parameters, weights and code version give the same key, and so the same artifacts."""
    return _content_key(run, STAGE_PARAMS[run.stage])


def part_key(run: StageRun) -> str:
    """As `stage_key`, for the stage's reused part."""
    part = REUSED_PARTS[run.stage]
    return _content_key(run, [name for name in STAGE_PARAMS[run.stage] if name not in part.free_of], part.artifact)


def _content_key(run: StageRun, params: Iterable[str], part: Artifact | None = None) -> str:
    inputs = {artifact.value: run.claim.artifacts[artifact]["sha256"] for artifact in _INPUTS[run.stage]}
    if run.stage is Stage.METRICS and run.claim.truth is not None:
        inputs["truth"] = run.claim.truth["sha256"]
    # Only where there are any, so that what is kept without them is found as ever.
    colours = {"colours": run.claim.colours} if run.stage is Stage.CGAN and run.claim.colours else {}
    return content_key(
        stage=run.stage.value,
        version=CODE_VERSIONS[run.stage],
        inputs=inputs,
        params={name: getattr(run.params, name) for name in params},
        model=run.claim.model_key if run.stage is Stage.CGAN else None,
        weights=run.weights_key,
        **({"part": part.value} if part else {}),
        **colours,
    )


def describe(key: str, data: bytes, filename: str) -> dict[str, Any]:
    """An artifact's entry in the page: where it lies, what is in it, what it is called for clients."""
    return {"key": key, "sha256": sha256_hex(data), "size": len(data), "filename": filename}


def _link_cached(run: StageRun, key: str) -> bool:
    """Link the artifacts kept under a key into this attempt, if they are there."""
    store, ref = run.resources.store, run.claim.ref
    try:
        manifest = json.loads(store.get(keys.stage_artifact(run.stage, key, MANIFEST)))
        if manifest["version"] != MANIFEST_VERSION:
            return False
        for artifact, entry in manifest["artifacts"].items():
            target = keys.attempt_artifact(ref.job_id, ref.number, ref.attempt, entry["filename"])
            run.written.append(target)
            store.copy(keys.stage_artifact(run.stage, key, entry["filename"]), target)
            run.outputs[artifact] = entry | {"key": target}
    except NotFoundError:  # never computed, or swept away: compute it
        run.outputs.clear()
        return False
    run.weights, run.metrics, run.warning = manifest["weights"], manifest["metrics"], manifest["warning"]
    if time.time() - manifest.get("used_at", 0.0) >= REFRESH_S:
        try:
            _write_manifest(store, run.stage, key, manifest)
        except NurieError:
            get_logger(__name__).warning("could not note the use of a kept result", exc_info=True)
    return True


def _keep_all_for_reuse(run: StageRun) -> None:
    _keep_for_reuse(run, stage_key(run), run.outputs)
    if run.stage in REUSED_PARTS:
        part = REUSED_PARTS[run.stage].artifact
        _keep_for_reuse(run, part_key(run), {part: run.outputs[part]})


def _keep_for_reuse(run: StageRun, key: str, outputs: dict[str, Any]) -> None:
    """Link artifacts of a committed stage under a key; the manifest comes last and makes them count."""
    store = run.resources.store
    try:
        for entry in outputs.values():
            store.copy(entry["key"], keys.stage_artifact(run.stage, key, entry["filename"]))
        manifest = {
            "version": MANIFEST_VERSION,
            "artifacts": {name: entry | {"key": None} for name, entry in outputs.items()},
            "weights": run.weights,
            "metrics": run.metrics,
            "warning": run.warning,
        }
        _write_manifest(store, run.stage, key, manifest)
    except NurieError:
        # The page is done and committed; only a later job will have to compute this again.
        get_logger(__name__).warning("could not keep the result for reuse", exc_info=True)


def _write_manifest(store: PatientStore, stage: Stage, key: str, manifest: dict[str, Any]) -> None:
    data = json.dumps(manifest | {"used_at": time.time()}).encode()
    store.put(keys.stage_artifact(stage, key, MANIFEST), data, media_type=JSON_TYPE)


def _record_failure(resources: Resources, stage: Stage, ref: PageRef, error: Exception) -> str:
    """Returns the error's code."""
    cause = sort_error(error)
    if isinstance(cause, DeviceLostError):
        resources.is_spent.set()
    failures = settle(resources, lambda: resources.work.page_failures(ref)) + 1
    retry_in_s = retry_pause_s(resources.settings, cause, failures)
    log = get_logger(__name__)
    log.warning("stage failed", code=cause.code, reason=str(cause), retry_in_s=retry_in_s, exc_info=error)
    counts = not isinstance(cause, OutageError)
    settle(
        resources,
        lambda: resources.work.fail_page(ref, stage, cause.code, str(cause), retry_in_s, counts=counts),
    )
    return cause.code


def _discard(run: StageRun) -> None:
    """Delete what a run has written that came to nothing, as far as storage lets us; the rest is swept away later."""
    try:
        for key in run.written:
            run.resources.store.delete(key)
    except NurieError:
        get_logger(__name__).warning("could not delete what was written", exc_info=True)


def settle(resources: Resources, call: Callable[[], T]) -> T:
    """Say something to the truth, and wait while the database is away. Raises DatabaseError when it stays away."""
    return wait_out(call, resources.settings.outage_limit_s)


def sort_error(error: Exception) -> NurieError:
    """Turn what a stage raised into an error with a stable code: worth a retry, or to give up on."""
    if isinstance(error, NurieError):
        return error
    if isinstance(error, SoftTimeLimitExceeded):
        return StageTimeoutError("the stage ran over its time limit")
    if is_out_of_memory(error):
        return OutOfMemoryError("the stage ran out of memory")
    if is_gpu_failure(error):
        return DeviceLostError("the GPU or its driver failed")
    # The stack trace goes into the log under this id; clients get the id.
    trace_id = new_id()
    get_logger(__name__).error("a bug", trace_id=trace_id, error=type(error).__name__)
    return NurieError(f"internal error, trace id {trace_id}")


def retry_pause_s(settings: Settings, cause: NurieError, failures: int) -> float | None:
    """Seconds until another try; None when there is none: a cause that stays, or the last failure allowed."""
    if isinstance(cause, OutageError):
        return OUTAGE_PAUSE_S  # however often: it is not the page's fault, and nothing is lost by waiting
    if not isinstance(cause, RetryableError) or failures >= settings.max_failures:
        return None
    return min(settings.retry_backoff_s * 2.0 ** (failures - 1), BACKOFF_LIMIT_S)
