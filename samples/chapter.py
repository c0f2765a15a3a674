"""The chapter: the same drawing as coloured truth and as manga."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samples.page import InkStyle, draw_page
from samples.story import STORY
from samples.tones import ToneStyle

REFERENCE_PAGE = 1
"""Number of the page that shows all characters and most places; a network learns the colours from it."""


@dataclass(frozen=True)
class SamplePage:
    """A page twice, aligned to the pixel.

    Attributes:
        number: from 1.
        name: "001.png" and so on.
        colour_rgb: (H, W, 3) uint8, 0..255, the truth.
        manga_rgb: (H, W, 3) uint8, 0..255, three equal channels.
    """

    number: int
    name: str
    colour_rgb: NDArray[np.uint8]
    manga_rgb: NDArray[np.uint8]


def draw_sample_page(number: int, seed: int = 1) -> SamplePage:
    """Draw one page of the chapter.

    Args:
        number: from 1.
        seed: decides clouds, trees, houses, stars and lines of motion; the story stays.

    Raises:
        ValueError: the chapter has no such page.
    """
    if not 1 <= number <= len(STORY):
        raise ValueError(f"page {number}: the chapter has pages 1 to {len(STORY)}")
    colour_rgb, manga_rgb = draw_page(STORY[number - 1], ToneStyle(), InkStyle(), seed).develop()
    return SamplePage(number, f"{number:03d}.png", colour_rgb, manga_rgb)


def draw_chapter(seed: int = 1) -> list[SamplePage]:
    """Draw all pages in reading order; the same seed gives the same pixels."""
    return [draw_sample_page(number, seed) for number in range(1, len(STORY) + 1)]
