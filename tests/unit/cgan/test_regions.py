import cv2
import numpy as np
import pytest

from workers.cgan.lines import find_lines
from workers.cgan.regions import segment_regions
from workers.cgan.screentone import smooth_screentone

RADII = (15, 10, 9, 8, 7, 6, 5, 4)


def draw_circle(gap_px=0):
    lines = np.zeros((200, 200), dtype=np.uint8)
    cv2.circle(lines, (100, 100), 60, 1, 2)
    if gap_px:
        lines[100 - gap_px // 2 : 100 + (gap_px + 1) // 2, 150:170] = 0
    return lines > 0


def test_a_closed_circle_is_a_region_of_its_own():
    regions = segment_regions(draw_circle(), RADII)
    assert regions.dtype == np.uint16
    assert regions[100, 100] != regions[5, 5]
    inside = regions == regions[100, 100]
    assert inside.sum() > 0.97 * np.pi * 58**2
    assert not inside[0].any()


def test_a_gap_narrower_than_the_ball_does_not_leak():
    regions = segment_regions(draw_circle(gap_px=6), RADII)
    assert regions[100, 100] != regions[5, 5]


def test_a_gap_wider_than_every_ball_leaks():
    regions = segment_regions(draw_circle(gap_px=20), (4,))
    assert regions[100, 100] == regions[5, 5]


def test_lines_are_zero_and_ids_have_no_holes():
    lines = draw_circle(gap_px=6)
    regions = segment_regions(lines, RADII)
    assert not regions[lines].any()
    ids = np.unique(regions[regions > 0])
    assert np.array_equal(ids, np.arange(1, len(ids) + 1))


def test_a_small_region_joins_the_neighbour_that_it_touches_most():
    # A ball of radius 4 cannot enter the corners of a square: they would be regions of a few pixels.
    lines = np.ones((80, 80), dtype=bool)
    lines[10:70, 10:70] = False
    assert segment_regions(lines, (4,)).max() == 1


def test_a_speck_among_lines_becomes_line():
    lines = np.ones((40, 40), dtype=bool)
    lines[20, 20] = False
    assert segment_regions(lines, (4,)).max() == 0


def test_fixed_areas_keep_their_shape_as_regions():
    fixed = np.zeros((200, 200), dtype=bool)
    fixed[90:110, 90:110] = True
    regions = segment_regions(draw_circle(), RADII, fixed)
    assert np.array_equal(regions == regions[100, 100], fixed)


def test_more_regions_than_ids_keep_the_largest():
    lines = np.ones((1200, 1200), dtype=bool)
    lines.reshape(300, 4, 300, 4)[:, :3, :, :3] = False  # 90,000 squares of 9 px
    lines[:40, :40] = False
    regions = segment_regions(lines, (15,))
    assert regions.max() == 65535
    assert regions[10, 10] > 0


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (1, 5000), (5000, 1)])
def test_odd_sizes_are_segmented(size):
    assert segment_regions(np.zeros(size, dtype=bool), RADII).shape == size
    assert find_lines(np.full(size, 255, dtype=np.uint8)).shape == size


def test_lines_follow_flat_grey_painting_and_ink_and_leave_specks_out():
    page = np.full((100, 100), 200, dtype=np.uint8)
    page[:, 50:] = 150
    page[20:24, 5:45] = 0
    page[80:82, 20:22] = 120
    lines = find_lines(page)
    assert lines[60, 48:53].any()
    assert lines[21:23, 10:40].all()
    assert not lines[78:85, 15:27].any()


def test_screentone_becomes_its_mean_and_ink_stays():
    page = np.full((600, 600), 255, dtype=np.uint8)
    ys, xs = np.mgrid[:400, :400]
    page[100:500, 100:500][(xs % 6 < 3) & (ys % 6 < 3)] = 0
    page[290:300, :] = 0
    smoothed = smooth_screentone(page)
    tone = smoothed[200:260, 200:400].astype(float)
    assert abs(tone.mean() - 255 * 0.75) < 10
    assert tone.std() < 12
    assert (smoothed[291:299, 200:400] == 0).all()
    assert np.array_equal(smoothed[:80], page[:80])


def test_a_page_without_dots_is_left_as_it_is():
    page = np.full((300, 300), 255, dtype=np.uint8)
    cv2.putText(page, "Hello there", (20, 150), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 0, 2)
    assert np.array_equal(smooth_screentone(page), page)
