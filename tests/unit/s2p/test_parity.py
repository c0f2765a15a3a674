"""The official painter gives what Style2Paints V4.5 gives, step by step, on stand-ins for its networks."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

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
    assert list(expected("careless").shape) == FACTS["careless_shape"]


def test_ink_sketch_and_grey(page_rgb, painter):
    page_bgr = np.ascontiguousarray(page_rgb[..., ::-1])
    ink = even_ink(page_bgr)
    assert_close(ink, "page_norm", 0)
    assert_close(draw_sketch(ink, lambda tiles: painter._tail(tiles).numpy()), "sketch", 1)
    assert_close(lift_grey(page_bgr, tuple(FACTS["sketch_shape"])), "origin", 1)


def test_networks(painter, hints):
    assert_close(painter.paint_careless(expected("sketch"), hints), "careless", 2, 0.995)


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
    none = Hints(size=(300, 200), hints=())
    assert even_ink(np.full((200, 300, 3), 255, dtype=np.uint8)).min() == 255
    for level in (0, 255):
        result = painter.paint(np.full((200, 300, 3), level, dtype=np.uint8), none)
        assert np.isfinite(result.rough_rgb).all()
