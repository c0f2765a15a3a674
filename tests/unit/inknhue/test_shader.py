"""The official shading generator against what the original computes (tests/golden/inknhue), and pages through it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from workers.inknhue.official import shading
from workers.inknhue.official.shader_network import ShadingGenerator
from workers.inknhue.official.shading import MAX_LONG_PX, pad_to_blocks, shade_page, shade_small, working_shape

GOLDEN = Path(__file__).parents[2] / "golden" / "inknhue"


@pytest.fixture(scope="module")
def network(fill_from_keys):
    network = ShadingGenerator().eval()
    # The expected results are met only with "generator." in front of every key that the tensors are drawn from, though
    # the key list has no such prefix: found by trying, so presumably the original sat inside a module of that name.
    fill_from_keys(nn.ModuleDict({"generator": network}))
    return network


@pytest.fixture(scope="module")
def expected():
    with np.load(GOLDEN / "inknhue_shader.npz") as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


class Stub(nn.Module):
    """Stands for the network; notes the sizes that it is given."""

    def __init__(self, work):
        super().__init__()
        self.anything = nn.Parameter(torch.zeros(1))
        self.work = work
        self.sizes = []

    def paint(self, x):
        self.sizes.append(tuple(x.shape[2:]))
        assert not x[:, 1:].any()
        return self.work(x[:, :1]).repeat(1, 3, 1, 1)


def make_echo():
    return Stub(lambda grey: grey * 2 - 1).eval()


def test_keys_and_shapes_are_the_official_files():
    shapes = {key: list(tensor.shape) for key, tensor in ShadingGenerator().state_dict().items()}
    assert shapes == json.loads((GOLDEN / "inknhue_shader.keys.json").read_text())


def test_colour_and_guide_are_the_originals(network, expected):
    with torch.inference_mode():
        colour, guide = network(expected["input"])
    assert (colour - expected["colour"]).abs().max() < 1e-4
    assert (guide - expected["guide"]).abs().max() < 1e-4


def test_painting_without_the_guide_gives_the_same_colour(network, expected):
    with torch.inference_mode():
        assert (network.paint(expected["input"]) - expected["colour"]).abs().max() < 1e-4


@pytest.mark.parametrize(
    ("page", "working"),
    [
        ((1152, 768), (864, 576)),
        ((100, 50), (1152, 576)),
        ((500, 500), (576, 576)),
        ((800, 1200), (864, 1296)),
        ((20_000, 800), (14_400, 576)),
        ((1, 1), (576, 576)),
        ((20_000, 1), (MAX_LONG_PX, 1)),
    ],
)
def test_portrait_pages_get_the_width_and_landscape_pages_the_height(page, working):
    assert working_shape(*page) == working


@pytest.mark.parametrize(
    ("shape", "padded"),
    [((64, 32), (96, 32)), ((65, 32), (96, 32)), ((32, 64), (32, 96)), ((48, 95), (64, 96)), ((32, 32), (64, 32))],
)
def test_padding_lengthens_the_long_side_by_at_least_one_pixel(shape, padded):
    assert pad_to_blocks(np.zeros(shape, dtype=np.uint8)).shape == padded


def test_padding_takes_each_columns_maximum():
    grey = np.zeros((33, 32), dtype=np.uint8)
    grey[4, 7] = 200
    below = pad_to_blocks(grey)[33:]
    assert (below[:, 7] == 200).all()
    assert not np.delete(below, 7, axis=1).any()


def test_what_the_network_gives_comes_back_in_place():
    page = np.random.default_rng(0).integers(0, 256, (864, 576), dtype=np.uint8)
    echo = make_echo()
    np.testing.assert_array_equal(shade_page(echo, page), page)
    assert echo.sizes == [(896, 576)]


def test_grey_weighs_the_networks_rgb():
    # -1, 0, 1 are 0, 0.5, 1: 0.587 · 0.5 + 0.114 = 0.4075.
    red_to_blue = torch.tensor([-1.0, 0.0, 1.0])[None, :, None, None]
    stub = make_echo()
    stub.paint = lambda x: red_to_blue.expand(1, 3, *x.shape[2:])
    assert (shade_page(stub, np.zeros((10, 10), dtype=np.uint8)) == round(0.4075 * 255)).all()


@pytest.mark.parametrize("is_tall", [True, False])
def test_long_strips_go_in_tiles_and_come_back_in_place(is_tall):
    tall = np.repeat(np.random.default_rng(0).integers(0, 256, (3000, 1), dtype=np.uint8), 64, axis=1)
    page, size = (tall, 64) if is_tall else (np.ascontiguousarray(tall.T[:63]), 42)
    echo = make_echo()
    np.testing.assert_array_equal(shade_page(echo, page, size), page)
    assert len(echo.sizes) > 1
    assert max(max(size) for size in echo.sizes) <= shading.TILE_PX


def test_tiles_of_different_tone_join_without_a_seam():
    # Each tile comes back flat, in the mean tone of what it saw: black above, white below.
    means = Stub(lambda grey: grey.mean().expand_as(grey) * 2 - 1).eval()
    page = np.zeros((3000, 64), dtype=np.uint8)
    page[1500:] = 255
    shaded = shade_page(means, page, 64).astype(int)
    assert np.ptp(shaded) > 200
    assert np.abs(np.diff(shaded, axis=0)).max() <= 2


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 3), (61, 47)])
def test_any_page_comes_back_in_its_size(network, shape):
    page = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    shaded = shade_page(network, page, size=32)
    assert shaded.shape == shape
    assert shaded.dtype == np.uint8


def test_small_shading_has_the_networks_size():
    page = np.zeros((150, 100), dtype=np.uint8)
    assert shade_small(make_echo(), page, size=64).shape == (96, 64)


def test_extreme_strips_stay_small():
    echo = make_echo()
    assert shade_page(echo, np.zeros((20_000, 1), dtype=np.uint8)).shape == (20_000, 1)
    assert sum(height * width for height, width in echo.sizes) < 2_000_000


def test_a_network_in_training_is_refused():
    with pytest.raises(AssertionError, match="batch norm"):
        shade_page(make_echo().train(), np.zeros((8, 8), dtype=np.uint8))
