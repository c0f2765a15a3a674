"""CIEDE2000 against the paper's own pairs and scikit-image."""

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000

from workers.metrics.ciede2000 import delta_e2000, delta_e2000_of_grey

# From table 1 of Sharma, Wu & Dalal 2005: the pairs on which implementations go wrong.
PAIRS = [
    ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
    ((50, -1.1848, -84.8006), (50, 0, -82.7485), 1.0000),
    ((50, 0, 0), (50, -1, 2), 2.3669),
    ((50, 2.49, -0.001), (50, -2.49, 0.0009), 7.1792),
    ((50, 2.49, -0.001), (50, -2.49, 0.0011), 7.2195),
    ((50, -0.001, 2.49), (50, 0.0009, -2.49), 4.8045),
    ((50, 2.5, 0), (50, 0, -2.5), 4.3065),
    ((50, 2.5, 0), (73, 25, -18), 27.1492),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082),
]


@pytest.mark.parametrize(("first", "second", "expected"), PAIRS)
def test_the_papers_pairs_either_way_round(first, second, expected):
    pair = [np.array([lab], dtype=np.float32) for lab in (first, second)]
    assert delta_e2000(*pair)[0] == pytest.approx(expected, abs=2e-4)
    assert delta_e2000(*reversed(pair))[0] == pytest.approx(expected, abs=2e-4)


def test_everywhere_as_scikit_image():
    draw = np.random.default_rng(0)
    first, second = (
        np.stack([draw.uniform(0, 100, (60, 70)), *draw.uniform(-110, 110, (2, 60, 70))], axis=2).astype(np.float32)
        for _ in range(2)
    )
    second[:20] = first[:20] + draw.normal(0, 2, (20, 70, 3)).astype(np.float32)  # near ones too
    second[20:25, :, 1:] = 0  # and greys
    theirs = deltaE_ciede2000(first.astype(np.float64), second.astype(np.float64))
    np.testing.assert_allclose(delta_e2000(first, second), theirs, atol=1e-3)


def test_equal_pictures_differ_by_nothing():
    lab = np.random.default_rng(0).uniform(-100, 100, (30, 20, 3)).astype(np.float32)
    assert not delta_e2000(lab, lab).any()


def test_of_a_grey_picture_the_short_way_gives_the_same():
    draw = np.random.default_rng(0)
    grey = np.zeros((40, 50, 3), dtype=np.float32)
    grey[..., 0] = draw.uniform(0, 100, (40, 50))
    lab = np.stack([draw.uniform(0, 100, (40, 50)), *draw.uniform(-110, 110, (2, 40, 50))], axis=2).astype(np.float32)
    np.testing.assert_allclose(delta_e2000_of_grey(grey[..., 0], lab), delta_e2000(grey, lab), atol=1e-4)
