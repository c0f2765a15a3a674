"""The golden page tells a scorer that computes otherwise."""

import numpy as np
import pytest

from workers.golden import Tolerance, compare, expect
from workers.metrics import golden


def test_the_known_figures_come_out():
    (check,) = golden.check_scores()
    assert check.share < 0.1, check.said


@pytest.mark.parametrize("spoil", [lambda rgb: rgb[..., ::-1], np.zeros_like], ids=["swapped", "black"])
def test_other_pictures_have_other_figures(monkeypatch, spoil):
    score = golden.score_page
    monkeypatch.setattr(golden, "score_page", lambda final, truth, page: score(spoil(final), truth, page))
    (check,) = golden.check_scores()
    assert not check.passed


def test_a_figure_that_is_missing_or_no_number_fails(monkeypatch):
    figures = golden.score_golden()
    for wrong in (figures | {"final.ssim": np.nan}, {name: figures[name] for name in list(figures)[1:]}):
        monkeypatch.setattr(golden, "score_golden", lambda wrong=wrong: wrong)
        (check,) = golden.check_scores()
        assert not check.passed


def test_a_comparison_counts_the_worse_of_mean_and_percentile():
    expected, tolerance = np.zeros(1000), Tolerance(mean=1, p99=2)
    assert compare("it", expected, expected, tolerance).share == 0
    assert compare("it", expected + 0.5, expected, tolerance).share == 0.5
    few = np.where(np.arange(1000) < 20, 6.0, 0.0)
    assert compare("it", few, expected, tolerance).share == 3
    for wrong in (expected[1:], expected * np.nan, expected + np.inf):
        assert not compare("it", wrong, expected, tolerance).passed


def test_a_figure_lies_between_its_bounds():
    assert expect("it", 1, least=0, most=1).passed
    assert not expect("it", 1.1, least=0, most=1).passed
    assert not expect("it", float("nan")).passed
