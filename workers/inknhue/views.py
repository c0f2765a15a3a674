"""Triples of page, rough picture and truth for the embedded autoencoder to train on. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.lab import rgb_to_lab
from common.screentone import smooth_screentone
from samples.cropping import draw_turn, draw_window, fill_crop
from samples.scanning import draw_scan
from workers.inknhue.colour import grey_to_lab, lab_to_network
from workers.inknhue.roughs import draw_saturation, simulate_rough
from workers.inknhue.weights import EMBEDDED_STRIDE
from workers.inknhue.working_size import EMBEDDED_SHORT_PX, resize, working_size

PAINTER_SHARE: Final = 0.5
"""Of the views: roughs of the embedded s2p painter itself; the rest are simulated."""
ANY_HUE_SHARE: Final = 0.35
"""Of the crops: colours turned by any angle, so that the network says what rough does and not what it knows."""
LOG_STRENGTH: Final = (-0.3, 0.2)


@dataclass(frozen=True)
class View:
    """A page at working size.

    Attributes:
        shaded: (h, w) uint8, the page's grey with its screentone smoothed.
        rough_lab: (h, w, 3) float16, CIELAB.
        truth_lab: (h, w, 3) float16, CIELAB.
    """

    shaded: NDArray[np.uint8]
    rough_lab: NDArray[np.float16]
    truth_lab: NDArray[np.float16]

    def pictures(self) -> tuple[NDArray[np.float32], ...]:
        """Shaded page, rough picture and truth, each (h, w, 3) float32, CIELAB."""
        return grey_to_lab(self.shaded), self.rough_lab.astype(np.float32), self.truth_lab.astype(np.float32)


def make_view(painted: Sequence[NDArray[np.uint8]], roughs: Sequence[Path], seed: int, number: int) -> View:
    """Make one view; the same arguments give the same view.

    Args:
        painted: coloured pages, each (H, W, 3) uint8 RGB; without any, all views are of drawn pages.
        roughs: files of `save_view`, of the s2p painter's own roughs; without any, all roughs are simulated.
        seed: of the training.
        number: of the view; there is no last one.
    """
    rng = np.random.default_rng((seed, number))
    if roughs and rng.random() < PAINTER_SHARE:
        return oversaturate(load_view(roughs[int(rng.integers(len(roughs)))]), rng)
    colour, page = draw_scan(painted, rng)
    return simulate_view(smooth_screentone(page), colour, rng)


def simulate_view(grey: NDArray[np.uint8], colour: NDArray[np.uint8], rng: np.random.Generator) -> View:
    """A view of a page (H, W), its screentone smoothed, and its colours (H, W, 3), with a simulated rough."""
    shaded, truth = shrink(grey), rgb_to_lab(shrink(colour))
    return View(shaded, simulate_rough(truth, shaded, rng).astype(np.float16), truth.astype(np.float16))


def assemble_view(grey: NDArray[np.uint8], rough: NDArray[np.uint8], colour: NDArray[np.uint8]) -> View:
    """A view of a page (H, W), its screentone smoothed, a painter's rough and the true colours, both (H, W, 3)."""
    lab = [rgb_to_lab(shrink(picture)).astype(np.float16) for picture in (rough, colour)]
    return View(shrink(grey), *lab)


def shrink(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A page at the embedded network's working size."""
    return resize(picture, working_size(picture.shape[0], picture.shape[1], EMBEDDED_SHORT_PX, EMBEDDED_STRIDE))


def oversaturate(view: View, rng: np.random.Generator) -> View:
    """The view with its rough's chroma made too strong, as hints from the cGAN are."""
    rough_lab = view.rough_lab.astype(np.float32)
    rough_lab[..., 1:] *= draw_saturation(rng)
    return replace(view, rough_lab=rough_lab.astype(np.float16))


def save_view(view: View, path: Path) -> None:
    """Write a view to an .npz file."""
    np.savez(path, shaded=view.shaded, rough_lab=view.rough_lab, truth_lab=view.truth_lab)


def load_view(path: Path) -> View:
    """Read what `save_view` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        return View(arrays["shaded"], arrays["rough_lab"], arrays["truth_lab"])


def cut_crops(views: Sequence[View], size_px: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], ...]:
    """One crop of each view, mirrored and its colours turned by chance, rough and truth alike.

    Returns:
        Shaded, rough and truth, each (N, 3, size, size) float32, as the network sees them.
    """
    crops: list[list[NDArray[np.float32]]] = []
    for view in views:
        height, width = view.shaded.shape
        window = draw_window(height, width, size_px, rng)
        cut = View(view.shaded[window], view.rough_lab[window], view.truth_lab[window]).pictures()
        turn = draw_turn(rng, ANY_HUE_SHARE, LOG_STRENGTH)
        for lab in cut[1:]:
            lab[..., 1:] = lab[..., 1:] @ turn
        is_mirrored = rng.random() < 0.5
        crops.append([lab_to_network(fill_crop(lab[:, ::-1] if is_mirrored else lab, size_px)) for lab in cut])
    return tuple(np.stack(pictures) for pictures in zip(*crops, strict=True))
