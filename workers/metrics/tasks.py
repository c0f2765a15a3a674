"""The metrics queue: what a finished page is worth."""

import json

from celery import Task

from common.names import PAGE_TASKS, Artifact, Stage
from workers.celery import app
from workers.metrics.score import score_page
from workers.stage import StageRun, run_stage


@app.task(name=PAGE_TASKS[Stage.METRICS], bind=True)
def score(self: Task, job_id: str, number: int, attempt: int) -> None:
    run_stage(self, Stage.METRICS, (job_id, number, attempt), score_final)


def score_final(run: StageRun) -> None:
    final_rgb = run.read_picture(Artifact.FINAL)
    result = score_page(final_rgb, run.read_truth(), run.read_picture(Artifact.SOURCE))
    run.metrics = result.to_dict()
    run.write(Artifact.METRICS, json.dumps(run.metrics).encode())
