"""The s2p queue: hints become a rough picture."""

import numpy as np
from celery import Task
from numpy.typing import NDArray

from common.hints import Hints, parse_hints
from common.logging import get_logger
from common.names import PAGE_TASKS, Artifact, Stage
from common.settings import get_settings
from common.telemetry import OOM_STEPS
from workers.celery import app
from workers.device_choice import choose_device
from workers.golden import Check
from workers.library_errors import is_out_of_memory
from workers.readiness import readiness
from workers.s2p.device import set_up_tensorflow
from workers.s2p.golden import check_embedded, check_official
from workers.s2p.painters import Painter, open_embedded, open_painter
from workers.s2p.result import S2pResult
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
    result = _paint_if_it_fits(painter, page_rgb, hints)
    if result is None:  # outside of what caught the error, whose traceback holds on to the tensors
        OOM_STEPS.labels(Stage.S2P, OOM_STEP).inc()
        painter, run.warning, run.is_kept = open_embedded(), OUT_OF_MEMORY, False
        result = painter.paint(page_rgb, hints)
    run.weights, run.device = painter.label, set_up_tensorflow()
    run.write_picture(Artifact.SKETCH, result.sketch_rgb)
    run.write_picture(Artifact.ROUGH, result.rough_rgb)


def _paint_if_it_fits(painter: Painter, page_rgb: NDArray[np.uint8], hints: Hints) -> S2pResult | None:
    """None where memory did not suffice for the official networks; our own need less of it."""
    try:
        return painter.paint(page_rgb, hints)
    except Exception as error:
        if painter is open_embedded() or not is_out_of_memory(error):
            raise
        get_logger(__name__).warning("out of memory", step=OOM_STEP, reason=str(error)[:200])
        return None
