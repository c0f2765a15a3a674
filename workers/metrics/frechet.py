"""The Fréchet distance of two sets of features, each as a Gaussian: with Inception's features, FID. Pure."""

from typing import Final

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from common.errors import InputError

MIN_SAMPLES: Final = 2
"""A side: one sample has no covariance."""


class FeatureStatistics:
    """Count, mean and covariance of features that come one batch after the other; memory does not grow with them.

    Batches are merged by their own means and scatters, in float64: nothing large is taken from something large, as
    E[x²] − E[x]² would, so order and batch sizes do not matter beyond rounding.

    Source: Chan, Golub & LeVeque 1979, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances",
    (2.1).
    """

    def __init__(self) -> None:
        self.count = 0
        self._mean: NDArray[np.float64] = np.zeros(0)
        self._scatter: NDArray[np.float64] = np.zeros((0, 0))

    def add(self, features: NDArray[np.floating]) -> None:
        """Add a batch, (n, d) float; n may be 0.

        Raises:
            ValueError: not of two axes, or of another d than those before.
        """
        if features.ndim != 2 or (self.count and features.shape[1] != self._mean.size):
            raise ValueError(f"features are {features.shape}, not (n, {self._mean.size if self.count else 'd'})")
        added, dimensions = features.shape
        if not added:
            return
        if not self.count:
            self._mean, self._scatter = np.zeros(dimensions), np.zeros((dimensions, dimensions))
        batch = features.astype(np.float64)
        batch_mean = batch.mean(axis=0)
        batch -= batch_mean
        apart = batch_mean - self._mean
        total = self.count + added
        self._scatter += batch.T @ batch
        self._scatter += np.outer(apart, apart * (self.count * added / total))
        self._mean += apart * (added / total)
        self.count = total

    @property
    def mean(self) -> NDArray[np.float64]:
        """(d,) float64."""
        return self._mean

    @property
    def covariance(self) -> NDArray[np.float64]:
        """The sample covariance (ddof 1), (d, d) float64.

        Raises:
            InputError: of fewer than 2 samples.
        """
        if self.count < MIN_SAMPLES:
            raise InputError(f"a Fréchet distance needs {MIN_SAMPLES} pictures or more a side, not {self.count}")
        return self._scatter / (self.count - 1)


def frechet_distance(real: FeatureStatistics, generated: FeatureStatistics) -> float:
    """‖μr − μg‖² + Tr(Σr + Σg − 2(ΣrΣg)^½), 0 or more.

    With Σ = U Λ Uᵀ, Tr((ΣrΣg)^½) is the sum of the singular values of Λr^½ Urᵀ Ug Λg^½. The usual square root of the
    product ΣrΣg, which is not symmetric, fails or turns complex where the covariances are singular: with fewer pictures
    than dimensions, always.

    Raises:
        InputError: a side has fewer than 2 samples.
        ValueError: the sides' dimensions differ, or a feature is not finite.

    Source: Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule", (6).
    """
    root_real, root_generated = _root(real.covariance), _root(generated.covariance)
    if real.mean.shape != generated.mean.shape:
        raise ValueError(f"features of {real.mean.size} and of {generated.mean.size} dimensions have no distance")
    shift = real.mean - generated.mean
    common = 0.0
    if root_real.size and root_generated.size:
        common = float(scipy.linalg.svdvals(root_real.T @ root_generated).sum())
    # Of the roots, not of the covariances: what was left out as rounding is left out on both sides of the difference.
    traces = np.sum(root_real**2) + np.sum(root_generated**2)
    return max(0.0, float(shift @ shift + traces) - 2 * common)


def _root(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """U Λ^½, (d, rank) float64: without the directions in which the covariance holds nothing but rounding.

    Their eigenvalues are some 1e-16 of the largest, but the roots of those 1e-8, and there may be 2000 of them.
    """
    values, vectors = scipy.linalg.eigh(covariance)
    kept = values > values[-1] * len(values) * np.finfo(np.float64).eps
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))
