"""Hints spread over a page: where colour goes, and where it stops."""

import cv2
import numpy as np
import pytest
from scipy.sparse import csc_array
from scipy.sparse.linalg import spsolve

from common.hints import Hint, Hints
from common.lab import rgb_to_lab
from common.windows import WINDOW_PX, cut_windows, map_bands
from workers.s2p.propagation import (
    HINT_BOND,
    PULL,
    WORKING_PIXELS,
    _assemble,
    place_hints,
    spread_chroma,
    working_size,
)

RED, BLUE = (200, 150, 140), (140, 160, 200)


def dots(*places, size=(400, 300)):
    return Hints(size=size, hints=tuple(Hint(x=x, y=y, rgb=rgb) for x, y, rgb in places))


def chroma_of(rgb):
    return rgb_to_lab(np.array(rgb, dtype=np.uint8).reshape(1, 1, 3))[0, 0, 1:]


def test_a_hint_on_an_ink_line_moves_beside_it():
    guide = np.full((40, 40), 0.8, dtype=np.float32)
    guide[:, 20] = 0
    chroma, is_hint = place_hints(dots((20.5 / 40, 0.5, RED)), guide)
    assert not is_hint[:, 20].any()
    assert is_hint.any()
    np.testing.assert_allclose(chroma[is_hint > 0][0], chroma_of(RED))


def test_of_two_hints_on_one_pixel_the_last_counts_and_overlaps_go_to_the_nearest():
    guide = np.full((40, 40), 0.8, dtype=np.float32)
    chroma, _ = place_hints(dots((0.5, 0.5, RED), (0.5, 0.5, BLUE), (0.575, 0.5, RED)), guide)
    np.testing.assert_allclose(chroma[20, 20], chroma_of(BLUE))
    np.testing.assert_allclose(chroma[20, 21], chroma_of(BLUE))
    np.testing.assert_allclose(chroma[20, 22], chroma_of(RED))


def test_three_pixels_in_a_row_solved_by_hand():
    chroma = np.zeros((1, 3, 2), dtype=np.float32)
    chroma[0, 0], chroma[0, 2] = (10, 0), (30, 8)
    is_hint = np.array([[True, False, True]])
    spread = spread_chroma(np.full((1, 3), 0.5, dtype=np.float32), chroma, is_hint)
    np.testing.assert_allclose(spread[0, 1], (20, 4), atol=1e-3)
    # A bond of 1 against the hold of 10: an end gives way by 1/11 of the gap of 10 to the middle.
    np.testing.assert_allclose(spread[0, 0, 0], 10 + 10 / 11, atol=1e-3)


@pytest.mark.parametrize("size", [(2160, 1530), (20000, 800), (10000, 10000), (1, 5000), (100, 1_000_000)])
def test_the_working_size_is_bounded_and_keeps_the_shape(size):
    height, width = working_size(*size)
    assert height * width <= WORKING_PIXELS * 1.01
    assert min(height, width) >= 1
    assert height <= size[0]
    assert width <= size[1]


def test_the_solution_is_that_of_a_direct_solver():
    rng = np.random.default_rng(0)
    guide = cv2.GaussianBlur(rng.random((90, 70)).astype(np.float32), (0, 0), 3)
    guide = (guide - guide.min()) / (guide.max() - guide.min())
    guide[:, 30] = 0
    is_hint = rng.random(guide.shape) < 0.01
    chroma = np.where(is_hint[..., None], rng.uniform(-40, 40, (90, 70, 2)), 0).astype(np.float32)
    matrix = _assemble(guide, HINT_BOND * is_hint.ravel() + PULL)
    exact = spsolve(csc_array(matrix), HINT_BOND * chroma.reshape(-1, 2)).reshape(chroma.shape)
    assert np.abs(spread_chroma(guide, chroma, is_hint) - exact).mean() < 1.5


@pytest.mark.parametrize("length", [1900, 3 * WINDOW_PX])
def test_windows_of_a_long_page_leave_no_seam(length):
    guide = np.full((length, 60), 0.8, dtype=np.float32)
    guide[:, 29:31] = 0
    chroma, is_hint = np.zeros((*guide.shape, 2), dtype=np.float32), np.zeros(guide.shape, dtype=np.bool_)
    for row, column, value in ((5, 10, 30), (5, 50, -30), (guide.shape[0] - 5, 10, 30), (guide.shape[0] - 5, 50, -30)):
        is_hint[row, column], chroma[row, column, 0] = True, value
    spread = spread_chroma(guide, chroma, is_hint)
    assert np.abs(np.diff(spread[..., 0], axis=0)).max() < 0.5
    np.testing.assert_allclose(spread[:, :25, 0], 30, atol=5)
    np.testing.assert_allclose(spread[:, 35:, 0], -30, atol=5)


def test_windows_cover_an_axis_and_their_weights_add_up_to_one():
    for length in (1, *range(WINDOW_PX - 1, 3 * WINDOW_PX, 7), 9600):
        total = np.zeros(length)
        for window, weight in cut_windows(length):
            total[window] += weight
        np.testing.assert_allclose(total, 1, atol=1e-5)


@pytest.mark.parametrize("shape", [(9000, 900), (900, 9001), (300, 200)])
def test_a_filter_in_bands_gives_what_it_gives_of_the_whole(shape):
    grey = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    seen = []

    def blur(part):
        seen.append(part.shape)
        return cv2.blur(part, (31, 31))

    np.testing.assert_array_equal(map_bands(blur, grey), cv2.blur(grey, (31, 31)))
    assert {min(part) for part in seen} == {min(shape)}
    assert (len(seen) > 1) == (grey.size > 4_000_000)
