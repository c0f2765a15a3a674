import numpy as np

from workers.cgan.original.colours import mean_colours, reduce_palette, saturate_colours


def test_means_are_of_each_region_and_do_not_depend_on_bands(monkeypatch):
    picture = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    regions = np.random.default_rng(1).integers(0, 4, (40, 30), dtype=np.uint16)
    expected = [np.floor(picture[regions == number].mean(axis=0)) for number in (1, 2, 3)]
    assert np.array_equal(mean_colours(picture, regions), [[0, 0, 0], *expected])
    monkeypatch.setattr("workers.cgan.original.colours.BAND_PX", 70)
    assert np.array_equal(mean_colours(picture, regions), [[0, 0, 0], *expected])


def test_saturation_grows_by_its_factor_and_grey_stays_grey():
    colours = np.array([[255, 155, 155], [120, 120, 120], [255, 0, 0]], dtype=np.uint8)
    # (255, 155, 155) has the saturation 100; of 120, the low channels are 255 - 120.
    assert np.array_equal(saturate_colours(colours, 1.2), [[255, 135, 135], [120, 120, 120], [255, 0, 0]])


def test_a_palette_weighs_colours_by_area_and_leaves_few_colours_alone():
    colours = np.array([[0, 0, 0], [10, 0, 0], [200, 200, 200]], dtype=np.uint8)
    assert np.array_equal(reduce_palette(colours, np.array([5, 9, 1]), 3), colours)
    reduced = reduce_palette(colours, np.array([30, 10, 40]), 2)
    assert np.array_equal(reduced, [[2, 0, 0], [2, 0, 0], [200, 200, 200]])
