"""SSIM and MS-SSIM, by hand and against the libraries that define them in practice."""

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from workers.metrics import structure


def flat(value, height=8, width=8):
    return np.full((height, width, 3), value, dtype=np.uint8)


def noise(seed=0, shape=(40, 50, 3)):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def pattern(height=192, width=208):
    """Two pictures that can be drawn anywhere: ramps and squares, and the same with a ripple."""
    rows, columns = np.mgrid[:height, :width]
    first = np.stack([rows * columns % 251, (3 * rows + columns) % 256, (rows // 8 + columns // 8) * 9 % 256], axis=2)
    ripple = (rows * 7 + columns * 13) % 41 - 20
    return first.astype(np.uint8), np.clip(first + ripple[..., None], 0, 255).astype(np.uint8)


def test_ssim_of_flat_pictures_by_hand_and_of_noise_as_scikit_image():
    constant = (0.01 * 255) ** 2
    expected = (2 * 100 * 150 + constant) / (100**2 + 150**2 + constant)
    assert structure.ssim(flat(100), flat(150)) == pytest.approx(expected)
    for first, second in ((noise(0), noise(1)), pattern()):
        theirs = structural_similarity(first, second, channel_axis=2, data_range=255)
        assert structure.ssim(first, second) == pytest.approx(theirs, rel=1e-6)


def test_ms_ssim_is_as_pytorch_msssim_computes_it():
    # pytorch-msssim 1.0.0, data_range 255, float64; it pads odd sides where we leave a row out, hence these sizes.
    assert structure.ms_ssim(*pattern()) == pytest.approx(0.9519753849701721, abs=1e-5)


def test_equal_pictures_are_alike_in_every_way():
    picture = noise(0, (180, 200, 3))
    assert structure.ssim(picture, picture) == pytest.approx(1, abs=1e-6)
    assert structure.ms_ssim(picture, picture) == pytest.approx(1, abs=1e-6)


def test_below_their_windows_both_are_unknown():
    assert structure.ssim(flat(1, 6, 40), flat(1, 6, 40)) is None
    side = structure.MS_SSIM_MIN_SIDE_PX
    assert structure.ms_ssim(flat(1, side - 1, side), flat(1, side - 1, side)) is None
    for height, width in ((side, side), (side, side + 15), (side + 7, side)):
        assert structure.ms_ssim(flat(1, height, width), flat(1, height, width)) == pytest.approx(1)


def test_strips_do_not_change_the_figures(monkeypatch):
    first, second = pattern()
    whole = structure.ssim(first, second), structure.ms_ssim(first, second)
    monkeypatch.setattr(structure, "_STRIP_PIXELS", 150)
    np.testing.assert_allclose((structure.ssim(first, second), structure.ms_ssim(first, second)), whole, rtol=1e-6)
