"""Golden pages: small results that are known beforehand, and how far what was found may be from them. Pure.

A card or a build that computes wrongly, and weights that are not those that they seem, give no error: only wrong
colours, page after page. A result that is known shows them before a page is taken.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.errors import NurieError
from workers.device_choice import add_option


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


def read_options(stage: str, arguments: Sequence[str]) -> argparse.Namespace:
    """What `python -m workers.STAGE.golden` was given: `write`, and the device, which is chosen hereby."""
    parser = argparse.ArgumentParser(
        prog=f"python -m workers.{stage}.golden",
        description="Do the golden page by hand; the exit code is 1 where a worker here would refuse work.",
    )
    parser.add_argument("--write", action="store_true", help="make the known result anew, after a change of results")
    add_option(parser)
    return parser.parse_args(arguments)


def run_command(main: Callable[[Sequence[str]], int], stage: str) -> int:
    """Run a golden page's command; the exit code is 2 where it cannot be done at all."""
    try:
        return main(sys.argv[1:])
    except NurieError as error:
        print(f"workers.{stage}.golden: {error}", file=sys.stderr)  # noqa: T201  a command
        return 2


def draw_colours() -> NDArray[np.uint8]:
    """A small coloured picture, (128, 96, 3) uint8 RGB: sun, hill and house under a sky, with black outlines.

    Of whole numbers, so that it is the same wherever it is drawn.
    """
    rows, columns = np.mgrid[:128, :96]
    picture = np.empty((128, 96, 3), dtype=np.uint8)
    picture[:] = (150, 200, 235)
    sun = (rows - 28) ** 2 + (columns - 68) ** 2
    hill = 4 * (rows - 128) ** 2 + (columns - 30) ** 2
    house = (rows >= 70) & (rows < 116) & (columns >= 44) & (columns < 86)
    roof = (rows >= 52) & (rows < 70) & (np.abs(columns - 65) <= 4 + (rows - 52))
    door = (rows >= 90) & (rows < 116) & (columns >= 58) & (columns < 72)
    for shape, rgb in (
        (sun <= 16**2, (250, 205, 70)),
        (hill <= 90**2, (110, 170, 90)),
        (house, (235, 205, 175)),
        (roof, (190, 70, 60)),
        (door, (95, 80, 150)),
    ):
        inside = np.pad(shape, 2, mode="edge")
        inner = np.all([inside[2 + i : 130 + i, 2 + j : 98 + j] for i in (-2, 0, 2) for j in (-2, 0, 2)], axis=0)
        picture[shape] = (15, 15, 15)
        picture[inner] = rgb
    picture[:, :3] = picture[:, -3:] = picture[:3] = picture[-3:] = 255
    return picture


def draw_page() -> NDArray[np.uint8]:
    """The same picture grey, as a page is: (128, 96, 3) uint8 RGB."""
    red, green, blue = (plane.astype(np.uint32) for plane in np.moveaxis(draw_colours(), -1, 0))
    grey = ((299 * red + 587 * green + 114 * blue + 500) // 1000).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)
