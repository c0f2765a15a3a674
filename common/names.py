"""The one home of queue, task, stage and artifact names, and of each stage's code version.

A test holds these names against the Procfile, the Celery routes and the registered tasks.
"""

from enum import StrEnum
from typing import Final

VERSION: Final = "0.10.0"
"""Nurie's own; as in pyproject.toml."""


class Stage(StrEnum):
    """A step of a page, in the order in which a page goes through them."""

    CGAN = "cgan"
    S2P = "s2p"
    INKNHUE = "inknhue"
    METRICS = "metrics"


STAGES: Final = tuple(Stage)

CONTROL_QUEUE: Final = "control"
QUEUES: Final = (*(stage.value for stage in STAGES), CONTROL_QUEUE)

JOB_CLASSES: Final = ("interactive", "bulk")
"""What a job is, by whether it is bulk."""

TRAIN_TASK: Final = "cgan.train"
PAGE_TASKS: Final = {
    Stage.CGAN: "cgan.paint",
    Stage.S2P: "s2p.paint",
    Stage.INKNHUE: "inknhue.paint",
    Stage.METRICS: "metrics.score",
}
"""The task that does a stage's work on one page; each runs on the queue named like its stage."""

SET_TASK: Final = "metrics.report"
"""Scores all pages of a job together, on the queue of METRICS."""

CODE_VERSIONS: Final = {Stage.CGAN: 5, Stage.S2P: 2, Stage.INKNHUE: 2, Stage.METRICS: 2}
"""Raise a stage's number when its results change, so that results kept under the old stage keys are not used again."""


class RunOutcome(StrEnum):
    """How a run of a stage ends, unless it fails: then by the error's code."""

    DONE = "done"
    CACHED = "cached"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    STALE = "stale"


TRAINING: Final = "training"
"""What the runs of trainings are counted as, beside those of stages."""

RUN_FAILURES: Final = (
    *("bad_image", "too_large", "model_missing", "out_of_memory", "stage_timeout", "worker_lost"),
    *("storage_unavailable", "database_unavailable", "internal"),
)
"""Codes of the errors that runs of stages are known to fail by."""

TRAINING_VERSION: Final = 3
"""The same for the reference models that `cgan.train` makes."""


class Artifact(StrEnum):
    """What a page or a job can be asked for; `SOURCE` comes from the client, the others from the stages."""

    SOURCE = "source"
    DRAFT = "draft"
    REGIONS = "regions"
    HINTS = "hints"
    SKETCH = "sketch"
    ROUGH = "rough"
    ALIGNED = "aligned"
    FINAL = "final"
    METRICS = "metrics"
    REPORT = "report"
    TABLE = "table"


STAGE_ARTIFACTS: Final = {
    Stage.CGAN: (Artifact.DRAFT, Artifact.REGIONS, Artifact.HINTS),
    Stage.S2P: (Artifact.SKETCH, Artifact.ROUGH),
    Stage.INKNHUE: (Artifact.ALIGNED, Artifact.FINAL),
    Stage.METRICS: (Artifact.METRICS,),
}
SET_ARTIFACTS: Final = (Artifact.METRICS, Artifact.REPORT, Artifact.TABLE)
"""What scoring all pages of a job together makes."""

PICTURE_FORMATS: Final = ("png", "jpeg", "webp")
EXTENSIONS: Final = {"png": "png", "jpeg": "jpg", "webp": "webp"}
_FILENAMES: Final = {
    Artifact.HINTS: "hints.json",
    Artifact.METRICS: "metrics.json",
    Artifact.REPORT: "report.html",
    Artifact.TABLE: "metrics.csv",
}
FILE_TYPES: Final = {
    ".json": "application/json",
    ".html": "text/html; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
}
"""Media types of what is no picture, by suffix."""


def artifact_filename(artifact: Artifact, picture_format: str = "png") -> str:
    """The file name of an artifact: `hints.json`, `draft.png`, and `final` in the job's format."""
    if artifact in _FILENAMES:
        return _FILENAMES[artifact]
    extension = EXTENSIONS[picture_format] if artifact is Artifact.FINAL else "png"
    return f"{artifact}.{extension}"
