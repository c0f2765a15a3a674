"""What one page scores: its figures beside those of the page left grey. Pure."""

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from workers.metrics.scores import chroma_error, colourfulness, delta_e2000, fit_to, psnr_db, ssim, turn_grey

SCORE_VERSION: Final = 1
"""Raised when a figure's meaning changes: figures of two versions must not be compared."""

_GREY_CHROMA_ERROR: Final = 0.1
"""Below this the truth is grey itself, and a ratio to it would divide by the rounding of colour conversions."""


@dataclass(frozen=True)
class Likeness:
    """How near a picture comes to the truth."""

    psnr_db: float
    ssim: float | None
    """None where a side is shorter than SSIM's window of 7 px."""
    delta_e2000: float
    chroma_error: float


@dataclass(frozen=True)
class PageScore:
    """The figures of a page. Without a truth, only its colourfulness is known."""

    size: tuple[int, int]
    """(width, height) in pixels at which the pictures were compared."""
    colourfulness: float
    colourfulness_truth: float | None = None
    final: Likeness | None = None
    grey: Likeness | None = None
    """The same figures for the page left grey: what a colouring has to beat."""
    version: int = SCORE_VERSION

    @property
    def chroma_ratio(self) -> float | None:
        """Chroma error of the final picture as a share of grey's: below 1, colouring has gained something."""
        if self.final is None or self.grey is None or self.grey.chroma_error < _GREY_CHROMA_ERROR:
            return None
        return self.final.chroma_error / self.grey.chroma_error

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON has it; `chroma_ratio` included."""
        return {**asdict(self), "size": list(self.size), "chroma_ratio": self.chroma_ratio}


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
    if truth_rgb is None:
        return PageScore((final_rgb.shape[1], final_rgb.shape[0]), colourfulness(final_rgb))
    height, width = truth_rgb.shape[:2]
    final_rgb = fit_to(final_rgb, height, width)
    grey_rgb = turn_grey(truth_rgb if page_rgb is None else fit_to(page_rgb, height, width))
    return PageScore(
        size=(width, height),
        colourfulness=colourfulness(final_rgb),
        colourfulness_truth=colourfulness(truth_rgb),
        final=compare_pictures(final_rgb, truth_rgb),
        grey=compare_pictures(grey_rgb, truth_rgb),
    )


def compare_pictures(picture_rgb: NDArray[np.uint8], truth_rgb: NDArray[np.uint8]) -> Likeness:
    """The four figures of a picture against the truth, both (H, W, 3) uint8 RGB of one size."""
    return Likeness(
        psnr_db=psnr_db(picture_rgb, truth_rgb),
        ssim=ssim(picture_rgb, truth_rgb),
        delta_e2000=delta_e2000(picture_rgb, truth_rgb),
        chroma_error=chroma_error(picture_rgb, truth_rgb),
    )
