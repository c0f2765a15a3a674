"""The embedded painter: propagation of the hints, corrected by our own network. Nothing has to be installed for it."""

from typing import Final

import cv2
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from common.hints import Hints
from common.lab import lab_to_rgb, lab_to_rgb_keep_lightness, page_lightness
from common.screentone import smooth_screentone
from common.upsampling import upsample_rows
from common.windows import blend_windows, map_bands
from workers.s2p.features import CHROMA_SCALE, HintedPage, spread_hints
from workers.s2p.network import STRIDE, build_network
from workers.s2p.painters import label_embedded
from workers.s2p.result import S2pResult
from workers.s2p.sketch import draw_sketch
from workers.s2p.weights import EMBEDDED, load_weights

_STRIP_PIXELS: Final = 1_000_000
_PALE_L: Final = 50.0


class EmbeddedPainter:
    """Holds the network and its graph; made once per process."""

    def __init__(self) -> None:
        network = build_network()
        load_weights(network, EMBEDDED)
        self.label = label_embedded()
        features = tf.TensorSpec((1, None, None, network.inputs[0].shape[-1]), tf.float32)
        self._network = tf.function(lambda x: network(x, training=False), input_signature=[features])

    def takes(self, page_rgb: NDArray[np.uint8]) -> bool:  # noqa: ARG002
        """Any page, of any shape."""
        return True

    def paint(self, page_rgb: NDArray[np.uint8], hints: Hints) -> S2pResult:
        """Colour a page roughly from its hints.

        The same page and hints give the same bytes. Without hints the page stays grey.

        Args:
            page_rgb: (H, W, 3) uint8, RGB; its colours, if any, do not matter.
            hints: dots of colour; positions are shares of the page.
        """
        luma = np.asarray(cv2.cvtColor(page_rgb, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
        grey = map_bands(smooth_screentone, luma)
        page = spread_hints(grey, hints)
        chroma = self.colour(page) if page.has_hints else page.prior
        return S2pResult(sketch_rgb=map_bands(draw_sketch, grey), rough_rgb=_tint_page(luma, grey, page.guide, chroma))

    def paint_small(self, page_rgb: NDArray[np.uint8], hints: Hints) -> NDArray[np.uint8]:
        """As `paint`: it paints any size."""
        return self.paint(page_rgb, hints).rough_rgb

    def colour(self, page: HintedPage) -> NDArray[np.float32]:
        """Correct the spread hints: chroma (h, w, 2) float32 at working size, in windows along the long side."""
        corrected = blend_windows(page.guide.shape, lambda window: self._correct(page.stack_features(window)))
        # No colour that nobody asked for: on pages unlike all that it was trained on, the network may drift.
        asked = np.vstack([page.hint_chroma[page.hint_weight > 0], np.zeros((1, 2), dtype=np.float32)])
        return np.clip(corrected, asked.min(axis=0), asked.max(axis=0))

    def _correct(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        height, width = features.shape[:2]
        padded = np.pad(features, ((0, -height % STRIDE), (0, -width % STRIDE), (0, 0)), mode="edge")
        chroma = self._network(padded[None]).numpy()[0, :height, :width]
        return np.asarray(chroma * np.float32(CHROMA_SCALE), dtype=np.float32)


def _tint_page(
    luma: NDArray[np.uint8], grey: NDArray[np.uint8], guide: NDArray[np.float32], chroma: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Chroma (h, w, 2) of working size laid over the page's lightness; (H, W, 3) uint8 RGB.

    On dark tones lightness stays, and chroma shrinks until it fits, or ink would glow. On paper chroma stays and
    lightness gives way: white can show no colour, and whoever does not keep the page's lightness wants to see it.
    """
    rough_rgb = np.empty((*luma.shape, 3), dtype=np.uint8)
    step = max(1, _STRIP_PIXELS // luma.shape[1])
    for start in range(0, luma.shape[0], step):
        rows = slice(start, start + step)
        lightness = page_lightness(np.repeat(luma[rows, :, None], 3, axis=2))
        lab = np.dstack([lightness, upsample_rows(chroma, guide, grey, rows)])
        pale = (lightness > _PALE_L)[..., None]
        rough_rgb[rows] = np.where(pale, lab_to_rgb(lab), lab_to_rgb_keep_lightness(lab))
    return rough_rgb
