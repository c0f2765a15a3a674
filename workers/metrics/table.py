"""Scores as rows of text, the mean last: one layout for the shell and the report. Pure."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from workers.metrics.score import PageScore

HEADINGS: Final = (
    "page", "PSNR dB", "grey", "SSIM", "grey", "ΔE2000", "grey", "chroma err", "grey", "ratio", "colourful", "truth"
)  # fmt: skip
_DECIMALS: Final = (2, 2, 4, 4, 2, 2, 2, 2, 3, 1, 1)


def mean_figures(scores: Mapping[str, PageScore]) -> dict[str, Any]:
    """The mean of each figure over the pages that have it, shaped as `PageScore.to_dict`, sizes left out.

    `chroma_ratio` is the ratio of the mean errors: a nearly grey page must not outweigh all others.
    """
    pages = [score.to_dict() for score in scores.values()]
    means: dict[str, Any] = {
        key: _mean([page[key] for page in pages]) for key in ("colourfulness", "colourfulness_truth")
    }
    for side in ("final", "grey"):
        known = [page[side] for page in pages if page[side] is not None]
        means[side] = {key: _mean([figures[key] for figures in known]) for key in known[0]} if known else None
    if means["final"] and means["grey"]["chroma_error"]:
        means["chroma_ratio"] = means["final"]["chroma_error"] / means["grey"]["chroma_error"]
    else:
        means["chroma_ratio"] = None
    return means


def table_rows(scores: Mapping[str, PageScore]) -> list[tuple[str, ...]]:
    """The cells under `HEADINGS`, a row per page and the mean; a figure that is not known is a dash."""
    rows = [(stem, *_cells(score.to_dict())) for stem, score in scores.items()]
    return [*rows, ("mean", *_cells(mean_figures(scores)))]


def format_table(scores: Mapping[str, PageScore]) -> str:
    """The table for a terminal, columns aligned."""
    rows = [HEADINGS, *table_rows(scores)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
    rule = "─" * len(lines[0])
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])


def _cells(figures: Mapping[str, Any]) -> list[str]:
    final, grey = figures["final"] or {}, figures["grey"] or {}
    names = ("psnr_db", "ssim", "delta_e2000", "chroma_error")
    values = [side.get(name) for name in names for side in (final, grey)]
    values += [figures["chroma_ratio"], figures["colourfulness"], figures["colourfulness_truth"]]
    return ["–" if value is None else f"{value:.{places}f}" for value, places in zip(values, _DECIMALS, strict=True)]


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
