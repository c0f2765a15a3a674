"""What one page scores: its figures beside those of the page left grey. Pure."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from common.lab import rgb_to_lab
from workers.metrics.ciede2000 import delta_e2000, delta_e2000_of_grey
from workers.metrics.scores import chroma_gap, colourfulness, find_gradient, fit_to, psnr_db, turn_grey
from workers.metrics.structure import ms_ssim, ssim

SCORE_VERSION: Final = 2
"""Raised when a figure's meaning changes: figures of two versions must not be compared."""
DELTA_E_BINS: Final = 100
"""Of 1 each, the last open upwards."""

_FINE_BINS: Final = 100
"""To one of these: percentiles are exact to 0.01."""
_GREY_CHROMA_ERROR: Final = 0.1
"""Below this the truth is grey itself, and a ratio to it would divide by the rounding of colour conversions."""
_STRIP_PIXELS: Final = 200_000
"""Pictures go through in strips of rows, so that memory stays bounded and near: smaller ones fit the caches better, but
threads then wait more often for the interpreter."""


@dataclass(frozen=True)
class Likeness:
    """How near a picture comes to the truth."""

    psnr_db: float
    """Infinite for equal pictures."""
    ssim: float | None
    """None where a side is shorter than SSIM's window of 7 px."""
    delta_e2000: float
    chroma_error: float
    """Mean distance in CIELAB's (a, b) plane."""


@dataclass(frozen=True)
class FinalLikeness(Likeness):
    """What is asked of our picture, and not of the page left grey."""

    ms_ssim: float | None
    """None where a side is shorter than 176 px."""
    delta_e2000_p95: float
    """95 % of the pixels are nearer to the truth than this."""
    edge_preservation: float | None
    """Correlation of the gradients of lightness, means not subtracted: 1 is every edge as in the truth; None where one
    has no edge."""


@dataclass(frozen=True)
class PageScore:
    """The figures of a page. Without a truth, only its colourfulness is known."""

    size: tuple[int, int]
    """(width, height) in pixels at which the pictures were compared: the truth's."""
    colourfulness: float
    resized_from: tuple[int, int] | None = None
    """The result's own (width, height), where it had to be resized to the truth."""
    colourfulness_truth: float | None = None
    final: FinalLikeness | None = None
    grey: Likeness | None = None
    """The same figures for the page left grey: what a colouring has to beat."""
    delta_e_counts: NDArray[np.int64] | None = field(default=None, repr=False, compare=False)
    """Pixels of the final picture by ΔE2000, (DELTA_E_BINS,)."""

    @property
    def chroma_ratio(self) -> float | None:
        """Chroma error of the final picture as a share of grey's: below 1, colouring has gained something."""
        if self.final is None or self.grey is None or self.grey.chroma_error < _GREY_CHROMA_ERROR:
            return None
        return self.final.chroma_error / self.grey.chroma_error

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON has it, which knows no infinity: of equal pictures `psnr_db` is null, `identical` true."""
        return {
            "version": SCORE_VERSION,
            "size": list(self.size),
            "resized_from": self.resized_from and list(self.resized_from),
            "colourfulness": self.colourfulness,
            "colourfulness_truth": self.colourfulness_truth,
            "final": self.final and _to_dict(self.final),
            "grey": self.grey and _to_dict(self.grey),
            "chroma_ratio": self.chroma_ratio,
        }


def score_page(
    final_rgb: NDArray[np.uint8], truth_rgb: NDArray[np.uint8] | None, page_rgb: NDArray[np.uint8] | None
) -> PageScore:
    """Score a coloured page.

    Args:
        final_rgb: (h, w, 3) uint8, RGB: the result; resized to the truth, bicubic, where sizes differ.
        truth_rgb: (H, W, 3) uint8, RGB: the page in its true colours, if known.
        page_rgb: the page that was coloured, whose grey stands beside; None takes the truth's grey.

    Returns:
        The figures, at the truth's size.
    """
    own_size = (final_rgb.shape[1], final_rgb.shape[0])
    if truth_rgb is None:
        return PageScore(own_size, colourfulness(final_rgb))
    height, width = truth_rgb.shape[:2]
    fitted_rgb = fit_to(final_rgb, height, width)
    grey_rgb = turn_grey(truth_rgb if page_rgb is None else fit_to(page_rgb, height, width))
    ours, grey = _add_up(fitted_rgb, grey_rgb, truth_rgb)
    return PageScore(
        size=(width, height),
        colourfulness=colourfulness(final_rgb),
        resized_from=None if own_size == (width, height) else own_size,
        colourfulness_truth=colourfulness(truth_rgb),
        final=FinalLikeness(
            psnr_db=psnr_db(fitted_rgb, truth_rgb),
            ssim=ssim(fitted_rgb, truth_rgb),
            delta_e2000=ours.mean_delta_e,
            chroma_error=ours.mean_chroma_gap,
            ms_ssim=ms_ssim(fitted_rgb, truth_rgb),
            delta_e2000_p95=ours.find_percentile(0.95),
            edge_preservation=ours.edge_correlation,
        ),
        grey=Likeness(
            psnr_db=psnr_db(grey_rgb, truth_rgb),
            ssim=ssim(grey_rgb, truth_rgb),
            delta_e2000=grey.mean_delta_e,
            chroma_error=grey.mean_chroma_gap,
        ),
        delta_e_counts=ours.delta_e_counts,
    )


def map_delta_e(first_rgb: NDArray[np.uint8], second_rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """ΔE2000 of each pixel of two (H, W, 3) uint8 RGB pictures: (H, W) float32."""
    strips = [
        delta_e2000(rgb_to_lab(first_rgb[rows]), rgb_to_lab(second_rgb[rows])) for rows in _strips(first_rgb.shape)
    ]
    return np.concatenate(strips)


class _Sums:
    """Figures that come from CIELAB, added up strip by strip."""

    def __init__(self) -> None:
        self._pixels = 0
        self._delta_e = self._chroma_gap = 0.0
        self._fine_counts = np.zeros(DELTA_E_BINS * _FINE_BINS, dtype=np.int64)
        self._edges = np.zeros(3)  # products of the gradients: ours with the truth's, ours, the truth's

    def add(self, delta_e: NDArray[np.float32], chroma_gap: NDArray[np.float32]) -> None:
        self._pixels += delta_e.size
        self._delta_e += float(delta_e.sum(dtype=np.float64))
        self._chroma_gap += float(chroma_gap.sum(dtype=np.float64))

    def count(self, delta_e: NDArray[np.float32]) -> None:
        fine = np.minimum(delta_e.ravel() * np.float32(_FINE_BINS), self._fine_counts.size - 1).astype(np.int32)
        self._fine_counts += np.bincount(fine, minlength=self._fine_counts.size)

    def add_edges(self, gradient: NDArray[np.float32], truth_gradient: NDArray[np.float32]) -> None:
        pairs = ((gradient, truth_gradient), (gradient, gradient), (truth_gradient, truth_gradient))
        self._edges += [np.vdot(one, two) for one, two in pairs]

    @property
    def mean_delta_e(self) -> float:
        return self._delta_e / self._pixels

    @property
    def mean_chroma_gap(self) -> float:
        return self._chroma_gap / self._pixels

    @property
    def delta_e_counts(self) -> NDArray[np.int64]:
        return self._fine_counts.reshape(DELTA_E_BINS, _FINE_BINS).sum(axis=1)

    @property
    def edge_correlation(self) -> float | None:
        shared, ours, truths = self._edges
        return float(shared / math.sqrt(ours * truths)) if ours > 0 and truths > 0 else None

    def find_percentile(self, share: float) -> float:
        reached = np.cumsum(self._fine_counts)
        at = int(np.searchsorted(reached, share * self._pixels))
        return 0.0 if at == 0 else (at + 1) / _FINE_BINS


def _add_up(
    picture_rgb: NDArray[np.uint8], grey_rgb: NDArray[np.uint8], truth_rgb: NDArray[np.uint8]
) -> tuple[_Sums, _Sums]:
    """The sums of our picture and of the grey one, the truth's CIELAB computed once."""
    ours, grey = _Sums(), _Sums()
    height = len(truth_rgb)
    lightness_of_grey = rgb_to_lab(np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(1, 256, 3))[0, :, 0]
    for rows in _strips(truth_rgb.shape):
        # A gradient needs its neighbours: one row more on either side.
        wide = slice(max(0, rows.start - 1), min(height, rows.stop + 1))
        inside = slice(rows.start - wide.start, rows.stop - wide.start)
        picture_wide, truth_wide = rgb_to_lab(picture_rgb[wide]), rgb_to_lab(truth_rgb[wide])
        picture_lab, truth_lab = picture_wide[inside], truth_wide[inside]
        delta_e = delta_e2000(picture_lab, truth_lab)
        ours.add(delta_e, chroma_gap(picture_lab, truth_lab))
        ours.count(delta_e)
        ours.add_edges(find_gradient(picture_wide[..., 0]), find_gradient(truth_wide[..., 0]))
        lightness = lightness_of_grey[grey_rgb[rows][..., 0]]
        grey.add(delta_e2000_of_grey(lightness, truth_lab), chroma_gap(None, truth_lab))
    return ours, grey


def _to_dict(likeness: Likeness) -> dict[str, Any]:
    identical = math.isinf(likeness.psnr_db)
    return {**asdict(likeness), "psnr_db": None if identical else likeness.psnr_db, "identical": identical}


def _strips(shape: tuple[int, ...]) -> Iterator[slice]:
    """Slices of rows that cover a picture of this shape (H, W, ...)."""
    step = max(1, _STRIP_PIXELS // max(1, shape[1]))
    for start in range(0, shape[0], step):
        yield slice(start, min(start + step, shape[0]))
