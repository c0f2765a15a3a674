"""The official painter: Style2Paints V4.5 from the user's own files."""

from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from common.errors import TooLargeError
from common.hints import Hints
from workers.s2p.official.hint_map import paint_hint_map
from workers.s2p.official.prepare import draw_sketch, even_ink, lift_grey
from workers.s2p.official.refine import refine
from workers.s2p.official.resizing import resize_to, resize_to_blocks
from workers.s2p.official.weights import OfficialNets, load_official
from workers.s2p.painters import label_official
from workers.s2p.result import S2pResult

SKETCH_BLOCKS: Final = 64
FACE_BLOCKS: Final = 14
FACE_PX: Final = 256
FACE_SATURATION: Final = 2.0
MAX_ASPECT: Final = 6.0
"""Longer pages would need more memory than a worker has: the networks see them whole, at a short side of 1024 px."""
_VGG_MEAN: Final = (103.939, 116.779, 123.68)
_GREY: Final = (0.30, 0.59, 0.11)


class OfficialPainter:
    """Holds the networks and their graphs; made once per process."""

    def __init__(self, nets: OfficialNets) -> None:
        self.label = label_official(nets.digest)
        self._nets = nets
        picture = tf.TensorSpec((None, None, None, 3), tf.float32)
        self._tail = tf.function(lambda tiles: nets.tail(tiles, training=False), input_signature=[picture])
        self._reader = tf.function(self._read_face, input_signature=[picture])
        self._painter = tf.function(self._paint_map, reduce_retracing=True)

    @classmethod
    def load(cls, folder: Path) -> "OfficialPainter":
        """Load {tail,reader,head,neck}.net from a folder.

        Raises:
            ModelMissingError: as `load_official`.
        """
        return cls(load_official(folder))

    def takes(self, page_rgb: NDArray[np.uint8]) -> bool:
        """Whether the page is not too long for networks that see it whole."""
        height, width = page_rgb.shape[:2]
        return max(height, width) <= MAX_ASPECT * min(height, width)

    def paint(self, page_rgb: NDArray[np.uint8], hints: Hints, face_rgb: NDArray[np.uint8] | None = None) -> S2pResult:
        """Colour a page roughly from its hints; without any it stays grey.

        Args:
            page_rgb: (H, W, 3) uint8.
            hints: any number.
            face_rgb: a coloured page whose mood the result takes; None: a white one, as the original does.

        Returns:
            Sketch and rough picture, both with a short side of 1024 px.

        Raises:
            TooLargeError: the page is more than 6 times as long as wide.

        Source: Style2Paints V4.5, all steps up to the picture that it calls blended_smoothed.
        """
        if not self.takes(page_rgb):
            height, width = page_rgb.shape[:2]
            raise TooLargeError(
                f"{width}×{height} px: the official networks paint pages up to {MAX_ASPECT:g} times as long as "
                "wide; cut the strip, or leave the weights out: the embedded painter takes any"
            )
        page_bgr = np.ascontiguousarray(page_rgb[..., ::-1])
        sketch = draw_sketch(even_ink(page_bgr), lambda tiles: self._tail(tiles).numpy())
        sketch_rgb = np.repeat(sketch[..., None], 3, axis=2)
        if not hints.hints:
            # The original colours by itself then; here nobody asked for a colour.
            grey = cv2.cvtColor(resize_to(page_rgb, sketch.shape[1], sketch.shape[0]), cv2.COLOR_RGB2GRAY)
            return S2pResult(sketch_rgb, np.repeat(grey[..., None], 3, axis=2))
        careless = self.paint_careless(sketch, hints, face_rgb)
        rough = refine(careless, sketch, lift_grey(page_bgr, sketch.shape))
        return S2pResult(sketch_rgb, np.ascontiguousarray(rough[..., ::-1]))

    def paint_small(self, page_rgb: NDArray[np.uint8], hints: Hints) -> NDArray[np.uint8]:
        """What head and neck make of a small page as it is, in a second: (h, w, 3) uint8 RGB."""
        return np.ascontiguousarray(self.paint_careless(page_rgb[..., 0], hints)[..., ::-1])

    def paint_careless(
        self, sketch: NDArray[np.uint8], hints: Hints, face_rgb: NDArray[np.uint8] | None = None
    ) -> NDArray[np.uint8]:
        """What head and neck make of a sketch (H, W) uint8 and hints: (h, w, 3) uint8, BGR."""
        lines = resize_to_blocks(sketch, SKETCH_BLOCKS)
        features = self._reader(_prepare_face(face_rgb)[None])
        return np.asarray(self._painter(lines, paint_hint_map(hints, lines.shape), features))

    def _read_face(self, face: tf.Tensor) -> list[tf.Tensor]:
        return [
            tf.reduce_mean(feature, axis=[1, 2])
            for feature in tf.nest.flatten(self._nets.reader(face / 255, training=False))
        ]

    def _paint_map(self, lines: tf.Tensor, hint_map: tf.Tensor, features: list[tf.Tensor]) -> tf.Tensor:
        sketch = 1 - tf.cast(lines, tf.float32)[None, ..., None] / 255
        hint = tf.cast(hint_map, tf.float32)[None]
        hint = (hint[..., :3] / 127.5 - 1) * hint[..., 3:] / 255
        first = _to_bgr(self._nets.head([sketch, hint, *features], training=False)[2])
        grey = tf.reduce_sum(first / 255 * tf.constant(_GREY), axis=-1, keepdims=True)
        # As TensorFlow 1 resized: corners, not middles, of pixels lie on each other.
        grey = tf.raw_ops.ResizeBilinear(images=grey, size=tf.shape(lines), half_pixel_centers=False)
        drawn = tf.clip_by_value(1 - grey, 0, 1)
        second = _to_bgr(self._nets.neck([drawn, hint, *features], training=False)[2])
        return tf.cast(tf.clip_by_value(second[0], 0, 255), tf.uint8)


def _to_bgr(vgg: Any) -> tf.Tensor:
    """Colours relative to VGG's means to BGR, 0..255."""
    return (vgg + tf.constant(_VGG_MEAN))[..., ::-1]


def _prepare_face(face_rgb: NDArray[np.uint8] | None) -> NDArray[np.float32]:
    """(h, w, 3) float32 BGR, 0..255, its saturation doubled; white where there is none."""
    if face_rgb is None:
        face = np.full((FACE_PX, FACE_PX, 3), 255, dtype=np.uint8)
    else:
        hsv = cv2.cvtColor(np.ascontiguousarray(face_rgb[..., ::-1]), cv2.COLOR_BGR2HSV)
        hsv[..., 1] = np.clip(hsv[..., 1] * np.float32(FACE_SATURATION), 0, 255).astype(np.uint8)
        face = np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR), dtype=np.uint8)
    return resize_to_blocks(face, FACE_BLOCKS).astype(np.float32)
