"""The kernel distance of two sets of features: with Inception's features, KID, the measure for few pictures. Pure."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

RESERVOIR_SIZE: Final = 2000
"""Features that are kept a side: their three kernel matrices, one after the other, take 32 MB each."""


class FeatureReservoir:
    """Features that come one batch after the other, or, of more than `size`, as many of them drawn uniformly.

    The same seed and the same order keep the same features; batch sizes do not matter.

    Source: Vitter 1985, "Random Sampling with a Reservoir", algorithm R.
    """

    def __init__(self, size: int = RESERVOIR_SIZE, seed: int = 0) -> None:
        self._size = size
        self._rng = np.random.default_rng(seed)
        self._kept: list[NDArray[np.float32]] = []
        self._seen = 0

    def add(self, features: NDArray[np.floating]) -> None:
        """Add a batch, (n, d) float."""
        for row in features:
            feature = row.astype(np.float32)  # a copy: the batch is not kept with it
            self._seen += 1
            if len(self._kept) < self._size:
                self._kept.append(feature)
            elif (place := int(self._rng.integers(self._seen))) < self._size:
                self._kept[place] = feature

    @property
    def features(self) -> NDArray[np.float32]:
        """What is kept, (at most size, d) float32; (0, 0) of none."""
        return np.stack(self._kept) if self._kept else np.zeros((0, 0), np.float32)


@dataclass(frozen=True)
class KernelDistance:
    """KID, and by how much it would vary with other pictures of the same kind."""

    value: float
    """May fall below 0: the estimate is unbiased, so sets of one kind scatter around 0."""
    standard_error: float | None
    """None of fewer than 3 pictures on a side."""


def kernel_distance(real: NDArray[np.floating], generated: NDArray[np.floating]) -> KernelDistance | None:
    """The unbiased estimate of MMD² under the kernel k(x, y) = (x·y/d + 1)³, over all pairs.

    Published figures are often means over random subsets of 100 or 1000: the same on average, only noisier. The
    standard error is the two-sample jackknife's: each feature is left out in turn, which the rows' sums of the kernel
    matrices give without computing anything anew.

    Args:
        real: (m, d) float.
        generated: (n, d) float.

    Returns:
        None of fewer than 2 on a side.

    Source: Bińkowski et al. 2018, "Demystifying MMD GANs", section 4; jackknife: Arvesen 1969, "Jackknifing
    U-Statistics".
    """
    if min(len(real), len(generated)) < 2:
        return None
    within_real, within_generated = _sum_others(real), _sum_others(generated)
    between = _kernel(real, generated)
    towards_generated, towards_real = between.sum(axis=1), between.sum(axis=0)
    sums = within_real.sum(), within_generated.sum(), between.sum()
    value = _estimate(*sums, len(real), len(generated))
    if min(len(real), len(generated)) < 3:
        return KernelDistance(float(value), None)
    # Leaving one out takes its row and its column from the sum within its side, and its row from the sum between.
    without_real = _estimate(
        sums[0] - 2 * within_real, sums[1], sums[2] - towards_generated, len(real) - 1, len(generated)
    )
    without_generated = _estimate(
        sums[0], sums[1] - 2 * within_generated, sums[2] - towards_real, len(real), len(generated) - 1
    )
    variance = sum((len(left) - 1) * left.var() for left in (without_real, without_generated))
    return KernelDistance(float(value), float(np.sqrt(variance)))


def _estimate(within_real: Any, within_generated: Any, between: Any, reals: int, generateds: int) -> Any:
    """MMD² from the sums of the kernel over pairs of two on either side, and of one from each; numbers or arrays."""
    return (
        within_real / (reals * (reals - 1))
        + within_generated / (generateds * (generateds - 1))
        - 2 * between / (reals * generateds)
    )


def _kernel(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    """(m, d) and (n, d) float → (m, n) float64."""
    products = first.astype(np.float64) @ second.astype(np.float64).T
    return np.asarray((products / first.shape[1] + 1) ** 3)


def _sum_others(features: NDArray[np.floating]) -> NDArray[np.float64]:
    """Of each feature (n, d), the sum of its kernel with all others, (n,) float64."""
    kernel = _kernel(features, features)
    np.fill_diagonal(kernel, 0)
    return np.asarray(kernel.sum(axis=1))
