"""The Fréchet distance: as expected (tests/golden/metrics), as in closed form, and sound where covariances are not."""

import json
from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from workers.metrics.frechet import FeatureStatistics, frechet_distance

GOLDEN = Path(__file__).parents[2] / "golden" / "metrics"
ROUNDING = 1e-6


def measure(features, batch=None):
    statistics = FeatureStatistics()
    for start in range(0, len(features), batch or len(features)):
        statistics.add(features[start : start + (batch or len(features))])
    return statistics


def distance(real, generated):
    return frechet_distance(measure(real), measure(generated))


def draw(count, dimensions, seed=0, scale=1.0):
    return np.random.default_rng(seed).standard_normal((count, dimensions)) * scale


def test_it_is_as_expected():
    with np.load(GOLDEN / "activations.npz") as activations:
        real, generated = (activations[name] for name in activations.files)
    expected = json.loads((GOLDEN / "expected.json").read_text())["frechet"]
    assert distance(real, generated) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("batch", [1, 7, 100])
def test_order_and_batches_do_not_matter_even_far_from_zero(batch):
    features = draw(100, 5, scale=0.01) + 1000
    statistics = measure(features[np.random.default_rng(1).permutation(100)], batch)
    assert statistics.count == 100
    np.testing.assert_allclose(statistics.mean, features.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(statistics.covariance, np.cov(features, rowvar=False), rtol=1e-7, atol=1e-12)


def test_the_caller_keeps_its_features():
    features = draw(4, 3)
    before = features.copy()
    measure(features)
    np.testing.assert_array_equal(features, before)


def test_it_is_symmetric():
    first, second = draw(30, 8, 1), draw(20, 8, 2, 3.0)
    assert distance(first, second) == pytest.approx(distance(second, first), rel=1e-12)


@pytest.mark.parametrize("count", [2, 5, 40])
def test_equal_sets_are_at_no_distance_whatever_their_spectrum(count):
    features = draw(count, 20) * np.logspace(-9, 3, 20)
    assert 0 <= distance(features, features) <= ROUNDING
    assert 0 <= distance(features, features[::-1]) <= ROUNDING


def test_equal_sets_of_few_pictures_are_at_no_distance_in_2048_dimensions():
    features = np.abs(draw(10, 2048)).astype(np.float32)
    assert 0 <= distance(features, features[::-1]) <= ROUNDING


def test_a_shift_adds_its_square():
    first, second, shift = draw(30, 8, 1), draw(20, 8, 2), draw(1, 8, 3)[0] * 5
    # The means' own difference counts as well.
    apart = first.mean(axis=0) - second.mean(axis=0)
    expected = distance(first, second) - apart @ apart + (apart + shift) @ (apart + shift)
    assert distance(first + shift, second) == pytest.approx(expected, rel=1e-9)
    assert distance(first + shift, first) == pytest.approx(shift @ shift, rel=1e-9)


def test_independent_dimensions_add_the_squared_differences_of_their_deviations():
    # Rows ±e_i: the means are 0, and the covariance is diagonal.
    signs = np.concatenate([np.eye(6), -np.eye(6)])
    first, second = np.arange(1, 7), np.array([4, 1, 0, 2, 5, 5])
    unit = np.sqrt(2 / 11)  # the deviation of such a column
    expected = (unit**2 * (first - second) ** 2).sum()
    assert distance(signs * first, signs * second) == pytest.approx(expected, rel=1e-12)


def test_singular_covariances_agree_with_the_features_own_singular_values():
    real, generated = draw(12, 64, 1), draw(9, 64, 2, 2.0)
    centred = [(side - side.mean(axis=0)) / np.sqrt(len(side) - 1) for side in (real, generated)]
    shift = real.mean(axis=0) - generated.mean(axis=0)
    expected = shift @ shift + sum((side**2).sum() for side in centred)
    expected -= 2 * np.linalg.svd(centred[0] @ centred[1].T, compute_uv=False).sum()
    assert distance(real, generated) == pytest.approx(expected, rel=1e-9)


def test_sets_without_any_spread_are_as_far_as_their_means():
    assert distance(np.ones((3, 4)), np.full((2, 4), 3.0)) == pytest.approx(16)


def test_fewer_than_two_pictures_have_no_distance():
    with pytest.raises(InputError, match="2 pictures or more a side, not 1"):
        distance(draw(1, 3), draw(5, 3))
    with pytest.raises(InputError, match="not 0"):
        frechet_distance(measure(draw(5, 3)), FeatureStatistics())


def test_features_of_another_shape_are_refused():
    statistics = measure(draw(4, 3))
    statistics.add(np.zeros((0, 3)))
    assert statistics.count == 4
    with pytest.raises(ValueError, match=r"\(2, 4\), not \(n, 3\)"):
        statistics.add(draw(2, 4))
    with pytest.raises(ValueError, match="3 and of 4 dimensions"):
        frechet_distance(statistics, measure(draw(4, 4)))
