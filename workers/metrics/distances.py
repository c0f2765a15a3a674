"""How far two sets of pictures lie apart: FID and KID, fed picture by picture. Pure."""

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from workers.metrics.frechet import MIN_SAMPLES, FeatureStatistics, frechet_distance
from workers.metrics.inception import NOT_INSTALLED, Inception, InceptionFeatures
from workers.metrics.kernel import FeatureReservoir, kernel_distance

FEW_PICTURES: Final = 50
"""Below this FID says more about the number of pictures than about them."""

Side = Literal["real", "output"]


@dataclass(frozen=True)
class SetDistances:
    """FID and KID of the results from the true pages; None, and why, where they cannot be had."""

    real_count: int
    """Pictures that could be read."""
    output_count: int
    fid: float | None = None
    kid: float | None = None
    kid_standard_error: float | None = None
    reason: str | None = None
    """Why there is no FID and no KID."""
    warning: str | None = None
    """Why they should not be trusted much."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class DistanceMeter:
    """Takes the pictures of both sets, in any order, and keeps statistics of their features, not the pictures."""

    def __init__(self, inception: Inception | None, reason: str = NOT_INSTALLED) -> None:
        """`reason` says why there is no network, where there is none."""
        self.is_open = inception is not None
        """Whether it looks at pictures at all."""
        self._reason = reason
        self._real, self._output = _Set(inception), _Set(inception)

    def add(self, side: Side, picture_rgb: NDArray[np.uint8] | None) -> None:
        """Take a picture (H, W, 3) uint8 RGB of a side; None counts it only, where the meter is not open."""
        (self._real if side == "real" else self._output).add(picture_rgb)

    def finish(self) -> SetDistances:
        """The distances; after the last picture."""
        real, output = self._real, self._output
        few = min(real.count, output.count)
        if not self.is_open:
            return SetDistances(real.count, output.count, reason=self._reason)
        if few < MIN_SAMPLES:
            reason = f"FID and KID need {MIN_SAMPLES} pictures on each side"
            return SetDistances(real.count, output.count, reason=reason)
        real.flush()
        output.flush()
        kernel = kernel_distance(real.reservoir.features, output.reservoir.features)
        return SetDistances(
            real.count,
            output.count,
            fid=frechet_distance(real.statistics, output.statistics),
            kid=kernel.value if kernel else None,
            kid_standard_error=kernel.standard_error if kernel else None,
            warning=None
            if few >= FEW_PICTURES
            else f"below {FEW_PICTURES} pictures on each side FID says little: look at KID with its standard error",
        )


class _Set:
    def __init__(self, inception: Inception | None) -> None:
        self.count = 0
        self.statistics = FeatureStatistics()
        self.reservoir = FeatureReservoir()
        self._features = inception and InceptionFeatures(inception)

    def add(self, picture_rgb: NDArray[np.uint8] | None) -> None:
        self.count += 1
        if self._features and picture_rgb is not None:
            self._keep(self._features.add(picture_rgb))

    def flush(self) -> None:
        if self._features:
            self._keep(self._features.flush())

    def _keep(self, features: NDArray[np.float32]) -> None:
        if len(features):
            self.statistics.add(features)
            self.reservoir.add(features)
