import cv2
import numpy as np
import pytest

from workers.cgan.original import regions
from workers.cgan.original.regions import SMALL_PX, merge_regions, roll_ball_in_turn
from workers.cgan.regions import find_cores


def fill_in_turn(free, radius):
    """The original's way: flood from the first possible centre, grow back, take it away, start again."""
    ball = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    free, fills = free.copy(), []
    while True:
        centres = cv2.erode(free, ball)
        if not centres.any():
            return fills
        _, cores = cv2.connectedComponents(centres, connectivity=4)
        first = cores.ravel()[np.flatnonzero(centres)[0]]
        fills.append(cv2.dilate((cores == first).astype(np.uint8), ball) > 0)
        free[fills[-1]] = 0


@pytest.mark.parametrize("seed", [8, 12, 13, 24])
def test_fills_are_those_of_one_flood_after_the_other(seed):
    draws = np.random.default_rng(seed)
    free = np.ones((120, 150), dtype=np.uint8)
    free[draws.integers(0, 120, 250), draws.integers(0, 150, 250)] = 0
    expected = fill_in_turn(free, 4)
    fills = roll_ball_in_turn(free, 4)
    assert fills.max() == len(expected) > 5
    for fill in expected:
        assert len(np.unique(fills[fill])) == 1
    assert np.array_equal(fills > 0, np.any(expected, axis=0))


def test_a_page_of_dots_ends_in_a_bounded_number_of_rounds(monkeypatch):
    rows, columns = np.mgrid[:200, :200] % 10 - 5
    free = (rows**2 + columns**2 > 4).astype(np.uint8)  # one after the other, 79 rounds
    asked = []
    monkeypatch.setattr(regions, "find_cores", lambda *args: asked.append(1) or find_cores(*args))
    fills = roll_ball_in_turn(free, 3)
    assert len(asked) == 16
    assert fills.max() > 0
    assert not fills[free == 0].any()


def place(*boxes, size=(60, 60)):
    """(H, W) int32 labels: 1 everywhere but in the boxes (top, left, bottom, right), labelled from 2."""
    labels = np.ones(size, dtype=np.int32)
    for number, (top, left, bottom, right) in enumerate(boxes, start=2):
        labels[top:bottom, left:right] = number
    return labels


def draw_star(labels, number, centre, radius):
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    reach = np.where(np.arange(16) % 2, radius, radius / 2)
    points = np.stack((centre[0] + reach * np.cos(angles), centre[1] + reach * np.sin(angles)), axis=1)
    cv2.fillPoly(labels, [points.round().astype(np.int32)], number)
    return labels


def test_a_plain_shape_under_500_px_is_merged_and_a_larger_one_is_not():
    assert merge_regions(place((10, 10, 30, 34))).max() == 1  # 480 px
    assert merge_regions(place((10, 10, 30, 36))).max() == 2  # 520 px


def test_a_jagged_shape_is_merged_by_its_number_of_neighbours():
    alone = draw_star(place(), 2, (30, 30), 14)
    assert SMALL_PX < (alone == 2).sum() < 500
    assert merge_regions(alone).max() == 2
    small = draw_star(place(), 2, (30, 30), 9)
    assert 50 < (small == 2).sum() < SMALL_PX
    assert merge_regions(small).max() == 1
    between = draw_star(np.repeat([[1] * 30 + [3] * 30], 60, axis=0).astype(np.int32), 2, (30, 30), 9)
    assert merge_regions(between).max() == 3


def test_a_merged_region_takes_the_lowest_id_around_it():
    labels = np.repeat([[3] * 30 + [1] * 30], 60, axis=0).astype(np.int32)
    labels[20:26, 27:33] = 2
    merged = merge_regions(labels)
    assert merged[22, 28] == merged[0, 59] != merged[0, 0]


def test_only_specks_among_lines_become_line():
    labels = np.zeros((30, 30), dtype=np.int32)
    labels[3:5, 3:5] = 1
    labels[10:15, 10] = 2
    merged = merge_regions(labels)
    assert not merged[:8].any()
    assert (merged[10:15, 10] == 1).all()
