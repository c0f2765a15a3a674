import copy
import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from common.errors import BadImageError, CancelledError, ModelMissingError, TrainingFailedError
from common.lab import page_lightness, rgb_to_lab
from workers.cgan import training
from workers.cgan.crops import Crops, CropSampler
from workers.cgan.model import train_reference
from workers.cgan.original import network as original
from workers.cgan.progress import prepare_each
from workers.cgan.reading import read_page
from workers.cgan.reference import grey_lightness
from workers.cgan.shading import measure_shading
from workers.cgan.training import TrainingSettings
from workers.cgan.weights import load_model, save_model


def ignore_progress(progress):
    pass


def test_a_taught_generator_halves_the_chroma_error_of_grey(two_tone_page, model, to_grey):
    lightness = page_lightness(to_grey(two_tone_page))
    reading = read_page(lightness, model.generator)
    predicted = cv2.resize(reading.chroma, lightness.shape[::-1])
    truth = rgb_to_lab(two_tone_page)[..., 1:]
    error = np.linalg.norm(predicted - truth, axis=2).mean()
    grey_error = np.linalg.norm(truth, axis=2).mean()
    assert error < 0.5 * grey_error


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(two_tone_page):
    def train(seed):
        return save_model(train_reference([two_tone_page], TrainingSettings(1, seed), ignore_progress))

    assert train(5) == train(5)
    assert train(5) != train(6)


def test_training_leaves_the_random_state_of_its_caller_alone(two_tone_page):
    before = torch.random.get_rng_state()
    train_reference([two_tone_page], TrainingSettings(1, 0), ignore_progress)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_progress_is_told_from_the_start_to_the_last_epoch(two_tone_page):
    seen = []
    train_reference([two_tone_page], TrainingSettings(2, 0), seen.append)
    assert (seen[0].epoch, seen[-1].epoch, seen[-1].epochs) == (0, 2, 2)
    assert all(math.isfinite(loss) for loss in seen[-1].losses.values())
    assert {"chroma", "adversarial", "discriminator"} <= seen[-1].losses.keys()


def test_progress_can_cancel(two_tone_page):
    def cancel(progress):
        raise CancelledError("job 1 was cancelled")

    with pytest.raises(CancelledError):
        train_reference([two_tone_page], TrainingSettings(1000, 0), cancel)


def test_a_training_on_many_references_can_be_cancelled_while_it_prepares_each(two_tone_page):
    told = []

    def cancel_before_the_third(progress):
        told.append(progress)
        if len(told) == 3:
            raise CancelledError("job 1 was cancelled")

    with pytest.raises(CancelledError):
        measure_shading(prepare_each([two_tone_page] * 9, 100, cancel_before_the_third))
    told.clear()
    with pytest.raises(CancelledError):
        CropSampler(prepare_each([two_tone_page] * 9, 100, cancel_before_the_third), 0)


def test_a_training_under_way_can_be_cancelled_between_any_two_steps(two_tone_page, monkeypatch):
    monkeypatch.setattr(training, "PROGRESS_EVERY_S", 0.0)
    epochs = []

    def cancel(progress):
        epochs.append(progress.epoch)
        if progress.epoch == 2:
            raise CancelledError("job 1 was cancelled")

    with pytest.raises(CancelledError):
        train_reference([two_tone_page], TrainingSettings(1000, 0), cancel)
    assert epochs[-1] == 2


def test_progress_is_told_within_a_long_epoch(two_tone_page, monkeypatch):
    monkeypatch.setattr(training, "PROGRESS_EVERY_S", 0.0)
    seen = []
    train_reference([two_tone_page], TrainingSettings(1, 0), seen.append)
    prepared, end = 2, 1
    assert len(seen) == prepared + training.STEPS_PER_EPOCH + end


def test_a_loss_that_is_not_a_number_fails_the_training(two_tone_page, monkeypatch):
    monkeypatch.setattr(
        training.CropSampler,
        "draw_batch",
        lambda self, count: Crops(
            np.full((count, 1, 128, 128), np.nan, np.float32),
            np.zeros((count, 2, 64, 64), np.float32),
            np.ones((count, 1, 64, 64), np.float32),
        ),
    )
    with pytest.raises(TrainingFailedError, match="nan"):
        train_reference([two_tone_page], TrainingSettings(1, 0), ignore_progress)


def test_a_grey_reference_is_refused_by_its_number(two_tone_page, to_grey):
    with pytest.raises(BadImageError, match=r"reference 2 .*no colour"):
        train_reference([two_tone_page, to_grey(two_tone_page)], TrainingSettings(1, 0), ignore_progress)


def test_no_reference_is_refused():
    with pytest.raises(BadImageError, match="no reference"):
        train_reference([], TrainingSettings(1, 0), ignore_progress)


def test_references_of_odd_sizes_can_be_learned_from():
    strip = np.zeros((3000, 2, 3), dtype=np.uint8)
    strip[...] = (200, 60, 20)
    strip[::2] = (20, 60, 200)
    dot = strip[:2, :1].copy()
    train_reference([strip, dot], TrainingSettings(1, 0), ignore_progress)


def test_a_saved_model_predicts_the_same_when_loaded(model):
    lightness = np.tile(np.linspace(0, 100, 96, dtype=np.float32), (96, 1))
    loaded = load_model(save_model(model))
    assert not loaded.generator.training
    one, other = (read_page(lightness, each.generator) for each in (model, loaded))
    assert np.array_equal(one.chroma, other.chroma)
    assert np.array_equal(one.confidence, other.confidence)


def test_a_saved_original_is_loaded_as_what_it_is():
    generator = original.Generator(original.OriginalConfig((2, 2, 2, 2, 2))).eval()
    loaded = load_model(save_model(generator))
    grey = torch.rand(1, 1, 128, 128)
    assert isinstance(loaded, original.Generator)
    assert not loaded.training
    assert torch.equal(loaded(grey), generator(grey))


def swap(data, one, other):
    return data.replace(one, b"~" * len(one)).replace(other, one).replace(b"~" * len(one), other)


DAMAGES = {
    "empty": lambda data: b"",
    "too short": lambda data: data[:7],
    "half": lambda data: data[: len(data) // 2],
    "shifted": lambda data: b"\x80\x04" + data,
    "foreign": lambda data: data.replace(b"nurie-cgan", b"other-cgan", 1),
    "another configuration": lambda data: data.replace(b"chroma_scale", b"chroma_sca1e", 1),
    "another preset": lambda data: data.replace(b"default", b"defau1t", 1),
    "not a number": lambda data: data[:-4] + np.float32(np.nan).tobytes(),
    "one bit": lambda data: data[:-9] + bytes([data[-9] ^ 1]) + data[-8:],
    "tensors that have changed places": lambda data: swap(data, b"middle.0.second.bias", b"middle.1.second.bias"),
    "a deep header": lambda data: data[:8] + (b"[" * int.from_bytes(data[:8], "little")) + data[8:],
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_or_foreign_model_is_refused(model, damage):
    with pytest.raises(ModelMissingError):
        load_model(damage(save_model(model)))


@pytest.mark.parametrize(
    "config",
    [
        {"widths": (10**6, 1)},
        {"widths": ()},
        {"widths": (64, math.inf)},
        {"waves": -1},
        {"chroma_scale": math.nan},
        {"chroma_scale": -40.0},
    ],
    ids=str,
)
def test_a_whole_file_with_a_configuration_that_makes_no_sense_is_refused(model, config):
    generator = copy.copy(model.generator)
    generator.config = replace(generator.config, **config)
    with pytest.raises(ModelMissingError, match="configuration"):
        load_model(save_model(replace(model, generator=generator)))


@pytest.mark.parametrize("steps", [1, 2, 5, 10, 11, 500])
def test_the_learning_rate_rises_and_falls_for_any_length(steps):
    shares = [training.rate_share(step, steps) for step in range(steps)]
    assert all(0 < share <= 1 for share in shares)
    assert max(shares) == 1
    assert steps < 10 or shares[-1] < 0.2


def test_lightness_is_taught_as_a_grey_page_shows_it():
    blue = np.full((300, 300, 3), (0, 0, 255), dtype=np.uint8)
    blue[:150] = (255, 255, 0)
    crops = CropSampler([blue], 0).held_out
    shown = grey_lightness(blue)
    assert np.abs(crops.lightness.max() - shown.max()) < 1
    assert np.abs(crops.lightness.min() - shown.min()) < 1


def test_held_out_cells_weigh_nothing_in_training_and_alone_in_judging(two_tone_page):
    sampler = CropSampler([two_tone_page], 0)
    drawn, held_out = sampler.draw_batch(64), sampler.held_out
    assert 0.9 < drawn.weight.mean() < 1
    assert drawn.weight.min() == 0
    assert 0 < held_out.weight.mean() < 0.3
    assert (held_out.weight.reshape(len(held_out.weight), -1).max(axis=1) == 1).all()


def test_a_training_that_gets_no_better_ends_early(two_tone_page, monkeypatch):
    monkeypatch.setattr(training, "MIN_PATIENCE_STEPS", 4)
    monkeypatch.setattr(training, "PATIENCE", 0.01)
    monkeypatch.setattr(training, "LEARNING_RATE", 0.0)
    monkeypatch.setattr(training, "MUON_LEARNING_RATE", 0.0)
    seen = []
    train_reference([two_tone_page], TrainingSettings(200, 0), seen.append)
    assert seen[-2].epoch < 60


def test_muon_steps_the_weights_themselves():
    generator = training.Generator().to(memory_format=torch.channels_last)
    pairs = training._view_as_matrices(generator)
    assert len(pairs) > 10
    for weight, matrix in pairs:
        assert matrix.data_ptr() == weight.data_ptr()
        matrix.data.fill_(0.5)
        assert (weight == 0.5).all()


def test_several_references_are_all_learned_from(two_tone_page):
    other = two_tone_page[..., ::-1].copy()
    alone, both = CropSampler([two_tone_page], 0).draw_batch(64), CropSampler([two_tone_page, other], 0).draw_batch(64)
    assert alone.chroma.mean(axis=(0, 2, 3)) != pytest.approx(both.chroma.mean(axis=(0, 2, 3)), abs=1)
