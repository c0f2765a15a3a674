"""The figures of a page, on tiny pictures worked out by hand."""

import json
import math

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000

from common.lab import rgb_to_lab
from workers.metrics import score, scores
from workers.metrics.score import score_page


def flat(rgb, height=8, width=8):
    return np.full((height, width, 3), rgb, dtype=np.uint8)


def noise(seed=0, shape=(40, 50, 3)):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_psnr_by_hand():
    first, second = flat((10, 20, 30), 1, 2), flat((10, 20, 30), 1, 2)
    assert scores.psnr_db(first, second) == math.inf
    second[0, 0] = (13, 20, 30)
    # One of six values is off by 3: the mean square is 1.5.
    assert scores.psnr_db(first, second) == pytest.approx(10 * np.log10(255**2 / 1.5))
    assert scores.psnr_db(flat(0), flat(255)) == pytest.approx(0)


def test_strips_do_not_change_the_figures(monkeypatch):
    first, second = noise(0), noise(1)
    whole = score_page(first, second, None)
    monkeypatch.setattr(score, "_STRIP_PIXELS", 150)
    parts = score_page(first, second, None)
    for side in ("final", "grey"):
        known = {name: value for name, value in whole.to_dict()[side].items() if value is not None}
        assert len(known) >= 5
        assert {name: parts.to_dict()[side][name] for name in known} == pytest.approx(known, rel=1e-5)
    assert (parts.delta_e_counts == whole.delta_e_counts).all()


def test_colour_differences_of_flat_pictures():
    first, second = flat((200, 80, 80)), flat((90, 120, 200))
    lab = [rgb_to_lab(picture)[0, 0].astype(float) for picture in (first, second)]
    final = score_page(first, second, None).final
    assert final.chroma_error == pytest.approx(np.hypot(*(lab[0] - lab[1])[1:]), rel=1e-5)
    assert final.delta_e2000 == pytest.approx(float(deltaE_ciede2000(*lab)), rel=1e-4)
    assert score_page(flat(100), flat(200), None).final.chroma_error < 0.05


def test_the_95th_percentile_and_the_histogram_of_colour_differences():
    truth = flat(100, 10, 10)
    picture = truth.copy()
    picture[0, :6] = 200  # 6 of 100 pixels are far off
    scored = score_page(picture, truth, None)
    far = float(score.map_delta_e(picture, truth)[0, 0])
    assert scored.final.delta_e2000_p95 == pytest.approx(far, abs=0.02)
    assert scored.delta_e_counts[0] == 94
    assert scored.delta_e_counts[int(far)] == 6
    picture[0, 4:6] = 100  # only 4 of 100 are
    assert score_page(picture, truth, None).final.delta_e2000_p95 == 0


def test_edges_that_stay_fade_turn_or_go():
    truth = flat(20, 20, 20)
    truth[:, 10:] = 220

    def preserved(picture):
        return score_page(picture, truth, None).final.edge_preservation

    assert preserved(truth) == pytest.approx(1)
    assert preserved(truth // 2 + 40) == pytest.approx(1, abs=0.01)  # fainter, but where they were
    assert preserved(truth[:, ::-1].copy()) == pytest.approx(-1)  # dark for light
    assert preserved(np.swapaxes(truth, 0, 1).copy()) == pytest.approx(0, abs=0.05)  # elsewhere
    assert preserved(flat(90, 20, 20)) is None


def test_colourfulness_by_hand():
    assert scores.colourfulness(flat(120)) == 0
    # Red and cyan halves: red − green = ±255, so σ 255 and μ 0; yellow − blue = ±127.5, likewise.
    picture = flat((255, 0, 0))
    picture[4:] = (0, 255, 255)
    assert scores.colourfulness(picture) == pytest.approx(np.hypot(255, 127.5))
    # One colour has no spread, only its distance from grey: 0.3 · hypot(255, 127.5).
    assert scores.colourfulness(flat((255, 0, 0))) == pytest.approx(0.3 * np.hypot(255, 127.5))
    tall = np.concatenate([picture] * 1000)
    wide = np.concatenate([tall] * 60, axis=1)  # more rows than are looked at together
    assert scores.colourfulness(wide) == pytest.approx(np.hypot(255, 127.5))


def test_a_perfect_page_beats_grey_and_grey_is_its_own_measure():
    truth = noise()
    perfect = score_page(truth, truth, None)
    assert perfect.chroma_ratio == 0
    assert perfect.final.delta_e2000 == 0
    assert perfect.final.psnr_db > perfect.grey.psnr_db
    grey = score_page(scores.turn_grey(truth), truth, None)
    assert (grey.final.psnr_db, grey.final.ssim) == (grey.grey.psnr_db, grey.grey.ssim)
    assert grey.chroma_ratio == pytest.approx(1, abs=1e-3)  # grey of the colour conversion, to rounding
    assert grey.colourfulness < 1e-6 < grey.colourfulness_truth


def test_the_given_page_is_the_grey_beside():
    truth, page = noise(), flat(128, 40, 50)
    assert score_page(truth, truth, page).grey.psnr_db == scores.psnr_db(page, truth)


def test_sizes_are_made_equal_and_said_and_without_a_truth_only_colourfulness_is_known():
    scored = score_page(noise(0, (20, 25, 3)), noise(), None)
    assert scored.size == (50, 40)
    assert scored.resized_from == (25, 20)
    assert score_page(noise(), noise(1), None).resized_from is None
    alone = score_page(noise(), None, None)
    assert alone.final is alone.grey is alone.chroma_ratio is None
    assert alone.colourfulness > 50


@pytest.mark.parametrize("size", [(1, 1), (7, 9), (1, 500), (500, 1), (2, 2)])
def test_any_size_and_a_grey_truth_give_json(size):
    page = np.full((*size, 3), 255, dtype=np.uint8)
    figures = score_page(page, page, page).to_dict()
    assert figures["version"] == score.SCORE_VERSION
    assert figures["chroma_ratio"] is None
    assert figures["final"]["psnr_db"] is None
    assert figures["final"]["identical"] is True
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
