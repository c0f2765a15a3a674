"""From colour to the greys of a scanned manga: paper, ink, flat grey and screentone.

A page that was printed in black dots on white paper, then scanned and brought to screen size, holds softer dots:
grey on a lighter grey. Only so can it take colour, as black and white pixels have no room for chroma.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Rgb = tuple[int, int, int]


class Sheet(Enum):
    """What an area gets in the manga version."""

    AUTO = "by luminance"
    PAPER = "left white"
    INK = "solid black"
    GREY = "flat grey of the same luma"


@dataclass(frozen=True)
class Paint:
    """A colour of the truth and what becomes of it in the manga.

    Attributes:
        rgb: 0..255, the exact colour in the colour page.
        sheet: how the manga version shows it.
        cell_px: side of the screentone's square cell, page pixels; 0 takes the style's.
    """

    rgb: Rgb
    sheet: Sheet = Sheet.AUTO
    cell_px: float = 0.0


@dataclass(frozen=True)
class ToneStyle:
    """How an artist lays tone, and how much of its contrast the scan kept.

    Attributes:
        cell_px: side of the square cell that holds two dots of the 45 degree grid, page pixels.
        contrast: lightness between the dots and the paper around them; 1 as printed, black dots on white paper;
            less as scanned and brought to screen size. The tone's mean is the same for all.
        flat_above: luma (0..1) from which an area gets a flat light wash instead of dots.
        flat_below: luma up to which an area gets a flat dark grey, or ink if its colour is a black.
        black_spread: channels (0..255) of a black differ by no more than this.
        sheet_step: tone is sold in sheets of these steps of darkness.
    """

    cell_px: float = 6.0
    contrast: float = 0.4
    flat_above: float = 0.83
    flat_below: float = 0.17
    black_spread: int = 16
    sheet_step: float = 0.05


@dataclass(frozen=True)
class Tone:
    """A sheet picked for an area: darkness 0..1, and the cell in page pixels (0: no dots)."""

    darkness: float
    cell_px: float = 0.0


def luma(rgb: Rgb) -> float:
    """Rec. 601 luma of an 8-bit colour, 0..1."""
    return (0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]) / 255


def pick_tone(paint: Paint, style: ToneStyle) -> Tone:
    """Pick the sheet that stands for a paint: as dark as its colour, so that the colour fits on it."""
    if paint.sheet is Sheet.PAPER:
        return Tone(0.0)
    if paint.sheet is Sheet.INK:
        return Tone(1.0)
    light = luma(paint.rgb)
    if (
        paint.sheet is Sheet.AUTO
        and light <= style.flat_below
        and max(paint.rgb) - min(paint.rgb) <= style.black_spread
    ):
        return Tone(1.0)
    if paint.sheet is Sheet.GREY or not style.flat_below < light < style.flat_above:
        return Tone(1 - light)
    stepped = round((1 - light) / style.sheet_step) * style.sheet_step
    return Tone(stepped, paint.cell_px or style.cell_px)


@lru_cache(maxsize=32)
def dot_thresholds(cell: int) -> NDArray[np.float32]:
    """One cell of a 45 degree screen: the darkness from which each of its pixels is black.

    Two dots share the square cell, at its corner and its middle, so neighbours lie on diagonals. The
    thresholds are ranks of a round spot function, hence a sheet of darkness d covers the share d.

    Args:
        cell: side of the cell, pixels.

    Returns:
        (cell, cell) float32, 0..1.

    Source: Ulichney, "Digital Halftoning", 1987, chapter 5 (clustered dots).
    """
    axis = np.cos(2 * np.pi * (np.arange(cell) + 0.5) / cell)
    # Rounded, so that pixels at the same distance from a dot's middle share a rank: all dots look alike.
    spot = np.outer(axis, axis).round(9)
    _, index, count = np.unique(spot, return_inverse=True, return_counts=True)
    middle_rank = np.cumsum(count) - count / 2
    return (1 - middle_rank[index].reshape(cell, cell) / cell**2).astype(np.float32)


def cover_with_dots(darkness: NDArray[np.float32] | float, shape: tuple[int, int], cell: int) -> NDArray[np.float32]:
    """Cover an area with round dots.

    Args:
        darkness: one number or (H, W), 0..1.
        shape: (H, W).
        cell: side of the screen's cell, pixels.

    Returns:
        (H, W) float32, 0 paper .. 1 ink; its mean is about the darkness.
    """
    height, width = shape
    thresholds = dot_thresholds(cell)
    tiled = np.tile(thresholds, (-(-height // cell), -(-width // cell)))[:height, :width]
    # A soft edge of about a pixel: hard thresholds would alias against the page's own pixels.
    return np.asarray(np.clip((darkness - tiled) * np.float32(cell * 1.4) + np.float32(0.5), 0, 1))


def screen_sheet(darkness: float, shape: tuple[int, int], cell: int, contrast: float) -> NDArray[np.uint8]:
    """A sheet of even tone.

    Args:
        darkness: 0..1.
        shape: (H, W).
        cell: side of the screen's cell, pixels.
        contrast: as in ToneStyle.

    Returns:
        (H, W) uint8, 0 black .. 255 white.
    """
    return _to_levels(darkness, cover_with_dots(darkness, shape, cell), contrast)


def screen_gradient(rgb_map: NDArray[np.float32], cell: int, style: ToneStyle) -> NDArray[np.uint8]:
    """Tone whose dots grow with the darkness of a gradient.

    Args:
        rgb_map: (H, W, 3) float32, 0..255.
        cell: side of the screen's cell, pixels.
        style: its contrast fades out towards flat_below, as even paints that dark have no dots either.

    Returns:
        (H, W) uint8, 0 black .. 255 white.
    """
    light = rgb_map @ np.array([0.299, 0.587, 0.114], dtype=np.float32) / np.float32(255)
    contrast = style.contrast * np.clip(light / np.float32(style.flat_below) - 1, 0, 1)
    return _to_levels(1 - light, cover_with_dots(1 - light, light.shape, cell), contrast)


def _to_levels(
    darkness: NDArray[np.float32] | float, coverage: NDArray[np.float32], contrast: NDArray[np.float32] | float
) -> NDArray[np.uint8]:
    """Grey levels 0..255 of dots in a coverage, around the mean that the darkness asks for."""
    level = (1 - darkness) + contrast * (darkness - coverage)
    return np.asarray((level * 255).round(), dtype=np.uint8)
