"""The s2p queue: hints become a rough picture."""

from celery import Task

from common.hints import parse_hints
from common.logging import get_logger
from common.names import PAGE_TASKS, Artifact, Stage
from common.settings import get_settings
from common.telemetry import OOM_STEPS
from workers.celery import app
from workers.device_choice import choose_device
from workers.golden import Check
from workers.readiness import readiness
from workers.s2p.device import set_up_tensorflow
from workers.s2p.golden import check_embedded, check_official
from workers.s2p.painters import open_embedded, open_painter
from workers.stage import StageRun, run_stage

NO_HINTS = "the page has no hints: it stays grey"
OOM_STEP = "embedded painter"
OUT_OF_MEMORY = "out of memory for the official networks: the embedded painter painted it"
TOO_LONG = "the page is too long for the official networks: the embedded painter painted it"


def warm_up() -> list[Check]:
    """Load the networks, and do the golden page."""
    choose_device(get_settings().device)
    for opened in (open_painter, open_embedded):
        opened.cache_clear()  # after a failure, weights may have been put right meanwhile
    painter, embedded = open_painter(get_settings().models), open_embedded()
    return check_embedded(embedded) + (check_official(painter.paint_small) if painter is not embedded else [])


readiness.warm_before_work(Stage.S2P, warm_up)

NO_MEMORY_ERRORS = ("ResourceExhaustedError", "MemoryError")


def _is_out_of_memory(error: Exception) -> bool:
    return type(error).__name__ in NO_MEMORY_ERRORS


@app.task(name=PAGE_TASKS[Stage.S2P], bind=True)
def paint(self: Task, job_id: str, number: int, attempt: int) -> None:
    run_stage(self, Stage.S2P, (job_id, number, attempt), paint_hints, name_weights)


def name_weights(run: StageRun) -> str:
    """What this process paints with: weights that were installed since it loaded its own are not it."""
    return open_painter(run.resources.settings.models).label


def paint_hints(run: StageRun) -> None:
    hints = parse_hints(run.read(Artifact.HINTS), f"{run.page_label}: hints")
    page_rgb = run.read_picture(Artifact.SOURCE)
    painter = open_painter(run.resources.settings.models)
    if not painter.takes(page_rgb):
        painter, run.warning = open_embedded(), TOO_LONG
    if not hints.hints:
        run.warning = NO_HINTS
    try:
        result = painter.paint(page_rgb, hints)
    except Exception as error:
        if painter is (embedded := open_embedded()) or not _is_out_of_memory(error):
            raise
        get_logger(__name__).warning("out of memory", step=OOM_STEP, reason=str(error)[:200])
        OOM_STEPS.labels(Stage.S2P, OOM_STEP).inc()
        painter, run.warning, run.is_kept = embedded, OUT_OF_MEMORY, False
        result = painter.paint(page_rgb, hints)
    run.weights, run.device = painter.label, set_up_tensorflow()
    run.write_picture(Artifact.SKETCH, result.sketch_rgb)
    run.write_picture(Artifact.ROUGH, result.rough_rgb)
