"""An autoencoder that fits rough colours to pages, of any size: working size, windows, precision. Pure.

PyTorch and the networks are loaded by `open_aligner`, not by importing this.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from common.errors import OutOfMemoryError
from common.lab import rgb_to_lab
from common.windows import OVERLAP_PX, WINDOW_PX, Window, blend_windows
from workers.inknhue.colour import LAB, RGB, NetworkColours
from workers.inknhue.weights import find_official, label_embedded, label_official
from workers.inknhue.working_size import (
    EMBEDDED_SHORT_PX,
    OFFICIAL_SHORT_PX,
    SHADE_TILE_PX,
    resize,
    working_size,
)
from workers.library_errors import is_out_of_memory, release_memory

if TYPE_CHECKING:
    from pathlib import Path

    from workers.inknhue.network import Autoencoder

OFFICIAL_FOLDER: Final = "inknhue"
"""Below the folder of models."""
OFFICIAL_WINDOW_PX: Final = 1536
"""As `WINDOW_PX`, at the official network's working size."""
SMALLEST_WINDOW_PX: Final = 256
EMBEDDED_CORRECTION: Final = 0.7
"""Our network cannot know how much too strong a rough picture is: going all the way, it errs as far on the other side.
This served held-out pages best."""
_GREY_CHROMA: Final = 0.5
"""OpenCV's CIELAB gives greys up to a quarter of it."""

Made = TypeVar("Made")


@dataclass(frozen=True)
class AlignedPicture:
    """What an aligner makes of a page, at working size.

    Attributes:
        lab: (h, w, 3) float32, CIELAB.
        grey: (h, w) uint8, the page's luminance that it was drawn along.
        warning: for the page's record; None where all went as meant.
    """

    lab: NDArray[np.float32]
    grey: NDArray[np.uint8]
    warning: str | None = None


class Shade(Protocol):
    """Gives the shaded page (H, W) uint8 of a page (H, W) uint8, working in tiles of a long side."""

    def __call__(self, page_grey: NDArray[np.uint8], *, tile_px: int) -> NDArray[np.uint8]: ...


class Aligner:
    """Holds a network; made once per process.

    Attributes:
        label: what the page's record calls its weights.
    """

    def __init__(
        self,
        network: Autoencoder,
        label: str,
        *,
        colours: NetworkColours = LAB,
        correction: float = EMBEDDED_CORRECTION,
        short_px: int = EMBEDDED_SHORT_PX,
        window_px: int = WINDOW_PX,
        shade: Shade | None = None,
    ) -> None:
        """
        Args:
            network: in eval mode, on its device.
            label: of its weights.
            colours: in which it sees pages.
            correction: the share of the way from rough's chroma to the network's that is gone.
            short_px: the short side of a page at working size, at most.
            window_px: the long side of a window, at most.
            shade: without, the shaded page is the page itself.
        """
        self.label = label
        self._network = network
        self._colours = colours
        self._correction = np.float32(correction)
        self._short_px = short_px
        self._window_px = window_px
        self._shade = shade

    @property
    def device(self) -> str:
        """What its network runs on: cpu, or cuda:0."""
        return str(next(self._network.parameters()).device)

    def align(self, luma: NDArray[np.uint8], grey: NDArray[np.uint8], rough_rgb: NDArray[np.uint8]) -> AlignedPicture:
        """Fit rough colours to a page.

        The same page and rough give the same bytes. No colour is stronger than rough's: a grey one stays grey.

        Args:
            luma: (H, W) uint8, the page's luminance.
            grey: (H, W) uint8, the same with screentone smoothed.
            rough_rgb: (h, w, 3) uint8, RGB, of the page's shape.

        Raises:
            OutOfMemoryError: not even small windows fit into memory.
        """
        size = working_size(luma.shape[0], luma.shape[1], self._short_px, self._network.config.stride)
        rough = resize(rough_rgb, size)
        shaded, tile_px = resize(grey, size), SHADE_TILE_PX
        if self._shade:
            shade = self._shade
            full, tile_px = fit_memory(lambda tile_px: shade(luma, tile_px=tile_px), SHADE_TILE_PX)
            shaded = resize(full, size)
        lab, window_px = fit_memory(partial(self._run, rough, shaded), self._window_px)
        rough_lab = rgb_to_lab(rough)
        lab[..., 1:] = rough_lab[..., 1:] + self._correction * (lab[..., 1:] - rough_lab[..., 1:])
        cap_chroma(lab, rough_lab)
        pairs = (("windows", window_px, self._window_px), ("tiles of the shader", tile_px, SHADE_TILE_PX))
        smaller = [f"{what} of {px} px" for what, px, usual_px in pairs if px != usual_px]
        warning = f"out of memory: worked in {' and '.join(smaller)}" if smaller else None
        return AlignedPicture(lab, resize(grey, size), warning)

    def _run(self, rough: NDArray[np.uint8], shaded: NDArray[np.uint8], window_px: int) -> NDArray[np.float32]:
        """The network's picture, CIELAB (h, w, 3)."""
        work = partial(self._work_window, rough, shaded)
        return blend_windows(shaded.shape, work, window_px, min(OVERLAP_PX, window_px // 4))

    def _work_window(self, rough: NDArray[np.uint8], shaded: NDArray[np.uint8], window: Window) -> NDArray[np.float32]:
        """The network's picture of one window, CIELAB (h, w, 3)."""
        import torch

        from workers.devices import autocast

        device = next(self._network.parameters()).device
        page = np.repeat(shaded[window][..., None], 3, axis=2)
        height, width = page.shape[:2]
        fill = [-side % self._network.config.stride for side in (height, width)]
        tensors = []
        for rgb in (rough[window], page):
            tensor = torch.from_numpy(self._colours.encode(rgb))[None].to(device)
            tensor = torch.nn.functional.pad(tensor, (0, fill[1], 0, fill[0]), mode="replicate")
            tensors.append(tensor.contiguous(memory_format=torch.channels_last))
        with torch.inference_mode(), autocast(device):
            aligned = self._network(*tensors)
        if not torch.isfinite(aligned).all():  # fp16 ends at 65,504
            with torch.inference_mode():
                aligned = self._network(*tensors)
        return self._colours.decode(aligned[0, :, :height, :width].float().cpu().numpy())


def fit_memory(work: Callable[[int], Made], largest_px: int) -> tuple[Made, int]:
    """Do work in windows of a size, and where memory does not suffice in those half as long, and so on.

    Args:
        work: is given the windows' long side.
        largest_px: to begin with.

    Returns:
        What the work gave, and the size that fitted.

    Raises:
        OutOfMemoryError: not even `SMALLEST_WINDOW_PX` fits.
    """
    window_px = largest_px
    while True:
        try:
            return work(window_px), window_px
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if window_px <= SMALLEST_WINDOW_PX:
                raise OutOfMemoryError(f"the stage ran out of memory with windows of {window_px} px") from error
        # Outside of the except block, whose traceback holds on to the tensors.
        window_px = max(window_px // 2, SMALLEST_WINDOW_PX)
        release_memory()


def cap_chroma(lab: NDArray[np.float32], rough_lab: NDArray[np.float32]) -> None:
    """Shorten, in place, chroma of lab (h, w, 3) stronger than rough's strongest; hue stays.

    The strongest of 3×3 pixels' mean: what a single one has above that is noise.
    """
    around = cv2.blur(np.ascontiguousarray(rough_lab[..., 1:]), (3, 3))
    cap = float(np.hypot(around[..., 0], around[..., 1]).max())
    cap = cap if cap > _GREY_CHROMA else 0.0
    strength = np.hypot(lab[..., 1], lab[..., 2])
    lab[..., 1:] *= np.minimum(1, cap / np.maximum(strength, 1e-6))[..., None]


@lru_cache(maxsize=1)
def open_aligner(models: Path) -> Aligner:
    """The official network where it is installed, else the embedded one; loaded once per process.

    Raises:
        ModelMissingError: official files are there, but damaged or incomplete.
    """
    folder = models / OFFICIAL_FOLDER
    return open_official(folder) if find_official(folder) else open_embedded()


def open_official(folder: Path) -> Aligner:
    """The official network of a folder, with its shader where that is there too.

    Raises:
        ModelMissingError: names the file and what is wrong with it.
    """
    from workers.devices import pick_device
    from workers.inknhue.official.shading import shade_page
    from workers.inknhue.official.weights import digest_official, load_autoencoder, load_shader

    device = pick_device()
    network, shader = load_autoencoder(folder).to(device), load_shader(folder)
    shade = partial(shade_page, shader.to(device)) if shader else None
    label = label_official(digest_official(folder))
    return Aligner(
        network,
        label,
        colours=RGB,
        correction=1.0,
        short_px=OFFICIAL_SHORT_PX,
        window_px=OFFICIAL_WINDOW_PX,
        shade=shade,
    )


def open_embedded() -> Aligner:
    """Our own network."""
    from workers.devices import pick_device
    from workers.inknhue.weights import load_embedded

    return Aligner(load_embedded().to(pick_device()), label_embedded())
