"""The metrics tasks' work on a job's whole set, without queue, database or store."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from common.errors import CancelledError
from common.imaging import ImageLimits
from common.jobs.work import SetFile, SetFiles
from common.names import Artifact
from workers.metrics.tasks import score_set

OBJECTS = {"k-real": b"real", "k-out": b"output", "k-page": b"page", "k-ref": b"reference"}


@dataclass
class PictureFile:
    name: str
    read: object


@dataclass
class PictureSets:
    real: object
    output: object
    pages: object = ()
    references: object = ()


class Run(SimpleNamespace):
    """What the room sees of a set's run."""

    def __init__(self) -> None:
        files = SetFiles(
            [SetFile("1.png", "k-real")],
            [SetFile("1.png", "k-out")],
            [SetFile("1.png", "k-page")],
            [SetFile("r.png", "k-ref")],
        )
        settings = SimpleNamespace(image_limits=ImageLimits(max_pixels=5, max_bytes=6), models=Path("models"))
        work = SimpleNamespace(set_files=lambda job_id: files if job_id == "j" else None)
        self.fetched: list[str] = []
        store = SimpleNamespace(get=self.fetch)
        resources = SimpleNamespace(settings=settings, work=work, store=store)
        claim = SimpleNamespace(ref=SimpleNamespace(job_id="j"))
        super().__init__(claim=claim, resources=resources, written={}, metrics=None)

    def fetch(self, key: str) -> bytes:
        self.fetched.append(key)
        return OBJECTS[key]

    def check_still_ours(self) -> None:
        raise CancelledError("no longer ours")

    def write(self, artifact: Artifact, data: bytes) -> None:
        self.written[artifact] = data


@pytest.fixture
def evaluated(monkeypatch):
    """What `evaluate_sets` was called with; it finds one figure."""
    calls = []

    def evaluate_sets(sets, **options):
        calls.append((sets, options))
        return SimpleNamespace(to_dict=lambda: {"name": "頁"}, to_csv=lambda: "name\n頁\n", to_html=lambda: "<p>頁</p>")

    module = ModuleType("workers.metrics.evaluation")
    module.PictureFile, module.PictureSets, module.evaluate_sets = PictureFile, PictureSets, evaluate_sets
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return calls


def test_the_files_of_a_set_are_read_only_when_their_turn_comes(evaluated):
    run = Run()
    score_set(run)
    ((sets, options),) = evaluated
    assert run.fetched == []
    for files, name, data in (
        (sets.real, "1.png", b"real"),
        (sets.output, "1.png", b"output"),
        (sets.pages, "1.png", b"page"),
        (sets.references, "r.png", b"reference"),
    ):
        assert [(file.name, file.read()) for file in files] == [(name, data)]
    assert (options["limits"], options["models"]) == (ImageLimits(max_pixels=5, max_bytes=6), Path("models"))


def test_the_scoring_of_a_set_stops_when_it_is_no_longer_wanted(evaluated):
    score_set(Run())
    ((_, options),) = evaluated
    with pytest.raises(CancelledError):
        options["check"]()


def test_figures_table_and_report_are_written_in_utf_8(evaluated):
    run = Run()
    score_set(run)
    assert json.loads(run.written[Artifact.METRICS]) == run.metrics == {"name": "頁"}
    assert run.written[Artifact.TABLE] == "name\n頁\n".encode()
    assert run.written[Artifact.REPORT] == "<p>頁</p>".encode()
