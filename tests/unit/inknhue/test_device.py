"""PyTorch's device is the one that was chosen."""

import pytest
import torch

from common.errors import ModelMissingError
from workers import device_choice
from workers.devices import pick_device


@pytest.mark.parametrize(("name", "device"), [("auto", "cuda:0"), ("cuda", "cuda:0"), ("cuda:1", "cuda:1")])
def test_a_gpu_is_picked(monkeypatch, name, device):
    monkeypatch.setattr(device_choice, "_chosen", name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert pick_device() == torch.device(device)


def test_cpu_does_not_even_ask_for_a_gpu(monkeypatch):
    monkeypatch.setattr(device_choice, "_chosen", "cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: pytest.fail("CUDA was asked"))
    assert pick_device() == torch.device("cpu")


def test_without_a_gpu_cuda_is_refused(monkeypatch):
    monkeypatch.setattr(device_choice, "_chosen", "cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelMissingError, match="sees 0 GPUs"):
        pick_device()
