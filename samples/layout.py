"""How a page is cut into panels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from samples.geometry import Points, to_points

PAGE_WIDTH_PX = 1000
PAGE_HEIGHT_PX = 1420
MARGIN_PX = 34.0
GUTTER_PX = 14.0


@dataclass(frozen=True)
class Row:
    """A row of panels.

    Attributes:
        height: share of the page's inner height; the rows of a page add up to 1.
        widths: share of the row for each panel; they add up to 1.
        slant_px: how far the borders between its panels lean to the right from bottom to top.
        tilt_px: how much lower its lower border lies at the right edge than at the left.
    """

    height: float
    widths: tuple[float, ...] = (1.0,)
    slant_px: float = 0.0
    tilt_px: float = 0.0


def cut_panels(rows: tuple[Row, ...]) -> list[Points]:
    """Outlines of a page's panels in reading order (left to right), each (4, 2) page pixels.

    Raises:
        ValueError: heights or widths do not add up to 1.
    """
    if abs(sum(row.height for row in rows) - 1) > 1e-6:
        raise ValueError(f"row heights add up to {sum(row.height for row in rows):.3f}, not to 1")
    inner_w, inner_h = PAGE_WIDTH_PX - 2 * MARGIN_PX, PAGE_HEIGHT_PX - 2 * MARGIN_PX
    panels: list[Points] = []
    top, top_tilt = MARGIN_PX, 0.0
    for index, row in enumerate(rows):
        if abs(sum(row.widths) - 1) > 1e-6:
            raise ValueError(f"row {index + 1}: panel widths add up to {sum(row.widths):.3f}, not to 1")
        bottom = top + row.height * inner_h
        upper_gap = 0.0 if index == 0 else GUTTER_PX / 2
        lower_gap = 0.0 if index == len(rows) - 1 else GUTTER_PX / 2
        upper, lower = (top + upper_gap, top_tilt), (bottom - lower_gap, row.tilt_px)
        left = MARGIN_PX
        for column, width in enumerate(row.widths):
            right = left + width * inner_w
            first, last = column == 0, column == len(row.widths) - 1
            west = (left + (0.0 if first else GUTTER_PX / 2), 0.0 if first else row.slant_px)
            east = (right - (0.0 if last else GUTTER_PX / 2), 0.0 if last else row.slant_px)
            middle_y, span = (top + bottom) / 2, bottom - top
            panels.append(
                to_points(
                    [
                        _cross(h, v, middle_y, span)
                        for h, v in ((upper, west), (upper, east), (lower, east), (lower, west))
                    ]
                )
            )
            left = right
        top, top_tilt = bottom, row.tilt_px
    return panels


def _cross(
    horizontal: tuple[float, float], vertical: tuple[float, float], middle_y: float, span: float
) -> tuple[float, float]:
    """Where a border that tilts meets a border that slants."""
    y0, tilt = horizontal
    x0, slant = vertical
    x, y = x0, y0
    # Both lean only slightly, so that going back and forth settles within a few rounds.
    for _ in range(6):
        y = y0 + tilt * (x / PAGE_WIDTH_PX - 0.5)
        x = x0 - slant * (y - middle_y) / span
    return x, y


def bounds(outline: Points) -> tuple[float, float, float, float]:
    """Left, top, width, height of an outline, page pixels."""
    low, high = outline.min(axis=0), outline.max(axis=0)
    left, top = np.floor(low).tolist()
    width, height = (np.ceil(high - low) + 1).tolist()
    return left, top, width, height
