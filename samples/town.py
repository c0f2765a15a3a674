"""Houses by day and by night."""

from __future__ import annotations

import numpy as np

from samples.canvas import Canvas
from samples.geometry import Points, smooth, to_points
from samples.tones import Paint, Rgb, Sheet

WALLS: tuple[Rgb, ...] = ((250, 232, 204), (244, 214, 186), (226, 232, 224), (250, 244, 226))
ROOFS: tuple[Rgb, ...] = ((200, 96, 66), (170, 78, 70), (110, 124, 150), (214, 130, 78))
NIGHT_WALL: Rgb = (66, 70, 118)
NIGHT_ROOF: Rgb = (42, 42, 82)
PANE_DAY = Paint((120, 168, 196))
PANE_LIT = Paint((255, 220, 120), Sheet.GREY)
FRAME = Paint((255, 252, 244), Sheet.PAPER)


def _box(x: float, y: float, width: float, height: float) -> Points:
    return to_points([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])


def _shape(canvas: Canvas, outline: Points, paint: Paint, ink_px: float = 1.8) -> None:
    canvas.fill(outline, paint)
    canvas.stroke(np.vstack([outline, outline[:1]]), (ink_px, ink_px))


def draw_skyline(canvas: Canvas, rng: np.random.Generator, horizon: float, detail_px: float, night: bool) -> None:
    """Draw the far town as one flat shape."""
    paint = Paint((52, 56, 110), Sheet.GREY) if night else Paint((166, 190, 216), Sheet.GREY)
    line, x = [(-5.0, canvas.height_px)], -5.0
    while x < canvas.width_px:
        width = detail_px * float(rng.uniform(0.25, 0.5))
        top = canvas.height_px * horizon - detail_px * float(rng.uniform(0.1, 0.7))
        line += [(x, top + width * 0.3), (x + width / 2, top), (x + width, top + width * 0.3)]
        x += width
    canvas.fill(to_points([*line, (x, canvas.height_px)]), paint)


def draw_house(canvas: Canvas, x: float, y: float, width: float, rng: np.random.Generator, night: bool) -> None:
    """Draw a house whose eaves lie at y; its wall runs down out of the panel."""
    wall_rgb = NIGHT_WALL if night else WALLS[int(rng.integers(len(WALLS)))]
    roof_rgb = NIGHT_ROOF if night else ROOFS[int(rng.integers(len(ROOFS)))]
    wall = _box(x, y, width, canvas.height_px - y + 20)
    _shape(canvas, wall, Paint(wall_rgb))
    dark: Rgb = (int(wall_rgb[0] * 0.82), int(wall_rgb[1] * 0.8), int(wall_rgb[2] * 0.86))
    canvas.fill(_box(x, y, width, width * 0.1), Paint(dark), within=wall)
    canvas.fill(_box(x + width * 0.84, y, width * 0.16, canvas.height_px), Paint(dark), within=wall)
    canvas.stroke(np.vstack([wall, wall[:1]]), (1.8, 1.8))
    peak = width * float(rng.uniform(0.45, 0.6))
    inset = width * float(rng.choice([0.5, 0.24]))
    chimney = _box(x + width * 0.66, y - peak * 1.12, width * 0.12, peak)
    _shape(canvas, chimney, Paint(dark))
    _shape(canvas, _box(x + width * 0.64, y - peak * 1.16, width * 0.16, width * 0.05), Paint(roof_rgb))
    roof = to_points(
        [
            (x - width * 0.08, y + width * 0.03),
            (x + inset, y - peak),
            (x + width - inset, y - peak),
            (x + width * 1.08, y + width * 0.03),
        ]
    )
    _shape(canvas, roof, Paint(roof_rgb, cell_px=7), 2.2)
    _draw_tiles(canvas, x, y, width, peak, inset)
    _draw_windows(canvas, x, y, width, rng, night)


def _draw_tiles(canvas: Canvas, x: float, y: float, width: float, peak: float, inset: float) -> None:
    for k in (0.3, 0.55, 0.8):
        left = x - width * 0.08 + (inset + width * 0.08) * (1 - k)
        right = x + width * 1.08 - (inset + width * 0.08) * (1 - k)
        row = np.linspace(left, right, 9)
        sag = y - peak * (1 - k) + np.where(np.arange(9) % 2 == 0, 0.0, width * 0.022)
        canvas.stroke(smooth(np.stack([row, sag], axis=1)), (0.9, 0.9))


def _draw_windows(canvas: Canvas, x: float, y: float, width: float, rng: np.random.Generator, night: bool) -> None:
    side = width * 0.2
    for row in range(2):
        for column in (0.16, 0.56):
            lit = night and rng.uniform() < 0.6
            left, top = x + width * column, y + width * (0.2 + 0.46 * row)
            _shape(
                canvas,
                _box(left - 2.5, top - 2.5, side + 5, side * 1.25 + 5),
                FRAME if not night else Paint(NIGHT_ROOF),
                1.4,
            )
            pane = _box(left, top, side, side * 1.25)
            canvas.fill(pane, PANE_LIT if lit else (Paint(NIGHT_ROOF, Sheet.GREY) if night else PANE_DAY))
            canvas.stroke(to_points([(left + side / 2, top), (left + side / 2, top + side * 1.25)]), (1.3, 1.3))
            canvas.stroke(to_points([(left, top + side * 0.55), (left + side, top + side * 0.55)]), (1.3, 1.3))
            canvas.stroke(np.vstack([pane, pane[:1]]), (1.2, 1.2))


def draw_roof_ridge(canvas: Canvas, y: float, night: bool) -> None:
    """Draw the roof in front, on which one can stand, from y down."""
    w, h = canvas.width_px, canvas.height_px
    tile = Paint((70, 54, 92)) if night else Paint((186, 84, 66), cell_px=7)
    dark = Paint((48, 38, 72)) if night else Paint((140, 58, 58), cell_px=7)
    _shape(canvas, to_points([(-5, y), (w + 5, y), (w + 5, h + 5), (-5, h + 5)]), tile, 2.4)
    row, step = 0, 34.0
    while y + row * step * 0.7 < h:
        top = y + row * step * 0.7
        for k in range(int(w / step) + 2):
            x = (k - 0.5 * (row % 2)) * step
            scale = smooth(
                [
                    (x, top),
                    (x + step * 0.1, top + step * 0.5),
                    (x + step / 2, top + step * 0.72),
                    (x + step * 0.9, top + step * 0.5),
                    (x + step, top),
                ]
            )
            canvas.stroke(scale, (1.0, 1.6, 1.0))
        row += 1
    ridge = _box(-5, y - 9, w + 10, 16)
    _shape(canvas, ridge, dark, 2.2)
    for k in range(int(w / 60) + 1):
        canvas.stroke(to_points([(k * 60 + 12, y - 9), (k * 60 + 15, y + 7)]), (1.4, 1.4))
