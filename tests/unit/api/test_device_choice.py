"""NURIE_DEVICE: which of the GPUs that a process sees is taken."""

import pytest

from common.errors import ModelMissingError
from workers import device_choice


@pytest.mark.parametrize(
    ("name", "gpus", "taken"),
    [
        ("auto", [], None),
        ("auto", ["a", "b"], "a"),
        ("cpu", ["a"], None),
        ("cuda", ["a", "b"], "a"),
        ("cuda:1", ["a", "b"], "b"),
    ],
)
def test_the_chosen_device_is_taken(monkeypatch, name, gpus, taken):
    monkeypatch.setattr(device_choice, "_chosen", name)
    assert device_choice.find_gpu(gpus) == taken


@pytest.mark.parametrize(("name", "gpus"), [("cuda", []), ("cuda:1", ["a"])])
def test_a_gpu_that_is_not_there_is_named(monkeypatch, name, gpus):
    monkeypatch.setattr(device_choice, "_chosen", "auto")
    device_choice.choose_device(name)
    with pytest.raises(ModelMissingError, match=f"NURIE_DEVICE={name}: this process sees {len(gpus)} GPUs"):
        device_choice.find_gpu(gpus)
