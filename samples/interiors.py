"""A room: wall, window, shelf, floor."""

from __future__ import annotations

import numpy as np

from samples.canvas import Canvas
from samples.geometry import Points, contour, shift, smooth, to_points
from samples.landscape import draw_puffs
from samples.sky import SkyColours, fade_down
from samples.tones import Paint, Rgb, Sheet

WALL = Paint((252, 232, 196), Sheet.GREY)
WALL_STRIPE = Paint((244, 216, 172))
PANEL = Paint((206, 158, 112), cell_px=7)
FLOOR = Paint((184, 128, 84), cell_px=7)
WOOD = Paint((150, 96, 60), cell_px=7)
WOOD_DARK = Paint((104, 64, 44))
CURTAIN = Paint((120, 186, 140))
CURTAIN_SHADE = Paint((78, 146, 108))
BOOKS: tuple[Rgb, ...] = ((196, 70, 64), (62, 112, 170), (236, 192, 92), (92, 150, 96), (150, 96, 158), (240, 232, 214))


def _box(x: float, y: float, width: float, height: float) -> Points:
    return to_points([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])


def _shape(canvas: Canvas, outline: Points, paint: Paint, ink_px: float = 1.8) -> None:
    canvas.fill(outline, paint)
    canvas.stroke(np.vstack([outline, outline[:1]]), (ink_px, ink_px))


def draw_room(canvas: Canvas, rng: np.random.Generator, floor: float, sky: SkyColours, detail_px: float) -> None:
    """Draw a room; floor is where the wall ends, share of the height; detail_px sizes the furniture."""
    w, h = canvas.width_px, canvas.height_px
    canvas.fill(_box(-5, -5, w + 10, h + 10), WALL)
    stripe = detail_px * 0.3
    for k in range(int(w / stripe / 2) + 1):
        canvas.fill(_box(k * stripe * 2, -5, stripe, h + 10), WALL_STRIPE)
    y = floor * h
    _shape(canvas, _box(-5, y - detail_px * 0.6, w + 10, detail_px * 0.6), PANEL)
    for k in range(int(w / detail_px * 2) + 1):
        canvas.stroke(to_points([(k * detail_px * 0.5, y - detail_px * 0.56), (k * detail_px * 0.5, y)]), (1.2, 1.2))
    _shape(canvas, _box(-5, y, w + 10, h), FLOOR)
    for k in np.linspace(-0.6, 1.6, 12):
        canvas.stroke(to_points([(w * k, y), (w * (0.5 + (k - 0.5) * 2.2), h + 5)]), (1.0, 1.6))
    # In a narrow panel the window moves aside, for whoever stands in the middle.
    window_x = w * 0.5 if w > detail_px * 6 else w * 0.3
    _draw_window(canvas, window_x - detail_px * 0.9, y - detail_px * 2.9, detail_px * 1.8, detail_px * 1.9, sky)
    _draw_shelf(
        canvas,
        max(w * 0.5 + detail_px * 1.9, w - detail_px * 2.0) if w > detail_px * 6 else w - detail_px * 1.5,
        y - detail_px * 2.3,
        detail_px * 1.7,
        rng,
    )
    if w > detail_px * 6:
        _draw_picture(canvas, w * 0.5 - detail_px * 2.9, y - detail_px * 2.3, detail_px)


def _draw_window(canvas: Canvas, x: float, y: float, width: float, height: float, sky: SkyColours) -> None:
    _shape(canvas, _box(x - 8, y - 8, width + 16, height + 16), Paint((255, 250, 240), Sheet.PAPER), 2.2)
    pane = _box(x, y, width, height)
    fade_down(canvas, sky.stops, 1.0, pane)
    puffs = np.array(
        [
            (x + width * u, y + height * v, width * r)
            for u, v, r in ((0.3, 0.62, 0.09), (0.42, 0.58, 0.12), (0.56, 0.62, 0.1), (0.66, 0.65, 0.06))
        ]
    )
    draw_puffs(canvas, puffs, Paint(sky.cloud, Sheet.GREY), Paint(sky.cloud_shade), 0.0)
    canvas.stroke(np.vstack([pane, pane[:1]]), (2.0, 2.0))
    for start, stop in (((0.5, 0), (0.5, 1)), ((0, 0.45), (1, 0.45))):
        bar = to_points([(x + width * start[0], y + height * start[1]), (x + width * stop[0], y + height * stop[1])])
        canvas.stroke(bar, (7, 7))
        canvas.stroke(bar, (4, 4), (255, 250, 240))
    sill = _box(x - 18, y + height + 6, width + 36, 14)
    _shape(canvas, sill, WOOD)
    for side in (-1, 1):
        _draw_curtain(canvas, x + width / 2, y, side, width, height)
    _shape(canvas, _box(x - width * 0.24, y - height * 0.14, width * 1.48, height * 0.05), WOOD_DARK)


def _draw_curtain(canvas: Canvas, middle: float, y: float, side: int, width: float, height: float) -> None:
    outer, inner = middle + side * width * 0.7, middle + side * width * 0.3
    low = y + height * 1.08
    cloth = contour(
        [
            (outer, y - height * 0.1, 1),
            (inner, y - height * 0.1, 1),
            (inner + side * width * 0.05, y + height * 0.4),
            (inner + side * width * 0.16, y + height * 0.62),
            (inner + side * width * 0.08, low, 1),
            (outer, low, 1),
        ],
        bulge=0.0,
    )
    canvas.fill(cloth, CURTAIN)
    for k in (0.24, 0.62):
        x = inner + (outer - inner) * k
        fold = smooth([(x, y - height * 0.1), (x + side * width * 0.05, y + height * 0.5), (x, low)])
        band = np.vstack([fold, shift(fold[::-1], side * width * 0.07, 0)])
        canvas.fill(band, CURTAIN_SHADE, within=cloth)
        canvas.stroke(fold, (0.8, 1.6, 0.6))
    canvas.stroke(np.vstack([cloth, cloth[:1]]), (1.6, 2.2, 1.6))


def _draw_shelf(canvas: Canvas, x: float, y: float, width: float, rng: np.random.Generator) -> None:
    _shape(canvas, _box(x, y, width, width * 1.5), WOOD, 2.2)
    for row in range(3):
        top = y + width * (0.06 + 0.48 * row)
        bay = _box(x + width * 0.05, top, width * 0.9, width * 0.42)
        _shape(canvas, bay, WOOD_DARK, 1.6)
        at, end = x + width * 0.07, x + width * 0.9
        while at < end - width * 0.1:
            thick, tall = width * float(rng.uniform(0.06, 0.11)), width * float(rng.uniform(0.26, 0.37))
            book = _box(at, top + width * 0.42 - tall, thick, tall)
            _shape(canvas, book, Paint(BOOKS[int(rng.integers(len(BOOKS)))]), 1.4)
            canvas.stroke(
                to_points([(at, top + width * 0.42 - tall * 0.8), (at + thick, top + width * 0.42 - tall * 0.8)]),
                (1.0, 1.0),
            )
            at += thick + (width * 0.08 if rng.uniform() < 0.15 else 0.5)


def _draw_picture(canvas: Canvas, x: float, y: float, size: float) -> None:
    _shape(canvas, _box(x, y, size * 1.1, size * 0.85), WOOD, 2.0)
    inner = _box(x + 7, y + 7, size * 1.1 - 14, size * 0.85 - 14)
    fade_down(canvas, ((250, 190, 150), (255, 236, 200)), 1.0, inner)
    peak = to_points(
        [
            (x + 7, y + size * 0.75),
            (x + size * 0.4, y + size * 0.35),
            (x + size * 0.62, y + size * 0.6),
            (x + size * 0.8, y + size * 0.46),
            (x + size * 1.1 - 7, y + size * 0.75),
            (x + size * 1.1 - 7, y + size * 0.85 - 7),
            (x + 7, y + size * 0.85 - 7),
        ]
    )
    canvas.fill(peak, Paint((96, 124, 150)), within=inner)
    canvas.stroke(np.vstack([inner, inner[:1]]), (1.4, 1.4))
