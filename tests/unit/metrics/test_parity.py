"""PSNR and SSIM against expected figures (tests/golden/metrics)."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from workers.metrics.score import score_page

GOLDEN = Path(__file__).parents[2] / "golden" / "metrics"
EXPECTED = json.loads((GOLDEN / "expected.json").read_text())


def score(name):
    real, output = (np.asarray(Image.open(GOLDEN / side / f"{name}.png").convert("RGB")) for side in ("real", "output"))
    return score_page(output, real, None).final


@pytest.mark.parametrize("name", ["1", "2", "3"])
def test_psnr_and_ssim_are_as_expected(name):
    figures = score(name)
    assert figures.psnr_db == pytest.approx(EXPECTED[name]["psnr"], rel=1e-6)
    assert figures.ssim == pytest.approx(EXPECTED[name]["ssim"], rel=1e-6)


def test_mean_psnr_is_as_expected():
    assert np.mean([score(name).psnr_db for name in "123"]) == pytest.approx(EXPECTED["mean_psnr"], rel=1e-6)
