"""Whether references are filled flat or painted, and how far their model may be believed. Pure."""

from collections.abc import Iterable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from common.params import JobParams
from workers.cgan.lines import find_lines
from workers.cgan.palette import find_medians, weigh_insides
from workers.cgan.reference import read_chroma
from workers.cgan.regions import segment_regions
from workers.cgan.working_size import shrink_page

SHADING_RANGE: Final = (0.15, 0.2)
TRUST_RANGE: Final = (0.83, 0.57)
"""Factor on chroma for references of the first shading above (or less) and of the second (or more). Where colours are
filled flat, a tone seen again has the same colour; on painted pages light changes it, and the network is surer than it
is right: on like pages 0.85 would do as well as 0.65, on unlike ones it is worse than grey."""


def find_trust(shading: float) -> float:
    """How much of its chroma a model is believed, by its references' shading."""
    return float(np.interp(shading, SHADING_RANGE, TRUST_RANGE))


def measure_shading(references: Iterable[NDArray[np.uint8]]) -> float:
    """How much of coloured pages' chroma varies inside their regions rather than between them.

    Args:
        references: each (H, W, 3) uint8, RGB.

    Returns:
        Mean distance to the region's median colour over mean distance to the page's. Pages filled flat have 0.1 to
        0.15, also as JPEG, and up to 0.19 where most of a page is one gradient; painted ones have 0.2 to 0.5.
    """
    inside, whole = np.sum([_measure_spread(shrink_page(reference)) for reference in references], axis=0)
    return float(inside / whole) if whole > 0 else 0.0


def _measure_spread(rgb: NDArray[np.uint8]) -> tuple[float, float]:
    """Mean distance of chroma to the medians of regions, and to the median of all of them together; Lab units."""
    chroma = np.asarray(cv2.blur(read_chroma(rgb), (3, 3)), dtype=np.float32)  # JPEG's noise is no shading
    grey = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), dtype=np.uint8).reshape(rgb.shape[:2])
    regions = segment_regions(find_lines(grey), JobParams().trapped_ball_radii)
    weights = weigh_insides(regions) * (regions > 0)

    def spread(ids: NDArray[np.uint16]) -> float:
        count = int(ids.max()) + 1
        planes = (chroma[..., channel].ravel() for channel in range(2))
        medians = np.column_stack([find_medians(ids.ravel(), plane, weights.ravel(), count) for plane in planes])
        distance = np.linalg.norm(chroma - medians[ids], axis=2)
        return float((distance * weights).sum() / max(float(weights.sum()), 1e-9))

    return spread(regions), spread(np.zeros_like(regions))
