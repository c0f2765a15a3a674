"""The embedded painter on whole pages: where colour goes, where it stops, and what it does with odd ones."""

import numpy as np
import pytest

from common.hints import Hint, Hints
from common.lab import page_lightness, rgb_to_lab
from workers.s2p.embedded import EmbeddedPainter
from workers.s2p.features import spread_hints

RED, BLUE = (200, 150, 140), (140, 160, 200)


@pytest.fixture(scope="module")
def painter():
    return EmbeddedPainter()


def dots(*places, size=(400, 300)):
    return Hints(size=size, hints=tuple(Hint(x=x, y=y, rgb=rgb) for x, y, rgb in places))


def grey_page(height=300, width=400, value=170):
    return np.full((height, width, 3), value, dtype=np.uint8)


def chroma_at(rgb, row, column):
    return rgb_to_lab(rgb)[row, column, 1:]


def chroma_of(rgb):
    return rgb_to_lab(np.array(rgb, dtype=np.uint8).reshape(1, 1, 3))[0, 0, 1:]


def test_colour_fills_a_surface_and_does_not_cross_a_closed_ink_line(painter):
    page = grey_page()
    page[:, 199:202] = 0
    hints = dots((0.1, 0.5, RED), (0.9, 0.5, BLUE))
    prior = spread_hints(page[..., 0], hints).prior
    rough = painter.paint(page, hints).rough_rgb
    # Propagation keeps each side its own; the network mixes in what looks alike, but each side stays nearer to its own.
    between = np.hypot(*(chroma_of(RED) - chroma_of(BLUE)))
    for row in (10, 150, 290):
        for column, colour in ((190, RED), (210, BLUE)):
            np.testing.assert_allclose(prior[row, column], chroma_of(colour), atol=1)
            assert np.hypot(*(chroma_at(rough, row, column) - chroma_of(colour))) < between / 2


def test_a_surface_that_no_hint_reaches_takes_less_of_the_colour_beside_it(painter):
    page = grey_page(1200, 1600)
    page[400:800, 400:404] = page[400:800, 796:800] = page[400:404, 400:800] = page[796:800, 400:800] = 0
    hints = dots((0.05, 0.05, RED))
    prior = spread_hints(page[..., 0], hints).prior
    assert np.hypot(*prior[prior.shape[0] // 2, prior.shape[1] * 3 // 8]) < 2
    rough = painter.paint(page, hints).rough_rgb
    assert np.hypot(*chroma_at(rough, 1100, 1500)) > 15
    assert np.hypot(*chroma_at(rough, 600, 600)) < 0.75 * np.hypot(*chroma_of(RED))


def test_colour_spreads_over_screentone(painter):
    page = grey_page(900, 1200, 255)
    rows, columns = np.mgrid[:900, :1200]
    page[((rows % 8) - 4) ** 2 + ((columns % 8) - 4) ** 2 <= 5] = 0
    page[:, :6] = page[:, -6:] = 0
    rough = painter.paint(page, dots((0.1, 0.5, RED), size=(1200, 900))).rough_rgb
    lab = rgb_to_lab(rough[400:500, 1000:1100])
    paper = lab[..., 0] > 60
    # White paper shows little of a chroma of 18; a colour that stopped at the dots would leave none here.
    assert np.hypot(lab[paper][:, 1].mean(), lab[paper][:, 2].mean()) > 5


def test_without_hints_the_page_stays_grey(painter):
    page = grey_page()
    page[100:200, 100:200] = 40
    np.testing.assert_array_equal(painter.paint(page, dots()).rough_rgb, page)


def test_dark_tones_keep_the_lightness_of_the_page(painter):
    page = grey_page(value=90)
    page[:, 200:] = 12
    rough = painter.paint(page, dots((0.1, 0.5, RED), (0.9, 0.5, RED))).rough_rgb
    gap = np.abs(page_lightness(rough) - page_lightness(page))
    assert gap.mean() < 0.5
    assert gap.max() < 1.5


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (7, 9), (1, 500), (500, 1)])
@pytest.mark.parametrize("value", [0, 255])
def test_small_blank_and_black_pages_pass(painter, size, value):
    page = np.full((*size, 3), value, dtype=np.uint8)
    result = painter.paint(page, dots((0, 0, RED), (1.0, 1.0, BLUE), (1.0, 1.0, BLUE), size=size[::-1]))
    assert result.rough_rgb.shape == result.sketch_rgb.shape == page.shape


def test_two_thousand_hints_pass_and_twice_gives_the_same_bytes(painter):
    places = np.random.default_rng(0).random((2000, 2))
    hints = dots(*((x, y, RED) for x, y in places))
    first, second = (painter.paint(grey_page(), hints).rough_rgb for _ in range(2))
    assert first.tobytes() == second.tobytes()
    np.testing.assert_allclose(chroma_at(first, 150, 200), chroma_of(RED), atol=2)


@pytest.mark.parametrize("turned", [False, True])
def test_a_strip_is_painted_in_windows_without_a_seam(painter, turned):
    strip, places = grey_page(4000, 120), ((0.5, 0.001), (0.5, 0.999))
    if turned:
        strip, places = strip.transpose(1, 0, 2), tuple((y, x) for x, y in places)
    hints = dots(*((x, y, RED) for x, y in places), size=strip.shape[1::-1])
    lab = rgb_to_lab(painter.paint(np.ascontiguousarray(strip), hints).rough_rgb)
    along = lab[60, :, 1:] if turned else lab[:, 60, 1:]
    assert np.abs(np.diff(along, axis=0)).max() < 2.5
    np.testing.assert_allclose(along, np.broadcast_to(chroma_of(RED), along.shape), atol=8)
