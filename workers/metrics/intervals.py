"""How sure a mean over pages is: bootstrap intervals. Pure."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap

CONFIDENCE: Final = 0.95
RESAMPLES: Final = 2_000
_SEED: Final = 0
_RESAMPLED_VALUES: Final = 200_000
"""At a time: bounds memory, whatever the number of pages."""

Interval = tuple[float, float]


def mean_interval(values: Sequence[float]) -> Interval | None:
    """The 95 % interval of the mean of a figure over pages, or None for fewer than two."""
    return ratio_interval(values, [1.0] * len(values))


def ratio_interval(values: Sequence[float], others: Sequence[float]) -> Interval | None:
    """The same for the mean of `values` divided by the mean of `others`, which are of the same pages.

    Source: Efron & Tibshirani 1993, "An Introduction to the Bootstrap", section 13.3, the percentile interval; pages
        are drawn whole, so that a page's two figures stay together. The draws are seeded: the same figures give the
        same interval, in whatever order.
    """
    if len(values) < 2:
        return None
    order = np.lexsort((others, values))
    result = bootstrap(
        (np.asarray(values, dtype=np.float64)[order], np.asarray(others, dtype=np.float64)[order]),
        _divide_means,
        paired=True,
        vectorized=True,
        method="percentile",
        confidence_level=CONFIDENCE,
        n_resamples=RESAMPLES,
        batch=max(1, _RESAMPLED_VALUES // len(values)),
        rng=_SEED,
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def _divide_means(values: NDArray[np.float64], others: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    return np.asarray(values.mean(axis=axis) / others.mean(axis=axis))
