"""The official painter gives what Style2Paints V4.5 gives, step by step, on stand-ins for its networks."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from common.errors import TooLargeError
from common.hints import Hint, Hints
from common.imaging import decode_image
from workers.s2p.hints import read_hint_picture
from workers.s2p.official.hint_map import paint_hint_map
from workers.s2p.official.painter import OfficialPainter, _prepare_face
from workers.s2p.official.prepare import draw_sketch, even_ink, lift_grey
from workers.s2p.official.refine import refine
from workers.s2p.official.resizing import resize_to_blocks

GOLDEN = Path(__file__).parents[2] / "golden" / "s2p"
FACTS = json.loads((GOLDEN / "expected" / "facts.json").read_text())


def expected(name):
    return cv2.imread(str(GOLDEN / "expected" / f"{name}.png"), cv2.IMREAD_UNCHANGED)


@pytest.fixture(scope="module")
def page_rgb():
    return decode_image((GOLDEN / "page.png").read_bytes(), "page")


@pytest.fixture(scope="module")
def painter():
    return OfficialPainter.load(GOLDEN / "nets")


@pytest.fixture(scope="module")
def hints(page_rgb):
    size = (page_rgb.shape[1], page_rgb.shape[0])
    return read_hint_picture((GOLDEN / "hints.png").read_bytes(), "hints", size)


def assert_close(found, name, levels, share=1.0):
    wanted = expected(name)
    assert found.shape == wanted.shape
    assert (np.abs(found.astype(int) - wanted) <= levels).mean() >= share


def test_points_and_their_map(hints):
    wanted = FACTS["points_xyrgb_topleft"]
    np.testing.assert_allclose([(hint.x, hint.y, *hint.rgb) for hint in hints.hints], wanted, atol=1e-12)
    painted = paint_hint_map(hints, tuple(FACTS["sketch_1024_shape"]))
    np.testing.assert_array_equal(painted[..., 3], expected("hints_1024_alpha"))


def test_sizes(page_rgb):
    sketch = np.zeros(FACTS["sketch_shape"], dtype=np.uint8)
    assert list(resize_to_blocks(sketch, 64).shape) == FACTS["sketch_1024_shape"]
    assert list(_prepare_face(None).shape) == FACTS["face_shape"]


def test_ink_sketch_and_grey(page_rgb, painter):
    page_bgr = np.ascontiguousarray(page_rgb[..., ::-1])
    ink = even_ink(page_bgr)
    assert_close(ink, "page_norm", 0)
    assert_close(draw_sketch(ink, lambda tiles: painter._tail(tiles).numpy()), "sketch", 1)
    assert_close(lift_grey(page_bgr, tuple(FACTS["sketch_shape"])), "origin", 1)


def test_networks(painter, hints):
    careless = painter.paint_careless(expected("sketch"), hints)
    assert list(careless.shape) == FACTS["careless_shape"]
    assert_close(careless, "careless", 2, 0.995)


def test_refinement():
    assert_close(refine(expected("careless"), expected("sketch"), expected("origin")), "blended_smoothed", 2, 0.995)


def test_the_whole_way(page_rgb, painter, hints):
    result = painter.paint(page_rgb, hints)
    assert_close(result.sketch_rgb[..., 0], "sketch", 1)
    assert_close(result.rough_rgb[..., ::-1], "blended_smoothed", 2, 0.995)


def test_a_coloured_face_changes_the_picture(page_rgb, painter, hints):
    plain = painter.paint_careless(expected("sketch"), hints)
    red = np.full((300, 200, 3), (200, 60, 60), dtype=np.uint8)
    assert np.abs(painter.paint_careless(expected("sketch"), hints, red).astype(int) - plain).max() > 3


def test_a_hint_at_the_very_edge_is_painted():
    corner = Hints(size=(10, 10), hints=(Hint(x=1.0, y=1.0, rgb=(1, 2, 3)),))
    assert tuple(paint_hint_map(corner, (64, 64))[63, 63]) == (3, 2, 1, 255)


def test_a_blank_page_stays_blank_and_a_black_one_passes(painter):
    white = np.full((200, 300, 3), 255, dtype=np.uint8)
    assert even_ink(white).min() == 255
    one = Hints(size=(300, 200), hints=(Hint(x=0.5, y=0.5, rgb=(200, 60, 60)),))
    for hints in (Hints(size=(300, 200), hints=()), one):
        result = painter.paint(white, hints)
        assert result.sketch_rgb.min() > 240
        assert (result.rough_rgb == 255).all() == (not hints.hints)
    black = painter.paint(np.zeros((200, 300, 3), dtype=np.uint8), one)
    assert cv2.cvtColor(black.rough_rgb, cv2.COLOR_RGB2GRAY).max() < 40


def test_a_strip_too_long_is_refused_with_the_limit(painter):
    with pytest.raises(TooLargeError, match="80×700 px: the official networks paint pages up to 6 times as long"):
        painter.paint(np.full((700, 80, 3), 255, dtype=np.uint8), Hints(size=(80, 700), hints=()))
