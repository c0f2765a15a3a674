"""Small drawn pages, and a generator taught on one of them once for all tests."""

import cv2
import numpy as np
import pytest
import torch

from workers.cgan import crops, training
from workers.cgan.model import train_reference
from workers.cgan.training import TrainingSettings

ORANGE = (230, 140, 60)
BLUE = (70, 90, 170)


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    # Many threads on tiny pictures spend their time waiting for each other.
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


@pytest.fixture(scope="session", autouse=True)
def small_batches():
    # Two flat colours are learned from a few crops as well.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "BATCH", 4)
        patch.setattr(crops, "HELD_OUT_CROPS", 4)
        yield


@pytest.fixture(scope="session")
def two_tone_page():
    """(160, 160, 3) uint8: light orange and dark blue shapes on white, with black outlines."""
    page = np.full((160, 160, 3), 255, dtype=np.uint8)
    cv2.rectangle(page, (12, 12), (148, 70), ORANGE, cv2.FILLED)
    cv2.rectangle(page, (12, 90), (148, 148), BLUE, cv2.FILLED)
    cv2.rectangle(page, (12, 12), (148, 70), (0, 0, 0), 2)
    cv2.rectangle(page, (12, 90), (148, 148), (0, 0, 0), 2)
    return page


@pytest.fixture(scope="session")
def model(two_tone_page, small_batches):
    return train_reference([two_tone_page], TrainingSettings(epochs=30, seed=1), lambda progress: None)


@pytest.fixture
def to_grey():
    def convert(page_rgb):
        grey = cv2.cvtColor(page_rgb, cv2.COLOR_RGB2GRAY)
        return np.repeat(grey[..., None], 3, axis=2)

    return convert
