"""Hints averaged over places that look alike."""

import numpy as np

from workers.s2p.lookalike import average_alike, look_alike


def page_of_two_tones():
    luminance = np.full((80, 120), 0.2, dtype=np.float32)
    luminance[:, 60:] = 0.8
    chroma, weight = np.zeros((80, 120, 2), dtype=np.float32), np.zeros((80, 120), dtype=np.float32)
    chroma[40, 30], chroma[40, 90] = (30, 0), (-20, 10)
    weight[40, 30] = weight[40, 90] = 1
    return luminance, chroma, weight


def test_each_tone_takes_the_colour_of_its_own_hint_though_the_other_is_nearer():
    luminance, chroma, weight = page_of_two_tones()
    spread = average_alike(luminance, chroma, weight, 100.0)
    np.testing.assert_allclose(spread[40, 58], (30, 0), atol=3)
    np.testing.assert_allclose(spread[40, 62], (-20, 10), atol=3)


def test_of_alike_hints_the_nearer_counts_more():
    luminance, chroma, weight = page_of_two_tones()
    luminance[:] = 0.5
    spread = average_alike(luminance, chroma, weight, 20.0)
    assert spread[40, 10, 0] > 20
    assert spread[40, 110, 0] < -10


def test_one_hint_far_away_still_speaks_and_none_gives_grey():
    luminance, chroma, weight = page_of_two_tones()
    weight[40, 90] = 0
    np.testing.assert_allclose(
        average_alike(luminance, chroma, weight, 4.0), np.broadcast_to((30, 0), (80, 120, 2)), atol=1e-3
    )
    assert not look_alike(luminance, chroma, np.zeros_like(weight)).any()


def test_a_very_long_strip_has_an_answer_everywhere():
    luminance = np.full((60_000, 8), 0.1, dtype=np.float32)
    luminance[30_000:] = 1.0
    chroma, weight = np.zeros((60_000, 8, 2), dtype=np.float32), np.zeros((60_000, 8), dtype=np.float32)
    chroma[5, 4], weight[5, 4] = (30, -10), 1
    spread = average_alike(luminance, chroma, weight, 40.0)
    np.testing.assert_allclose(spread, np.broadcast_to((30, -10), spread.shape), atol=0.01)


def test_an_unsure_hint_counts_less():
    luminance, chroma, weight = page_of_two_tones()
    luminance[:] = 0.5
    sure = average_alike(luminance, chroma, weight, 100.0)[40, 60, 0]
    weight[40, 90] = 0.25
    assert average_alike(luminance, chroma, weight, 100.0)[40, 60, 0] > sure + 5
