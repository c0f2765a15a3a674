from dataclasses import replace

import cv2
import numpy as np
import pytest

from common.lab import page_lightness, rgb_to_lab
from common.palette import find_palette
from common.params import JobParams
from workers.cgan import working_size
from workers.cgan.bubbles import cover_letters, find_white
from workers.cgan.hints import MAX_PAGE_HINTS, pick_hints
from workers.cgan.paint import paint_page
from workers.cgan.palette import colour_regions, pull_to_palette
from workers.cgan.shading import TRUST_RANGE, find_trust, measure_shading

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


def test_two_words_of_touching_letters_make_a_caption_in_a_box_alone():
    page = draw_page_with_bubble()[..., 0].copy()
    cv2.rectangle(page, (60, 300), (160, 340), 255, cv2.FILLED)
    cv2.circle(page, (260, 320), 45, 255, cv2.FILLED)
    for x in (72, 238):
        cv2.rectangle(page, (x, 313), (x + 16, 325), 0, cv2.FILLED)
        cv2.rectangle(page, (x + 26, 313), (x + 42, 325), 0, cv2.FILLED)
    white = find_white(page, TINTED)
    assert white[305, 100]
    assert not white[345, 260]


def test_letters_in_a_bubble_are_covered_with_it():
    page = draw_page_with_bubble()
    covered = cover_letters(find_white(page[..., 0], TINTED))
    assert covered[100:135, 105:250].all()


def test_white_stays_white_in_the_draft_and_the_rest_gets_colour(model):
    page = draw_page_with_bubble()
    result = paint_page(page, model, PARAMS)
    assert np.array_equal(result.draft_rgb[4:14, 100:200], page[4:14, 100:200])
    assert np.array_equal(result.draft_rgb[80:95, 150:210], page[80:95, 150:210])
    assert np.hypot(*rgb_to_lab(result.draft_rgb[280:380, 100:260])[..., 1:].reshape(-1, 2).T).mean() > 5
    in_bubble = [hint for hint in result.hints.hints if hint.region == result.regions[90, 180]]
    assert in_bubble
    assert all(min(hint.rgb) >= 250 for hint in in_bubble)


def test_the_hints_of_paper_that_is_not_quite_white_are_white(model):
    page = np.minimum(draw_page_with_bubble(), 247)
    result = paint_page(page, model, PARAMS)
    in_white = [hint for hint in result.hints.hints if hint.region in (result.regions[5, 100], result.regions[90, 180])]
    assert [hint.rgb for hint in in_white] == [(255, 255, 255)] * 2


def test_the_draft_keeps_the_lightness_of_the_page(model, two_tone_page, to_grey):
    page = to_grey(two_tone_page)
    draft = paint_page(page, model, PARAMS).draft_rgb
    assert np.abs(page_lightness(draft) - page_lightness(page)).max() < 1.0


def test_a_draft_in_colours_beyond_srgb_keeps_the_lightness_too(model, two_tone_page, to_grey):
    page = to_grey(two_tone_page)
    draft = paint_page(page, model, JobParams(saturation=4)).draft_rgb
    assert np.abs(page_lightness(draft) - page_lightness(page)).max() < 1.0


def test_the_draft_of_the_reference_itself_is_nearer_to_it_than_grey(model, two_tone_page, to_grey):
    draft = paint_page(to_grey(two_tone_page), model, PARAMS).draft_rgb
    truth = rgb_to_lab(two_tone_page)[..., 1:]
    error = np.linalg.norm(rgb_to_lab(draft)[..., 1:] - truth, axis=2).mean()
    assert error < 0.6 * np.linalg.norm(truth, axis=2).mean()


def test_a_page_is_painted_the_same_twice(model):
    one, two = (paint_page(draw_page_with_bubble(), model, PARAMS) for _ in range(2))
    assert np.array_equal(one.draft_rgb, two.draft_rgb)
    assert np.array_equal(one.regions, two.regions)
    assert one.hints == two.hints


def test_hints_lie_inside_their_regions_and_never_on_ink(model):
    result = paint_page(draw_page_with_bubble(), model, PARAMS)
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


def pick(lab, regions, min_region_px, confidence=None):
    confidence = np.ones(int(regions.max()) + 1, dtype=np.float32) if confidence is None else confidence
    return pick_hints(lab, regions, confidence, regions.shape[::-1], min_region_px).hints


def test_hints_are_at_most_400_and_the_largest_regions_come_first():
    regions = checker(20, 40)
    regions[:201, :201] = 1
    hints = pick(grey_lab(regions.shape), regions, 200)
    assert len(hints) == MAX_PAGE_HINTS
    assert hints[0].region == 1


def test_of_two_regions_alike_the_surer_comes_first():
    regions = checker(20, 2)
    hints = pick(grey_lab(regions.shape), regions, 1, np.array([1, 0.2, 0.9, 0.5, 0.1], dtype=np.float32))
    assert [hint.region for hint in hints] == [2, 3, 1, 4]
    assert hints[0].confidence == pytest.approx(0.9)


def test_regions_below_the_limit_get_no_hint():
    regions = checker(20, 4)
    assert len(pick(grey_lab(regions.shape), regions, 361)) == 16
    assert not pick(grey_lab(regions.shape), regions, 362)


def test_a_region_gets_one_hint_at_the_point_deepest_inside_it():
    regions = np.zeros((100, 200), dtype=np.uint16)
    regions[40:60, 10:190] = 1  # a handle
    regions[20:80, 130:190] = 1  # and a head, whose middle is deepest
    (hint,) = pick(grey_lab(regions.shape), regions, 200)
    assert abs(hint.x * 200 - 160) < 3
    assert abs(hint.y * 100 - 50) < 3


def test_the_edge_of_the_page_is_a_rim_of_what_touches_it():
    regions = np.ones((100, 200), dtype=np.uint16)
    (hint,) = pick(grey_lab(regions.shape), regions, 200)
    assert (abs(hint.y * 100 - 50) < 3) and (48 <= hint.x * 200 <= 152)


def test_a_region_that_is_all_rim_gets_a_hint_on_itself():
    regions = np.zeros((100, 400), dtype=np.uint16)
    regions[50:52, 10:390] = 1
    (hint,) = pick(grey_lab(regions.shape), regions, 200)
    assert regions[int(hint.y * 100), int(hint.x * 400)] == 1


def test_black_and_white_are_colours_of_hints():
    regions = checker(40, 2)
    lab = grey_lab(regions.shape)
    lab[regions == 1, 0], lab[regions == 2, 0] = 0, 100
    colours = {hint.region: hint.rgb for hint in pick(lab, regions, 200)}
    assert colours[1] == (0, 0, 0)
    assert colours[2] == (255, 255, 255)


def test_the_limit_of_a_region_grows_with_the_page(model):
    page = draw_page_with_bubble()
    double = cv2.resize(page, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    areas = np.bincount(paint_page(page, model, PARAMS).regions.ravel())[1:]
    limit = int(np.sort(areas)[-2])  # at half of the working size: two regions are as large
    share = (min(page.shape[:2]) / 768) ** 2
    params = JobParams(min_region_px=round(limit * 0.9 / share))
    count, of_double = (len(paint_page(each, model, params).hints.hints) for each in (page, double))
    assert count == of_double == 2


SURE = np.ones((80, 80), dtype=np.float32)
NO_PALETTE = np.array([[50, 120, 120]], dtype=np.float32)


def even_out(chroma, confidence, factor):
    light = np.full((80, 80), 60, dtype=np.float32)
    regions = checker(40, 2)
    return colour_regions(chroma, confidence, light, regions, factor=factor, palette_lab=NO_PALETTE)[0], regions


def test_a_region_gets_its_median_chroma_times_a_factor_and_loses_part_of_its_noise():
    chroma = np.random.default_rng(0).normal(20, 5, (80, 80, 2)).astype(np.float32)
    low, regions = even_out(chroma, SURE, 1.0)
    high, _ = even_out(chroma, SURE, 2.0)
    low, high = low[regions == 1], high[regions == 1]
    assert np.allclose(high.mean(axis=0), 2 * low.mean(axis=0), rtol=0.05)
    assert low.std() < 0.9 * chroma.std() * low.mean() / chroma.mean()


def test_what_is_unsure_or_a_minority_does_not_move_a_regions_colour():
    chroma = np.full((80, 80, 2), 30, dtype=np.float32)
    even = even_out(chroma, SURE, 1.2)[0][30, 20]
    chroma[1:16, 1:40] = -60  # two fifths of the first region
    minority, _ = even_out(chroma, SURE, 1.2)
    assert np.abs(minority[30, 20] - even).max() < 3
    chroma[1:31, 1:40] = -60  # most of it, but unsure
    confidence = SURE.copy()
    confidence[1:31, 1:40] = 0.0
    unsure, _ = even_out(chroma, confidence, 1.2)
    assert np.abs(unsure[35, 20] - even).max() < 3


def test_ink_takes_the_colour_of_what_is_nearest_and_leaves_no_halo():
    regions = np.zeros((40, 90), dtype=np.uint16)
    regions[:, :40], regions[:, 50:] = 1, 2
    chroma = np.full((40, 90, 2), 99, dtype=np.float32)
    chroma[:, :40], chroma[:, 50:] = 10, -30
    light = np.full((40, 90), 60, dtype=np.float32)
    coloured, _ = colour_regions(chroma, np.ones_like(light), light, regions, factor=1.0, palette_lab=NO_PALETTE)
    assert np.allclose(coloured[:, 40:44], coloured[20, 5])
    assert np.allclose(coloured[:, 46:50], coloured[20, 80])


def test_a_painted_reference_is_believed_less_than_a_flat_one_whatever_its_file(two_tone_page):
    flat = cv2.resize(two_tone_page, None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST)
    _, encoded = cv2.imencode(".jpg", flat, [cv2.IMWRITE_JPEG_QUALITY, 80])
    light = np.linspace(-60, 60, flat.shape[0], dtype=np.float32)[:, None, None]
    painted = np.clip(flat + light * np.array([1, 0, -1]), 0, 255).astype(np.uint8)
    assert find_trust(measure_shading([flat])) == TRUST_RANGE[0]
    assert find_trust(measure_shading([cv2.imdecode(encoded, cv2.IMREAD_COLOR)])) == TRUST_RANGE[0]
    assert find_trust(measure_shading([painted])) == TRUST_RANGE[1]


def test_a_draft_has_as_much_colour_as_its_model_is_believed(model, two_tone_page, to_grey):
    def chroma(shading):
        draft = paint_page(to_grey(two_tone_page), replace(model, shading=shading), PARAMS).draft_rgb
        return float(np.linalg.norm(rgb_to_lab(draft)[..., 1:], axis=2).mean())

    assert chroma(0.3) < 0.8 * chroma(0.05)


def test_the_palette_is_made_of_the_main_colours_the_most_frequent_first():
    samples = np.repeat(np.array([[50, 40, 0], [80, 0, 60], [30, -30, -30]], dtype=np.float32), (500, 300, 200), axis=0)
    palette = find_palette(samples + np.random.default_rng(0).normal(0, 1, samples.shape).astype(np.float32), 3)
    assert np.abs(palette - [[50, 40, 0], [80, 0, 60], [30, -30, -30]]).max() < 2
    assert len(find_palette(samples[:2], 12)) <= 2


def test_the_palette_pulls_near_colours_and_leaves_far_ones():
    palette = np.array([[50, 20, 20], [50, -40, 0]], dtype=np.float32)
    pulled = pull_to_palette(np.array([[50, 24, 20], [50, 60, 60]], dtype=np.float32), palette)
    assert abs(pulled[0, 1] - 20) < 3
    assert np.allclose(pulled[1], [50, 60, 60], atol=0.5)


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (1, 5000), (5000, 1), (40, 700)])
@pytest.mark.parametrize("grey", [0, 128, 255])
def test_a_blank_page_of_any_size_stays_as_it_is_and_gets_no_hints(model, size, grey):
    page = np.full((*size, 3), grey, dtype=np.uint8)
    result = paint_page(page, model, PARAMS)
    assert np.array_equal(result.draft_rgb, page)
    assert result.regions.shape == size
    assert result.hints.hints == ()


def test_a_scanned_blank_page_is_blank_for_all_its_noise(model):
    noise = np.random.default_rng(0).normal(250, 1.5, (300, 200)).clip(0, 255).astype(np.uint8)
    assert paint_page(np.repeat(noise[..., None], 3, axis=2), model, PARAMS).hints.hints == ()


@pytest.mark.parametrize("size", [(1, 5000), (5000, 1), (8, 8), (40, 3000), (3000, 40)])
def test_pages_of_odd_sizes_are_painted(model, size):
    page = np.repeat((np.indices(size).sum(axis=0) // 7 % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)
    result = paint_page(page, model, PARAMS)
    assert result.draft_rgb.shape == page.shape
    assert result.regions.shape == size


@pytest.mark.parametrize("size", [(1, 3000), (3000, 1), (2, 1500), (2, 625), (3, 1125), (60, 50), (100, 100), (90, 40)])
def test_a_page_of_any_shape_is_shrunk_to_the_pixels_that_are_allowed(monkeypatch, size):
    monkeypatch.setattr(working_size, "WORK_PIXELS", 1000)
    height, width = working_size.shrink_page(np.zeros((*size, 3), dtype=np.uint8)).shape[:2]
    assert 800 <= height * width <= 1000


def test_a_strip_is_painted_like_the_pages_that_it_is_made_of(model, two_tone_page, to_grey):
    page = to_grey(two_tone_page)
    strip = paint_page(np.concatenate([page] * 20), model, PARAMS).draft_rgb
    alone = paint_page(page, model, PARAMS).draft_rgb
    middle = strip[10 * len(page) : 11 * len(page)]
    assert np.abs(rgb_to_lab(middle)[..., 1:] - rgb_to_lab(alone)[..., 1:]).mean() < 4
