"""Bootstrap intervals where the answer is known."""

import numpy as np
import pytest

from workers.metrics.intervals import mean_interval, ratio_interval


def test_the_interval_of_a_mean_is_that_of_a_normal_one():
    values = np.random.default_rng(0).normal(10, 2, 400)
    low, high = mean_interval(list(values))
    error = values.std(ddof=1) / 20
    assert (low, high) == pytest.approx((values.mean() - 1.96 * error, values.mean() + 1.96 * error), abs=0.3 * error)


def test_the_same_figures_give_the_same_interval_and_equal_ones_none_wide():
    assert mean_interval([1.0, 2.0, 5.0]) == mean_interval([1.0, 2.0, 5.0])
    assert mean_interval([3.0, 3.0, 3.0]) == (3, 3)


def test_a_pages_two_figures_stay_together():
    grey = [1.0, 5.0, 20.0]
    assert ratio_interval([value / 2 for value in grey], grey) == pytest.approx((0.5, 0.5))


def test_one_page_has_no_interval():
    assert mean_interval([1.0]) is None
    assert mean_interval([]) is None
