import cv2
import numpy as np
import pytest

from common.hints import Hints
from common.lab import page_lightness, rgb_to_lab
from common.params import JobParams
from workers.cgan.bubbles import cover_letters, find_white
from workers.cgan.hints import MAX_PAGE_HINTS, pick_hints
from workers.cgan.paint import paint_page
from workers.cgan.palette import colour_regions, pull_to_palette

PARAMS = JobParams()


def draw_page_with_bubble():
    """(480, 360, 3) uint8: a grey panel in a white gutter, with a speech bubble in it."""
    page = np.full((480, 360, 3), 255, dtype=np.uint8)
    cv2.rectangle(page, (20, 20), (340, 460), (150, 150, 150), cv2.FILLED)
    cv2.rectangle(page, (20, 20), (340, 460), (0, 0, 0), 3)
    cv2.ellipse(page, (180, 120), (110, 60), 0, 0, 360, (255, 255, 255), cv2.FILLED)
    cv2.ellipse(page, (180, 120), (110, 60), 0, 0, 360, (0, 0, 0), 2)
    cv2.putText(page, "HELLO YOU", (105, 128), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (0, 0, 0), 2)
    return page


TINTED = np.full((480, 360, 2), 30, dtype=np.float32)


def test_bubbles_and_gutters_are_white_even_where_the_network_would_tint():
    white = find_white(draw_page_with_bubble()[..., 0], TINTED)
    assert white[5, 100]
    assert white[90, 180]
    assert not white[300, 180]


def test_a_white_face_is_left_to_the_network():
    page = draw_page_with_bubble()[..., 0].copy()
    cv2.circle(page, (180, 330), 70, 255, cv2.FILLED)
    for x, y in ((155, 310), (205, 310), (180, 365)):
        cv2.circle(page, (x, y), 6, 0, cv2.FILLED)
    assert not find_white(page, TINTED)[330, 180]


def test_letters_in_a_bubble_are_covered_with_it():
    page = draw_page_with_bubble()
    covered = cover_letters(find_white(page[..., 0], TINTED))
    assert covered[100:135, 105:250].all()


def test_white_stays_white_in_the_draft_and_the_rest_gets_colour(generator):
    page = draw_page_with_bubble()
    result = paint_page(page, generator, PARAMS)
    assert np.array_equal(result.draft_rgb[4:14, 100:200], page[4:14, 100:200])
    assert np.array_equal(result.draft_rgb[80:95, 150:210], page[80:95, 150:210])
    assert np.hypot(*rgb_to_lab(result.draft_rgb[280:380, 100:260])[..., 1:].reshape(-1, 2).T).mean() > 5
    in_bubble = [hint for hint in result.hints.hints if hint.region == result.regions[90, 180]]
    assert in_bubble
    assert all(min(hint.rgb) >= 250 for hint in in_bubble)


def test_the_draft_keeps_the_lightness_of_the_page(generator, two_tone_page, to_grey):
    page = to_grey(two_tone_page)
    draft = paint_page(page, generator, PARAMS).draft_rgb
    assert np.abs(page_lightness(draft) - page_lightness(page)).mean() < 1.0


def test_the_draft_of_the_reference_itself_is_nearer_to_it_than_grey(generator, two_tone_page, to_grey):
    draft = paint_page(to_grey(two_tone_page), generator, PARAMS).draft_rgb
    truth = rgb_to_lab(two_tone_page)[..., 1:]
    error = np.linalg.norm(rgb_to_lab(draft)[..., 1:] - truth, axis=2).mean()
    assert error < 0.6 * np.linalg.norm(truth, axis=2).mean()


def test_a_page_is_painted_the_same_twice(generator):
    one, two = (paint_page(draw_page_with_bubble(), generator, PARAMS) for _ in range(2))
    assert np.array_equal(one.draft_rgb, two.draft_rgb)
    assert np.array_equal(one.regions, two.regions)
    assert one.hints == two.hints


def test_hints_lie_inside_their_regions_and_never_on_ink(generator):
    result = paint_page(draw_page_with_bubble(), generator, PARAMS)
    height, width = result.regions.shape
    assert result.hints.size == (width, height)
    assert result.hints.hints
    for hint in result.hints.hints:
        assert hint.source == "cgan"
        assert hint.region == result.regions[int(hint.y * height), int(hint.x * width)] > 0


def checker(cell_px, cells):
    """(H, W) uint16: squares of their own ids with lines of one pixel between them."""
    side = cell_px * cells
    index = np.arange(side) // cell_px
    regions = (index[:, None] * cells + index + 1).astype(np.uint16)
    line = np.arange(side) % cell_px == 0
    regions[line] = 0
    regions[:, line] = 0
    return regions


def grey_lab(shape):
    return np.dstack([np.full(shape, 60.0), np.zeros(shape), np.zeros(shape)]).astype(np.float32)


def test_hints_are_at_most_400_and_the_largest_regions_come_first():
    regions = checker(20, 40)
    regions[:201, :201] = 1
    hints = pick_hints(grey_lab(regions.shape), regions, regions.shape[::-1], 200).hints
    assert len(hints) == MAX_PAGE_HINTS
    assert hints[0].region == 1


def test_regions_below_the_limit_get_no_hint():
    regions = checker(20, 4)
    assert len(pick_hints(grey_lab(regions.shape), regions, (80, 80), 361).hints) == 16
    assert not pick_hints(grey_lab(regions.shape), regions, (80, 80), 362).hints


def test_a_large_region_gets_hints_all_over_with_the_colours_found_there():
    regions = np.ones((300, 300), dtype=np.uint16)
    lab = grey_lab(regions.shape)
    lab[:, :150, 1], lab[:, 150:, 1] = -30, 30
    hints = pick_hints(lab, regions, (300, 300), 200).hints
    assert len(hints) > 50
    for hint in hints:
        if abs(hint.x - 0.5) > 0.1:
            assert (hint.rgb[0] > hint.rgb[1]) == (hint.x > 0.5)


def test_a_region_gets_its_mean_chroma_times_the_saturation_and_loses_part_of_its_noise():
    rng = np.random.default_rng(0)
    regions = checker(40, 2)
    chroma = rng.normal(20, 5, (80, 80, 2)).astype(np.float32)
    light = np.full((80, 80), 60, dtype=np.float32)
    low = colour_regions(chroma, light, regions, 1.0, 12)[regions == 1]
    high = colour_regions(chroma, light, regions, 2.0, 12)[regions == 1]
    assert np.allclose(high.mean(axis=0), 2 * low.mean(axis=0), rtol=0.05)
    assert low.std() < 0.9 * chroma.std() * low.mean() / chroma.mean()


def test_the_palette_pulls_near_colours_and_leaves_far_ones():
    colours = np.array([[50, 20, 20], [50, 22, 20], [50, -40, 0], [50, 60, 60]], dtype=np.float32)
    pulled = pull_to_palette(colours, np.array([100, 100, 100, 1]), 2)
    assert abs(pulled[0, 1] - pulled[1, 1]) < 1.5
    assert np.allclose(pulled[3], colours[3], atol=0.5)


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (1, 5000), (5000, 1), (40, 700)])
@pytest.mark.parametrize("grey", [0, 128, 255])
def test_blank_pages_of_any_size_are_painted(generator, size, grey):
    page = np.full((*size, 3), grey, dtype=np.uint8)
    result = paint_page(page, generator, PARAMS)
    assert result.draft_rgb.shape == page.shape
    assert result.regions.shape == size
    assert isinstance(result.hints, Hints)
    if grey != 128:
        assert np.array_equal(result.draft_rgb, page)
        assert all(set(hint.rgb) <= {grey} for hint in result.hints.hints)
