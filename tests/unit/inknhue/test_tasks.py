"""The inknhue task's work on a page, without queue or store."""

from types import SimpleNamespace

import numpy as np
import pytest

from common.errors import InputError
from common.names import Artifact
from common.params import JobParams
from common.telemetry import read_sample
from workers.inknhue import tasks
from workers.inknhue.aligner import open_aligner
from workers.inknhue.tasks import fit_colours, name_weights


class Run(SimpleNamespace):
    """What a room sees of a stage's run."""

    def __init__(self, models, rough=None, **params):
        super().__init__(
            warning=None, is_kept=True, device=None, weights=None, outputs={}, written={}, params=JobParams(**params)
        )
        self.resources = SimpleNamespace(settings=SimpleNamespace(models=models))
        page = np.full((60, 80, 3), 150, dtype=np.uint8)
        page[:, 40:] = 90
        colours = np.where(page > 100, np.uint8([200, 140, 130]), np.uint8([70, 90, 130])).astype(np.uint8)
        self.pictures = {Artifact.SOURCE: page, Artifact.ROUGH: colours if rough is None else rough}

    def read_picture(self, artifact):
        return self.pictures[artifact]

    def read_output(self, artifact):
        return self.written[self.outputs[artifact]]

    def write_picture(self, artifact, picture):
        self.written[artifact] = picture
        self.outputs[artifact] = artifact


@pytest.fixture(autouse=True)
def _forget_aligners():
    yield
    open_aligner.cache_clear()


def test_a_page_is_aligned_and_blended_and_the_weights_are_named(tmp_path):
    run = Run(tmp_path)
    fit_colours(run)
    assert run.written.keys() == {Artifact.ALIGNED, Artifact.FINAL}
    final = run.written[Artifact.FINAL].astype(int)
    assert (final[20:40, 10:30, 0] - final[20:40, 10:30, 2]).mean() > 10
    assert run.weights == name_weights(run)
    assert run.weights.startswith("embedded (")
    assert run.warning is None
    assert run.device == "cpu"
    assert run.is_kept


def test_another_blend_does_not_align_again(tmp_path, monkeypatch):
    first, second = Run(tmp_path), Run(tmp_path, blend=0.0)
    fit_colours(first)
    second.write_picture(Artifact.ALIGNED, first.written[Artifact.ALIGNED])
    monkeypatch.setattr(tasks, "open_aligner", lambda _: pytest.fail("the network is not needed"))
    fit_colours(second)
    assert not np.array_equal(second.written[Artifact.FINAL], first.written[Artifact.FINAL])


def test_a_warning_of_the_aligner_is_the_pages(tmp_path, monkeypatch):
    run, before = Run(tmp_path), read_sample("nurie_oom_steps_total", stage="inknhue", step="smaller pieces")
    aligned = SimpleNamespace(rgb=run.pictures[Artifact.ROUGH], warning="in small windows")
    monkeypatch.setattr(tasks, "align_page", lambda *_, **__: aligned)
    fit_colours(run)
    assert run.warning == "in small windows"
    assert not run.is_kept
    assert read_sample("nurie_oom_steps_total", stage="inknhue", step="smaller pieces") == before + 1


def test_lightness_is_the_networks_where_the_job_says_so(tmp_path):
    kept, other = Run(tmp_path), Run(tmp_path, keep_lightness=False)
    fit_colours(kept)
    fit_colours(other)
    assert not np.array_equal(kept.written[Artifact.ALIGNED], other.written[Artifact.ALIGNED])


def test_a_rough_of_another_shape_fails_the_page_and_writes_nothing(tmp_path):
    run = Run(tmp_path, rough=np.zeros((60, 60, 3), dtype=np.uint8))
    with pytest.raises(InputError, match="rough: 60×60 px is not of the page's shape"):
        fit_colours(run)
    assert not run.written
