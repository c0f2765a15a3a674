"""Hints spread over a page: where colour goes, and where it stops."""

import numpy as np
import pytest

from common.hints import Hint, Hints
from common.lab import page_lightness, rgb_to_lab
from workers.s2p.paint import paint_page
from workers.s2p.propagation import WORKING_PIXELS, place_hints, spread_chroma, working_size

RED, BLUE = (200, 150, 140), (140, 160, 200)


def dots(*places, size=(400, 300)):
    return Hints(size=size, hints=tuple(Hint(x=x, y=y, rgb=rgb) for x, y, rgb in places))


def grey_page(height=300, width=400, value=170):
    return np.full((height, width, 3), value, dtype=np.uint8)


def chroma_at(rgb, row, column):
    return rgb_to_lab(rgb)[row, column, 1:]


def chroma_of(rgb):
    return rgb_to_lab(np.array(rgb, dtype=np.uint8).reshape(1, 1, 3))[0, 0, 1:]


def test_colour_fills_a_surface_and_does_not_cross_a_closed_ink_line():
    page = grey_page()
    page[:, 199:202] = 0
    rough = paint_page(page, dots((0.1, 0.5, RED), (0.9, 0.5, BLUE))).rough_rgb
    for row in (10, 150, 290):
        np.testing.assert_allclose(chroma_at(rough, row, 190), chroma_of(RED), atol=3)
        np.testing.assert_allclose(chroma_at(rough, row, 210), chroma_of(BLUE), atol=3)


def test_a_surface_that_no_hint_reaches_stays_grey():
    page = grey_page(1200, 1600)
    page[400:800, 400:404] = page[400:800, 796:800] = page[400:404, 400:800] = page[796:800, 400:800] = 0
    rough = paint_page(page, dots((0.05, 0.05, RED))).rough_rgb
    assert np.hypot(*chroma_at(rough, 1100, 1500)) > 15
    assert np.hypot(*chroma_at(rough, 600, 600)) < 2


def test_colour_spreads_over_screentone():
    page = grey_page(900, 1200, 255)
    rows, columns = np.mgrid[:900, :1200]
    page[((rows % 8) - 4) ** 2 + ((columns % 8) - 4) ** 2 <= 5] = 0
    page[:, :6] = page[:, -6:] = 0
    rough = paint_page(page, dots((0.1, 0.5, RED), size=(1200, 900))).rough_rgb
    lab = rgb_to_lab(rough[400:500, 1000:1100])
    paper = lab[..., 0] > 60
    # White paper shows little of a chroma of 18; a colour that stopped at the dots would leave none here.
    assert np.hypot(lab[paper][:, 1].mean(), lab[paper][:, 2].mean()) > 5


def test_without_hints_the_page_stays_grey():
    page = grey_page()
    page[100:200, 100:200] = 40
    np.testing.assert_array_equal(paint_page(page, dots()).rough_rgb, page)


def test_dark_tones_keep_the_lightness_of_the_page():
    page = grey_page(value=90)
    page[:, 200:] = 12
    rough = paint_page(page, dots((0.1, 0.5, RED), (0.9, 0.5, RED))).rough_rgb
    gap = np.abs(page_lightness(rough) - page_lightness(page))
    assert gap.mean() < 0.5
    assert gap.max() < 1.5


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
    is_hint = np.array([[1, 0, 1]], dtype=np.float32)
    spread = spread_chroma(np.full((1, 3), 0.5, dtype=np.float32), chroma, is_hint)
    np.testing.assert_allclose(spread[0, 1], (20, 4), atol=1e-3)
    # A bond of 1 against the hold of 10: an end gives way by 1/11 of the gap of 10 to the middle.
    np.testing.assert_allclose(spread[0, 0, 0], 10 + 10 / 11, atol=1e-3)


@pytest.mark.parametrize("size", [(2160, 1530), (20000, 800), (10000, 10000), (1, 5000)])
def test_the_solve_is_bounded_and_keeps_the_shape(size):
    height, width = working_size(*size)
    assert height * width <= WORKING_PIXELS * 1.01
    assert min(height, width) >= 1
    assert height <= size[0]
    assert width <= size[1]


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (7, 9), (1, 500), (500, 1)])
@pytest.mark.parametrize("value", [0, 255])
def test_small_blank_and_black_pages_pass(size, value):
    page = np.full((*size, 3), value, dtype=np.uint8)
    result = paint_page(page, dots((0, 0, RED), (1.0, 1.0, BLUE), (1.0, 1.0, BLUE), size=size[::-1]))
    assert result.rough_rgb.shape == result.sketch_rgb.shape == page.shape


def test_two_thousand_hints_pass_and_twice_gives_the_same_bytes():
    places = np.random.default_rng(0).random((2000, 2))
    hints = dots(*((x, y, RED) for x, y in places))
    first, second = (paint_page(grey_page(), hints).rough_rgb for _ in range(2))
    assert first.tobytes() == second.tobytes()
    np.testing.assert_allclose(chroma_at(first, 150, 200), chroma_of(RED), atol=2)
