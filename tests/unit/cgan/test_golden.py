"""The golden page tells a network that reads wrongly, and a training that learns nonsense, from rounding."""

import pytest
import torch

from workers.cgan import crops, golden, reading, training


@pytest.fixture(autouse=True)
def batches_as_in_earnest(monkeypatch, small_batches):
    monkeypatch.setattr(training, "BATCH", 16)
    monkeypatch.setattr(crops, "HELD_OUT_CROPS", 16)


@pytest.fixture
def spoil(monkeypatch):
    """Have both networks changed."""

    def change_both(change):
        for name in ("seed_network", "teach_network"):
            make = getattr(golden, name)
            monkeypatch.setattr(golden, name, lambda make=make: _change(make(), change))

    return change_both


def _change(network, change):
    torch.manual_seed(1)
    for tensor in network.state_dict().values():
        tensor.copy_(change(tensor))
    return network


def test_known_networks_pass_in_float32_and_in_bf16(monkeypatch):
    assert all(check.share < 0.1 for check in golden.check_networks())
    for module in (reading, training):
        monkeypatch.setattr(module, "autocast", lambda device=None: torch.autocast("cpu", torch.bfloat16))
    assert all(check.share < 0.6 for check in golden.check_networks())


def test_weights_with_noise_fail(spoil):
    spoil(lambda weights: weights + 0.03 * torch.randn_like(weights) * weights.std())
    assert not golden.check_networks()[0].passed


@pytest.mark.parametrize("change", [torch.zeros_like, lambda weights: -weights], ids=["zeros", "turned"])
def test_other_weights_fail_in_both(spoil, change):
    spoil(change)
    assert not any(check.passed for check in golden.check_networks())


def test_swapped_channels_fail(monkeypatch):
    read = golden.read_golden
    monkeypatch.setattr(golden, "read_golden", lambda network: read(network)[..., ::-1])
    assert not any(check.passed for check in golden.check_networks())
