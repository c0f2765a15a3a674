"""What an evaluation found. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from workers.metrics.consistency import Consistency
from workers.metrics.distances import SetDistances
from workers.metrics.intervals import Interval, mean_interval, ratio_interval
from workers.metrics.score import DELTA_E_BINS, SCORE_VERSION, PageScore

FINAL_FIGURES: Final = (
    "psnr_db", "ssim", "ms_ssim", "delta_e2000", "delta_e2000_p95", "chroma_error", "edge_preservation"
)  # fmt: skip
GREY_FIGURES: Final = ("psnr_db", "ssim", "delta_e2000", "chroma_error")


@dataclass(frozen=True)
class PageView:
    """A page to look at: small pictures, (h, w, 3) uint8 RGB, by what they are called, and its ΔE2000 histogram."""

    name: str
    pictures: Mapping[str, NDArray[np.uint8]]
    delta_e_counts: NDArray[np.int64] | None


@dataclass(frozen=True)
class Evaluation:
    """All figures of two sets of pictures."""

    scores: Mapping[str, PageScore]
    """By name; results without a true page have their colourfulness alone."""
    real_only: tuple[str, ...]
    output_only: tuple[str, ...]
    failed: Mapping[str, str]
    """Pages that could not be scored: what was wrong, by name."""
    distances: SetDistances
    palette: Consistency | None
    """None without references, or where these have no colour."""
    palette_truth: Consistency | None
    """The true pages' own consistency: what would be as steady as the artist."""
    views: tuple[PageView, ...]
    """The worst pages by ΔE2000, the worst first; without true pages, the first ones."""

    @property
    def pairs(self) -> dict[str, PageScore]:
        """The scores of results that have a true page."""
        return {name: score for name, score in self.scores.items() if score.final is not None}

    @cached_property
    def mean(self) -> dict[str, Any]:
        """As `mean_figures`."""
        return mean_figures(self.scores)

    @cached_property
    def interval_95(self) -> dict[str, Any]:
        """As `interval_figures`."""
        return interval_figures(self.scores)

    @property
    def delta_e_counts(self) -> NDArray[np.int64]:
        """Pixels of all results by ΔE2000, (DELTA_E_BINS,)."""
        counts = [score.delta_e_counts for score in self.scores.values() if score.delta_e_counts is not None]
        return np.sum([np.zeros(DELTA_E_BINS, dtype=np.int64), *counts], axis=0)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the pictures, as JSON has it."""
        return {
            "version": SCORE_VERSION,
            "pages": {name: score.to_dict() for name, score in self.scores.items()},
            "mean": self.mean,
            "interval_95": self.interval_95,
            "set": self.distances.to_dict(),
            "palette": self.palette and self.palette.to_dict(),
            "palette_truth": self.palette_truth and self.palette_truth.to_dict(),
            "delta_e2000_pixels": self.delta_e_counts.tolist() if self.pairs else None,
            "real_only": list(self.real_only),
            "output_only": list(self.output_only),
            "failed": dict(self.failed),
        }


def mean_figures(scores: Mapping[str, PageScore]) -> dict[str, Any]:
    """The mean of each figure over the pages that have it, shaped as `PageScore.to_dict`.

    PSNR: over the pages whose pictures differ; `identical` counts the others. `chroma_ratio` is the ratio of the mean
    errors of the pages that have one: a nearly grey page must not outweigh all others.
    """
    means = _summarise(scores, _mean)
    pairs = [score for score in scores.values() if score.final is not None]
    for side in ("final", "grey"):
        if means[side]:
            means[side]["identical"] = sum(score.to_dict()[side]["identical"] for score in pairs)
    final, grey = _chroma_errors(scores)
    means["chroma_ratio"] = float(np.mean(final) / np.mean(grey)) if final else None
    return means


def interval_figures(scores: Mapping[str, PageScore]) -> dict[str, Any]:
    """The 95 % bootstrap interval [low, high] of each mean of `mean_figures`; None of fewer than two pages."""
    intervals = _summarise(scores, lambda values: _listed(mean_interval(values)))
    intervals["chroma_ratio"] = _listed(ratio_interval(*_chroma_errors(scores)))
    return intervals


def _chroma_errors(scores: Mapping[str, PageScore]) -> tuple[list[float], list[float]]:
    """The errors of our pages and of grey, where the truth is coloured and so grey's is no mere rounding."""
    pairs = [
        (score.final.chroma_error, score.grey.chroma_error)
        for score in scores.values()
        if score.final and score.grey and score.chroma_ratio is not None
    ]
    return [final for final, _ in pairs], [grey for _, grey in pairs]


def _summarise(scores: Mapping[str, PageScore], summarise: Callable[[list[float]], Any]) -> dict[str, Any]:
    pages = [score.to_dict() for score in scores.values()]
    summary: dict[str, Any] = {
        key: summarise(_known(page[key] for page in pages)) for key in ("colourfulness", "colourfulness_truth")
    }
    for side, names in (("final", FINAL_FIGURES), ("grey", GREY_FIGURES)):
        figures = [page[side] for page in pages if page[side] is not None]
        summary[side] = {name: summarise(_known(page[name] for page in figures)) for name in names} if figures else None
    return summary


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _listed(interval: Interval | None) -> list[float] | None:
    return None if interval is None else list(interval)
