import math

import numpy as np
import pytest
import torch

from common.errors import BadImageError, CancelledError, TrainingFailedError
from workers.cgan.original import training
from workers.cgan.original.network import OriginalConfig
from workers.cgan.original.thumbnail import make_thumbnail
from workers.cgan.original.training import draw_batch, train_original

NARROW = OriginalConfig(widths=(2, 2, 2, 2, 2))


def ignore_progress(progress):
    pass


def train(page, epochs=1, seed=0, on_progress=ignore_progress):
    return train_original([page], epochs, seed, on_progress, NARROW)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(two_tone_page):
    states = []
    for seed in (5, 5, 6):
        torch.rand(1)  # what the caller draws meanwhile changes nothing
        states.append(train(two_tone_page, seed=seed).state_dict())
    first, again, other = states
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_a_longer_training_comes_nearer_to_the_reference(two_tone_page, monkeypatch):
    monkeypatch.setattr(training, "LEARNING_RATE", 2e-2)
    seen = {}
    for epochs in (1, 20):
        train(two_tone_page, epochs, on_progress=lambda progress, epochs=epochs: seen.update({epochs: progress.losses}))
    assert seen[20]["l1"] < 0.6 * seen[1]["l1"]


def test_the_generator_is_ready_for_use_and_carries_no_hooks(two_tone_page):
    generator = train(two_tone_page)
    assert not generator.training
    assert not any(module._forward_hooks for module in generator.modules())


def test_training_leaves_the_random_state_of_its_caller_alone(two_tone_page):
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    train(two_tone_page)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_progress_is_told_at_the_start_and_at_the_end(two_tone_page):
    seen = []
    train(two_tone_page, epochs=2, on_progress=seen.append)
    assert (seen[0].epoch, seen[-1].epoch, seen[-1].epochs) == (0, 2, 2)
    assert seen[-1].losses.keys() == {"l1", "adversarial", "discriminator"}
    assert all(math.isfinite(loss) for loss in seen[-1].losses.values())


def test_a_training_can_be_cancelled_before_its_networks_are_made(two_tone_page, monkeypatch):
    def cancel(progress):
        raise CancelledError("job 1 was cancelled")

    monkeypatch.setattr(training, "Generator", None)
    with pytest.raises(CancelledError):
        train(two_tone_page, on_progress=cancel)


def test_progress_is_told_many_times_within_an_epoch(two_tone_page, monkeypatch):
    monkeypatch.setattr(training, "PROGRESS_EVERY_S", 0.0)
    seen = []
    train(two_tone_page, on_progress=seen.append)
    # 23 convolutions of the generator and 10 of the judge, the latter thrice, each forward and most of them backward.
    assert sum(progress.epoch == 0 for progress in seen) > 80


def test_progress_is_not_told_more_than_once_a_second(two_tone_page, monkeypatch):
    seen = []
    monkeypatch.setattr(training.time, "monotonic", lambda: 100.0)
    train(two_tone_page, on_progress=seen.append)
    assert [progress.epoch for progress in seen] == [0, 1]


@pytest.mark.parametrize("number", [1, 10, 60, 100])
def test_progress_can_cancel_anywhere_in_an_epoch(two_tone_page, monkeypatch, number):
    monkeypatch.setattr(training, "PROGRESS_EVERY_S", 0.0)
    seen = []

    def cancel(progress):
        seen.append(progress)
        if len(seen) == number:
            raise CancelledError("job 1 was cancelled")

    with pytest.raises(CancelledError):
        train(two_tone_page, on_progress=cancel)
    assert len(seen) == number


@pytest.mark.parametrize(("spoilt", "name"), [(0, "discriminator"), (1, "l1")])
def test_a_loss_that_is_not_a_number_fails_the_training_by_its_name(two_tone_page, monkeypatch, spoilt, name):
    def draw_spoilt(*args):
        batch = list(draw_batch(*args))
        batch[spoilt] = torch.full_like(batch[spoilt], torch.nan)
        return batch

    monkeypatch.setattr(training, "draw_batch", draw_spoilt)
    if name == "l1":
        monkeypatch.setattr(training.Discriminator, "forward", lambda self, rgb, grey: self.to_score.bias.sigmoid())
    with pytest.raises(TrainingFailedError, match=f"the {name} loss became nan"):
        train(two_tone_page)


def test_a_grey_reference_is_refused(two_tone_page, to_grey):
    with pytest.raises(BadImageError, match="no colour"):
        train(to_grey(two_tone_page))


def test_copies_take_several_references_in_turn(two_tone_page):
    red, blue = np.full_like(two_tone_page, (255, 0, 0)), np.full_like(two_tone_page, (0, 0, 255))
    _, rgb = draw_batch([red, blue, red], 1, np.random.default_rng(0))
    # Copies 4 to 7 of three references: the second, the third, the first, the second.
    assert [copy[0].mean() > 0.5 for copy in rgb] == [False, True, True, False]


def test_copies_are_turned_and_flipped_and_their_grey_is_their_own(two_tone_page):
    page = two_tone_page.copy()
    page[:, 80:] = (200, 30, 30)
    grey, rgb = draw_batch([page], 0, np.random.default_rng(3))
    assert (grey.shape, rgb.shape) == ((4, 1, 128, 128), (4, 3, 128, 128))
    assert len({copy.numpy().tobytes() for copy in rgb}) == 4
    reds = rgb[:, 0] - rgb[:, 2]
    flipped = reds[:, :, :64].mean(dim=(1, 2)) > reds[:, :, 64:].mean(dim=(1, 2))
    assert 0 < flipped.sum() < 4
    assert torch.allclose(grey[:, 0], 0.299 * rgb[:, 0] + 0.587 * rgb[:, 1] + 0.114 * rgb[:, 2], atol=1e-6)


def test_a_turn_uncovers_no_black(two_tone_page):
    paper = np.full_like(two_tone_page, 255)
    _, rgb = draw_batch([paper], 0, np.random.default_rng(0))
    assert rgb.min() > 0.99


def test_a_thumbnail_stays_within_black_and_white():
    sharp = np.zeros((300, 200), dtype=np.uint8)
    sharp[:, 100:] = 255
    thumbnail = make_thumbnail(sharp)
    assert thumbnail.shape == (1, 128, 128)
    assert (float(thumbnail.min()), float(thumbnail.max())) == (0, 1)


def test_references_of_odd_sizes_can_be_learned_from():
    strip = np.zeros((3000, 2, 3), dtype=np.uint8)
    strip[...] = (200, 60, 20)
    strip[::2] = (20, 60, 200)
    train_original([strip, strip[:2, :1].copy()], 1, 0, ignore_progress, NARROW)
