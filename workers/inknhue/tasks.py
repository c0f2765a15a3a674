"""The inknhue queue: the rough picture is fitted to the drawing."""

from celery import Task

from common.names import PAGE_TASKS, Artifact, Stage
from workers.celery import app
from workers.inknhue.aligner import open_aligner
from workers.inknhue.paint import align_page, blend_page
from workers.stage import StageRun, run_stage


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
        run.is_kept = aligned.warning is None  # memory was short: another worker, or a later hour, does better
        run.write_picture(Artifact.ALIGNED, aligned_rgb)
    final_rgb = blend_page(page_rgb, aligned_rgb, rough_rgb, blend=run.params.blend, keep_lightness=keep_lightness)
    run.write_picture(Artifact.FINAL, final_rgb)
