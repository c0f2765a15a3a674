"""From colour to the black and white of manga: paper, ink, flat grey and screentone."""

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
    GREY = "flat grey"
    DOTS = "screentone"


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
    """How an artist lays tone.

    Attributes:
        cell_px: side of the square cell that holds two dots of the 45 degree grid, page pixels.
        white_above: luma (0..1) from which paper stays white.
        black_below: luma under which ink fills the area.
        gain: darkness of the sheet for each unit of darkness in the colour.
        sheet_step: tone is sold in sheets of these steps of darkness.
    """

    cell_px: float = 6.0
    white_above: float = 0.83
    black_below: float = 0.17
    gain: float = 0.85
    sheet_step: float = 0.1


@dataclass(frozen=True)
class Tone:
    """A sheet picked for an area: darkness 0..1, and the cell in page pixels (0: no dots)."""

    darkness: float
    cell_px: float = 0.0


def luma(rgb: Rgb) -> float:
    """Rec. 601 luma of an 8-bit colour, 0..1."""
    return (0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]) / 255


def pick_tone(paint: Paint, style: ToneStyle) -> Tone:
    """Pick the sheet that stands for a paint."""
    light = luma(paint.rgb)
    sheet = paint.sheet
    if sheet is Sheet.PAPER or (sheet is Sheet.AUTO and light >= style.white_above):
        return Tone(0.0)
    if sheet is Sheet.INK or (sheet is Sheet.AUTO and light <= style.black_below):
        return Tone(1.0)
    darkness = (1 - light) * style.gain
    if sheet is Sheet.GREY:
        return Tone(round(darkness, 2))
    stepped = round(darkness / style.sheet_step) * style.sheet_step
    return Tone(float(np.clip(stepped, 0.1, 0.9)), paint.cell_px or style.cell_px)


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


def screen_dots(darkness: NDArray[np.float32] | float, shape: tuple[int, int], cell: int) -> NDArray[np.uint8]:
    """Cover an area with round dots.

    Args:
        darkness: one number or (H, W), 0..1.
        shape: (H, W).
        cell: side of the screen's cell, pixels.

    Returns:
        (H, W) uint8, 0 ink .. 255 paper.
    """
    height, width = shape
    thresholds = dot_thresholds(cell)
    tiled = np.tile(thresholds, (-(-height // cell), -(-width // cell)))[:height, :width]
    # A soft edge of about a pixel: hard thresholds would alias against the page's own pixels.
    paper: NDArray[np.float32] = np.clip((tiled - darkness) * np.float32(cell * 1.4) + np.float32(0.5), 0, 1)
    return np.asarray(paper * 255, dtype=np.uint8)
