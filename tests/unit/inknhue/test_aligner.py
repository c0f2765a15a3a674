"""Networks on pages of any size: working size, windows, memory, colours; ours and the official one's loading."""

import numpy as np
import pytest
import torch

from common.errors import ModelMissingError, OutOfMemoryError
from common.lab import lab_to_rgb, rgb_to_lab
from common.screentone import smooth_screentone
from workers.inknhue import aligner as aligner_module
from workers.inknhue.aligner import Aligner, cap_chroma, open_aligner, open_embedded
from workers.inknhue.colour import LAB, RGB, grey_to_lab
from workers.inknhue.network import Autoencoder, AutoencoderConfig
from workers.inknhue.paint import align_page, blend_page
from workers.inknhue.weights import CONDITIONAL, FIRST_STAGE
from workers.inknhue.working_size import working_size

SMALL = AutoencoderConfig(channels=8, multipliers=(1, 2), blocks=1, z_channels=4, embed_channels=4, groups=4)


@pytest.fixture(scope="module")
def embedded():
    return open_embedded()


@pytest.fixture(autouse=True)
def _forget_aligners():
    yield
    open_aligner.cache_clear()


def small_aligner(seed=0, **settings):
    torch.manual_seed(seed)
    return Aligner(Autoencoder(SMALL).eval(), "small", **settings)


def draw_page(height=96, width=80, seed=0):
    rng = np.random.default_rng(seed)
    grey = np.full((height, width), 230, dtype=np.uint8)
    for _ in range(12):
        top, left = rng.integers(height - 8), rng.integers(width - 8)
        grey[top : top + 30, left : left + 24] = rng.integers(60, 220)
    lab = grey_to_lab(grey)
    lab[..., 1:] = rng.uniform(-40, 40, (2, 2, 2)).repeat(-(-height // 2), 0).repeat(-(-width // 2), 1)[:height, :width]
    return grey, lab_to_rgb(lab)


@pytest.mark.parametrize(
    ("page", "expected"),
    [((1460, 1028), (1092, 768)), ((7, 9), (8, 12)), ((800, 20_000), (768, 19_200)), ((1, 1), (4, 4))],
)
def test_the_working_size_has_a_short_side_of_768_at_most_and_multiples_of_the_stride(page, expected):
    assert working_size(*page, 768, 4) == expected


@pytest.mark.parametrize("colours", [RGB, LAB])
def test_colours_come_back_from_what_the_network_sees(colours):
    rgb = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    encoded = colours.encode(rgb)
    assert encoded.shape == (3, 9, 7)
    assert encoded.dtype == np.float32
    np.testing.assert_allclose(colours.decode(encoded), rgb_to_lab(rgb), atol=0.02)


def test_grey_in_lab_is_what_lab_of_grey_is():
    grey = np.arange(256, dtype=np.uint8)[None]
    np.testing.assert_allclose(grey_to_lab(grey), rgb_to_lab(np.repeat(grey[..., None], 3, axis=2)), atol=0.15)


def test_the_same_page_gives_the_same_bytes(embedded):
    grey, rough = draw_page()
    first, second = (embedded.align(grey, grey, rough) for _ in range(2))
    assert first.lab.tobytes() == second.lab.tobytes()
    assert first.warning is None


def test_a_grey_rough_stays_grey(embedded):
    grey, _ = draw_page()
    page = np.repeat(grey[..., None], 3, axis=2)
    aligned = align_page(page, page, embedded).rgb
    for picture in (aligned, blend_page(page, aligned, page)):
        assert np.abs(picture.astype(int) - page).max() <= 1  # rounding on the way through CIELAB


def test_a_page_of_7_by_9_px_passes_through_our_network(embedded):
    page = np.full((9, 7, 3), 130, dtype=np.uint8)
    rough = np.full_like(page, (170, 110, 110))
    assert align_page(page, rough, embedded).rgb.shape == page.shape


def test_no_colour_is_stronger_than_roughs():
    lab = np.tile(np.float32([50, 60, 80]), (10, 10, 1))
    cap_chroma(lab, np.tile(np.float32([50, 3, 4]), (10, 10, 1)))
    np.testing.assert_allclose(lab, np.tile(np.float32([50, 3, 4]), (10, 10, 1)), atol=1e-4)


def test_a_small_spot_of_colour_keeps_it_and_a_single_pixel_does_not():
    rough = np.tile(np.float32([50, 0, 0]), (300, 300, 1))
    rough[100:118, 100:118, 1] = 60  # 0.4% of the page
    rough[200, 200, 2] = 90
    lab = rough.copy()
    cap_chroma(lab, rough)
    np.testing.assert_array_equal(lab[100:118, 100:118], rough[100:118, 100:118])
    np.testing.assert_allclose(lab[200, 200, 2], 60, atol=0.1)


def test_what_half_precision_cannot_hold_is_computed_in_whole():
    class Overflowing(Greedy):
        def forward(self, rough, shaded):
            made = super().forward(rough, shaded)
            return made * float("inf") if torch.is_autocast_enabled("cpu") else made

    grey, rough = draw_page()
    assert np.isfinite(Aligner(Overflowing(300, ValueError()), "").align(grey, grey, rough).lab).all()


def test_a_wide_strip_and_one_of_a_pixels_width_pass(embedded):
    for height, width in ((40, 1500), (1, 500), (500, 1)):
        grey = np.full((height, width), 130, dtype=np.uint8)
        rough = np.full((height, width, 3), (170, 110, 110), dtype=np.uint8)
        page = np.repeat(grey[..., None], 3, axis=2)
        assert align_page(page, rough, embedded).rgb.shape == page.shape


def test_windows_of_a_strip_join_without_a_seam(embedded):
    grey, rough = draw_page(480, 64)
    whole = embedded.align(grey, grey, rough).lab
    windowed = Aligner(embedded._network, "", window_px=160).align(grey, grey, rough).lab
    gap = np.linalg.norm((windowed - whole)[..., 1:], axis=2)
    steps = np.abs(np.diff(gap.mean(axis=1)))
    assert gap.mean() < 3
    assert steps.max() < 1.2  # 1.6 where windows are cut hard; from one row to the next, across all joins


class Greedy(torch.nn.Module):
    """A network that finds no memory for windows of more than so many rows."""

    def __init__(self, rows, error):
        super().__init__()
        self.inner, self.config, self.rows, self.error = Autoencoder(SMALL).eval(), SMALL, rows, error

    def forward(self, rough, shaded):
        if rough.shape[2] > self.rows:
            raise self.error
        return self.inner(rough, shaded)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ],
)
def test_out_of_memory_takes_the_next_smaller_window_and_says_so(error):
    grey, rough = draw_page(1100, 40)
    aligned = Aligner(Greedy(300, error), "").align(grey, grey, rough)
    assert aligned.lab.shape == (1100, 40, 3)
    assert aligned.warning == "out of memory: worked in windows of 256 px"
    with pytest.raises(OutOfMemoryError, match="windows of 256 px"):
        Aligner(Greedy(100, error), "").align(grey, grey, rough)


def test_other_errors_of_a_network_are_not_taken_for_want_of_memory():
    grey, rough = draw_page()
    with pytest.raises(RuntimeError, match="a bug"):
        Aligner(Greedy(0, RuntimeError("a bug")), "").align(grey, grey, rough)


def test_a_shader_gives_the_page_that_the_network_sees():
    grey, rough = draw_page()
    asked = []

    def shade(luma, *, tile_px):
        asked.append(luma)
        return 255 - luma

    plain, shaded = small_aligner(), small_aligner(shade=shade)
    assert not np.allclose(plain.align(grey, grey, rough).lab, shaded.align(grey, grey, rough).lab)
    assert asked[0] is grey


def test_a_shader_that_runs_out_of_memory_takes_smaller_tiles_and_says_so():
    grey, rough = draw_page()

    def shade(luma, *, tile_px):
        if tile_px > 500:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return luma

    aligned = small_aligner(shade=shade).align(grey, grey, rough)
    assert aligned.warning == "out of memory: worked in tiles of the shader of 320 px"


def test_ours_is_used_where_no_official_network_is_installed(tmp_path):
    assert open_aligner(tmp_path).label.startswith("embedded (")


@pytest.mark.parametrize(("there", "missing"), [(FIRST_STAGE, CONDITIONAL), (CONDITIONAL, FIRST_STAGE)])
def test_one_of_the_two_official_files_alone_is_refused_by_name(tmp_path, there, missing):
    (tmp_path / "inknhue" / there).parent.mkdir(parents=True)
    (tmp_path / "inknhue" / there).write_bytes(b"")
    with pytest.raises(ModelMissingError, match=f"{missing} not found beside {there}"):
        open_aligner(tmp_path)


def test_an_installed_official_network_is_used_and_named(tmp_path, monkeypatch):
    for name in (FIRST_STAGE, CONDITIONAL):
        (tmp_path / "inknhue" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "inknhue" / name).write_bytes(b"x")
    monkeypatch.setattr("workers.inknhue.official.weights.load_autoencoder", lambda _: Autoencoder(SMALL).eval())
    official = open_aligner(tmp_path)
    assert official.label.startswith("inkn'hue (")
    grey, rough = draw_page()
    assert official.align(grey, smooth_screentone(grey), rough).lab.shape == (*grey.shape, 3)
    assert open_aligner(tmp_path) is official
    assert aligner_module.OFFICIAL_FOLDER == "inknhue"
