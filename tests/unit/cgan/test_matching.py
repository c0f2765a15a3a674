"""Corrected colours of one palette find those of another. Greys are worked out by hand: their a and b are 0."""

import numpy as np
import pytest

from common.colours import SAME_COLOUR, merge_colours, read_colours, to_lab
from common.lab import rgb_to_lab
from common.palette import match_colours

# L of grey v is 116 (v'^(1/3)) - 16 with v' = ((v/255 + 0.055) / 1.055)^2.4, at 0.4 to 0.42 a grey level around 120.
GREY, LIGHTER, FAR = (120,) * 3, (130,) * 3, (140,) * 3
RED, GREEN, BLUE = (200, 40, 40), (10, 200, 30), (20, 30, 220)


def lightness(grey: tuple[int, int, int]) -> float:
    linear = ((grey[0] / 255 + 0.055) / 1.055) ** 2.4
    return 116 * linear ** (1 / 3) - 16


def test_the_greys_are_as_far_apart_as_the_tests_below_need():
    assert lightness(LIGHTER) - lightness(GREY) == pytest.approx(4.0, abs=0.1)
    assert lightness(FAR) - lightness(GREY) == pytest.approx(7.9, abs=0.1)
    shown = rgb_to_lab(np.array([[GREY, LIGHTER, FAR]], dtype=np.uint8))[0]
    assert shown[:, 0] == pytest.approx(
        [lightness(grey) for grey in (GREY, LIGHTER, FAR)], abs=0.25
    )  # as exact as OpenCV is
    assert 4.1 < SAME_COLOUR < 7.8


def test_a_colour_goes_to_the_nearest_of_the_palette():
    assert match_colours({GREY: RED}, [(255, 255, 255), FAR, LIGHTER]) == {LIGHTER: RED}


def test_a_colour_that_the_palette_has_no_longer_is_left_out():
    assert match_colours({GREY: RED}, [(255, 255, 255), FAR]) == {}
    assert match_colours({GREY: RED}, []) == {}
    assert match_colours({}, [GREY]) == {}


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_that_go_to_the_same_colour_the_nearer_one_holds(order):
    both = dict([(GREY, RED), (LIGHTER, GREEN)][::order])
    assert match_colours(both, [LIGHTER]) == {LIGHTER: GREEN}
    assert match_colours(both, [LIGHTER, GREY]) == {LIGHTER: GREEN, GREY: RED}


def test_a_correction_is_undone_in_a_palette_that_differs_slightly():
    # GREY was corrected in one chapter; the next one's palette has LIGHTER, whose owner has it stay as it is.
    kept = merge_colours([], {GREY: RED}, "series 'One'")
    assert match_colours(read_colours(kept), [LIGHTER]) == {LIGHTER: RED}
    kept = merge_colours(kept, {LIGHTER: LIGHTER}, "series 'One'")
    assert match_colours(read_colours(kept), [LIGHTER]) == {}
    assert match_colours(read_colours(kept), [(129, 129, 129)]) == {}
    assert match_colours(read_colours(kept), [GREY, LIGHTER]) == {GREY: RED}


def test_colours_of_one_are_where_the_stages_see_them():
    some = [GREY, RED, GREEN, BLUE, (0, 0, 0), (255, 255, 255), (3, 10, 11), (255, 0, 255)]
    expected = rgb_to_lab(np.array([some], dtype=np.uint8))[0]
    np.testing.assert_allclose([to_lab(rgb) for rgb in some], expected, atol=0.5)  # as exact as OpenCV is


def test_lightness_alone_is_not_what_makes_a_colour_near():
    # Pure red and the grey of its lightness, L 53.2: a and b of red are 80 and 67.
    assert match_colours({(255, 0, 0): BLUE}, [(127, 127, 127)]) == {}
    assert match_colours({(255, 0, 0): BLUE}, [(250, 4, 2)]) == {(250, 4, 2): BLUE}
