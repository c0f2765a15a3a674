"""NURIE_DEVICE: which of the GPUs that a process sees is taken."""

import argparse

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


def test_a_command_chooses_by_its_option_else_by_the_environment(monkeypatch):
    monkeypatch.setattr(device_choice, "_chosen", "auto")
    monkeypatch.setenv("NURIE_DEVICE", "cuda:1")

    def read(*arguments):
        parser = argparse.ArgumentParser()
        device_choice.add_option(parser)
        parser.parse_args(arguments)
        return device_choice.chosen_device()

    assert read() == "cuda:1"
    assert read("--device", "cpu") == "cpu"
    monkeypatch.delenv("NURIE_DEVICE")
    assert read() == "auto"
    with pytest.raises(SystemExit):
        read("--device", "gpu")
