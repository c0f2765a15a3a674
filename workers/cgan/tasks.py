"""The cgan queue: train reference models, draft pages."""

import json
import time
from functools import lru_cache

from celery import Task

from common.colours import read_colours
from common.errors import (
    CancelledError,
    DeviceLostError,
    ModelLostError,
    ModelMissingError,
    NotFoundError,
    NurieError,
    OutageError,
)
from common.imaging import decode_image, is_coloured
from common.jobs.work import WorkStore
from common.logging import bind_ids, clear_ids, get_logger
from common.names import PAGE_TASKS, TRAIN_TASK, TRAINING, Artifact, RunOutcome, Stage
from common.palette import match_colours
from common.telemetry import ATTEMPTS, TRAINING_SECONDS
from common.tracing import job_span
from storage import keys
from workers.celery import app
from workers.cgan import presets
from workers.cgan.card import describe_model
from workers.cgan.golden import check_networks
from workers.cgan.progress import TrainingProgress
from workers.cgan.weights import load_model, save_model
from workers.cgan.working_size import shrink_page
from workers.patience import PatientStore
from workers.readiness import readiness
from workers.stage import (
    JSON_TYPE,
    REFERENCE_MODEL,
    Heartbeat,
    Resources,
    StageRun,
    get_resources,
    leave_if_spent,
    retry_pause_s,
    run_stage,
    settle,
    sort_error,
)

KEPT_MODELS = 2
"""Models that a process keeps loaded: the pages of one chapter, and of one beside it."""


# The steps of its training make an optimizer: the first in a process takes seconds, in which no cancel would be heard.
readiness.warm_before_work(Stage.CGAN, check_networks)


@app.task(name=PAGE_TASKS[Stage.CGAN], bind=True)
def paint(self: Task, job_id: str, number: int, attempt: int) -> None:
    run_stage(self, Stage.CGAN, (job_id, number, attempt), draft_page)


@app.task(name=TRAIN_TASK, bind=True)
def train(self: Task, key: str, job_id: str, attempt: int) -> None:  # noqa: ARG001
    bind_ids(model=key[:12], job=job_id, attempt=attempt)
    try:
        with job_span(TRAIN_TASK, job_id, model=key, attempt=attempt) as span:
            outcome = train_model(get_resources(), key, job_id, attempt)
            span.set_attribute("nurie.outcome", outcome)
        ATTEMPTS.labels(TRAINING, outcome).inc()
        get_resources().wake_control()
        leave_if_spent(get_resources())
    finally:
        clear_ids()


def draft_page(run: StageRun) -> None:
    page_rgb = run.read_picture(Artifact.SOURCE)
    if run.params.skip_coloured and is_coloured(page_rgb):
        run.skip()
        return
    result = presets.paint(page_rgb, _find_model(run), run.params)
    run.weights = f"{REFERENCE_MODEL} {run.claim.model_key}"
    run.write_picture(Artifact.DRAFT, result.draft_rgb)
    run.write_picture(Artifact.REGIONS, result.regions)
    corrected = match_colours(read_colours(run.claim.colours), result.hints.palette)
    run.write(Artifact.HINTS, result.hints.recolour(corrected).to_json())


def train_model(resources: Resources, key: str, job_id: str, attempt: int) -> str:
    """Train the reference model `key` on a job's references, under a lease, and store it.

    Returns:
        How it ended: a `RunOutcome`, or an error's code.
    """
    log = get_logger(__name__)
    work, started = resources.work, time.monotonic()
    if not settle(resources, lambda: work.claim_model(key, attempt)):
        log.info("stale message: the model is there, or somebody trains it")
        return RunOutcome.STALE
    try:
        preset = _train(resources, key, job_id, attempt)
    except CancelledError:
        settle(resources, lambda: work.release_model(key, attempt))
        log.info("training given up")
        return RunOutcome.CANCELLED
    except Exception as error:  # noqa: BLE001  every error ends as the model's state, with its code
        cause = sort_error(error)
        _record_failure(resources, key, attempt, cause, error)
        return cause.code
    seconds = time.monotonic() - started
    if settle(resources, lambda: work.commit_model(key, attempt, seconds)):
        TRAINING_SECONDS.labels(preset, "cpu").observe(seconds)
        log.info("training done", seconds=round(seconds, 1))
        return RunOutcome.DONE
    log.info("stale result: somebody else trains this model", seconds=round(seconds, 1))
    return RunOutcome.STALE


def _train(resources: Resources, key: str, job_id: str, attempt: int) -> str:
    """Returns the preset that it was trained as."""
    store, limits = resources.store, resources.settings.image_limits
    references, params = settle(resources, lambda: resources.work.training_inputs(job_id))
    report = _Reporter(resources.work, key, attempt)
    # The heartbeat covers what happens before the first epoch and after the last one.
    with Heartbeat(report.renew, resources.settings.heartbeat_s):
        names = [ref["name"] for ref in references]
        pictures = []
        for index, ref in enumerate(references, 1):
            report(report.last)  # twenty references take seconds to fetch and decode
            try:
                data = store.get(ref["key"])
            except NotFoundError:
                resources.work.training_inputs(job_id)  # raises CancelledError when the job was deleted under us
                raise
            # Nothing is learned from more pixels; twenty pages as large as they may be would fill the memory.
            pictures.append(shrink_page(decode_image(data, f"reference {index} ({ref['name']})", limits)))
        model = presets.learn(pictures, names, params, report)
        card = describe_model(model, params, [ref["sha256"] for ref in references], report.last)
        store.put(keys.model_card(key), json.dumps(card, indent=1).encode(), media_type=JSON_TYPE)
        store.put(keys.model(key), save_model(model), media_type="application/octet-stream")
    return params.preset


class _Reporter:
    """Reports progress to the truth, and stops a training that nobody waits for any more."""

    def __init__(self, work: WorkStore, key: str, attempt: int) -> None:
        self._work, self._key, self._attempt = work, key, attempt
        self.last = TrainingProgress(0, 1, {}, 0.0)

    def __call__(self, progress: TrainingProgress) -> None:
        self.last = progress
        try:
            wanted = self.renew()
        except OutageError:
            return  # the lease outlasts a database that is away for a moment; the heartbeat tells of it
        if not wanted:
            raise CancelledError("no job waits for this training any more")

    def renew(self) -> bool:
        return self._work.renew_model(self._key, self._attempt, self.last.epoch / self.last.epochs, self.last.losses)


def _record_failure(resources: Resources, key: str, attempt: int, cause: NurieError, error: Exception) -> None:
    if isinstance(cause, DeviceLostError):
        resources.is_spent.set()
    failures = settle(resources, lambda: resources.work.model_failures(key)) + 1
    retry_in_s = retry_pause_s(resources.settings, cause, failures)
    log = get_logger(__name__)
    log.warning("training failed", code=cause.code, reason=str(cause), retry_in_s=retry_in_s, exc_info=error)
    counts = not isinstance(cause, OutageError)
    settle(
        resources,
        lambda: resources.work.fail_model(key, attempt, cause.code, str(cause), retry_in_s, counts=counts),
    )


def _find_model(run: StageRun) -> presets.Model:
    """The page's model; one that is gone, damaged or of another version is trained again, and the page tried again."""
    key = run.claim.model_key
    try:
        return _load_model(run.resources.store, key)  # type: ignore[arg-type]  # stores hash by identity
    except (NotFoundError, ModelMissingError) as error:
        run.resources.work.discard_model(key, run.claim.model_attempt)
        raise ModelLostError(f"{error}; it is trained again") from error


@lru_cache(maxsize=KEPT_MODELS)
def _load_model(store: PatientStore, key: str) -> presets.Model:
    return load_model(store.get(keys.model(key)))
