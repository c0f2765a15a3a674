"""The inknhue stage on arrays: lightness, paper, ink, the ends of λ."""

from types import SimpleNamespace

import numpy as np
import pytest

from common.errors import InputError
from common.lab import page_lightness, rgb_to_lab
from workers.inknhue.aligner import AlignedPicture
from workers.inknhue.paint import align_page, blend_page
from workers.inknhue.working_size import resize, working_size


def chroma(rgb):
    return np.hypot(*np.moveaxis(rgb_to_lab(rgb)[..., 1:], 2, 0))


def copying_aligner(short_px=64, lighter=0.0):
    """Stands in for a network: its picture is rough, at working size, with a lightness of its own."""

    def align(luma, grey, rough_rgb):
        size = working_size(luma.shape[0], luma.shape[1], short_px, 4)
        lab = rgb_to_lab(resize(rough_rgb, size))
        lab[..., 0] = rgb_to_lab(np.repeat(resize(grey, size)[..., None], 3, axis=2))[..., 0] + lighter
        return AlignedPicture(lab, resize(grey, size))

    return SimpleNamespace(align=align)


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
    aligned = align_page(page, rough, copying_aligner(lighter=20)).rgb
    for picture in (aligned, blend_page(page, aligned, rough), blend_page(page, rough, rough)):
        gap = np.abs(page_lightness(picture) - page_lightness(page))
        assert gap.mean() < 0.5
        assert gap.max() < 1.0


def test_without_keeping_lightness_it_is_the_networks_but_lines_stay_sharp_and_margins_white(panel):
    page, rough = panel
    aligned = align_page(page, rough, copying_aligner(lighter=-10), keep_lightness=False).rgb
    before, after = page_lightness(page), page_lightness(aligned)
    np.testing.assert_allclose(after[60:140, 40:130], before[60:140, 40:130] - 10, atol=1)
    assert after[100, 147] - after[100, 148] > 0.8 * (before[100, 147] - before[100, 148])
    final = blend_page(page, aligned, rough, keep_lightness=False)
    np.testing.assert_allclose(page_lightness(final)[100, 60], after[100, 60], atol=1)
    assert final[:15].min() == 255


def test_chroma_of_working_size_stops_at_the_pages_lines(panel):
    page, rough = panel
    rough[:, 150:] = (130, 160, 220)
    aligned = rgb_to_lab(align_page(page, rough, copying_aligner(50)).rgb)
    assert (aligned[40:160, 30:145, 1] > 5).all()
    assert (aligned[40:160, 155:270, 2] < -5).all()


def test_margins_and_ink_take_no_colour(panel):
    page, rough = panel
    final = blend_page(page, rough, rough)
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
    final = blend_page(page, rough, rough, keep_lightness=False, blend=1)
    assert chroma(final)[90:110, 50:110].max() < 1
    assert chroma(final)[90:110, 200:240].min() > 10


def test_the_ends_of_blend_are_aligned_and_rough(panel):
    page, rough = panel
    other = page.copy()
    other[20:180, 20:280] = (170, 200, 150)
    inside = np.s_[30:170, 30:270]
    drawn = page_lightness(page)[inside] > 20
    for blend, picture in ((0.0, other), (1.0, rough)):
        final = blend_page(page, other, rough, blend=blend)
        gap = rgb_to_lab(final)[inside][drawn][:, 1:] - rgb_to_lab(picture)[inside][drawn][:, 1:]
        assert np.abs(gap).max() < 1.5


def test_bands_join_without_a_seam(panel, monkeypatch):
    page, rough = (np.tile(picture, (3, 1, 1)) for picture in panel)

    def paint():
        aligned = align_page(page, rough, copying_aligner(), keep_lightness=False).rgb
        return aligned.astype(int), blend_page(page, aligned, rough, keep_lightness=False).astype(int)

    whole = paint()
    monkeypatch.setattr("workers.inknhue.paint._BAND_PIXELS", 1)
    for one, banded in zip(whole, paint(), strict=True):
        assert np.abs(one - banded).max() <= 1


def test_rough_of_another_size_is_resized_and_of_another_shape_refused(panel):
    page, rough = panel
    aligned = align_page(page, rough[::2, ::2], copying_aligner()).rgb
    assert aligned.shape == page.shape
    assert chroma(blend_page(page, aligned, rough[::2, ::2]))[100, 60] > 15
    # 2% of 300 px is 6 px.
    assert align_page(page, rough[:, :295], copying_aligner()).rgb.shape == page.shape
    for wrong in (rough[:, :280], rough[:, :293], rough[:90]):
        with pytest.raises(InputError, match=rf"rough: {wrong.shape[1]}×{wrong.shape[0]} px.*page's shape \(300×200"):
            align_page(page, wrong, copying_aligner())
        with pytest.raises(InputError, match="aligned: "):
            blend_page(page, wrong, rough)
    with pytest.raises(InputError, match=r"blend: 1\.1 is not between 0 and 1"):
        blend_page(page, rough, rough, blend=1.1)


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (7, 9), (1, 500), (500, 1)])
@pytest.mark.parametrize("value", [0, 255])
def test_small_blank_and_black_pages_pass(size, value):
    page = np.full((*size, 3), value, dtype=np.uint8)
    rough = np.full((*size, 3), (200, 90, 90), dtype=np.uint8)
    for keep_lightness in (True, False):
        aligned = align_page(page, rough, copying_aligner(), keep_lightness=keep_lightness).rgb
        np.testing.assert_array_equal(blend_page(page, aligned, rough, keep_lightness=keep_lightness), page)


def test_lightness_is_kept_under_colours_that_srgb_cannot_show_at_it():
    page = np.repeat(np.tile(np.linspace(0, 255, 240).astype(np.uint8), (60, 1))[..., None], 3, axis=2)
    rough = np.full_like(page, (230, 40, 160))
    aligned = align_page(page, rough, copying_aligner()).rgb
    for picture in (aligned, blend_page(page, aligned, rough)):
        gap = np.abs(page_lightness(picture) - page_lightness(page))
        assert gap.mean() < 0.5
        assert gap.max() < 1.5
