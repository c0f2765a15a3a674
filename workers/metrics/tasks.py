"""The metrics queue: what a finished page is worth, and what all pages of a job are worth together."""

import json
from collections.abc import Sequence
from functools import partial

from celery import Task

from common.jobs.work import SetFile
from common.names import PAGE_TASKS, SET_TASK, Artifact, Stage
from common.settings import get_settings
from workers.celery import app
from workers.device_choice import AUTO, CPU, choose_device, chosen_device
from workers.golden import Check
from workers.metrics.evaluation import evaluate_sets
from workers.metrics.golden import check_scores
from workers.metrics.pictures import PictureFile, PictureSets
from workers.metrics.report import render_report
from workers.metrics.score import score_page
from workers.metrics.table import format_csv
from workers.readiness import readiness
from workers.stage import StageRun, run_stage


def warm_up() -> list[Check]:
    """Do the golden page; Inception, which takes the GPU, is loaded by a set that asks for it."""
    choose_device(get_settings().device)
    if chosen_device() not in (AUTO, CPU):
        from workers.devices import pick_device  # PyTorch takes seconds, and most of what is scored needs it not

        pick_device()  # what was insisted on must be there before a set asks for it
    return check_scores()


readiness.warm_before_work(Stage.METRICS, warm_up)


@app.task(name=PAGE_TASKS[Stage.METRICS], bind=True)
def score(self: Task, job_id: str, number: int, attempt: int) -> None:
    run_stage(self, Stage.METRICS, (job_id, number, attempt), score_final)


@app.task(name=SET_TASK, bind=True)
def report(self: Task, job_id: str, number: int, attempt: int) -> None:
    run_stage(self, Stage.METRICS, (job_id, number, attempt), score_set)


def score_final(run: StageRun) -> None:
    final_rgb = run.read_picture(Artifact.FINAL)
    result = score_page(final_rgb, run.read_truth(), run.read_picture(Artifact.SOURCE))
    run.metrics = result.to_dict()
    run.write(Artifact.METRICS, json.dumps(run.metrics).encode())


def score_set(run: StageRun) -> None:
    def pictures(files: Sequence[SetFile]) -> list[PictureFile]:
        # Read one at a time, when their turn comes: a set may be larger than memory.
        return [PictureFile(file.name, partial(run.resources.store.get, file.key)) for file in files]

    settings = run.resources.settings
    files = run.resources.work.set_files(run.claim.ref.job_id)
    sets = PictureSets(pictures(files.real), pictures(files.output), pictures(files.pages), pictures(files.references))
    evaluation = evaluate_sets(sets, limits=settings.image_limits, models=settings.models, check=run.check_still_ours)
    # To storage alone: of ten thousand pictures it would be megabytes in the row of the set.
    run.write(Artifact.METRICS, json.dumps(evaluation.to_dict(), ensure_ascii=False, allow_nan=False).encode())
    run.write(Artifact.TABLE, format_csv(evaluation).encode())
    run.write(Artifact.REPORT, render_report(evaluation).encode())
