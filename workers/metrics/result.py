"""What an evaluation found. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
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
            "mean": mean_figures(self.scores),
            "interval_95": interval_figures(self.scores),
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
    errors: a nearly grey page must not outweigh all others.
    """
    means = _summarise(scores, _mean)
    pairs = [score for score in scores.values() if score.final is not None]
    for side in ("final", "grey"):
        if means[side]:
            means[side]["identical"] = sum(score.to_dict()[side]["identical"] for score in pairs)
    known = means["final"] and means["grey"] and means["grey"]["chroma_error"]
    means["chroma_ratio"] = means["final"]["chroma_error"] / known if known else None
    return means


def interval_figures(scores: Mapping[str, PageScore]) -> dict[str, Any]:
    """The 95 % bootstrap interval [low, high] of each mean of `mean_figures`; None of fewer than two pages."""
    intervals = _summarise(scores, lambda values: _listed(mean_interval(values)))
    pairs = [(score.final, score.grey) for score in scores.values() if score.final and score.grey]
    final, grey = ([pair[side].chroma_error for pair in pairs] for side in (0, 1))
    # Without a coloured truth there is nothing to divide by.
    intervals["chroma_ratio"] = _listed(ratio_interval(final, grey)) if all(grey) else None
    return intervals


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
