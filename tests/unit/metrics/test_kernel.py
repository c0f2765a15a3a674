"""KID and its standard error, against brute force and by what they should say."""

import numpy as np
import pytest

from workers.metrics.kernel import FeatureReservoir, kernel_distance


def draw(count, dimensions=16, seed=0, shift=0.0):
    return np.random.default_rng(seed).standard_normal((count, dimensions)) + shift


def kernel(x, y):
    return (x @ y / len(x) + 1) ** 3


def estimate(real, generated):
    m, n = len(real), len(generated)
    within_real = sum(kernel(real[i], real[j]) for i in range(m) for j in range(m) if i != j)
    within_generated = sum(kernel(generated[i], generated[j]) for i in range(n) for j in range(n) if i != j)
    between = sum(kernel(x, y) for x in real for y in generated)
    return within_real / (m * (m - 1)) + within_generated / (n * (n - 1)) - 2 * between / (m * n)


@pytest.mark.parametrize("counts", [(2, 2), (7, 7), (3, 9), (9, 4)])
def test_it_is_the_mean_over_all_pairs(counts):
    real, generated = draw(counts[0], seed=1), draw(counts[1], seed=2, shift=0.5)
    assert kernel_distance(real, generated).value == pytest.approx(estimate(real, generated), rel=1e-10)


def test_the_standard_error_is_that_of_leaving_each_out():
    real, generated = draw(6, seed=1), draw(8, seed=2, shift=0.5)
    variance = 0.0
    without_real = np.array([estimate(np.delete(real, i, 0), generated) for i in range(6)])
    without_generated = np.array([estimate(real, np.delete(generated, i, 0)) for i in range(8)])
    for left in (without_real, without_generated):
        variance += (len(left) - 1) / len(left) * ((left - left.mean()) ** 2).sum()
    assert kernel_distance(real, generated).standard_error == pytest.approx(variance**0.5, rel=1e-9)


def test_sets_of_one_kind_are_within_three_standard_errors_of_zero_and_others_far_outside():
    same = kernel_distance(draw(100, seed=1), draw(80, seed=2))
    assert abs(same.value) < 3 * same.standard_error
    other = kernel_distance(draw(100, seed=1), draw(80, seed=2, shift=1.0))
    assert other.value > 10 * other.standard_error


def test_the_standard_error_is_the_spread_of_repeated_draws():
    drawn = [kernel_distance(draw(40, seed=n), draw(40, seed=1000 + n, shift=0.5)) for n in range(200)]
    spread = np.std([one.value for one in drawn])
    assert np.mean([one.standard_error for one in drawn]) == pytest.approx(spread, rel=0.25)


def test_too_few_pictures_have_no_distance_or_no_standard_error():
    assert kernel_distance(draw(1), draw(5)) is None
    assert kernel_distance(draw(5), np.zeros((0, 0))) is None
    assert kernel_distance(draw(2), draw(5)).standard_error is None
    assert kernel_distance(draw(3), draw(3)).standard_error > 0


def test_a_reservoir_keeps_all_until_it_is_full_and_then_a_bounded_sample():
    reservoir = FeatureReservoir(size=10)
    assert reservoir.features.shape == (0, 0)
    features = np.arange(100, dtype=np.float32)[:, None]
    reservoir.add(features[:10])
    np.testing.assert_array_equal(reservoir.features, features[:10])
    reservoir.add(features[10:])
    kept = reservoir.features[:, 0]
    assert len(set(kept)) == len(kept) == 10
    assert kept.max() >= 10


def test_a_reservoir_keeps_the_same_whatever_the_batches():
    features, kept = draw(100, 2), []
    for batch in (1, 7, 100):
        reservoir = FeatureReservoir(size=10, seed=3)
        for start in range(0, 100, batch):
            reservoir.add(features[start : start + batch])
        kept.append(reservoir.features)
    np.testing.assert_array_equal(kept[0], kept[1])
    np.testing.assert_array_equal(kept[0], kept[2])


def test_a_reservoir_keeps_each_with_the_same_chance():
    counts = np.zeros(20)
    for seed in range(2000):
        reservoir = FeatureReservoir(size=5, seed=seed)
        reservoir.add(np.arange(20, dtype=np.float32)[:, None])
        counts[reservoir.features[:, 0].astype(int)] += 1
    assert np.abs(counts / 2000 - 0.25).max() < 0.05
