"""The inknhue queue: the rough picture is fitted to the drawing."""

from celery import Task

from common.logging import get_logger
from common.names import PAGE_TASKS, Artifact, Stage
from common.settings import get_settings
from common.telemetry import OOM_STEPS
from workers.celery import app
from workers.device_choice import choose_device
from workers.golden import Check
from workers.inknhue.aligner import OFFICIAL_FOLDER, open_aligner, open_embedded
from workers.inknhue.golden import check_embedded, check_official
from workers.inknhue.paint import align_page, blend_page
from workers.inknhue.weights import find_official
from workers.readiness import readiness
from workers.stage import StageRun, run_stage

OOM_STEP = "smaller pieces"


def warm_up() -> list[Check]:
    """Load the networks, and do the golden page."""
    choose_device(get_settings().device)
    open_aligner.cache_clear()  # after a failure, weights may have been put right meanwhile
    models = get_settings().models
    aligner = open_aligner(models)
    if find_official(models / OFFICIAL_FOLDER):
        return check_official(aligner) + check_embedded(open_embedded())
    return check_embedded(aligner)


readiness.warm_before_work(Stage.INKNHUE, warm_up)


@app.task(name=PAGE_TASKS[Stage.INKNHUE], bind=True)
def paint(self: Task, job_id: str, number: int, attempt: int) -> None:
    run_stage(self, Stage.INKNHUE, (job_id, number, attempt), fit_colours, name_weights)


def name_weights(run: StageRun) -> str:
    """What this process aligns with: weights that were installed since it loaded its own are not it."""
    return open_aligner(run.resources.settings.models).label


def fit_colours(run: StageRun) -> None:
    page_rgb, rough_rgb = run.read_picture(Artifact.SOURCE), run.read_picture(Artifact.ROUGH)
    keep_lightness = run.params.keep_lightness
    if Artifact.ALIGNED in run.outputs:
        aligned_rgb = run.read_output(Artifact.ALIGNED)
    else:
        aligner = open_aligner(run.resources.settings.models)
        aligned = align_page(page_rgb, rough_rgb, aligner, keep_lightness=keep_lightness)
        aligned_rgb, run.warning, run.weights = aligned.rgb, aligned.warning, aligner.label
        run.device = aligner.device
        if aligned.warning:  # memory was short: another worker, or a later hour, does better
            run.is_kept = False
            OOM_STEPS.labels(Stage.INKNHUE, OOM_STEP).inc()
            get_logger(__name__).warning(aligned.warning, step=OOM_STEP)
        run.write_picture(Artifact.ALIGNED, aligned_rgb)
    final_rgb = blend_page(page_rgb, aligned_rgb, rough_rgb, blend=run.params.blend, keep_lightness=keep_lightness)
    run.write_picture(Artifact.FINAL, final_rgb)
