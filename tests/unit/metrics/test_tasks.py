"""The metrics tasks' work on a job's whole set, without queue, database or store."""

import csv
import io
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from common.errors import CancelledError, ModelMissingError, StorageError
from common.imaging import ImageLimits, encode_image
from common.jobs.work import SetFile, SetFiles
from common.names import SET_ARTIFACTS, Artifact
from common.settings import Settings
from workers import device_choice
from workers.metrics import tasks
from workers.metrics.tasks import score_set


def picture(seed: int) -> bytes:
    return encode_image(np.random.default_rng(seed).integers(0, 255, (48, 40, 3), dtype=np.uint8), "png")


OBJECTS = {"real-1": picture(1), "real-2": b"no picture", "out-1": picture(2), "out-2": picture(3), "ref": picture(4)}
FILES = SetFiles(
    real=[SetFile("頁 1.png", "real-1"), SetFile("2.png", "real-2")],
    output=[SetFile("頁 1.png", "out-1"), SetFile("2.png", "out-2")],
    pages=[SetFile("頁 1.png", "out-1"), SetFile("2.png", "out-2")],
    references=[SetFile("r.png", "ref")],
)


class Run(SimpleNamespace):
    """What the room sees of a set's run."""

    def __init__(self, tmp_path: Path) -> None:
        settings = SimpleNamespace(image_limits=ImageLimits(), models=tmp_path)
        work = SimpleNamespace(set_files=lambda job_id: FILES if job_id == "j" else None)
        store = SimpleNamespace(get=OBJECTS.__getitem__)
        super().__init__(
            claim=SimpleNamespace(ref=SimpleNamespace(job_id="j")),
            resources=SimpleNamespace(settings=settings, work=work, store=store),
            written={},
            metrics=None,
        )

    def check_still_ours(self) -> None:
        pass

    def write(self, artifact: Artifact, data: bytes) -> None:
        self.written[artifact] = data


def test_a_set_is_scored_and_figures_table_and_report_are_written(tmp_path):
    run = Run(tmp_path)
    score_set(run)
    assert set(run.written) == set(SET_ARTIFACTS)
    figures = json.loads(run.written[Artifact.METRICS])
    assert list(figures["failed"]) == ["2"]
    assert figures["pages"]["頁 1"]["final"]["psnr_db"] > 0
    assert figures["palette"] is not None
    assert any(row and row[0] == "頁 1" for row in csv.reader(io.StringIO(run.written[Artifact.TABLE].decode())))
    assert "頁 1" in run.written[Artifact.REPORT].decode()


def test_the_scoring_of_a_set_stops_when_it_is_no_longer_wanted(tmp_path):
    run = Run(tmp_path)

    def lost() -> None:
        raise CancelledError("no longer ours")

    run.check_still_ours = lost
    with pytest.raises(CancelledError):
        score_set(run)
    assert run.written == {}


def test_storage_that_is_away_is_no_fault_of_a_picture(tmp_path):
    run = Run(tmp_path)

    def away(_key: str) -> bytes:
        raise StorageError("away")

    run.resources.store.get = away
    with pytest.raises(StorageError):
        score_set(run)


def test_a_worker_that_insists_on_a_gpu_takes_no_work_without(monkeypatch):
    monkeypatch.setattr(device_choice, "_chosen", "auto")
    monkeypatch.setattr(tasks, "get_settings", lambda: Settings(device="cuda"))
    with pytest.raises(ModelMissingError, match="this process sees 0 GPUs"):
        tasks.warm_up()
    monkeypatch.setattr(tasks, "get_settings", lambda: Settings(device="auto"))
    assert all(check.passed for check in tasks.warm_up())
