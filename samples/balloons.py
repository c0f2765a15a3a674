"""Speech: balloons with a tail to the speaker, thoughts, shouts, and captions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from samples.canvas import INK_RGB, Canvas, load_font
from samples.geometry import Points, smooth, to_points
from samples.tones import Paint, Sheet

PAPER = Paint((255, 255, 255), Sheet.PAPER)
CAPTION_PAPER = Paint((255, 248, 222), Sheet.PAPER)
LINE_SPACING = 1.18
LETTER_WEIGHT_PX = 0.45


class Voice(Enum):
    """How something is said."""

    SAY = "speech"
    SHOUT = "shout"
    CAPTION = "narrator's box"


@dataclass(frozen=True)
class Balloon:
    """Words in a panel.

    Attributes:
        text: lines, parted by newlines.
        x, y: middle of the balloon, shares of the panel.
        speaker: index of the actor it belongs to; None for a caption.
        size_px: of the letters, page pixels.
    """

    text: str
    x: float
    y: float
    speaker: int | None = None
    voice: Voice = Voice.SAY
    size_px: float = 21.0


def measure_text(balloon: Balloon) -> tuple[float, float]:
    """Width and height of the balloon's lettering, page pixels."""
    font = load_font(balloon.size_px * 2)
    lines = balloon.text.split("\n")
    width = max(font.getlength(line.upper()) for line in lines) / 2 + 2 * LETTER_WEIGHT_PX
    return width, len(lines) * balloon.size_px * LINE_SPACING


def balloon_radii(balloon: Balloon) -> tuple[float, float]:
    """Half width and half height of the balloon's body, page pixels."""
    width, height = measure_text(balloon)
    if balloon.voice is Voice.CAPTION:
        return width / 2 + 14, height / 2 + 9
    grow = 1.5 if balloon.voice is Voice.SHOUT else 1.26
    return width / 2 * grow + 12, height / 2 * grow + 14


def draw_balloon(
    canvas: Canvas, balloon: Balloon, centre: tuple[float, float], tip: tuple[float, float] | None
) -> None:
    """Draw a balloon on the page.

    Args:
        canvas: the page.
        balloon: what is said and how.
        centre: middle of the body, page pixels.
        tip: where the tail ends, page pixels; None draws no tail.
    """
    rx, ry = balloon_radii(balloon)
    if balloon.voice is Voice.CAPTION:
        x, y = centre
        body = to_points([(x - rx, y - ry), (x + rx, y - ry), (x + rx, y + ry), (x - rx, y + ry)])
        paper = CAPTION_PAPER
    elif balloon.voice is Voice.SHOUT:
        body, paper = _burst(centre, rx, ry, tip), PAPER
    else:
        body, paper = _oval(centre, rx, ry, tip), PAPER
    canvas.fill(body, paper)
    canvas.stroke(np.vstack([body, body[:1]]), (2.4, 3.0, 2.4, 2.8, 2.4))
    _letter(canvas, balloon, centre)


def _letter(canvas: Canvas, balloon: Balloon, centre: tuple[float, float]) -> None:
    lines = balloon.text.split("\n")
    step = balloon.size_px * LINE_SPACING
    first = centre[1] - step * (len(lines) - 1) / 2
    for i, line in enumerate(lines):
        canvas.write(line.upper(), (centre[0], first + i * step), balloon.size_px, INK_RGB, LETTER_WEIGHT_PX)


def _oval(centre: tuple[float, float], rx: float, ry: float, tip: tuple[float, float] | None) -> Points:
    """A rounded body (a superellipse, which holds square text better) with a curved tail."""
    angle = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    cos, sin = np.cos(angle), np.sin(angle)
    body = np.stack(
        [centre[0] + rx * np.sign(cos) * np.abs(cos) ** 0.86, centre[1] + ry * np.sign(sin) * np.abs(sin) ** 0.86],
        axis=1,
    )
    if tip is None:
        return body
    towards = np.arctan2((tip[1] - centre[1]) / ry, (tip[0] - centre[0]) / rx)
    start = round(float(towards) / (2 * np.pi) * 120) % 120
    # The tail's root is about as wide on every balloon, whatever the body's size.
    half = max(2, round(120 * 11 / (np.pi * (rx + ry))))
    ring = np.roll(body, -(start + half), axis=0)
    kept = ring[: 120 - 2 * half]
    end, root_a, root_b = np.array(tip), kept[-1], kept[0]
    middle = (root_a + root_b) / 2
    along = end - middle
    bow = np.array([-along[1], along[0]]) * 0.14
    side_a = smooth(np.vstack([root_a, root_a + (end - root_a) * 0.55 + bow, end]))[1:]
    side_b = smooth(np.vstack([end, root_b + (end - root_b) * 0.55 + bow, root_b]))[1:-1]
    return np.vstack([kept, side_a, side_b])


def _burst(centre: tuple[float, float], rx: float, ry: float, tip: tuple[float, float] | None) -> Points:
    """A body of spikes; the spike nearest to the speaker becomes the tail."""
    count = 20
    angle = np.linspace(0, 2 * np.pi, count * 2, endpoint=False)
    reach = np.where(np.arange(count * 2) % 2 == 0, 1.1 + 0.08 * np.sin(np.arange(count * 2) * 2.3), 0.86)
    body = np.stack([centre[0] + rx * reach * np.cos(angle), centre[1] + ry * reach * np.sin(angle)], axis=1)
    if tip is not None:
        towards = float(np.arctan2((tip[1] - centre[1]) / ry, (tip[0] - centre[0]) / rx))
        nearest = round(towards / (2 * np.pi) * count) % count * 2
        body[nearest] = tip
    return body
