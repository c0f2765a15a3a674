"""The s2p task's work on a page, without queue or store."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from common.errors import InputError, ModelMissingError
from common.hints import Hint, Hints
from common.names import Artifact
from common.telemetry import read_sample
from workers.s2p import tasks
from workers.s2p.official.weights import digest_official
from workers.s2p.painters import label_embedded, open_painter
from workers.s2p.tasks import NO_HINTS, OUT_OF_MEMORY, TOO_LONG, name_weights, paint_hints

NETS = Path(__file__).parents[2] / "golden" / "s2p" / "nets"


class Run(SimpleNamespace):
    """What a room sees of a stage's run."""

    def __init__(self, models, hints, page=None):
        super().__init__(warning=None, weights=None, page_label="page 1 (1.png)", written={}, hints=hints)
        self.resources = SimpleNamespace(settings=SimpleNamespace(models=models))
        self.page = np.full((60, 80, 3), 150, dtype=np.uint8) if page is None else page

    def read(self, artifact):
        assert artifact is Artifact.HINTS
        return self.hints

    def read_picture(self, artifact):
        assert artifact is Artifact.SOURCE
        return self.page

    def write_picture(self, artifact, picture):
        self.written[artifact] = picture


@pytest.fixture(autouse=True)
def _forget_painters():
    yield
    open_painter.cache_clear()


def one_hint():
    return Hints(size=(80, 60), hints=(Hint(x=0.5, y=0.5, rgb=(200, 60, 60)),)).to_json()


def test_hints_colour_the_page_and_the_weights_are_named(tmp_path):
    run = Run(tmp_path, one_hint())
    paint_hints(run)
    rough = run.written[Artifact.ROUGH].astype(int)
    assert (rough[..., 0] - rough[..., 1]).mean() > 20
    assert run.written[Artifact.SKETCH].shape == run.page.shape
    assert run.warning is None
    assert run.weights == name_weights(run)
    assert run.weights.startswith("embedded (")


@pytest.mark.parametrize("official", [False, True])
def test_a_page_without_hints_stays_grey_and_says_so(tmp_path, official):
    if official:
        shutil.copytree(NETS, tmp_path / "style2paints")
    run = Run(tmp_path, Hints(size=(80, 60), hints=()).to_json())
    paint_hints(run)
    assert (run.written[Artifact.ROUGH] == 150).all()
    assert run.warning == NO_HINTS


def test_bad_hints_are_refused_with_the_page_s_name(tmp_path):
    many = b'{"version":1,"size":[8,6],"hints":[' + b",".join([b'{"x":0.5,"y":0.5,"rgb":[1,2,3]}'] * 100_000) + b"]}"
    outside = b'{"version":1,"size":[8,6],"hints":[{"x":1.5,"y":-0.1,"rgb":[1,2,3]}]}'
    for hints, message in ((many, "at most 2000"), (outside, r"hints\.0\.x.*less than or equal to 1")):
        run = Run(tmp_path, hints)
        with pytest.raises(InputError, match=rf"page 1 \(1\.png\): hints: .*{message}"):
            paint_hints(run)
        assert not run.written


def test_installed_official_networks_paint(tmp_path):
    shutil.copytree(NETS, tmp_path / "style2paints")
    run = Run(tmp_path, one_hint())
    paint_hints(run)
    assert run.weights == name_weights(run) == f"Style2Paints V4.5 ({digest_official(NETS)[:12]})"
    assert run.written[Artifact.ROUGH].shape == run.written[Artifact.SKETCH].shape


def test_a_strip_too_long_for_the_official_networks_is_painted_by_ours(tmp_path):
    shutil.copytree(NETS, tmp_path / "style2paints")
    run = Run(tmp_path, one_hint(), np.full((700, 80, 3), 150, dtype=np.uint8))
    paint_hints(run)
    assert run.warning == TOO_LONG
    assert run.weights == label_embedded()


def test_networks_installed_while_a_worker_runs_are_not_named_as_what_it_paints_with(tmp_path):
    run = Run(tmp_path, one_hint())
    before = name_weights(run)
    shutil.copytree(NETS, tmp_path / "style2paints")
    paint_hints(run)
    assert run.weights == name_weights(run) == before


def test_half_installed_networks_fail_the_page_by_name(tmp_path):
    shutil.copytree(NETS, tmp_path / "style2paints")
    (tmp_path / "style2paints" / "head.net").unlink()
    with pytest.raises(ModelMissingError, match=r"head\.net not found"):
        name_weights(Run(tmp_path, one_hint()))


def test_what_has_no_room_for_the_official_networks_is_painted_by_ours_and_counted(tmp_path, monkeypatch):
    class Full:
        label = "official"

        def takes(self, page_rgb):
            return True

        def paint(self, page_rgb, hints):
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(tasks, "open_painter", lambda models: Full())
    run, count = Run(tmp_path, one_hint()), {"stage": "s2p", "step": "embedded painter"}
    before = read_sample("nurie_oom_steps_total", **count)
    paint_hints(run)
    assert run.warning == OUT_OF_MEMORY
    assert run.weights == label_embedded()
    assert not run.is_kept
    assert read_sample("nurie_oom_steps_total", **count) == before + 1


def test_another_error_of_the_official_networks_is_the_page_s(tmp_path, monkeypatch):
    class Broken:
        def takes(self, page_rgb):
            return True

        def paint(self, page_rgb, hints):
            raise ValueError("broken")

    monkeypatch.setattr(tasks, "open_painter", lambda models: Broken())
    with pytest.raises(ValueError, match="broken"):
        paint_hints(Run(tmp_path, one_hint()))
