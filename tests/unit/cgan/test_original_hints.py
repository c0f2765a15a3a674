import cv2
import numpy as np

from workers.cgan.original.hints import find_median_pixels, pick_median_hints


def test_median_pixels_match_a_count_by_hand():
    regions = np.array(
        [
            [1, 1, 0, 2, 0],
            [0, 0, 2, 0, 1],
            [2, 0, 0, 0, 1],
        ]
    )
    rows, columns = find_median_pixels(regions, 1)
    # Pieces: two of region 1 (2 px each), two of region 2: two joined by a corner, and one alone.
    assert sorted(zip(rows.tolist(), columns.tolist(), strict=True)) == [(0, 0), (0, 3), (1, 4), (2, 0)]
    assert (rows[-1], columns[-1]) == (2, 0)
    assert len(find_median_pixels(regions, 2)[0]) == 3


def test_median_pixels_of_a_noisy_page_match_a_slow_search():
    regions = np.random.default_rng(2).integers(0, 3, (40, 50))
    expected = set()
    for number in (1, 2):
        count, pieces = cv2.connectedComponents((regions == number).astype(np.uint8), connectivity=8)
        for piece in range(1, count):
            pixels = np.flatnonzero(pieces == piece)
            if len(pixels) >= 4:
                expected.add(int(pixels[len(pixels) // 2 - 1]))
    rows, columns = find_median_pixels(regions, 4)
    assert set((rows * 50 + columns).tolist()) == expected


def test_a_black_hint_is_kept_and_the_largest_comes_first():
    regions = np.ones((10, 20), dtype=np.uint16)
    regions[:, 13:] = 2
    colours = np.array([[0, 0, 0], [0, 0, 0], [9, 8, 7]], dtype=np.uint8)
    hints = pick_median_hints(regions, colours, (40, 20), 10).hints
    assert [(hint.region, hint.rgb) for hint in hints] == [(1, (0, 0, 0)), (2, (9, 8, 7))]
    # 130 px of region 1: the 65th is the last of the fifth row.
    assert (hints[0].x, hints[0].y) == (12.5 / 20, 4.5 / 10)


def test_there_are_at_most_400_hints():
    regions = np.arange(1, 901, dtype=np.uint16).reshape(30, 30).repeat(3, axis=0).repeat(3, axis=1)
    assert len(pick_median_hints(regions, np.zeros((901, 3), np.uint8), (90, 90), 9).hints) == 400
