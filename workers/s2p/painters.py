"""Which painter a process has: the official one where its networks are installed, else the embedded one.

TensorFlow and the networks are loaded by `open_painter`, not by importing this.
"""

from functools import lru_cache
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from common.hints import Hints
from workers.s2p.device import set_up_tensorflow
from workers.s2p.official.weights import find_official
from workers.s2p.result import S2pResult
from workers.s2p.weights import embedded_digest

OFFICIAL_FOLDER: Final = "style2paints"
"""Below the folder of models."""


class Painter(Protocol):
    """Colours a page roughly from its hints; `label` names the weights in the page's record."""

    label: str

    def takes(self, page_rgb: NDArray[np.uint8]) -> bool:
        """Whether it paints pages of this shape."""

    def paint(self, page_rgb: NDArray[np.uint8], hints: Hints) -> S2pResult:
        """Colour a page (H, W, 3) uint8 RGB."""

    def paint_small(self, page_rgb: NDArray[np.uint8], hints: Hints) -> NDArray[np.uint8]:
        """What its networks make of a small page at about its size, for the golden page: (h, w, 3) uint8 RGB."""


@lru_cache(maxsize=1)
def open_painter(models: Path) -> Painter:
    """Load a painter, once per process.

    Raises:
        ModelMissingError: official networks are there, but damaged or incomplete; or the chosen GPU is not there.
    """
    set_up_tensorflow()
    folder = models / OFFICIAL_FOLDER
    if find_official(folder):
        from workers.s2p.official.painter import OfficialPainter

        return OfficialPainter.load(folder)
    return open_embedded()


@lru_cache(maxsize=1)
def open_embedded() -> Painter:
    """Load our own painter, once per process."""
    set_up_tensorflow()
    from workers.s2p.embedded import EmbeddedPainter

    return EmbeddedPainter()


def label_official(digest: str) -> str:
    """What the record calls official networks of this SHA-256."""
    return f"Style2Paints V4.5 ({digest[:12]})"


def label_embedded() -> str:
    """What the record calls our own network."""
    return f"embedded ({embedded_digest()[:12]})"
