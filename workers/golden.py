"""Golden pages: small results that are known beforehand, and how far what was found may be from them. Pure.

A card or a build that computes wrongly, and weights that are not those that they seem, give no error: only wrong
colours, page after page. A result that is known shows them before a page is taken.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        what: for people.
        share: the deviation as a share of what is allowed: above 1 it failed.
        said: by how much it deviates, for people.
    """

    what: str
    share: float
    said: str

    @property
    def passed(self) -> bool:
        return self.share <= 1


WarmUp = Callable[[], Sequence[Check]]
"""Loads what a stage works with, and does its golden page. Whatever it raises counts as failed."""


@dataclass(frozen=True)
class Tolerance:
    """Of absolute differences: their mean, and what 99 % of them are below."""

    mean: float
    p99: float


def compare(what: str, found: NDArray[Any], expected: NDArray[Any], tolerance: Tolerance) -> Check:
    """Compare two arrays; another shape, or a number that is none, deviates without end."""
    if found.shape != expected.shape:
        return Check(what, np.inf, f"its shape is {found.shape}, not {expected.shape}")
    if not np.isfinite(found).all():
        return Check(what, np.inf, "not all of it are finite numbers")
    difference = np.abs(found.astype(np.float64) - expected.astype(np.float64))
    mean, p99 = float(difference.mean()), float(np.percentile(difference, 99))
    return Check(
        what,
        max(mean / tolerance.mean, p99 / tolerance.p99),
        f"off by {mean:.3g} on average and {p99:.3g} at the 99th percentile; "
        f"allowed are {tolerance.mean:g} and {tolerance.p99:g}",
    )


def expect(what: str, value: float, least: float = -np.inf, most: float = np.inf) -> Check:
    """Whether a figure lies between two bounds, for what no exact result is known of."""
    if not np.isfinite(value):
        return Check(what, np.inf, f"{value} is no finite number")
    passed = least <= value <= most
    return Check(what, 0.0 if passed else np.inf, f"{value:.3g}, where {least:g} to {most:g} was expected")
