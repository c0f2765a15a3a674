"""Training the embedded autoencoder: roughs, views, losses, and a run short enough for a test."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from common.errors import InputError, ModelMissingError
from common.lab import lab_to_rgb, rgb_to_lab
from workers.inknhue import training
from workers.inknhue.colour import grey_to_lab, lab_to_network
from workers.inknhue.losses import PatchDiscriminator, hinge_loss, measure_loss, to_lab
from workers.inknhue.losses import lab_to_rgb as tensor_to_rgb
from workers.inknhue.network import Autoencoder, AutoencoderConfig
from workers.inknhue.roughs import SATURATION, simulate_rough
from workers.inknhue.training import TrainingSettings, train
from workers.inknhue.views import assemble_view, cut_crops, load_view, make_view, oversaturate, save_view
from workers.training_run import split_pages

SMALL = AutoencoderConfig(channels=8, multipliers=(1, 2, 2), blocks=1, z_channels=4, embed_channels=4, groups=4)


@pytest.fixture(scope="module")
def painted():
    """A page of four flat colours parted by ink, (300, 240, 3)."""
    lab = np.full((300, 240, 3), (70, 0, 0), dtype=np.float32)
    lab[:150, :120, 1:], lab[:150, 120:, 1:], lab[150:, :120, 1:] = (30, 20), (-30, 10), (5, -35)
    lab[148:152] = lab[:, 118:122] = (0, 0, 0)
    return lab_to_rgb(lab)


@pytest.fixture(scope="module")
def grey(painted):
    return np.ascontiguousarray(painted[..., 1])


def test_a_rough_has_the_pages_lightness_and_colours_that_are_wrong_and_too_strong(painted, grey):
    truth = rgb_to_lab(painted)
    errors, strengths = [], []
    for seed in range(12):
        rough = simulate_rough(truth, grey, np.random.default_rng(seed))
        np.testing.assert_allclose(rough[..., 0], grey_to_lab(grey)[..., 0], atol=1e-3)
        errors.append(np.linalg.norm((rough - truth)[..., 1:], axis=2).mean())
        strengths.append(np.linalg.norm(rough[..., 1:], axis=2).max() / np.linalg.norm(truth[..., 1:], axis=2).max())
    assert min(errors) > 0.5
    assert SATURATION[0] * 0.8 < np.median(strengths) < SATURATION[1]
    again = simulate_rough(truth, grey, np.random.default_rng(3))
    np.testing.assert_array_equal(again, simulate_rough(truth, grey, np.random.default_rng(3)))


def test_a_view_is_the_same_for_the_same_seed_and_number(painted):
    first, second = (make_view([painted], [], 3, 5) for _ in range(2))
    np.testing.assert_array_equal(first.rough_lab, second.rough_lab)
    assert first.truth_lab.shape == first.rough_lab.shape == (*first.shaded.shape, 3)
    assert not np.array_equal(first.rough_lab, make_view([painted], [], 3, 6).rough_lab)


def test_a_painters_rough_comes_back_from_its_file_and_too_strong_where_it_is_trained_on(painted, grey, tmp_path):
    view = assemble_view(grey, painted, painted)
    save_view(view, tmp_path / "0.npz")
    np.testing.assert_array_equal(load_view(tmp_path / "0.npz").rough_lab, view.rough_lab)
    strong = oversaturate(view, np.random.default_rng(0)).rough_lab.astype(np.float32)
    ratio = np.linalg.norm(strong[..., 1:]) / np.linalg.norm(view.rough_lab.astype(np.float32)[..., 1:])
    assert SATURATION[0] <= ratio <= SATURATION[1] + 0.01


def test_hues_of_rough_and_truth_turn_together(painted, grey):
    view = assemble_view(grey, painted, painted)
    shaded, rough, truth = cut_crops([view] * 6, 64, np.random.default_rng(0))
    assert shaded.shape == rough.shape == truth.shape == (6, 3, 64, 64)
    np.testing.assert_allclose(rough, truth, atol=1e-6)
    assert (shaded[:, 1:] == 0).all()
    assert np.ptp([np.linalg.norm(crop[1:]) for crop in truth]) > 0.01


def test_a_crop_larger_than_its_view_is_filled_up(painted, grey):
    small = replace(assemble_view(grey, painted, painted))
    small = replace(small, shaded=small.shaded[:40], rough_lab=small.rough_lab[:40], truth_lab=small.truth_lab[:40])
    assert cut_crops([small], 64, np.random.default_rng(0))[0].shape == (1, 3, 64, 64)


def test_tensors_become_rgb_as_arrays_do(painted):
    tensor = torch.from_numpy(lab_to_network(rgb_to_lab(painted)))[None]
    rgb = tensor_to_rgb(to_lab(tensor))[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(rgb - painted).max() < 1


def test_the_loss_is_of_each_picture_and_least_at_the_truth():
    truth = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0)) - 0.5
    picture = truth.clone()
    picture[1, 1] += 0.2
    picture[2, 1, :, 8:] += 0.2
    same, shifted, stepped = measure_loss(picture, truth).tolist()
    assert same < 0.05 < stepped < shifted
    picture.requires_grad_(True)
    measure_loss(picture, truth).sum().backward()
    assert torch.isfinite(picture.grad).all()


def test_the_discriminator_sees_page_and_picture_patch_by_patch():
    torch.manual_seed(0)
    shaded, picture = torch.rand(2, 3, 64, 64), torch.rand(2, 3, 64, 64)
    said = PatchDiscriminator()(shaded, picture)
    assert said.shape == (2, 1, 8, 8)
    assert hinge_loss(torch.full((1,), 2.0), torch.full((1,), -2.0)) == 0
    assert hinge_loss(torch.full((1,), -1.0), torch.full((1,), 1.0)) == 4


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(training, "build_embedded", lambda: Autoencoder(SMALL))
    monkeypatch.setattr(training, "HELD_OUT", ("p",))
    return TrainingSettings(
        steps=3, batch=2, crop_px=64, pool=2, refresh_every=2, refresh=1, judge_every=2, painter_roughs=0
    )


def test_a_short_training_writes_log_curves_and_weights_and_goes_on(painted, tmp_path, short):
    train({"p": painted}, short, tmp_path)
    record = json.loads((tmp_path / "training.json").read_text())
    assert [line["step"] for line in record["log"]] == [2, 3]
    assert {"loss", "chroma_simulated"} <= record["log"][0].keys()
    assert (tmp_path / "curves.svg").read_text().startswith("<svg")
    assert (tmp_path / "embedded.safetensors").stat().st_size > 10_000
    train({"p": painted}, short, tmp_path)  # nothing is left to do
    assert json.loads((tmp_path / "training.json").read_text())["log"] == record["log"]
    with pytest.raises(InputError, match="other settings or pages"):
        train({"q": painted}, short, tmp_path)


def test_a_training_that_was_stopped_goes_on_from_its_checkpoint(painted, tmp_path, short, monkeypatch):
    step, taken = training.Trainer.train, []

    def count(trainer, crops):
        taken.append(trainer.step)
        if len(taken) == 3:
            raise KeyboardInterrupt
        return step(trainer, crops)

    monkeypatch.setattr(training.Trainer, "train", count)
    with pytest.raises(KeyboardInterrupt):
        train({"p": painted}, short, tmp_path)
    assert not (tmp_path / "embedded.safetensors").exists()
    train({"p": painted}, short, tmp_path)
    assert taken == [0, 1, 2, 2]
    assert (tmp_path / "embedded.safetensors").exists()


def test_the_averaged_weights_follow_and_carry_no_gradients(painted, grey, short):
    trainer = training.Trainer(short)
    before = [weight.clone() for weight in trainer.averaged.parameters()]
    view = assemble_view(grey, painted, painted)
    trainer.train(cut_crops([view] * 2, 64, np.random.default_rng(0)))
    assert not any(weight.requires_grad for weight in trainer.averaged.parameters())
    assert any(not torch.equal(old, new) for old, new in zip(before, trainer.averaged.parameters(), strict=True))


def test_painters_roughs_want_the_s2p_environment_and_say_so(painted, tmp_path, short, monkeypatch):
    monkeypatch.setattr(training, "S2P_PYTHON", tmp_path / "none")
    with pytest.raises(ModelMissingError, match="run make setup"):
        train({"p": painted}, replace(short, painter_roughs=1), tmp_path / "out")


def test_what_is_held_out_is_not_trained_on(painted):
    seen, unseen = split_pages({"a": painted, "b": painted}, ("b",))
    assert [page.shape[0] for page in seen] == [300, 200]
    assert [page.shape[0] for page in unseen] == [100]
