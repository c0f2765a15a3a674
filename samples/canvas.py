"""The drawing surface: one drawing that lands in colour and in manga at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFont

from samples.geometry import Frame, Points, arc_lengths
from samples.tones import Paint, Rgb, Tone, ToneStyle, luma, pick_tone, screen_gradient, screen_sheet

SUPERSAMPLE = 3
INK_RGB: Rgb = (30, 24, 34)
PAPER_RGB: Rgb = (255, 255, 255)


class Canvas:
    """Two layers of the same geometry, drawn at SUPERSAMPLE times the page's size.

    All coordinates given to it are page pixels.
    """

    def __init__(self, width_px: float, height_px: float, style: ToneStyle) -> None:
        self.width_px = width_px
        self.height_px = height_px
        self.style = style
        self.size = (round(width_px * SUPERSAMPLE), round(height_px * SUPERSAMPLE))
        self.colour = Image.new("RGB", self.size, PAPER_RGB)
        self.manga = Image.new("L", self.size, 255)
        self._sheets: dict[Tone, Image.Image] = {}

    def fill(self, outline: Points, paint: Paint, within: Points | None = None) -> None:
        """Fill an outline, optionally only where it lies within another."""
        box = self._box_of(outline)
        if box is None:
            return
        mask = self._mask_of(outline, box)
        if within is not None:
            mask = ImageChops.multiply(mask, self._mask_of(within, box))
        self.colour.paste(paint.rgb, box, mask)
        tone = pick_tone(paint, self.style)
        if tone.cell_px:
            self.manga.paste(self._sheet(tone).crop(box), box, mask)
        else:
            self.manga.paste(round(255 * (1 - tone.darkness)), box, mask)

    def fade(
        self, outline: Points, rgb_map: NDArray[np.float32], box: tuple[int, int, int, int], cell_px: float
    ) -> None:
        """Fill an outline with a soft gradient: smooth in colour, growing dots in the manga.

        Args:
            outline: (N, 2) page pixels.
            rgb_map: (h, w, 3) float32, 0..255, the gradient over box.
            box: left, top, right, bottom of rgb_map in supersampled pixels.
            cell_px: screentone cell, page pixels.
        """
        mask = self._mask_of(outline, box)
        self.colour.paste(Image.fromarray(rgb_map.round().astype(np.uint8)), box, mask)
        dots = screen_gradient(rgb_map, round(cell_px * SUPERSAMPLE), self.style)
        self.manga.paste(Image.fromarray(dots), box, mask)

    def stroke(self, curve: Points, widths_px: Sequence[float], rgb: Rgb = INK_RGB) -> None:
        """Draw an ink line whose width runs through widths_px along the curve."""
        line = curve * SUPERSAMPLE
        width = np.interp(arc_lengths(curve), np.linspace(0, 1, len(widths_px)), widths_px) * SUPERSAMPLE
        pens = ((ImageDraw.Draw(self.colour), rgb), (ImageDraw.Draw(self.manga), ink_level(rgb)))
        tangent = np.diff(line, axis=0)
        length = np.maximum(np.hypot(tangent[:, 0], tangent[:, 1]), 1e-9)[:, None]
        normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1) / length
        start, stop = normal * width[:-1, None] / 2, normal * width[1:, None] / 2
        quads = np.stack([line[:-1] + start, line[1:] + stop, line[1:] - stop, line[:-1] - start], axis=1)
        for draw, ink in pens:
            for quad in quads.reshape(-1, 8):
                draw.polygon(quad.tolist(), fill=ink)
            for (x, y), w in zip(line.tolist(), width.tolist(), strict=True):
                # Joints are rounded so that sharp turns show no gaps.
                if w > 2:
                    draw.ellipse((x - w / 2, y - w / 2, x + w / 2, y + w / 2), fill=ink)

    def write(
        self, text: str, centre: tuple[float, float], size_px: float, rgb: Rgb = INK_RGB, weight_px: float = 0.0
    ) -> None:
        """Letter one line of text around its centre; weight_px thickens it."""
        font = load_font(size_px * SUPERSAMPLE)
        at = (centre[0] * SUPERSAMPLE, centre[1] * SUPERSAMPLE)
        bold = weight_px * SUPERSAMPLE
        for layer, ink in ((self.colour, rgb), (self.manga, ink_level(rgb))):
            ImageDraw.Draw(layer).text(at, text, fill=ink, font=font, anchor="mm", stroke_width=bold)

    def paste(self, other: Canvas, left_px: float, top_px: float, outline: Points) -> None:
        """Lay another canvas over this one at (left_px, top_px), cut along an outline of this page."""
        left, top = round(left_px * SUPERSAMPLE), round(top_px * SUPERSAMPLE)
        box = (left, top, left + other.size[0], top + other.size[1])
        mask = self._mask_of(outline, box)
        self.colour.paste(other.colour, box, mask)
        self.manga.paste(other.manga, box, mask)

    def develop(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Bring both layers to page size.

        Returns:
            colour_rgb and manga_rgb, each (H, W, 3) uint8; the manga's channels are equal.
        """
        colour = np.asarray(self.colour.reduce(SUPERSAMPLE))
        grey = np.asarray(self.manga.reduce(SUPERSAMPLE))
        return colour.copy(), np.repeat(grey[:, :, None], 3, axis=2)

    def _sheet(self, tone: Tone) -> Image.Image:
        if tone not in self._sheets:
            cell = round(tone.cell_px * SUPERSAMPLE)
            dots = screen_sheet(tone.darkness, self.size[::-1], cell, self.style.contrast)
            self._sheets[tone] = Image.fromarray(dots)
        return self._sheets[tone]

    def _box_of(self, outline: Points) -> tuple[int, int, int, int] | None:
        low = np.maximum(np.floor(outline.min(axis=0) * SUPERSAMPLE), 0).astype(int)
        high = np.minimum(np.ceil(outline.max(axis=0) * SUPERSAMPLE) + 1, self.size).astype(int)
        if (low >= high).any():
            return None
        return int(low[0]), int(low[1]), int(high[0]), int(high[1])

    def _mask_of(self, outline: Points, box: tuple[int, int, int, int]) -> Image.Image:
        mask = Image.new("L", (box[2] - box[0], box[3] - box[1]), 0)
        shifted = outline * SUPERSAMPLE - np.array(box[:2])
        ImageDraw.Draw(mask).polygon(shifted.ravel().tolist(), fill=255)
        return mask


def ink_level(rgb: Rgb) -> int:
    """Grey level that a line of this colour has in the manga: dark inks are black."""
    level = luma(rgb)
    return 0 if level < 0.3 else round(255 * level)


def load_font(size: float) -> ImageFont.FreeTypeFont:
    """The font inside Pillow, so that lettering is the same on every machine.

    Raises:
        RuntimeError: Pillow was built without FreeType and could only offer a bitmap font.
    """
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError("Pillow has no FreeType; lettering needs it: install a Pillow wheel")
    return font


@dataclass(frozen=True)
class Pen:
    """A canvas seen from a local frame, with the ink width that suits the frame's size.

    Attributes:
        canvas: what is drawn on.
        frame: local units to page pixels.
        weight_px: width of a normal contour, page pixels.
    """

    canvas: Canvas
    frame: Frame
    weight_px: float

    def at(self, frame: Frame) -> Pen:
        """The same pen in another frame."""
        return Pen(self.canvas, frame, self.weight_px)

    def fill(self, outline: Points, paint: Paint, within: Points | None = None) -> None:
        """Fill a local outline, optionally only within another."""
        inner = None if within is None else self.frame.place(within)
        self.canvas.fill(self.frame.place(outline), paint, inner)

    def line(self, curve: Points, widths: Sequence[float] = (0.3, 1.0, 0.3), rgb: Rgb = INK_RGB) -> None:
        """Ink an open line; widths are shares of the pen's weight."""
        self.canvas.stroke(self.frame.place(curve), [w * self.weight_px for w in widths], rgb)

    def outline(self, curve: Points, widths: Sequence[float] = (0.8, 1.25, 0.8, 1.15, 0.8)) -> None:
        """Ink a closed line."""
        self.line(np.vstack([curve, curve[:1]]), widths)

    def shape(self, outline: Points, paint: Paint, weight: float = 1.0) -> None:
        """Fill a closed outline and ink it."""
        self.fill(outline, paint)
        self.outline(outline, [weight * w for w in (0.8, 1.25, 0.8, 1.15, 0.8)])
