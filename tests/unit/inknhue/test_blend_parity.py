"""The λ blend against what the original computes (tests/golden/blend)."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.lab import lab_to_rgb, rgb_to_lab
from workers.inknhue.blend import blend_lab

GOLDEN = Path(__file__).parents[2] / "golden" / "blend"


def read(name):
    return np.asarray(Image.open(GOLDEN / name).convert("RGB"))


@pytest.mark.parametrize("percent", [0, 35, 80, 100])
def test_blend_is_the_originals_within_one_level(percent):
    blended = lab_to_rgb(blend_lab(rgb_to_lab(read("aligned.png")), rgb_to_lab(read("rough.png")), percent / 100))
    gap = np.abs(blended.astype(int) - read(f"blended_{percent:03d}.png"))
    assert gap.max() <= 1
