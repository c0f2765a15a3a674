"""Training the embedded painter: views, loss, and a run short enough for a test."""

import json

import numpy as np
import pytest

from common.errors import InputError
from common.lab import lab_to_rgb
from samples.hinting import simulate_people_hints, simulate_region_hints
from workers.s2p import training
from workers.s2p.features import COLOURS, FEATURES, PRIOR
from workers.s2p.network import NetworkConfig, build_network
from workers.s2p.training import TrainingSettings, _hold_out, measure_loss, train
from workers.s2p.views import View, assemble_view, cut_crops, make_view
from workers.s2p.weights import load_weights


@pytest.fixture(scope="module")
def painted():
    """A page of four flat colours parted by ink, (300, 240, 3)."""
    lab = np.full((300, 240, 3), (70, 0, 0), dtype=np.float32)
    lab[:150, :120, 1:], lab[:150, 120:, 1:], lab[150:, :120, 1:] = (30, 20), (-30, 10), (5, -35)
    lab[148:152] = lab[:, 118:122] = (0, 0, 0)
    return lab_to_rgb(lab)


def test_a_view_is_the_same_for_the_same_seed_and_number(painted):
    first, second = (make_view([painted], 3, 5) for _ in range(2))
    np.testing.assert_array_equal(first.features, second.features)
    assert first.features.shape[2] == FEATURES
    assert first.truth.shape == (*first.features.shape[:2], 2)
    assert not np.array_equal(first.truth, make_view([painted], 3, 6).truth)


def test_hues_of_hints_prior_and_truth_turn_together(painted):
    grey = np.full(painted.shape[:2], 150, dtype=np.uint8)
    view = assemble_view(grey, painted, simulate_people_hints(painted, 20, np.random.default_rng(0)))
    same = View(view.features, view.features[..., PRIOR])  # its truth is the prior
    features, truth = cut_crops([same] * 4, 64, np.random.default_rng(0))
    np.testing.assert_allclose(features[..., PRIOR], truth, atol=1e-5)
    lengths = [np.linalg.norm(features[..., pair], axis=-1).mean(axis=(1, 2)) for pair in COLOURS[:1]]
    assert np.ptp(lengths) > 0.01  # saturation is scaled


def test_region_hints_lie_in_their_region_and_are_mostly_right(painted):
    grey = np.full((150, 120), 0.7, dtype=np.float32)
    grey[74:76] = grey[:, 59:61] = 0
    hints = simulate_region_hints(grey, painted, np.random.default_rng(1))
    assert 1 <= len(hints) <= 4
    assert all(hint.confidence is not None for hint in hints)
    assert all(abs(hint.x - 0.5) > 0.1 and abs(hint.y - 0.5) > 0.1 for hint in hints)


def test_the_network_starts_as_its_prior_and_keeps_the_size():
    network = build_network(NetworkConfig(channels=(8, 8, 8, 8), heads=2))
    features = np.random.default_rng(0).random((1, 48, 32, FEATURES), dtype=np.float32)
    np.testing.assert_allclose(network(features).numpy(), features[..., PRIOR], atol=1e-6)


def test_the_loss_is_of_each_crop_and_least_at_the_truth():
    truth = np.random.default_rng(0).random((3, 16, 16, 2), dtype=np.float32)
    painted = truth.copy()
    painted[1] += 0.1
    painted[2, :, 8:] += 0.1
    same, shifted, stepped = measure_loss(painted, truth).numpy()
    assert same < 0.01 < stepped < shifted


def test_a_short_training_writes_log_curves_and_weights_and_goes_on(painted, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "build_network", lambda: build_network(NetworkConfig(channels=(8, 8, 8, 8), heads=2)))
    monkeypatch.setattr(training, "HELD_OUT", ("p",))
    settings = TrainingSettings(steps=3, batch=2, crop_px=64, pool=2, refresh_every=2, refresh=1, judge_every=2)
    train({"p": painted}, settings, tmp_path)
    record = json.loads((tmp_path / "training.json").read_text())
    assert [line["step"] for line in record["log"]] == [2, 3]
    assert {"loss", "gain_db_10", "gain_db_150"} <= record["log"][0].keys()
    assert (tmp_path / "curves.svg").read_text().startswith("<svg")
    load_weights(training.build_network(), tmp_path / "embedded.safetensors")
    train({"p": painted}, settings, tmp_path)  # nothing is left to do
    with pytest.raises(InputError, match="other settings or pages"):
        train({"q": painted}, settings, tmp_path)


def test_what_is_held_out_is_not_trained_on(painted, monkeypatch):
    monkeypatch.setattr(training, "HELD_OUT", ("b",))
    seen, held_out = _hold_out({"a": painted, "b": painted}, 1)
    assert [page.shape[0] for page in seen] == [300, 200]
    assert {len(views) for views in held_out.values()} == {1}
