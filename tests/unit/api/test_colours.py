"""Corrected colours as the truth keeps them."""

import pytest

from common.colours import MAX_COLOURS, merge_colours, read_colours
from common.errors import InputError

RED, PURPLE, GREEN = (200, 40, 40), (120, 30, 140), (10, 200, 30)


def listed(*pairs):
    return [{"old": list(old), "new": list(new)} for old, new in pairs]


def test_what_is_kept_reads_back():
    assert read_colours(listed((RED, PURPLE), (GREEN, RED))) == {RED: PURPLE, GREEN: RED}


def test_a_new_correction_replaces_one_of_the_same_colour_and_leaves_the_others():
    kept = listed((RED, PURPLE), (GREEN, RED))
    assert merge_colours(kept, {RED: GREEN}, "a job") == listed((RED, GREEN), (GREEN, RED))


def test_a_colour_that_is_to_become_itself_is_corrected_no_longer():
    assert merge_colours(listed((RED, PURPLE), (GREEN, RED)), {RED: RED, PURPLE: PURPLE}, "a job") == listed(
        (GREEN, RED)
    )


def test_a_colour_that_stays_holds_against_a_correction_of_one_near_it_for_as_long_as_that_is_kept():
    nearly, far = (204, 44, 44), (230, 80, 80)
    kept = merge_colours(listed((RED, PURPLE)), {nearly: nearly, far: far}, "a job")
    assert kept == listed((RED, PURPLE), (nearly, nearly))
    assert merge_colours(kept, {nearly: GREEN}, "a job") == listed((RED, PURPLE), (nearly, GREEN))
    assert merge_colours(kept, {RED: RED}, "a job") == []


def test_no_more_colours_than_the_limit_are_kept():
    many = {(0, 0, blue): RED for blue in range(256)}
    kept = merge_colours([], many, "series 'One'")
    assert len(kept) == MAX_COLOURS == 256
    assert merge_colours(kept, {(0, 0, 7): GREEN}, "series 'One'")[7]["new"] == list(GREEN)
    with pytest.raises(InputError, match="series 'One' would have 257 corrected colours, the limit is 256"):
        merge_colours(kept, {RED: GREEN}, "series 'One'")
