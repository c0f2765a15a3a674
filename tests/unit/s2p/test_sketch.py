"""The sketch keeps lines and drops tones; screentone becomes the grey that it stands for."""

import numpy as np

from common.screentone import smooth_screentone
from common.upsampling import upsample_rows
from workers.s2p.sketch import draw_sketch


def toned_page(pitch=8):
    rows, columns = np.mgrid[:900, :900]
    page = np.full((900, 900), 255, dtype=np.uint8)
    half = pitch // 2
    page[((rows % pitch) - half) ** 2 + ((columns % pitch) - half) ** 2 <= 5] = 0
    page[:, :100] = 255
    page[:, 298:302] = 0
    return page


def test_screentone_becomes_its_mean_grey_and_the_line_in_it_stays():
    smooth = smooth_screentone(toned_page())
    assert smooth[200:400, 400:500].std() < 6
    assert abs(float(smooth[200:400, 400:500].mean()) - toned_page()[200:400, 400:500].mean()) < 6
    assert (smooth[200:400, 299:301] < 40).all()
    assert (smooth[:, :80] == 255).all()


def test_an_ellipsis_is_no_screentone():
    page = np.full((600, 600), 255, dtype=np.uint8)
    for column in (300, 312, 324):
        page[300:304, column : column + 4] = 0
    np.testing.assert_array_equal(smooth_screentone(page), page)


def test_sketch_shows_lines_and_neither_tone_nor_shading():
    grey = np.tile(np.linspace(90, 230, 600).astype(np.uint8), (600, 1))
    grey[300:304, 50:550] = 10
    sketch = draw_sketch(grey)
    assert sketch.shape == (600, 600, 3)
    assert sketch[302, 100:500].max() < 60
    assert sketch[:250].min() > 230
    assert sketch[350:].min() > 230


def test_a_blank_page_gives_a_white_sketch():
    for value in (0, 128, 255):
        assert draw_sketch(np.full((50, 60), value, dtype=np.uint8)).min() == 255


def test_upsampled_colours_stop_at_the_edge_of_the_page_and_not_of_working_size():
    grey = np.full((64, 64), 220, dtype=np.uint8)
    grey[:, 34:] = 60
    guide = np.full((8, 8), 220 / 255, dtype=np.float32)
    guide[:, 5:] = 60 / 255
    guide[:, 4] = (2 * 220 + 6 * 60) / 8 / 255
    chroma = np.zeros((8, 8, 2), dtype=np.float32)
    chroma[:, :4], chroma[:, 4:] = (30, 0), (-30, 0)
    page = upsample_rows(chroma, guide, grey, slice(0, 64))
    np.testing.assert_array_equal(upsample_rows(chroma, guide, grey, slice(20, 40)), page[20:40])
    assert page[32, 33, 0] > 20
    assert page[32, 34, 0] < -20
