"""The sample chapter: drawn twice alike, colour and manga aligned, tone that is really dots."""

from __future__ import annotations

import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import samples
from samples import __main__ as command
from samples import chapter
from samples.balloons import Balloon, Voice, balloon_radii, draw_balloon, measure_text
from samples.canvas import INK_RGB, Canvas
from samples.chapter import REFERENCE_PAGE, SamplePage, draw_chapter, draw_sample_page
from samples.characters import MIRA, PIP, THEO
from samples.geometry import to_points
from samples.layout import PAGE_HEIGHT_PX, PAGE_WIDTH_PX, Row, bounds, cut_panels
from samples.page import PageScript, Panel
from samples.scenes import Place, Scene, draw_scene
from samples.story import STORY
from samples.tones import Paint, Rgb, Sheet, ToneStyle, dot_thresholds, pick_tone, screen_dots

STORED = Path(str(samples.__path__[0])) / "chapter"
Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def reference() -> SamplePage:
    return draw_sample_page(REFERENCE_PAGE)


@pytest.fixture(scope="module")
def stored_colour() -> list[Picture]:
    return [read(path) for path in sorted((STORED / "colour").glob("*.png"))]


@pytest.fixture(scope="module")
def stored_manga() -> list[Picture]:
    return [read(path) for path in sorted((STORED / "manga").glob("*.png"))]


def read(path: Path) -> Picture:
    return np.asarray(Image.open(path).convert("RGB"))


def where(picture_rgb: Picture, rgb: Rgb) -> NDArray[np.bool_]:
    return np.asarray((picture_rgb == np.array(rgb, dtype=np.uint8)).all(axis=2))


def block_means(picture: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    height, width = (n // side * side for n in picture.shape)
    blocks = picture[:height, :width].reshape(height // side, side, width // side, side)
    return np.asarray(blocks.mean(axis=(1, 3))).ravel()


def placed_balloons(number: int) -> list[tuple[Balloon, float, float]]:
    """A page's balloons with their middles in page pixels."""
    script = STORY[number - 1]
    placed = []
    for outline, panel in zip(cut_panels(script.rows), script.panels, strict=True):
        left, top, width, height = bounds(outline)
        placed += [(b, left + b.x * width, top + b.y * height) for b in panel.balloons]
    return placed


def test_the_same_seed_draws_the_same_pixels(reference: SamplePage) -> None:
    again = draw_sample_page(REFERENCE_PAGE)
    assert np.array_equal(again.colour_rgb, reference.colour_rgb)
    assert np.array_equal(again.manga_rgb, reference.manga_rgb)


def test_another_seed_draws_another_background() -> None:
    pictures = []
    for seed in (1, 2):
        canvas = Canvas(300, 200, ToneStyle())
        draw_scene(canvas, STORY[0].panels[3].scene, seed)
        pictures.append(canvas.develop()[0])
    assert (pictures[0] != pictures[1]).any(axis=2).mean() > 0.1


def test_the_stored_chapter_is_what_the_code_draws(reference: SamplePage) -> None:
    assert np.array_equal(read(STORED / "colour" / reference.name), reference.colour_rgb)
    assert np.array_equal(read(STORED / "manga" / reference.name), reference.manga_rgb)
    assert np.array_equal(read(STORED / "reference.png"), reference.colour_rgb)


def test_the_stored_chapter_is_whole_and_small(stored_colour: list[Picture], stored_manga: list[Picture]) -> None:
    assert len(stored_colour) == len(stored_manga) == len(STORY) >= 5
    for picture in (*stored_colour, *stored_manga):
        assert picture.shape == (PAGE_HEIGHT_PX, PAGE_WIDTH_PX, 3)
    assert sum(path.stat().st_size for path in STORED.rglob("*.png")) < 6_000_000


def test_pages_come_in_reading_order_with_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    script = PageScript(rows=(Row(1.0),), panels=(Panel(Scene(Place.PLAIN)),))
    monkeypatch.setattr(chapter, "STORY", (script, script))
    pages = draw_chapter()
    assert [(page.number, page.name) for page in pages] == [(1, "001.png"), (2, "002.png")]
    assert all(page.colour_rgb.dtype == page.manga_rgb.dtype == np.uint8 for page in pages)
    assert all(page.colour_rgb.shape == page.manga_rgb.shape == (PAGE_HEIGHT_PX, PAGE_WIDTH_PX, 3) for page in pages)


def test_a_page_that_the_chapter_lacks_is_named() -> None:
    with pytest.raises(ValueError, match="page 99"):
        draw_sample_page(99)


def test_manga_is_grey(stored_manga: list[Picture]) -> None:
    for manga in stored_manga:
        assert np.array_equal(manga[..., 0], manga[..., 1])
        assert np.array_equal(manga[..., 0], manga[..., 2])


def test_truth_is_coloured(stored_colour: list[Picture]) -> None:
    for colour in stored_colour:
        spread = colour.max(axis=2).astype(int) - colour.min(axis=2)
        assert (spread > 40).mean() > 0.3


@pytest.mark.parametrize(
    "rgb",
    [
        MIRA.hair.base.rgb,
        MIRA.top.base.rgb,
        MIRA.skin.base.rgb,
        THEO.hair.base.rgb,
        THEO.top.base.rgb,
        THEO.skin.base.rgb,
        PIP.fur.base.rgb,
    ],
)
def test_a_character_keeps_its_exact_colour_on_every_page(rgb: Rgb, stored_colour: list[Picture]) -> None:
    assert all(where(colour, rgb).sum() > 300 for colour in stored_colour)


def test_the_reference_shows_every_character(reference: SamplePage) -> None:
    for rgb in (MIRA.hair.base.rgb, MIRA.top.base.rgb, THEO.hair.base.rgb, THEO.top.base.rgb, PIP.fur.base.rgb):
        assert where(reference.colour_rgb, rgb).sum() > 2000


def test_lines_lie_on_the_same_pixels_in_both_versions(
    stored_colour: list[Picture], stored_manga: list[Picture]
) -> None:
    for colour, manga in zip(stored_colour, stored_manga, strict=True):
        lines = where(colour, INK_RGB)
        assert lines.mean() > 0.02
        # Only background lines next to a figure may differ: there the manga has a rim of paper.
        assert (manga[lines][:, 0] < 60).mean() > 0.97


def test_manga_is_about_as_dark_as_the_truth_but_not_the_same(
    stored_colour: list[Picture], stored_manga: list[Picture]
) -> None:
    for colour, manga in zip(stored_colour, stored_manga, strict=True):
        luma = block_means(colour @ np.array([0.299, 0.587, 0.114]), 20)
        grey = block_means(manga[..., 0].astype(np.float64), 20)
        assert np.corrcoef(luma, grey)[0, 1] > 0.8
        assert np.abs(luma - grey).mean() > 5


def test_cloth_is_screentone_not_grey(reference: SamplePage) -> None:
    coat = reference.manga_rgb[..., 0][where(reference.colour_rgb, MIRA.top.base.rgb)]
    assert (coat < 64).mean() > 0.2
    assert (coat > 191).mean() > 0.2
    assert ((coat >= 64) & (coat <= 191)).mean() < 0.55


@pytest.mark.parametrize("darkness", [0.1, 0.3, 0.5, 0.8])
def test_a_sheet_covers_its_share_of_the_paper(darkness: float) -> None:
    dots = screen_dots(darkness, (180, 180), 18)
    assert 1 - dots.mean() / 255 == pytest.approx(darkness, abs=0.03)


def test_dots_stand_on_a_diagonal_grid() -> None:
    cell = 18
    black = dot_thresholds(cell) < 0.25
    diagonal = np.roll(black, (cell // 2, cell // 2), axis=(0, 1))
    sideways = np.roll(black, cell // 2, axis=1)
    assert (black == diagonal).mean() > 0.97
    assert not (black & sideways).any()


def test_tone_follows_luminance_unless_the_paint_says_otherwise() -> None:
    style = ToneStyle()
    assert pick_tone(Paint((250, 250, 250)), style).darkness == 0
    assert pick_tone(Paint((10, 10, 20)), style).darkness == 1
    lighter, darker = pick_tone(Paint((180, 180, 180)), style), pick_tone(Paint((90, 90, 90)), style)
    assert 0 < lighter.darkness < darker.darkness < 1
    assert lighter.cell_px == style.cell_px
    assert pick_tone(Paint((90, 90, 90), Sheet.GREY), style).cell_px == 0
    assert pick_tone(Paint((90, 90, 90), Sheet.PAPER), style).darkness == 0


@pytest.mark.parametrize("voice", [Voice.SAY, Voice.SHOUT])
def test_balloons_are_white_in_both_versions(voice: Voice) -> None:
    canvas = Canvas(300, 200, ToneStyle())
    canvas.fill(to_points([(-5, -5), (305, -5), (305, 205), (-5, 205)]), Paint((60, 90, 160)))
    balloon = Balloon("Hello", 0.5, 0.5, voice=voice)
    draw_balloon(canvas, balloon, (150, 100), (20, 180))
    width, height = measure_text(balloon)
    top, left, right = round(100 - height / 2), round(150 - width / 3), round(150 + width / 3)
    for picture in canvas.develop():
        assert (picture[top - 5 : top + 2, left:right] == 255).all()


@pytest.mark.parametrize("number", range(1, len(STORY) + 1))
def test_lettering_fits_its_balloon_and_balloons_stay_on_the_page(number: int) -> None:
    boxes = []
    for balloon, x, y in placed_balloons(number):
        (width, height), (rx, ry) = measure_text(balloon), balloon_radii(balloon)
        reach = (width / 2 / rx) ** 2 + (height / 2 / ry) ** 2
        assert balloon.voice is Voice.CAPTION or reach < 1.15, balloon.text
        assert width / 2 < rx - 8
        assert rx < x < PAGE_WIDTH_PX - rx, balloon.text
        assert ry < y < PAGE_HEIGHT_PX - ry, balloon.text
        boxes.append((x, y, rx, ry))
    for a, b in combinations(boxes, 2):
        assert abs(a[0] - b[0]) > a[2] + b[2] or abs(a[1] - b[1]) > a[3] + b[3]


@pytest.mark.parametrize("number", range(1, len(STORY) + 1))
def test_no_balloon_covers_a_face(number: int) -> None:
    script = STORY[number - 1]
    for outline, panel in zip(cut_panels(script.rows), script.panels, strict=True):
        left, top, width, height = bounds(outline)
        for actor in panel.cast:
            radius = actor.size * height
            face = np.array([left + actor.x * width, top + actor.y * height + 0.4 * radius])
            for balloon in panel.balloons:
                offset = np.abs(face - (left + balloon.x * width, top + balloon.y * height)) - balloon_radii(balloon)
                assert np.hypot(*np.maximum(offset, 0)) > 0.8 * radius, balloon.text


def test_panels_leave_a_white_gutter_and_do_not_overlap(reference: SamplePage) -> None:
    for colour in (reference.colour_rgb, reference.manga_rgb):
        assert (colour[:30] == 255).all()
        assert (colour[:, :30] == 255).all()
        assert (colour[-30:] == 255).all()


def test_rows_that_do_not_fill_the_page_are_refused() -> None:
    with pytest.raises(ValueError, match="row heights"):
        cut_panels((Row(0.5), Row(0.4)))
    with pytest.raises(ValueError, match="panel widths"):
        cut_panels((Row(1.0, (0.5, 0.4)),))


def test_the_command_writes_manga_colour_and_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    colour = np.full((4, 3, 3), (200, 40, 50), dtype=np.uint8)
    pages = [SamplePage(n, f"{n:03d}.png", colour + n, np.full((4, 3, 3), 90 + n, dtype=np.uint8)) for n in (1, 2)]
    monkeypatch.setattr(command, "draw_chapter", lambda seed: pages)
    monkeypatch.setattr(sys, "argv", ["samples", "--out", str(tmp_path)])
    command.main()
    for page in pages:
        assert np.array_equal(read(tmp_path / "colour" / page.name), page.colour_rgb)
        assert np.array_equal(read(tmp_path / "manga" / page.name), page.manga_rgb)
    assert np.array_equal(read(tmp_path / "reference.png"), pages[REFERENCE_PAGE - 1].colour_rgb)
