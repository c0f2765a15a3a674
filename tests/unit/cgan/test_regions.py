import cv2
import numpy as np
import pytest

from common.screentone import smooth_screentone
from workers.cgan.lines import find_lines
from workers.cgan.regions import fill_by_ball, find_borders, find_cores, grow_cores, roll_ball, segment_regions

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


def test_a_small_region_between_two_joins_the_one_with_the_longer_border():
    lines = np.ones((60, 90), dtype=bool)
    lines[5:55, 5:40] = False
    lines[5:55, 44:85] = False
    lines[20:26, 40:43] = False  # a passage through the wall, wide open to the left and 2 px to the right
    lines[20:22, 43] = False
    for page in (lines, lines[:, ::-1]):
        regions = segment_regions(page, (5, 5))
        wide = 10 if page is lines else 79
        assert regions.max() == 2
        assert regions[22, 41 if page is lines else 48] == regions[22, wide]


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


def test_the_first_ball_keeps_its_largest_fill_and_later_ones_those_of_mean_size():
    sizes = iter(([30, 40, 20], [10, 50, 30, 60]))

    def roll(free, radius):
        fills = np.zeros(free.shape, dtype=np.int32)
        at = np.flatnonzero(free)
        wanted = next(sizes)
        fills.ravel()[at[: sum(wanted)]] = np.repeat(np.arange(1, len(wanted) + 1), wanted)
        return fills

    labels = fill_by_ball(np.ones((1, 300), dtype=bool), (9, 5), roll)[0]
    # 30 px left alone, 40 filled; then, on what is left, 10 px left alone, 50 filled, 30 left alone, 60 filled.
    assert [np.flatnonzero(labels == number).tolist() for number in (1, 2, 3)] == [
        [*range(30, 70)],
        [*range(10, 30), *range(70, 100)],
        [*range(130, 190)],
    ]
    # The rest is flooded, from left to right.
    assert np.unique(labels).tolist() == [1, 2, 3, 4, 5, 6]
    assert (labels[0], labels[100], labels[299]) == (4, 5, 6)


def test_the_centres_of_the_ball_are_where_it_touches_no_line_and_the_edge_is_no_line():
    free = np.ones((9, 30), dtype=np.uint8)
    free[:, 15] = 0
    cores = find_cores(free, 3)
    assert (cores[:, :12] == 1).all()
    assert not cores[:, 12:19].any()
    assert (cores[:, 19:] == 2).all()
    assert np.array_equal(roll_ball(free, 3) > 0, free > 0)


def test_more_fills_than_16_bits_hold_keep_their_labels():
    cores = np.zeros((400, 700), dtype=np.int32)
    cores[1::2, 1::2] = np.arange(1, 70_001).reshape(200, 350)
    grown = grow_cores(cores, 1)
    assert grown.max() == 70_000
    assert grown[1, 0] == 1
    assert grown[398, 699] == 70_000
    assert grown[1, 2] == 2


def test_borders_are_counted_both_ways_and_lines_touch_nothing():
    labels = np.array([[1, 1, 2, 2], [1, 1, 2, 0], [3, 3, 0, 4]], dtype=np.int32)
    borders = find_borders(labels)
    found = set(zip(*(column.tolist() for column in borders), strict=True))
    assert found == {(1, 2, 2), (2, 1, 2), (1, 3, 2), (3, 1, 2)}


def test_small_regions_in_a_row_all_join_the_large_one():
    # Round by round: each of them first joins a neighbour that is small itself.
    lines = np.zeros((60, 140), dtype=bool)
    lines[10:, :] = True
    lines[10:14, 100:104] = False
    lines[12, 104:130] = False
    lines[12:40, 129] = False
    regions = segment_regions(lines, (4, 1))
    assert regions.max() == 1
    assert (regions[~lines] == 1).all()


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
