"""The golden page tells a network that fits colours wrongly from one that only rounds otherwise."""

import contextlib

import numpy as np
import pytest
import torch

from workers import devices
from workers.inknhue import golden, tasks
from workers.inknhue.aligner import Aligner, open_embedded
from workers.inknhue.weights import load_embedded


@pytest.fixture(scope="module")
def aligner():
    return open_embedded()


def changed(change):
    """Our own network, its weights changed."""
    network = load_embedded()
    torch.manual_seed(1)
    for tensor in network.state_dict().values():
        tensor.copy_(change(tensor))
    return Aligner(network, "changed")


def passes(checks):
    return all(check.passed for check in checks)


def add_noise(weights):
    spread = weights.std() if weights.numel() > 1 else weights.abs()
    return weights + 0.02 * torch.randn_like(weights) * spread


@pytest.mark.parametrize(
    "precision",
    [contextlib.nullcontext(), torch.autocast("cpu", torch.bfloat16), torch.autocast("cpu", torch.float16)],
    ids=["float32", "bf16", "fp16"],
)
def test_our_own_weights_pass_in_every_precision(aligner, monkeypatch, precision):
    monkeypatch.setattr(devices, "autocast", lambda device=None: precision)
    (check,) = golden.check_embedded(aligner)
    assert check.share < 0.75, check.said


@pytest.mark.parametrize(
    "change", [add_noise, torch.zeros_like, lambda weights: weights * torch.nan], ids=["noise", "zeros", "no-numbers"]
)
@pytest.mark.filterwarnings("ignore:invalid value encountered")
def test_other_weights_fail(change):
    assert not passes(golden.check_embedded(changed(change)))


def test_swapped_channels_fail(aligner, monkeypatch):
    right = golden.paint_golden(aligner)
    monkeypatch.setattr(golden, "paint_golden", lambda _: right[..., ::-1])
    assert not passes(golden.check_embedded(aligner))


@pytest.mark.filterwarnings("ignore:invalid value encountered")
def test_official_networks_are_looked_at_for_what_all_must_do(aligner):
    # Our own network stands for them: the rules must let a good picture of unknown weights pass.
    assert passes(golden.check_official(aligner))
    for spoil in (torch.zeros_like, lambda weights: weights * torch.nan):
        assert not passes(golden.check_official(changed(spoil)))


def test_a_warm_up_does_the_golden_page_of_what_is_loaded(monkeypatch):
    assert passes(tasks.warm_up())
    monkeypatch.setattr(golden, "read_expected", lambda: np.zeros((128, 96, 3), dtype=np.uint8))
    assert not passes(tasks.warm_up())
