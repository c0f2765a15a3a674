"""What moves and shines: speed lines, focus lines, the star, and words that sound."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from PIL import Image, ImageDraw

from samples.canvas import INK_RGB, PAPER_RGB, SUPERSAMPLE, Canvas, ink_level, load_font
from samples.geometry import contour, ellipse, shift, to_points
from samples.sky import FADE_CELL_PX
from samples.tones import Paint, Rgb, Sheet

STAR = Paint((255, 226, 96), Sheet.GREY)
STAR_SHADE = Paint((244, 178, 62), cell_px=FADE_CELL_PX)
GLOW = Paint((255, 250, 214), Sheet.GREY)


class Motion(Enum):
    """Lines that lead the eye."""

    NONE = "none"
    SPEED = "streaks along the way"
    FOCUS = "rays towards the middle"


@dataclass(frozen=True)
class Star:
    """The fallen star in a panel: middle and radius as shares of the panel's height (x: width)."""

    x: float
    y: float
    size: float
    falling: bool = False
    face: bool = True


@dataclass(frozen=True)
class Sound:
    """A word that sounds, drawn over the panel: x, y shares of the panel, size in page pixels."""

    word: str
    x: float
    y: float
    size_px: float
    angle_deg: float = -10.0
    rgb: Rgb = (250, 196, 40)


def draw_motion(canvas: Canvas, motion: Motion, centre: tuple[float, float], rng: np.random.Generator) -> None:
    """Draw lines of motion; centre is the spot kept free, shares of the panel."""
    if motion is Motion.FOCUS:
        _draw_focus(canvas, centre, rng)
    elif motion is Motion.SPEED:
        _draw_speed(canvas, rng)


def _draw_focus(canvas: Canvas, centre: tuple[float, float], rng: np.random.Generator) -> None:
    middle = np.array([centre[0] * canvas.width_px, centre[1] * canvas.height_px])
    far = float(np.hypot(canvas.width_px, canvas.height_px))
    near = min(canvas.width_px, canvas.height_px)
    for angle in np.sort(rng.uniform(0, 2 * np.pi, 110)).tolist():
        way = np.array([np.cos(angle), np.sin(angle)])
        # The free spot is an oval as wide as the panel: rays begin outside of it.
        oval = np.array([canvas.width_px, canvas.height_px]) / near
        start = middle + way * oval * near * float(rng.uniform(0.42, 0.56))
        half = float(rng.uniform(0.004, 0.014))
        out = [middle + far * np.array([np.cos(angle + d), np.sin(angle + d)]) for d in (-half, half)]
        canvas.fill(np.array([start, *out]), Paint(INK_RGB, Sheet.INK))


def _draw_speed(canvas: Canvas, rng: np.random.Generator) -> None:
    for _ in range(int(canvas.height_px / 6)):
        y = float(rng.uniform(0, canvas.height_px))
        edge = abs(y / canvas.height_px - 0.5) * 2
        # Streaks are long at the edges and leave the middle to the runner.
        length = canvas.width_px * float(rng.uniform(0.15, 0.35 + 0.5 * edge))
        x = float(rng.choice([-10.0, canvas.width_px + 10.0]))
        tip = x + length if x < 0 else x - length
        slope = canvas.height_px * 0.02
        canvas.stroke(
            to_points([(x, y), ((x + tip) / 2, y - slope / 2), (tip, y - slope)]),
            (float(rng.uniform(1.4, 3.6)), 1.4, 0.2),
        )


def draw_star(canvas: Canvas, star: Star) -> None:
    """Draw the small star with its glow, and with a tail of light if it falls."""
    x, y, r = star.x * canvas.width_px, star.y * canvas.height_px, star.size * canvas.height_px
    if star.falling:
        for spread, paint in ((1.0, Paint((150, 190, 255), cell_px=FADE_CELL_PX)), (0.55, GLOW)):
            tail = to_points(
                [
                    (x - r * 0.7 * spread, y - r * 0.7 * spread),
                    (x + r * 16, y - r * 9),
                    (x + r * 0.8 * spread, y + r * 0.7 * spread),
                ]
            )
            canvas.fill(tail, paint)
    else:
        for k in range(12):
            angle = k * np.pi / 6 + 0.15
            way, side = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
            reach = 2.5 if k % 2 else 2.0
            base = np.array([x, y])
            canvas.fill(
                np.array(
                    [
                        base + way * r * 1.45 - side * r * 0.07,
                        base + way * r * reach,
                        base + way * r * 1.45 + side * r * 0.07,
                    ]
                ),
                GLOW,
            )
    canvas.fill(ellipse(x, y, r * 1.3, r * 1.3, 50), GLOW)
    angles = -np.pi / 2 + np.arange(10) * np.pi / 5
    reach_of = r * np.where(np.arange(10) % 2 == 0, 1.0, 0.6)
    body = contour(
        list(zip((x + reach_of * np.cos(angles)).tolist(), (y + reach_of * np.sin(angles)).tolist(), strict=True))
    )
    canvas.fill(body, STAR)
    canvas.fill(shift(body, r * 0.5, r * 0.55), STAR_SHADE, within=body)
    ink = float(np.clip(r * 0.05, 1.4, 4))
    canvas.stroke(np.vstack([body, body[:1]]), (ink, ink * 1.4, ink))
    if star.face:
        for side_x in (-0.24, 0.24):
            canvas.fill(ellipse(x + side_x * r, y + 0.02 * r, 0.09 * r, 0.15 * r), Paint(INK_RGB, Sheet.INK))
            canvas.fill(
                ellipse(x + side_x * r - 0.03 * r, y - 0.05 * r, 0.035 * r, 0.05 * r),
                Paint((255, 255, 255), Sheet.PAPER),
            )
        canvas.stroke(
            to_points([(x - 0.1 * r, y + 0.2 * r), (x, y + 0.27 * r), (x + 0.1 * r, y + 0.2 * r)]),
            (ink * 0.6, ink, ink * 0.6),
        )


def draw_sound(canvas: Canvas, sound: Sound, centre: tuple[float, float]) -> None:
    """Letter a sound word around a centre: each letter turned and grown on its own, white rim, ink contour.

    Args:
        canvas: the page.
        sound: the word.
        centre: page pixels.
    """
    turn = np.deg2rad(sound.angle_deg)
    way = np.array([np.cos(turn), np.sin(turn)])
    sizes = [sound.size_px * (0.85 + 0.4 * i / max(len(sound.word) - 1, 1)) for i in range(len(sound.word))]
    steps = [load_font(size).getlength(letter) + size * 0.1 for letter, size in zip(sound.word, sizes, strict=True)]
    at = np.array(centre) - way * sum(steps) / 2
    placed = []
    for i, (letter, size, step) in enumerate(zip(sound.word, sizes, steps, strict=True)):
        middle = at + way * step / 2
        placed.append((letter, size, middle, -sound.angle_deg + (9 if i % 2 else -7)))
        at = at + way * step
    for rim, rgb in ((0.19, INK_RGB), (0.12, PAPER_RGB), (0.055, INK_RGB), (0.02, sound.rgb)):
        for letter, size, middle, angle in placed:
            _stamp(canvas, letter, size, (float(middle[0]), float(middle[1])), angle, rim, rgb)


def _stamp(
    canvas: Canvas, letter: str, size: float, middle: tuple[float, float], angle: float, rim: float, rgb: Rgb
) -> None:
    side = int(size * 2.2 * SUPERSAMPLE)
    mask = Image.new("L", (side, side), 0)
    ImageDraw.Draw(mask).text(
        (side / 2, side / 2),
        letter,
        fill=255,
        font=load_font(size * SUPERSAMPLE),
        anchor="mm",
        stroke_width=size * rim * SUPERSAMPLE,
    )
    mask = mask.rotate(angle, Image.Resampling.BICUBIC)
    left, top = round(middle[0] * SUPERSAMPLE - side / 2), round(middle[1] * SUPERSAMPLE - side / 2)
    canvas.colour.paste(rgb, (left, top), mask)
    canvas.manga.paste(ink_level(rgb), (left, top), mask)
