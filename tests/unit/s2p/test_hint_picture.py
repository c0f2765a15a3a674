"""Hint pictures: what is a dot, what is background, and what is refused."""

import io

import numpy as np
import pytest
from PIL import Image

from common.errors import BadImageError, InputError
from workers.s2p.hints import check_same_shape, read_hint_picture


def png(array):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format="PNG")
    return buffer.getvalue()


def test_each_blob_of_one_colour_is_a_hint_at_its_centroid():
    picture = np.zeros((50, 100, 3), dtype=np.uint8)
    picture[10:13, 20:23] = (255, 0, 0)
    picture[10:13, 23:26] = (0, 255, 0)
    picture[40, 90] = (255, 0, 0)
    picture[41, 91] = (255, 0, 0)
    hints = read_hint_picture(png(picture), "hints.png", (200, 100))
    assert hints.size == (200, 100)
    assert [(hint.x, hint.y, hint.rgb) for hint in hints.hints] == [
        (0.21, 0.22, (255, 0, 0)),
        (0.9, 0.8, (255, 0, 0)),
        (0.91, 0.82, (255, 0, 0)),
        (0.24, 0.22, (0, 255, 0)),
    ]


def test_transparent_is_background_and_black_and_white_are_colours():
    picture = np.zeros((50, 50, 4), dtype=np.uint8)
    picture[10:20, 10:20] = (0, 0, 0, 255)
    picture[30:40, 30:40] = (255, 255, 255, 255)
    picture[0:5, 0:5] = (255, 0, 0, 100)
    hints = read_hint_picture(png(picture), "hints.png", (50, 50))
    assert sorted(hint.rgb for hint in hints.hints) == [(0, 0, 0), (255, 255, 255)]


def test_an_empty_picture_has_no_hints():
    assert read_hint_picture(png(np.zeros((9, 9, 3), dtype=np.uint8)), "hints.png", (9, 9)).hints == ()


def test_a_picture_of_another_shape_or_too_many_blobs_is_refused():
    with pytest.raises(InputError, match="not of the page's shape"):
        read_hint_picture(png(np.zeros((50, 60, 3), dtype=np.uint8)), "hints.png", (50, 50))
    noise = np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    with pytest.raises(InputError, match="over the limit of 2000"):
        read_hint_picture(png(noise), "hints.png", (80, 80))
    with pytest.raises(BadImageError):
        read_hint_picture(b"no picture", "hints.png", (80, 80))


def test_shapes_may_differ_by_rounding_of_small_previews():
    check_same_shape((77, 108), (1530, 2160), "rough")
    check_same_shape((1, 1), (8, 7), "rough")
    with pytest.raises(InputError):
        check_same_shape((1570, 2160), (1530, 2160), "rough")
