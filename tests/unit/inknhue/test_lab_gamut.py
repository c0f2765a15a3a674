"""common.lab: colours outside sRGB lose chroma and neither lightness nor hue."""

import numpy as np

from common.lab import lab_to_rgb, lab_to_rgb_keep_lightness, rgb_to_lab


def random_lab():
    rng = np.random.default_rng(0)
    return np.dstack([rng.uniform(0, 100, (200, 300)), rng.normal(0, 50, (200, 300, 2))]).astype(np.float32)


def test_lightness_stays_where_clipping_would_move_it():
    lab = random_lab()
    gap = np.abs(rgb_to_lab(lab_to_rgb_keep_lightness(lab))[..., 0] - lab[..., 0])
    assert gap.mean() < 0.2
    assert gap.max() < 0.6
    assert np.abs(rgb_to_lab(lab_to_rgb(lab))[..., 0] - lab[..., 0]).max() > 5


def test_hue_stays():
    lab = random_lab()
    out = rgb_to_lab(lab_to_rgb_keep_lightness(lab))
    strong = np.hypot(out[..., 1], out[..., 2]) > 20
    turn = np.arctan2(out[..., 2], out[..., 1]) - np.arctan2(lab[..., 2], lab[..., 1])
    turn = np.abs((turn + np.pi) % (2 * np.pi) - np.pi)[strong]
    assert np.degrees(turn.max()) < 4


def test_colours_of_srgb_come_back_as_they_were():
    levels = np.linspace(0, 255, 33).astype(np.uint8)
    rgb = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(33, -1, 3)
    assert np.abs(lab_to_rgb_keep_lightness(rgb_to_lab(rgb)).astype(int) - rgb).max() <= 1


def test_white_and_black_take_no_colour():
    lab = np.array([[[100, 30, 40], [0, 30, -40]]], dtype=np.float32)
    np.testing.assert_allclose(lab_to_rgb_keep_lightness(lab)[0], [[255] * 3, [0] * 3], atol=3)
