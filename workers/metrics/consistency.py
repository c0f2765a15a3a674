"""Palette consistency: do the colours of the reference stay the same from page to page? Pure.

For every colour of the references' palette, the places of a page that it explains are found, and what colour they have
there; over the pages of a chapter these colours should be one. Where the true page is known, it says which places those
are, so that a place painted in a wrong colour counts. Where it is not, the result's own colours must say it, and a
place in a wrong colour counts as another palette colour, or as unexplained: `explained` is then the figure to watch.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from common.lab import lab_to_rgb, rgb_to_lab
from common.palette import find_nearest, find_palette

PALETTE_SIZE: Final = 12
WORKING_SIDE_PX: Final = 512
"""Pages are looked at with this short side: colours of areas, not of pixels."""
LEAST_CHROMA: Final = 8.0
"""Distance from grey in (a, b) below which a colour is paper, ink or shadow, and no colour to follow."""
NEAR: Final = 18.0
"""How far, in CIELAB with half the lightness, a place may lie from the palette colour that explains it."""
LEAST_REGION: Final = 2e-4
"""Share of the page below which a connected place is a speck, such as the blend along an edge."""
LEAST_AREA: Final = 1e-3
"""Share of the page that a colour must cover to count there."""
_LIGHTNESS_WEIGHT: Final = 0.5
"""Shading moves lightness more than it moves colour."""
_PALETTE_SAMPLES: Final = 20_000


@dataclass(frozen=True)
class Swatch:
    """One palette colour on one page."""

    lab: tuple[float, float, float]
    """Mean colour of its places there."""
    area: float
    """Their share of the page, 0..1."""

    @property
    def rgb(self) -> tuple[int, int, int]:
        return _to_rgb(self.lab)


@dataclass(frozen=True)
class ColourTrack:
    """One palette colour over the chapter."""

    lab: tuple[float, float, float]
    swatches: dict[str, Swatch]
    """By page; only pages where it covers enough to count."""

    @property
    def rgb(self) -> tuple[int, int, int]:
        return _to_rgb(self.lab)

    @property
    def area(self) -> float:
        return sum(swatch.area for swatch in self.swatches.values())

    @property
    def spread(self) -> float | None:
        """Mean distance in (a, b) of its colour on a page from its mean over pages, by area; None on one page only."""
        if len(self.swatches) < 2:
            return None
        chroma, areas = self._chroma()
        return float(np.average(np.hypot(*(chroma - np.average(chroma, axis=0, weights=areas)).T), weights=areas))

    @property
    def drift(self) -> float | None:
        """Distance in (a, b) of its mean over pages from the palette's own colour."""
        if not self.swatches:
            return None
        chroma, areas = self._chroma()
        return float(np.hypot(*(np.average(chroma, axis=0, weights=areas) - self.lab[1:])))

    def _chroma(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        swatches = self.swatches.values()
        return np.array([swatch.lab[1:] for swatch in swatches]), np.array([swatch.area for swatch in swatches])


@dataclass(frozen=True)
class Consistency:
    """The palette over a chapter."""

    pages: tuple[str, ...]
    tracks: tuple[ColourTrack, ...]
    explained: float | None
    """Share of the coloured area that some palette colour explains; None where nothing is coloured."""
    by_truth: bool
    """Whether the true pages said which places belong to a colour."""

    @property
    def spread(self) -> float | None:
        """Mean spread of the colours that are on two pages or more, by area, in units of CIELAB: 0 is one colour."""
        return self._mean("spread")

    @property
    def drift(self) -> float | None:
        """Mean drift of all colours from the references', by area."""
        return self._mean("drift")

    def to_dict(self) -> dict[str, Any]:
        return {
            "spread": self.spread,
            "drift": self.drift,
            "explained": self.explained,
            "by_truth": self.by_truth,
            "colours": [
                {
                    "rgb": list(track.rgb),
                    "spread": track.spread,
                    "drift": track.drift,
                    "pages": {
                        page: {"rgb": list(swatch.rgb), "area": swatch.area} for page, swatch in track.swatches.items()
                    },
                }
                for track in self.tracks
            ],
        }

    def _mean(self, figure: str) -> float | None:
        known = [(getattr(track, figure), track.area) for track in self.tracks if getattr(track, figure) is not None]
        return float(np.average([value for value, _ in known], weights=[area for _, area in known])) if known else None


@dataclass(frozen=True)
class PageColours:
    """What one page has of a palette."""

    swatches: dict[int, Swatch]
    """By index in the palette; only colours that cover enough to count."""
    coloured: float
    """Share of the page that is coloured at all."""
    explained: float
    """Share of the page that is coloured, and explained by the palette."""
    by_truth: bool


def find_colours(
    picture_rgb: NDArray[np.uint8], truth_rgb: NDArray[np.uint8] | None, palette_lab: NDArray[np.float32]
) -> PageColours:
    """Find a palette's colours on a page.

    Args:
        picture_rgb: (H, W, 3) uint8 RGB.
        truth_rgb: the true page of the same shape, which says where the colours belong; None where it is not known.
        palette_lab: (K, 3) float32 CIELAB.
    """
    lab = _shrink(picture_rgb)
    guide = lab if truth_rgb is None else _shrink(truth_rgb)
    labels = label_places(guide, palette_lab)
    coloured = np.hypot(guide[..., 1], guide[..., 2]) >= LEAST_CHROMA
    swatches = {}
    for index in range(len(palette_lab)):
        places = lab[labels == index]
        if len(places) >= LEAST_AREA * labels.size:
            mean = places.mean(axis=0, dtype=np.float64)
            swatches[index] = Swatch((float(mean[0]), float(mean[1]), float(mean[2])), len(places) / labels.size)
    explained = float((coloured & (labels >= 0)).mean())
    return PageColours(swatches, float(coloured.mean()), explained, truth_rgb is not None)


def follow_palette(palette_lab: NDArray[np.float32], pages: dict[str, PageColours]) -> Consistency:
    """Put pages, in their order, together into what a palette (K, 3) float32 CIELAB does over them."""
    tracks = []
    for index, colour in enumerate(palette_lab):
        swatches = {page: found.swatches[index] for page, found in pages.items() if index in found.swatches}
        tracks.append(ColourTrack((float(colour[0]), float(colour[1]), float(colour[2])), swatches))
    coloured = sum(found.coloured for found in pages.values())
    return Consistency(
        pages=tuple(pages),
        tracks=tuple(tracks),
        explained=sum(found.explained for found in pages.values()) / coloured if coloured else None,
        by_truth=all(found.by_truth for found in pages.values()),
    )


def learn_palette(references: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """The chromatic colours of references, each (H, W, 3) uint8 RGB: (K, 3) float32 CIELAB, the most frequent first.

    K is at most `PALETTE_SIZE`, and 0 where the references have no colour.
    """
    samples = [_shrink(reference).reshape(-1, 3) for reference in references]
    lab = np.concatenate([np.zeros((0, 3), dtype=np.float32), *samples])
    lab = lab[np.hypot(lab[:, 1], lab[:, 2]) >= LEAST_CHROMA]
    if not len(lab):
        return lab
    return find_palette(lab[:: max(1, len(lab) // _PALETTE_SAMPLES)], PALETTE_SIZE)


def label_places(lab: NDArray[np.float32], palette_lab: NDArray[np.float32]) -> NDArray[np.int16]:
    """Which palette colour explains each place of a page (H, W, 3) CIELAB; (H, W) int16, -1 where none does."""
    scale = np.array([_LIGHTNESS_WEIGHT, 1, 1], dtype=np.float32)
    points, palette = lab.reshape(-1, 3) * scale, palette_lab * scale
    nearest = find_nearest(points, palette)
    near = ((points - palette[nearest]) ** 2).sum(axis=1) <= NEAR**2
    coloured = np.hypot(points[:, 1], points[:, 2]) >= LEAST_CHROMA
    labels = np.where(near & coloured, nearest, -1).astype(np.int16).reshape(lab.shape[:2])
    for index in range(len(palette_lab)):
        _, parts, stats, _ = cv2.connectedComponentsWithStats((labels == index).astype(np.uint8), connectivity=4)
        specks = stats[:, cv2.CC_STAT_AREA] < LEAST_REGION * labels.size
        specks[0] = False
        labels[specks[parts]] = -1
    return labels


def _shrink(picture_rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """CIELAB of a page with its short side at the working size; a smaller page stays as it is."""
    height, width = picture_rgb.shape[:2]
    factor = min(1.0, WORKING_SIDE_PX / min(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return rgb_to_lab(np.asarray(cv2.resize(picture_rgb, size, interpolation=cv2.INTER_AREA), dtype=np.uint8))


def _to_rgb(lab: tuple[float, float, float]) -> tuple[int, int, int]:
    red, green, blue = lab_to_rgb(np.array([[lab]], dtype=np.float32))[0, 0]
    return int(red), int(green), int(blue)
