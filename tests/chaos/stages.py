"""The four stages in milliseconds, without networks: what the engine is put under faults with.

Everything around the work is the real thing: `workers.stage`, leases, artifacts, stage keys. Only what a page's colours
come from is missing: each stage tints the page, so the same pages give the same bytes however often they are tried.

    celery -A tests.chaos.stages worker -Q s2p -n s2p-1@%h

NURIE_TEST_STAGE_S is how long a stage takes, in seconds: one number, or `cgan=0.1,s2p=0.3`.
NURIE_TEST_FAULTS is a folder: while a file `STAGE.NUMBER.poison` is there, that page kills the process of its stage;
`STAGE.NUMBER.hang` makes it hang, `STAGE.NUMBER.gpu` its GPU fail, once (the file is removed first). While a file
`golden` is there, golden pages fail. A page that is called unpaintable fails.
"""

import json
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
from celery import Task

from common.errors import BadImageError, CancelledError
from common.imaging import is_coloured
from common.names import PAGE_TASKS, SET_ARTIFACTS, SET_TASK, TRAIN_TASK, Artifact, Stage
from common.telemetry import TRAINING_SECONDS
from workers import readiness
from workers.celery import app
from workers.golden import Check, expect
from workers.stage import Heartbeat, StageRun, get_resources, run_stage

TINTS = {Stage.CGAN: (1.0, 0.8, 0.7), Stage.S2P: (0.8, 1.0, 0.7), Stage.INKNHUE: (0.7, 0.8, 1.0)}
SCORES = json.dumps(
    {"mean": {"final": {"psnr_db": 30.5}, "grey": {"psnr_db": 20.25}}, "set": {"fid": None}, "real_only": [],
     "output_only": ["2"], "failed": {"3": "no picture"}}
).encode()  # fmt: skip
ONE_HINT = (
    b'{"version": 1, "size": [%d, %d], "palette": [[176, 58, 46]], '
    b'"hints": [{"x": 0.5, "y": 0.5, "rgb": [176, 58, 46], "source": "cgan", "entry": 0}]}'
)


def stage_seconds(stage: Stage) -> float:
    text = os.environ.get("NURIE_TEST_STAGE_S", "0.02")
    if "=" not in text:
        return float(text)
    return float(dict(part.split("=") for part in text.split(",")).get(stage.value, 0))


def do_golden_page() -> list[Check]:
    folder = os.environ.get("NURIE_TEST_FAULTS")
    return [expect("the fault", float(bool(folder) and Path(folder, "golden").exists()), 0, 0)]


if "-Q" in sys.argv:
    readiness.AGAIN_S = 0.2
    readiness.readiness.warm_before_work(Stage(sys.argv[sys.argv.index("-Q") + 1]), do_golden_page)


@app.task(name=TRAIN_TASK, bind=True)
def train(self: Task, key: str, job_id: str, attempt: int) -> None:
    resources = get_resources()
    work = resources.work
    if not work.claim_model(key, attempt):
        return
    with Heartbeat(lambda: work.renew_model(key, attempt, 0.5, {}), resources.settings.heartbeat_s):
        time.sleep(stage_seconds(Stage.CGAN))
    work.commit_model(key, attempt, stage_seconds(Stage.CGAN))
    TRAINING_SECONDS.labels("default", "cpu").observe(stage_seconds(Stage.CGAN))
    resources.wake_control()


@app.task(name=PAGE_TASKS[Stage.CGAN], bind=True)
def draft(self: Task, job_id: str, number: int, attempt: int) -> None:
    run_stage(self, Stage.CGAN, (job_id, number, attempt), work)


@app.task(name=PAGE_TASKS[Stage.S2P], bind=True)
def paint(self: Task, job_id: str, number: int, attempt: int) -> None:
    run_stage(self, Stage.S2P, (job_id, number, attempt), work)


@app.task(name=PAGE_TASKS[Stage.INKNHUE], bind=True)
def align(self: Task, job_id: str, number: int, attempt: int) -> None:
    run_stage(self, Stage.INKNHUE, (job_id, number, attempt), work)


@app.task(name=PAGE_TASKS[Stage.METRICS], bind=True)
def score(self: Task, job_id: str, number: int, attempt: int) -> None:
    run_stage(self, Stage.METRICS, (job_id, number, attempt), work)


@app.task(name=SET_TASK, bind=True)
def report(self: Task, job_id: str, number: int, attempt: int) -> None:
    run_stage(self, Stage.METRICS, (job_id, number, attempt), work_on_set)


def work(run: StageRun) -> None:
    """Write every artifact of the stage, from the page alone."""
    page_rgb = run.read_picture(Artifact.SOURCE)
    if "unpaintable" in run.page_label:
        raise BadImageError(f"{run.page_label} cannot be painted")
    _fail_as_told(run)
    _take_time(run)
    if run.stage is Stage.CGAN and run.params.skip_coloured and is_coloured(page_rgb):
        run.skip()
        return
    if run.stage is Stage.METRICS:
        run.metrics = {"mean": round(float(run.read_picture(Artifact.FINAL).mean()), 6)}
        run.write(Artifact.METRICS, json.dumps(run.metrics).encode())
        return
    tinted_rgb = (page_rgb * np.array(TINTS[run.stage])).astype(np.uint8)
    match run.stage:
        case Stage.CGAN:
            run.write_picture(Artifact.DRAFT, tinted_rgb)
            run.write_picture(Artifact.REGIONS, tinted_rgb[..., 0].astype(np.uint16))
            run.write(Artifact.HINTS, ONE_HINT % (page_rgb.shape[1], page_rgb.shape[0]))
        case Stage.S2P:
            run.write_picture(Artifact.SKETCH, tinted_rgb)
            run.write_picture(Artifact.ROUGH, tinted_rgb)
        case Stage.INKNHUE:
            run.write_picture(Artifact.ALIGNED, tinted_rgb)
            run.write_picture(Artifact.FINAL, tinted_rgb)
    run.weights = "test"


def work_on_set(run: StageRun) -> None:
    for artifact in SET_ARTIFACTS:
        run.write(artifact, SCORES if artifact is Artifact.METRICS else f"the {artifact}".encode())


def _take_time(run: StageRun) -> None:
    ends = time.monotonic() + stage_seconds(run.stage)
    while (left := ends - time.monotonic()) > 0:
        run.check_still_ours()
        time.sleep(min(left, 0.2))


def _fail_as_told(run: StageRun) -> None:
    folder = os.environ.get("NURIE_TEST_FAULTS")
    if not folder:
        return
    mark = Path(folder, f"{run.stage}.{run.claim.ref.number}")
    if mark.with_name(f"{mark.name}.poison").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    with suppress(FileNotFoundError):
        mark.with_name(f"{mark.name}.gpu").unlink()
        raise RuntimeError("CUDA error: unspecified launch failure")
    with suppress(FileNotFoundError):
        mark.with_name(f"{mark.name}.hang").unlink()
        while True:  # until the time limit interrupts it; the heartbeat goes on meanwhile
            time.sleep(0.1)
            if run.heartbeat.lost.is_set():
                raise CancelledError("no longer this run's")
