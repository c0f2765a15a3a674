import cv2
import numpy as np
import pytest
import torch

from common.params import JobParams
from workers.cgan.original import paint
from workers.cgan.original.network import Generator, OriginalConfig
from workers.cgan.original.paint import paint_original


class Painter(torch.nn.Module):
    """Stands for a taught generator: the left half of any page is orange, the right half blue."""

    def forward(self, grey):
        rgb = torch.empty(len(grey), 3, 128, 128)
        rgb[:, :, :, :64] = torch.tensor([230.0, 140.0, 60.0]).view(1, 3, 1, 1) / 255
        rgb[:, :, :, 64:] = torch.tensor([70.0, 90.0, 170.0]).view(1, 3, 1, 1) / 255
        return rgb


def draw_page():
    """(200, 400, 3) uint8: a framed box in each half."""
    page = np.full((200, 400, 3), 255, dtype=np.uint8)
    cv2.rectangle(page, (20, 20), (180, 180), (0, 0, 0), 3)
    cv2.rectangle(page, (220, 20), (380, 180), (0, 0, 0), 3)
    return page


def test_a_region_has_one_colour_and_lines_are_black():
    params = JobParams(saturation=1.0)
    result = paint_original(draw_page(), Painter(), params)
    left, right = result.draft_rgb[100, 100], result.draft_rgb[100, 300]
    assert np.abs(left.astype(int) - (230, 140, 60)).max() <= 1
    assert np.abs(right.astype(int) - (70, 90, 170)).max() <= 1
    assert (result.draft_rgb[result.regions == result.regions[100, 100]] == left).all()
    assert not result.draft_rgb[result.regions == 0].any()
    assert result.regions[100, 100] != result.regions[100, 300]


def test_parameters_are_heeded():
    vivid = paint_original(draw_page(), Painter(), JobParams(saturation=1.2)).draft_rgb
    plain = paint_original(draw_page(), Painter(), JobParams(saturation=1.0)).draft_rgb
    assert np.ptp(vivid[100, 100].astype(int)) > np.ptp(plain[100, 100].astype(int))
    few = paint_original(draw_page(), Painter(), JobParams(palette_size=2)).draft_rgb
    assert len(np.unique(few.reshape(-1, 3), axis=0)) == 2
    none = paint_original(draw_page(), Painter(), JobParams(min_region_px=50_000)).hints
    assert not none.hints
    balls = paint_original(draw_page(), Painter(), JobParams(trapped_ball_radii=(60,))).regions
    assert not np.array_equal(balls, paint_original(draw_page(), Painter(), JobParams()).regions)


def test_hints_lie_in_their_region_with_the_drafts_colour():
    result = paint_original(draw_page(), Painter(), JobParams())
    assert result.hints.size == (400, 200)
    assert len(result.hints.hints) >= 2
    for hint in result.hints.hints:
        x, y = int(hint.x * 400), int(hint.y * 200)
        assert result.regions[y, x] == hint.region > 0
        assert tuple(result.draft_rgb[y, x].tolist()) == hint.rgb
        assert hint.source == "cgan"


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_page_of_one_grey_stays_as_it_is_and_gets_no_hints(level):
    page = np.full((300, 200, 3), level, dtype=np.uint8)
    result = paint_original(page, Painter(), JobParams())
    assert np.array_equal(result.draft_rgb, page)
    assert result.regions.shape == (300, 200)
    assert not result.hints.hints


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (8, 8), (1, 5000), (5000, 1)])
def test_pages_of_odd_sizes_are_painted(size):
    torch.manual_seed(0)
    generator = Generator(OriginalConfig(widths=(2, 2, 2, 2, 2))).eval()
    page = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    result = paint_original(page, generator, JobParams())
    assert result.draft_rgb.shape == page.shape
    assert result.regions.shape == size


def test_a_page_over_the_limit_is_segmented_smaller_and_painted_in_full(monkeypatch):
    large = cv2.resize(draw_page(), (1200, 600), interpolation=cv2.INTER_NEAREST)
    seen = []

    def spy(line_mask, radii):
        seen.append(line_mask.size)
        return segment(line_mask, radii)

    segment = paint.segment_original
    monkeypatch.setattr(paint, "segment_original", spy)
    monkeypatch.setattr(paint, "MAX_WORK_PX", 100_000)
    monkeypatch.setattr(paint, "BAND_PX", 5000)
    result = paint_original(large, Painter(), JobParams(saturation=1.0))
    assert 90_000 < seen[0] <= 100_000
    assert result.draft_rgb.shape == large.shape
    assert np.abs(result.draft_rgb[300, 900].astype(int) - (70, 90, 170)).max() <= 1
    assert result.hints.size == (1200, 600)


def test_a_page_gives_the_same_result_twice():
    page = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    one, two = (paint_original(page, Painter(), JobParams()) for _ in range(2))
    assert np.array_equal(one.draft_rgb, two.draft_rgb)
    assert one.hints == two.hints
