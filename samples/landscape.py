"""Clouds, stars, hills, trees, grass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from samples.canvas import INK_RGB, Canvas
from samples.geometry import Points, ellipse, smooth, to_points
from samples.sky import SkyColours
from samples.tones import Paint, Rgb, Sheet

TRUNK = Paint((104, 70, 50))
MOON = Paint((255, 244, 200), Sheet.GREY)
MOON_SHADE = Paint((232, 210, 150), Sheet.GREY)
STAR_RGB: Rgb = (255, 250, 220)


@dataclass(frozen=True)
class Green:
    """Grass and leaves of one layer of the land."""

    base: Paint
    shade: Paint


GREENS: dict[str, tuple[Green, Green, Green]] = {
    "day": (
        Green(Paint((158, 206, 168), Sheet.GREY), Paint((126, 184, 150), Sheet.GREY)),
        Green(Paint((126, 192, 96), cell_px=8), Paint((74, 146, 80), cell_px=8)),
        Green(Paint((168, 216, 100), Sheet.GREY), Paint((110, 172, 74), cell_px=8)),
    ),
    "dawn": (
        Green(Paint((186, 150, 160), Sheet.GREY), Paint((160, 122, 146), Sheet.GREY)),
        Green(Paint((134, 152, 96), cell_px=8), Paint((94, 110, 84), cell_px=8)),
        Green(Paint((208, 204, 116), Sheet.GREY), Paint((150, 152, 80), cell_px=8)),
    ),
    "night": (
        Green(Paint((40, 58, 104), Sheet.GREY), Paint((30, 44, 86), Sheet.GREY)),
        Green(Paint((28, 56, 78), Sheet.GREY), Paint((18, 38, 60), Sheet.GREY)),
        Green(Paint((44, 86, 92), cell_px=8), Paint((24, 54, 66), Sheet.GREY)),
    ),
}


def draw_puffs(canvas: Canvas, puffs: Points, base: Paint, shade: Paint, ink_px: float, ink: Rgb = INK_RGB) -> None:
    """Draw the union of circles, shaded from below: a cloud, a crown of leaves.

    Args:
        canvas: what is drawn on.
        puffs: (N, 3) x, y, radius in page pixels.
        base: paint in light.
        shade: paint in shadow.
        ink_px: width of the contour; 0 draws none.
        ink: colour of the contour.
    """
    # The contour of a union: first every circle a little larger in ink, then all of them in paint.
    for grow, paint in ((ink_px, Paint(ink)), (0.0, shade)):
        if grow or paint is shade:
            for x, y, r in puffs.tolist():
                canvas.fill(ellipse(x, y, r + grow, r + grow), paint)
    for x, y, r in puffs.tolist():
        canvas.fill(ellipse(x - r * 0.16, y - r * 0.2, r * 0.82, r * 0.8), base)


def draw_clouds(canvas: Canvas, rng: np.random.Generator, horizon: float, sky: SkyColours) -> None:
    """Draw heaps of cloud with a flat foot above the horizon."""
    base, shade = Paint(sky.cloud, Sheet.GREY), Paint(sky.cloud_shade, cell_px=7)
    red, green, blue = sky.cloud_shade
    contour_rgb = (red * 3 // 5, green * 3 // 5, blue * 7 // 10)
    count = 2 + int(canvas.width_px > 450) + int(canvas.width_px > 800)
    for k in range(count):
        x = (k + float(rng.uniform(0.2, 0.8))) / count * canvas.width_px
        y = float(rng.uniform(0.25, 0.75)) * horizon * canvas.height_px
        size = float(rng.uniform(0.6, 1.1)) * min(canvas.height_px * horizon * 0.3, 70)
        lobes = 5
        offset = np.linspace(-1.5, 1.5, lobes) + rng.uniform(-0.12, 0.12, lobes)
        radius = (1.0 - 0.25 * offset**2 / 1.5) * rng.uniform(0.6, 0.85, lobes) + 0.12
        puffs = np.stack([x + offset * size, y - radius * size * 0.55, radius * size], axis=1)
        draw_puffs(canvas, puffs, base, shade, 1.6, contour_rgb)


def draw_stars(canvas: Canvas, rng: np.random.Generator) -> None:
    """Scatter stars; a few have four rays."""
    count = int(canvas.width_px * canvas.height_px / 4200)
    for x, y, size in rng.uniform((0, 0, 0), (1, 0.8, 1), (count, 3)).tolist():
        px, py, r = x * canvas.width_px, y * canvas.height_px, 0.7 + 1.3 * size**4
        paint = Paint(STAR_RGB, Sheet.GREY)
        canvas.fill(ellipse(px, py, r, r, 12), paint)
        if size > 0.93:
            ray = r * 4
            canvas.fill(
                to_points(
                    [
                        (px, py - ray),
                        (px + r * 0.5, py - r * 0.5),
                        (px + ray, py),
                        (px + r * 0.5, py + r * 0.5),
                        (px, py + ray),
                        (px - r * 0.5, py + r * 0.5),
                        (px - ray, py),
                        (px - r * 0.5, py - r * 0.5),
                    ]
                ),
                paint,
            )


def draw_moon(canvas: Canvas, x: float, y: float, radius: float) -> None:
    """Draw a full moon."""
    disc = ellipse(x, y, radius, radius, 60)
    canvas.fill(disc, MOON)
    for dx, dy, r in ((-0.3, -0.25, 0.22), (0.3, 0.1, 0.3), (-0.15, 0.45, 0.16), (0.35, -0.5, 0.12)):
        canvas.fill(ellipse(x + dx * radius, y + dy * radius, r * radius, r * radius), MOON_SHADE, within=disc)


def draw_sun(canvas: Canvas, x: float, y: float, radius: float) -> None:
    """Draw a low sun."""
    canvas.fill(ellipse(x, y, radius * 1.25, radius * 1.25, 60), Paint((255, 226, 150), Sheet.GREY))
    canvas.fill(ellipse(x, y, radius, radius, 60), Paint((255, 246, 206), Sheet.GREY))


def draw_hill(canvas: Canvas, ridge: Points, green: Green) -> None:
    """Fill the land below a ridge line, with a band of shadow under it."""
    foot = to_points([(canvas.width_px + 60, canvas.height_px + 10), (-60, canvas.height_px + 10)])
    land = np.vstack([ridge, foot])
    canvas.fill(land, green.base)
    sway = np.linspace(0, 3 * np.pi, len(ridge))
    lower = ridge + np.stack([np.zeros(len(ridge)), canvas.height_px * (0.1 + 0.035 * np.sin(sway))], axis=1)
    far_lower = ridge + np.stack([np.zeros(len(ridge)), canvas.height_px * (0.19 + 0.05 * np.sin(sway + 1))], axis=1)
    canvas.fill(np.vstack([lower, far_lower[::-1]]), green.shade, within=land)
    canvas.stroke(ridge, (1.4, 2.2, 1.2, 2.2, 1.4))


def draw_tree(
    canvas: Canvas, x: float, y: float, size: float, green: Green, rng: np.random.Generator, inked: bool
) -> None:
    """Draw a round tree that stands at (x, y), size page pixels tall."""
    half = size * 0.06
    trunk = to_points(
        [(x - half, y), (x - half * 0.7, y - size * 0.4), (x + half * 0.7, y - size * 0.4), (x + half, y)]
    )
    canvas.fill(trunk, TRUNK)
    if inked:
        canvas.stroke(np.vstack([trunk, trunk[:1]]), (1.4, 1.4))
    angle = np.linspace(0, 2 * np.pi, 7, endpoint=False)
    centre_y = y - size * 0.62
    puffs = np.stack(
        [
            x + 0.22 * size * np.cos(angle),
            centre_y + 0.2 * size * np.sin(angle),
            size * rng.uniform(0.15, 0.21, len(angle)),
        ],
        axis=1,
    )
    puffs = np.vstack([puffs, [(x, centre_y, size * 0.22)]])
    draw_puffs(canvas, puffs, green.base, green.shade, 1.7 if inked else 1.0)
    for dx, dy in ((-0.14, 0.0), (0.08, -0.12), (0.05, 0.1)):
        leaf = smooth(
            [
                (x + (dx - 0.06) * size, centre_y + dy * size),
                (x + dx * size, centre_y + (dy + 0.04) * size),
                (x + (dx + 0.06) * size, centre_y + dy * size),
            ]
        )
        canvas.stroke(leaf, (0.4, 1.3, 0.4))


def draw_tufts(canvas: Canvas, rng: np.random.Generator, level: float, green: Green) -> None:
    """Scatter tufts of grass over the ground below a level (share of the height)."""
    count = int(canvas.width_px / 28)
    for u, v in rng.uniform(0, 1, (count, 2)).tolist():
        x, y = u * canvas.width_px, (level + 0.07 + v * (0.95 - level)) * canvas.height_px
        size = 6 + 12 * v
        for bend in (-0.6, -0.1, 0.5):
            blade = smooth(
                [(x + bend * size * 0.4, y), (x + bend * size * 0.7, y - size * 0.6), (x + bend * size * 1.3, y - size)]
            )
            canvas.stroke(blade, (1.6, 1.2, 0.2))
        canvas.fill(ellipse(x, y + 1.5, size * 0.7, size * 0.14), green.shade)
