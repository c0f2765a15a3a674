"""The sample chapter: drawn twice alike, colour and manga aligned, tone that is dots and leaves room for colour."""

from __future__ import annotations

import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
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
from samples.tones import (
    Paint,
    Rgb,
    Sheet,
    ToneStyle,
    cover_with_dots,
    dot_thresholds,
    luma,
    pick_tone,
    screen_gradient,
    screen_sheet,
)

STORED = Path(str(samples.__path__[0])) / "chapter"
Picture = NDArray[np.uint8]
LUMA = np.array([0.299, 0.587, 0.114])


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


def test_a_seed_draws_the_same_pixels_again_and_another_one_another_background() -> None:
    drawn = []
    for seed in (1, 1, 2):
        canvas = Canvas(300, 200, ToneStyle())
        draw_scene(canvas, STORY[0].panels[3].scene, seed)
        drawn.append(canvas.develop())
    assert np.array_equal(drawn[0][0], drawn[1][0])
    assert np.array_equal(drawn[0][1], drawn[1][1])
    assert (drawn[0][0] != drawn[2][0]).any(axis=2).mean() > 0.1


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


def test_tone_has_the_mean_of_the_truths_luma(stored_colour: list[Picture], stored_manga: list[Picture]) -> None:
    for colour, manga in zip(stored_colour, stored_manga, strict=True):
        light = block_means(colour @ LUMA, 20)
        grey = block_means(manga[..., 0].astype(np.float64), 20)
        assert np.corrcoef(light, grey)[0, 1] > 0.98
        assert np.abs(light - grey).mean() < 5
        # Blocks at figures are further off: lines are blacker than in the truth, and rims are paper.
        assert (np.abs(light - grey) < 15).mean() > 0.93


def test_manga_is_not_just_the_truth_in_grey(stored_colour: list[Picture], stored_manga: list[Picture]) -> None:
    for colour, manga in zip(stored_colour, stored_manga, strict=True):
        assert np.abs(colour @ LUMA - manga[..., 0]).mean() > 10


def test_what_is_coloured_stands_at_a_lightness_that_can_show_colour(
    stored_colour: list[Picture], stored_manga: list[Picture]
) -> None:
    for colour, manga in zip(stored_colour, stored_manga, strict=True):
        coloured = colour.max(axis=2).astype(int) - colour.min(axis=2) > 40
        level = manga[..., 0][coloured]
        # What is left lies under the white rims of figures and the soft edges of lines.
        assert ((level > 8) & (level < 248)).mean() > 0.98


def test_lines_are_black(stored_colour: list[Picture], stored_manga: list[Picture]) -> None:
    for colour, manga in zip(stored_colour, stored_manga, strict=True):
        assert (manga[where(colour, INK_RGB)][:, 0] == 0).mean() > 0.95


@pytest.mark.parametrize(
    ("paint", "cell"), [(MIRA.top.base, 7), (MIRA.hair.base, 6), (THEO.top.base, 6), (PIP.fur.base, 6)]
)
def test_cloth_hair_and_fur_are_visible_dots_of_the_right_mean(paint: Paint, cell: int, reference: SamplePage) -> None:
    inside = sliding_window_view(where(reference.colour_rgb, paint.rgb), (cell, cell)).all(axis=(2, 3))
    windows = sliding_window_view(reference.manga_rgb[..., 0], (cell, cell))[inside]
    assert len(windows) > 1000
    swing = windows.max(axis=(1, 2)).astype(int) - windows.min(axis=(1, 2))
    assert np.median(swing) > 70
    assert windows.mean() == pytest.approx(255 * luma(paint.rgb), abs=8)


def test_the_sky_has_dots(reference: SamplePage) -> None:
    sky = reference.manga_rgb[50:100, 450:540, 0]
    assert sky.std() > 25
    assert sky.mean() == pytest.approx((reference.colour_rgb[50:100, 450:540] @ LUMA).mean(), abs=4)


@pytest.mark.parametrize("darkness", [0.1, 0.3, 0.5, 0.8])
def test_a_sheet_covers_its_share_of_the_paper(darkness: float) -> None:
    assert cover_with_dots(darkness, (180, 180), 18).mean() == pytest.approx(darkness, abs=0.03)


@pytest.mark.parametrize("darkness", [0.2, 0.5, 0.8])
def test_less_contrast_brings_dots_and_paper_together_around_the_same_mean(darkness: float) -> None:
    printed = screen_sheet(darkness, (180, 180), 18, 1.0)
    scanned = screen_sheet(darkness, (180, 180), 18, 0.4)
    assert (printed.min(), printed.max()) == (0, 255)
    assert int(scanned.max()) - int(scanned.min()) == pytest.approx(0.4 * 255, abs=1)
    assert scanned.mean() == pytest.approx(255 * (1 - darkness), abs=3)


def test_a_gradients_dots_follow_its_luma_and_fade_out_where_it_is_dark() -> None:
    style = ToneStyle()
    light = np.linspace(0.05, 0.95, 360, dtype=np.float32)
    rgb_map = np.repeat((light * 255)[:, None, None], 180, axis=1).repeat(3, axis=2)
    tone = screen_gradient(rgb_map, 18, style).astype(np.float64) / 255
    assert np.abs(tone.reshape(20, 18, 180).mean(axis=(1, 2)) - light.reshape(20, 18).mean(axis=1)).max() < 0.03
    assert tone[light <= style.flat_below].std(axis=1).max() < 0.01
    assert tone[(light > 0.4) & (light < 0.6)].std() > 0.15


def test_dots_stand_on_a_diagonal_grid() -> None:
    cell = 18
    black = dot_thresholds(cell) < 0.25
    diagonal = np.roll(black, (cell // 2, cell // 2), axis=(0, 1))
    sideways = np.roll(black, cell // 2, axis=1)
    assert (black == diagonal).mean() > 0.97
    assert not (black & sideways).any()


def test_tone_follows_luminance() -> None:
    style = ToneStyle()
    lighter, darker = pick_tone(Paint((180, 180, 180)), style), pick_tone(Paint((90, 90, 90)), style)
    assert lighter.darkness == pytest.approx(1 - 180 / 255, abs=style.sheet_step / 2)
    assert darker.darkness == pytest.approx(1 - 90 / 255, abs=style.sheet_step / 2)
    assert lighter.cell_px == style.cell_px
    assert pick_tone(Paint((90, 90, 90), cell_px=8), style).cell_px == 8


@pytest.mark.parametrize("rgb", [(250, 240, 210), (10, 14, 46), (255, 255, 255)])
def test_light_and_dark_paints_are_flat_and_keep_their_luma(rgb: Rgb) -> None:
    tone = pick_tone(Paint(rgb), ToneStyle())
    assert tone.cell_px == 0
    assert tone.darkness == pytest.approx(1 - luma(rgb))


def test_only_blacks_become_ink_by_themselves() -> None:
    assert pick_tone(Paint(INK_RGB), ToneStyle()).darkness == 1
    assert pick_tone(Paint((10, 14, 46)), ToneStyle()).darkness < 1


def test_a_paint_may_name_its_sheet() -> None:
    style, rgb = ToneStyle(), (120, 90, 60)
    grey, paper, ink = (pick_tone(Paint(rgb, sheet), style) for sheet in (Sheet.GREY, Sheet.PAPER, Sheet.INK))
    assert grey.cell_px == paper.cell_px == ink.cell_px == 0
    assert (paper.darkness, ink.darkness) == (0, 1)
    assert grey.darkness == pytest.approx(1 - luma(rgb))


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
