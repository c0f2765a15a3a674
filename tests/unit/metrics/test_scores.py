"""The figures, on tiny pictures worked out by hand."""

import json

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000
from skimage.metrics import structural_similarity

from common.lab import rgb_to_lab
from workers.metrics import scores
from workers.metrics.score import score_page


def flat(rgb, height=8, width=8):
    return np.full((height, width, 3), rgb, dtype=np.uint8)


def noise(seed=0, shape=(40, 50, 3)):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_psnr_by_hand():
    first, second = flat((10, 20, 30), 1, 2), flat((10, 20, 30), 1, 2)
    assert scores.psnr_db(first, second) == scores.MAX_PSNR_DB
    second[0, 0] = (13, 20, 30)
    # One of six values is off by 3: the mean square is 1.5.
    assert scores.psnr_db(first, second) == pytest.approx(10 * np.log10(255**2 / 1.5))
    assert scores.psnr_db(flat(0), flat(255)) == pytest.approx(0)


def test_ssim_of_flat_pictures_by_hand_and_of_noise_as_scikit_image():
    constant = (0.01 * 255) ** 2
    expected = (2 * 100 * 150 + constant) / (100**2 + 150**2 + constant)
    assert scores.ssim(flat(100), flat(150)) == pytest.approx(expected)
    first, second = noise(0), noise(1)
    theirs = structural_similarity(first, second, channel_axis=2, data_range=255)
    assert scores.ssim(first, second) == pytest.approx(theirs, rel=1e-9)


def test_ssim_is_unknown_below_its_window():
    assert scores.ssim(flat(1, 6, 40), flat(1, 6, 40)) is None


def test_strips_do_not_change_the_figures(monkeypatch):
    first, second = noise(0), noise(1)
    figures = (scores.psnr_db, scores.ssim, scores.delta_e2000, scores.chroma_error)
    whole = [figure(first, second) for figure in figures]
    whole.append(scores.colourfulness(first))
    monkeypatch.setattr(scores, "_STRIP_PIXELS", 150)
    parts = [figure(first, second) for figure in figures]
    parts.append(scores.colourfulness(first))
    np.testing.assert_allclose(parts, whole, rtol=1e-6)


def test_colour_differences_of_flat_pictures():
    first, second = flat((200, 80, 80)), flat((90, 120, 200))
    lab = [rgb_to_lab(picture)[0, 0].astype(float) for picture in (first, second)]
    assert scores.chroma_error(first, second) == pytest.approx(np.hypot(*(lab[0] - lab[1])[1:]), rel=1e-5)
    assert scores.delta_e2000(first, second) == pytest.approx(float(deltaE_ciede2000(*lab)), rel=1e-5)
    assert scores.chroma_error(flat(100), flat(200)) < 0.05


def test_colourfulness_by_hand():
    assert scores.colourfulness(flat(120)) == 0
    # Red and cyan halves: red − green = ±255, so σ 255 and μ 0; yellow − blue = ±127.5, likewise.
    picture = flat((255, 0, 0))
    picture[4:] = (0, 255, 255)
    assert scores.colourfulness(picture) == pytest.approx(np.hypot(255, 127.5))
    # One colour has no spread, only its distance from grey: 0.3 · hypot(255, 127.5).
    assert scores.colourfulness(flat((255, 0, 0))) == pytest.approx(0.3 * np.hypot(255, 127.5))


def test_a_perfect_page_beats_grey_and_grey_is_its_own_measure():
    truth = noise()
    perfect = score_page(truth, truth, None)
    assert perfect.chroma_ratio == 0
    assert perfect.final.psnr_db > perfect.grey.psnr_db
    grey = score_page(scores.turn_grey(truth), truth, None)
    assert grey.final == grey.grey
    assert grey.chroma_ratio == 1
    assert grey.colourfulness < 1e-6 < grey.colourfulness_truth


def test_the_given_page_is_the_grey_beside():
    truth, page = noise(), flat(128, 40, 50)
    assert score_page(truth, truth, page).grey.psnr_db == scores.psnr_db(page, truth)


def test_sizes_are_made_equal_and_without_a_truth_only_colourfulness_is_known():
    scored = score_page(noise(0, (20, 25, 3)), noise(), None)
    assert scored.size == (50, 40)
    alone = score_page(noise(), None, None)
    assert alone.final is alone.grey is alone.chroma_ratio is None
    assert alone.colourfulness > 50


@pytest.mark.parametrize("size", [(1, 1), (7, 9), (1, 500)])
def test_any_size_and_a_grey_truth_give_json(size):
    page = np.full((*size, 3), 255, dtype=np.uint8)
    figures = score_page(page, page, page).to_dict()
    assert figures["version"] == 1
    assert figures["chroma_ratio"] is None
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
