"""TensorFlow sees the chosen GPU alone, and takes its memory as it needs it."""

import pytest
import tensorflow as tf

from workers import device_choice
from workers.s2p.device import set_up_tensorflow


@pytest.fixture
def seen(monkeypatch):
    calls = []
    monkeypatch.setattr(device_choice, "_chosen", "auto")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["first", "second"])
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda gpus, kind: calls.append((kind, gpus)))
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda gpu, on: calls.append((gpu, on)))
    set_up_tensorflow.cache_clear()
    yield calls
    set_up_tensorflow.cache_clear()


def test_the_chosen_gpu_is_seen_alone(seen):
    device_choice.choose_device("cuda:1")
    assert set_up_tensorflow() == "cuda:1"
    assert seen == [("GPU", ["second"]), ("second", True)]


def test_no_gpu_is_touched_for_cpu(seen):
    device_choice.choose_device("cpu")
    assert set_up_tensorflow() == "cpu"
    assert seen == [("GPU", [])]
