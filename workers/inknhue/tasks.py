"""The inknhue queue: the rough picture is fitted to the drawing."""

from celery import Task

from common.names import PAGE_TASKS, Artifact, Stage
from workers.celery import app
from workers.inknhue.paint import paint_page
from workers.stage import StageRun, run_stage

WEIGHTS = "none: edge-aware filtering"


@app.task(name=PAGE_TASKS[Stage.INKNHUE], bind=True)
def paint(self: Task, job_id: str, number: int, attempt: int) -> None:
    run_stage(self, Stage.INKNHUE, (job_id, number, attempt), align_page)


def align_page(run: StageRun) -> None:
    result = paint_page(
        run.read_picture(Artifact.SOURCE),
        run.read_picture(Artifact.SKETCH),
        run.read_picture(Artifact.ROUGH),
        blend=run.params.blend,
        keep_lightness=run.params.keep_lightness,
    )
    run.weights = WEIGHTS
    run.write_picture(Artifact.ALIGNED, result.aligned_rgb)
    run.write_picture(Artifact.FINAL, result.final_rgb)
