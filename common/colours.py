"""Corrected colours: what colours of a palette are to become, kept for a job and for its series. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from common.errors import InputError
from common.hints import Rgb

MAX_COLOURS: Final = 256
"""As many corrected colours as a job or a series has at most: those of the largest palette."""


def read_colours(entries: Iterable[Mapping[str, Any]]) -> dict[Rgb, Rgb]:
    """New colours by old ones from how the truth keeps them, [{old: [r, g, b], new: [r, g, b]}], 0..255."""
    return {_rgb(entry["old"]): _rgb(entry["new"]) for entry in entries}


def merge_colours(
    kept: Iterable[Mapping[str, Any]], colours: Mapping[Rgb, Rgb], owner: str
) -> list[dict[str, list[int]]]:
    """Kept colours with others over them; what is to become itself is no correction, and left out.

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
    listed = [{"old": list(old), "new": list(new)} for old, new in merged.items() if old != new]
    if len(listed) > MAX_COLOURS:
        raise InputError(f"colours: {owner} would have {len(listed)} corrected colours, the limit is {MAX_COLOURS}")
    return listed


def _rgb(channels: Iterable[int]) -> Rgb:
    red, green, blue = channels
    return red, green, blue
