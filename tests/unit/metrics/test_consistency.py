"""Palette consistency on chapters of flat colours."""

import numpy as np
import pytest

from common.lab import rgb_to_lab
from workers.metrics.consistency import find_colours, follow_palette, label_places, learn_palette

RED, BLUE, GREEN, WHITE, BLACK = (210, 60, 50), (50, 80, 200), (40, 160, 70), (255, 255, 255), (0, 0, 0)


def page(*colours, height=100, width=120):
    """Stripes of these colours, equally wide."""
    bands = np.array_split(np.arange(width), len(colours))
    picture = np.zeros((height, width, 3), dtype=np.uint8)
    for colour, band in zip(colours, bands, strict=True):
        picture[:, band] = colour
    return picture


def lab(*colours):
    return rgb_to_lab(np.array([colours], dtype=np.uint8))[0]


def follow(pages, truths=None, palette=None):
    palette = lab(RED, BLUE) if palette is None else palette
    truths = truths or {}
    return follow_palette(
        palette, {name: find_colours(picture, truths.get(name), palette) for name, picture in pages.items()}
    )


def test_the_palette_has_the_references_colours_and_neither_paper_nor_ink():
    palette = learn_palette([page(RED, WHITE, BLACK), page(BLUE, (128, 128, 128))])
    for colour in (RED, BLUE):
        assert np.abs(palette - lab(colour)).max(axis=1).min() < 1
    assert np.hypot(palette[:, 1], palette[:, 2]).min() > 8
    assert (
        learn_palette([page(RED, WHITE, BLACK), page(BLUE)]) == learn_palette([page(RED, WHITE, BLACK), page(BLUE)])
    ).all()


def test_without_colour_there_is_no_palette():
    assert len(learn_palette([page(WHITE, BLACK)])) == 0
    assert len(learn_palette([])) == 0


def test_a_steady_chapter_spreads_by_nothing_and_a_wandering_one_by_its_distance():
    steady = follow({"1": page(RED, BLUE, WHITE), "2": page(BLUE, WHITE, RED)})
    assert steady.spread == pytest.approx(0, abs=1e-3)
    assert steady.drift == pytest.approx(0, abs=0.5)
    assert steady.explained == 1
    paler = (200, 80, 75)
    wandering = follow({"1": page(RED, WHITE), "2": page(paler, WHITE)})
    # Two pages of one area: each lies half the way from their mean.
    half = np.hypot(*(lab(RED)[0] - lab(paler)[0])[1:]) / 2
    assert wandering.tracks[0].spread == pytest.approx(half, rel=1e-3)
    assert wandering.spread == pytest.approx(half, rel=1e-3)
    assert wandering.tracks[1].swatches == {}
    assert wandering.tracks[1].spread is None


def test_with_truth_a_place_in_a_wrong_colour_counts_and_without_it_shows_as_unexplained():
    truths = {"1": page(RED, WHITE), "2": page(RED, WHITE)}
    pages = {"1": page(RED, WHITE), "2": page(GREEN, WHITE)}
    with_truth, without = follow(pages, truths), follow(pages)
    assert with_truth.by_truth
    assert with_truth.spread == pytest.approx(np.hypot(*(lab(RED)[0] - lab(GREEN)[0])[1:]) / 2, rel=1e-3)
    assert with_truth.explained == 1
    assert not without.by_truth
    assert without.explained == pytest.approx(0.5)
    assert without.spread is None


def test_specks_and_greys_belong_to_no_colour():
    picture = page(WHITE, (130, 128, 127), height=200, width=200)
    picture[50:52, 20:23] = RED
    picture[100:140, 20:60] = BLUE
    labels = label_places(rgb_to_lab(picture), lab(RED, BLUE))
    assert set(np.unique(labels)) == {-1, 1}
    assert (labels == 1).sum() == 40 * 40


def test_one_page_is_no_chapter_and_a_grey_one_has_nothing_to_explain():
    assert follow({"1": page(RED, BLUE)}).spread is None
    grey = follow({"1": page(WHITE), "2": page(BLACK)})
    assert grey.explained is None
    assert grey.spread is grey.drift is None


def test_what_json_has():
    figures = follow({"1": page(RED, BLUE, WHITE), "2": page(RED)}).to_dict()
    assert set(figures) == {"spread", "drift", "explained", "by_truth", "colours"}
    assert list(figures["colours"][0]["pages"]) == ["1", "2"]
    assert figures["colours"][0]["pages"]["2"]["area"] == 1
    assert figures["colours"][1]["spread"] is None
