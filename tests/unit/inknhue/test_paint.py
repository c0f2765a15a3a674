"""The inknhue stage on arrays: lightness, paper, ink, the ends of λ, and edges."""

import numpy as np
import pytest

from common.errors import InputError
from common.lab import page_lightness, rgb_to_lab
from workers.inknhue.alignment import align_chroma, smooth_along_edges
from workers.inknhue.paint import paint_page


def chroma(rgb):
    return np.hypot(*np.moveaxis(rgb_to_lab(rgb)[..., 1:], 2, 0))


@pytest.fixture
def panel():
    """A page with white margins, a grey panel split by an ink line, and its rough colours, which spill."""
    page = np.full((200, 300, 3), 255, dtype=np.uint8)
    page[20:180, 20:280] = 170
    page[20:180, 148:152] = 0
    rough = page.copy()
    rough[15:185, 15:156] = (220, 150, 130)
    rough[15:185, 156:285] = (130, 160, 220)
    rough[18:20, :] = (255, 230, 210)
    return page, rough


def test_lightness_is_the_pages_own(panel):
    page, rough = panel
    for result in (paint_page(page, page, rough), paint_page(page, page, rough, blend=0)):
        for picture in (result.aligned_rgb, result.final_rgb):
            gap = np.abs(page_lightness(picture) - page_lightness(page))
            assert gap.mean() < 0.5
            assert gap.max() < 1.0


def test_without_keeping_lightness_it_comes_from_rough_but_margins_stay_white(panel):
    page, rough = panel
    darker = (rough * 0.8).astype(np.uint8)
    final = paint_page(page, page, darker, keep_lightness=False).final_rgb
    np.testing.assert_allclose(page_lightness(final)[100, 60], page_lightness(darker)[100, 60], atol=1)
    assert final[:15].min() == 255


def test_margins_and_ink_take_no_colour(panel):
    page, rough = panel
    final = paint_page(page, page, rough).final_rgb
    assert (final[:20] == 255).all()
    assert (final[:, :20] == 255).all()
    assert chroma(final)[20:180, 148:152].max() < 1
    assert chroma(final)[100, 60] > 15


def test_a_bubble_that_colour_seeped_into_stays_white_but_a_pale_dress_is_coloured():
    page = np.full((200, 300, 3), 150, dtype=np.uint8)
    page[0, 0] = 255
    page[60:140, 40:120] = 252
    page[60:140, 180:260] = 252
    rough = page.copy()
    rough[60:66, 40:120] = (255, 220, 190)
    rough[60:140, 180:260] = (255, 220, 190)
    final = paint_page(page, page, rough, keep_lightness=False, blend=1).final_rgb
    assert chroma(final)[90:110, 50:110].max() < 1
    assert chroma(final)[90:110, 200:240].min() > 10


def test_alignment_moves_a_spilt_colour_back_to_the_line(panel):
    page, rough = panel
    lightness, rough_chroma = page_lightness(page), rgb_to_lab(rough)[..., 1:]
    aligned = align_chroma(rough_chroma, lightness)
    # Right of the line, rough still has the left colour (a > 0) for four pixels.
    assert rough_chroma[100, 154, 1] > 0
    assert aligned[100, 154, 1] < 0
    assert aligned[100, 140, 1] > 10


def test_specks_go():
    lightness = np.full((60, 60), 70, dtype=np.float32)
    rough = np.full((60, 60, 2), 10, dtype=np.float32)
    rough[30, 30] = (90, -90)
    np.testing.assert_allclose(align_chroma(rough, lightness), 10, atol=0.1)


def test_the_filter_evens_out_a_surface_and_stops_at_an_edge():
    guide = np.full((40, 80), 80, dtype=np.float32)
    guide[:, 40:] = 20
    values = np.zeros((40, 80, 1), dtype=np.float32)
    values[:, :40] = 1
    values[::2, :40] = 3
    smooth = smooth_along_edges(values, guide)
    np.testing.assert_allclose(smooth[12:-12, :38], 2, atol=0.2)
    assert np.abs(smooth[:, 42:]).max() < 0.02


def test_the_ends_of_blend_are_aligned_and_rough(panel):
    page, rough = panel
    ends = {blend: paint_page(page, page, rough, blend=blend) for blend in (0.0, 1.0)}
    inside = np.s_[30:170, 30:270]
    drawn = page_lightness(page)[inside] > 20
    aligned = rgb_to_lab(ends[0.0].aligned_rgb)[inside][drawn]
    np.testing.assert_allclose(rgb_to_lab(ends[0.0].final_rgb)[inside][drawn], aligned, atol=0.5)
    gap = rgb_to_lab(ends[1.0].final_rgb)[inside][drawn][:, 1:] - rgb_to_lab(rough)[inside][drawn][:, 1:]
    assert np.abs(gap).max() < 1.5
    assert np.abs(aligned[:, 1:] - rgb_to_lab(rough)[inside][drawn][:, 1:]).max() > 10


def test_bands_join_without_a_seam(panel, monkeypatch):
    page, rough = (np.tile(picture, (3, 1, 1)) for picture in panel)
    whole = paint_page(page, page, rough).final_rgb
    monkeypatch.setattr("workers.inknhue.paint._BAND_PIXELS", 1)
    gap = np.abs(paint_page(page, page, rough).final_rgb.astype(int) - whole)
    assert gap.max() <= 2


def test_rough_of_another_size_is_resized_and_of_another_shape_refused(panel):
    page, rough = panel
    result = paint_page(page, page[::2, ::2], rough[::2, ::2])
    assert result.final_rgb.shape == page.shape
    assert chroma(result.final_rgb)[100, 60] > 15
    with pytest.raises(InputError, match="rough: 280×200"):
        paint_page(page, page, rough[:, :280])
    with pytest.raises(InputError, match="blend"):
        paint_page(page, page, rough, blend=1.1)


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (7, 9), (1, 500), (500, 1)])
@pytest.mark.parametrize("value", [0, 255])
def test_small_blank_and_black_pages_pass(size, value):
    page = np.full((*size, 3), value, dtype=np.uint8)
    rough = np.full((*size, 3), (200, 90, 90), dtype=np.uint8)
    np.testing.assert_array_equal(paint_page(page, page, rough).final_rgb, page)


def test_lightness_is_kept_under_colours_that_srgb_cannot_show_at_it():
    page = np.repeat(np.tile(np.linspace(0, 255, 240).astype(np.uint8), (60, 1))[..., None], 3, axis=2)
    rough = np.full_like(page, (230, 40, 160))
    result = paint_page(page, page, rough)
    for picture in (result.aligned_rgb, result.final_rgb):
        gap = np.abs(page_lightness(picture) - page_lightness(page))
        assert gap.mean() < 0.5
        assert gap.max() < 1.5
