"""The colours in which networks see a page. Pure.

In RGB, as the official network sees it, colour is a small difference between large numbers: a small network would spend
itself on lightness, which the page gives anyway. So ours works in CIELAB, each channel scaled to about -1..1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from common.lab import rgb_to_lab

LAB_SCALE: Final = (50.0, 32.0, 32.0)
LAB_OFFSET: Final = (1.0, 0.0, 0.0)
_SCALE: Final = np.array(LAB_SCALE, dtype=np.float32)
_OFFSET: Final = np.array(LAB_OFFSET, dtype=np.float32)
_LIGHTNESS: Final = np.asarray(
    cv2.cvtColor(np.linspace(0, 1, 256, dtype=np.float32)[:, None, None].repeat(3, axis=2), cv2.COLOR_RGB2LAB)[:, 0, 0]
)


@dataclass(frozen=True)
class NetworkColours:
    """How pictures become a network's input, and its output a picture.

    Attributes:
        encode: RGB (H, W, 3) uint8 → (3, H, W) float32, about -1..1.
        decode: what the network made, (3, H, W) float32 → CIELAB (H, W, 3) float32.
    """

    encode: Callable[[NDArray[np.uint8]], NDArray[np.float32]]
    decode: Callable[[NDArray[np.float32]], NDArray[np.float32]]


def lab_to_network(lab: NDArray[np.float32]) -> NDArray[np.float32]:
    """CIELAB (H, W, 3) as our network sees it, (3, H, W) float32: L -1..1, a and b about -4..4."""
    return np.ascontiguousarray((lab / _SCALE - _OFFSET).transpose(2, 0, 1))


def lab_from_network(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """What `lab_to_network` was given: (3, H, W) as CIELAB (H, W, 3) float32, its L kept within 0..100."""
    lab = np.ascontiguousarray((picture.transpose(1, 2, 0) + _OFFSET) * _SCALE, dtype=np.float32)
    np.clip(lab[..., 0], 0, 100, out=lab[..., 0])
    return lab


def grey_to_lab(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """CIELAB (H, W, 3) float32 of a grey page (H, W)."""
    lab = np.zeros((*grey.shape, 3), dtype=np.float32)
    lab[..., 0] = _LIGHTNESS[grey]
    return lab


def _rgb_to_network(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.ascontiguousarray(rgb.transpose(2, 0, 1).astype(np.float32) / 127.5 - 1)


def _rgb_from_network(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    rgb = np.clip((picture.transpose(1, 2, 0) + 1) * 127.5 + 0.5, 0, 255)
    return rgb_to_lab(rgb.astype(np.uint8))


LAB: Final = NetworkColours(lambda rgb: lab_to_network(rgb_to_lab(rgb)), lab_from_network)
"""Of the embedded network."""
RGB: Final = NetworkColours(_rgb_to_network, _rgb_from_network)
"""Of the official one: -1..1."""
