"""Corrected colours: what colours of a palette are to become, kept for a job and for its series. Pure."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from common.errors import InputError
from common.hints import Rgb

MAX_COLOURS: Final = 256
"""As many corrected colours as a job or a series has at most: those of the largest palette."""
SAME_COLOUR: Final = 6.0
"""ΔE*ab (CIE 1976) within which a colour of another palette is the same one: references that changed a little give a
palette that changed a little. Below the distance at which two true colours are not one."""


def read_colours(entries: Iterable[Mapping[str, Any]]) -> dict[Rgb, Rgb]:
    """New colours by old ones from how the truth keeps them, [{old: [r, g, b], new: [r, g, b]}], 0..255."""
    return {_rgb(entry["old"]): _rgb(entry["new"]) for entry in entries}


def merge_colours(
    kept: Iterable[Mapping[str, Any]], colours: Mapping[Rgb, Rgb], owner: str
) -> list[dict[str, list[int]]]:
    """Kept colours with others over them.

    What is to become itself is no correction, and left out; unless a correction of a colour near it is kept, which in
    another palette would be taken for its own. It is kept then, to hold against that one: see `match_colours`.

    Args:
        kept: as the truth keeps them.
        colours: new ones by old ones; where an old one is among the kept it is replaced.
        owner: whose they are, for errors.

    Returns:
        What the truth is to keep.

    Raises:
        InputError: more than `MAX_COLOURS`.
    """
    merged = {**read_colours(kept), **colours}
    corrected = [to_lab(old) for old, new in merged.items() if old != new]
    listed = [
        {"old": list(old), "new": list(new)}
        for old, new in merged.items()
        if old != new or _is_near(to_lab(old), corrected)
    ]
    if len(listed) > MAX_COLOURS:
        raise InputError(f"colours: {owner} would have {len(listed)} corrected colours, the limit is {MAX_COLOURS}")
    return listed


def to_lab(rgb: Rgb) -> tuple[float, ...]:
    """CIELAB (sRGB, D65; IEC 61966-2-1, CIE 15) of one colour, as `common.lab` has it, whose OpenCV the API does not
    load."""
    red, green, blue = (
        channel / 3294.6 if channel <= 10 else ((channel / 255 + 0.055) / 1.055) ** 2.4  # 3294.6 = 255 · 12.92
        for channel in rgb
    )
    xyz = (
        (0.412453 * red + 0.357580 * green + 0.180423 * blue) / 0.950456,
        0.212671 * red + 0.715160 * green + 0.072169 * blue,
        (0.019334 * red + 0.119193 * green + 0.950227 * blue) / 1.088754,
    )
    x, y, z = (cbrt if (cbrt := share ** (1 / 3)) > 6 / 29 else share * 841 / 108 + 4 / 29 for share in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _is_near(lab: tuple[float, ...], others: Iterable[tuple[float, ...]]) -> bool:
    """Whether a colour between this one and one of the others can be the same as both."""
    return any(math.dist(lab, other) <= 2 * SAME_COLOUR for other in others)


def _rgb(channels: Iterable[int]) -> Rgb:
    red, green, blue = channels
    return red, green, blue
