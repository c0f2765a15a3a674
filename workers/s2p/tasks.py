"""The s2p queue: hints become a rough picture."""

from celery import Task

from common.hints import parse_hints
from common.names import PAGE_TASKS, Artifact, Stage
from workers.celery import app
from workers.s2p.paint import paint_page
from workers.stage import StageRun, run_stage

WEIGHTS = "none: closed-form propagation (Levin et al. 2004)"


@app.task(name=PAGE_TASKS[Stage.S2P], bind=True)
def paint(self: Task, job_id: str, number: int, attempt: int) -> None:
    run_stage(self, Stage.S2P, (job_id, number, attempt), paint_hints)


def paint_hints(run: StageRun) -> None:
    hints = parse_hints(run.read(Artifact.HINTS), f"{run.page_label}: hints")
    result = paint_page(run.read_picture(Artifact.SOURCE), hints)
    run.weights = WEIGHTS
    run.write_picture(Artifact.SKETCH, result.sketch_rgb)
    run.write_picture(Artifact.ROUGH, result.rough_rgb)
