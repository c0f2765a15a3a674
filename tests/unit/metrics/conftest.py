"""Folders of small pictures to compare."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def save():
    """Save a picture, or seeded noise of a size (width, height), under a path whose folders are made."""

    def write(path, what=0, size=(40, 30)):
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(what, int):
            what = np.random.default_rng(what).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(what).save(path)
        return what

    return write
