"""The preset `original` against what the original computes on drawn pages (tests/golden/cgan)."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from workers.cgan.original.colours import mean_colours, saturate_colours
from workers.cgan.original.hints import find_median_pixels
from workers.cgan.original.lines import find_edges
from workers.cgan.original.regions import merge_regions, roll_ball_in_turn, segment_original
from workers.cgan.regions import fill_by_ball

GOLDEN = Path(__file__).parents[2] / "golden" / "cgan"
RADII = (15, 10, 9, 8, 7, 6, 5, 4)


def read_flat(path):
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def read_rgb(path):
    return cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def find_rand_index(one, other):
    """Adjusted Rand index (Hubert & Arabie 1985) of two labellings of the same pixels."""

    def count_pairs(sizes):
        return (sizes * (sizes - 1.0) / 2).sum()

    _, one = np.unique(one, return_inverse=True)
    _, other = np.unique(other, return_inverse=True)
    _, both = np.unique(one * (other.max() + 1) + other, return_counts=True)
    pairs_one, pairs_other = count_pairs(np.bincount(one)), count_pairs(np.bincount(other))
    expected = pairs_one * pairs_other / (len(one) * (len(one) - 1) / 2)
    return (count_pairs(both) - expected) / ((pairs_one + pairs_other) / 2 - expected)


@pytest.fixture(params=["a", "b"])
def folder(request):
    return GOLDEN / request.param


@pytest.fixture
def line_mask(folder):
    return read_flat(folder / "lines.png") == 0


def test_the_rand_index_is_1_for_equal_and_about_0_for_independent_labellings():
    labels = np.arange(10_000) % 7
    assert find_rand_index(labels, (labels + 3) * 11) == pytest.approx(1)
    assert abs(find_rand_index(labels, np.random.default_rng(0).permutation(labels))) < 0.01


def test_lines_are_exact(folder, line_mask):
    assert np.array_equal(find_edges(read_flat(folder / "page_gray.png")), line_mask)


def test_raw_regions_agree(folder, line_mask):
    expected = read_flat(folder / "regions_raw.png")
    raw = fill_by_ball(~line_mask, RADII, roll_ball_in_turn)
    assert np.array_equal(raw > 0, ~line_mask)
    assert find_rand_index(raw[~line_mask], expected[~line_mask]) == pytest.approx(1)
    assert raw.max() == expected.max()


def test_merged_regions_agree(folder, line_mask):
    expected = read_flat(folder / "regions_merged.png")
    merged = segment_original(line_mask, RADII)
    assert find_rand_index(merged[~line_mask], expected[~line_mask]) == pytest.approx(1)
    assert np.array_equal(merged == 0, expected == 0)
    assert merged.max() + 1 == len(np.unique(expected))


def test_merging_the_expected_raw_regions_is_exact(folder):
    expected = read_flat(folder / "regions_merged.png")
    merged = merge_regions(read_flat(folder / "regions_raw.png").astype(np.int32))
    pairs = np.unique(np.stack((merged.ravel(), expected.ravel())), axis=1)
    assert pairs.shape[1] == merged.max() + 1 == len(np.unique(expected))


def paint_page(folder, line_mask):
    regions = segment_original(line_mask, RADII)
    picture = cv2.resize(read_rgb(folder / "colour_source.png"), line_mask.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return regions, mean_colours(picture, regions)


def test_region_means_are_exact(folder, line_mask):
    regions, colours = paint_page(folder, line_mask)
    assert np.array_equal(colours[regions], read_rgb(folder / "region_means.png"))
    assert not colours[0].any()


def test_saturated_means_are_within_a_level(folder, line_mask):
    regions, colours = paint_page(folder, line_mask)
    expected = read_rgb(folder / "region_means_saturated.png")
    off = np.abs(saturate_colours(colours, 1.2)[regions].astype(int) - expected)
    assert off.max() <= 1


def test_hints_are_exact(folder):
    segments = read_rgb(folder / "segments.png").astype(np.int64) @ (65536, 256, 1)
    draft = read_rgb(folder / "draft.png")
    rows, columns = find_median_pixels(segments, 200)
    found = {(x, y, tuple(draft[y, x].tolist())) for y, x in zip(rows.tolist(), columns.tolist(), strict=True)}
    expected = json.loads((folder / "expected.json").read_text())["hints"]
    assert found == {(hint["x"], hint["y"], tuple(hint["rgb"])) for hint in expected}
