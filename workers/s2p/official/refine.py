"""What follows the official networks: colour evened out between lines, sharpened, toned, and laid under the page's ink.

Source: Style2Paints V4.5; same numbers within a level or two, see tests/golden/s2p. The guided filter is that of He,
Sun & Tang 2010 (ECCV), section 3.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from workers.s2p.official.resizing import resize_to

if TYPE_CHECKING:
    import tensorflow as tf

ROUNDS: Final = 64
LINE_DEPTH: Final = 8.0
"""Neighbours whose sketch differs by so many levels exchange no colour."""
SHARPEN: Final = 2.0
PASSES: Final = 4
EPSILON: Final = 0.01
_WINDOW: Final = (3, 3)


def refine(careless: NDArray[np.uint8], sketch: NDArray[np.uint8], grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn the networks' picture into the rough one.

    Args:
        careless: (h, w, 3) uint8, BGR.
        sketch: (H, W) uint8.
        grey: (H, W) uint8 of `lift_grey`.

    Returns:
        (H, W, 3) uint8, BGR.
    """
    picture = resize_to(careless, sketch.shape[1], sketch.shape[0]).astype(np.float32)
    picture = diffuse(picture, sketch)
    picture = cv2.addWeighted(picture, 1 + SHARPEN, cv2.GaussianBlur(picture, (0, 0), 1.0), -SHARPEN, 0)
    picture = _guide(picture, sketch)
    toned = np.clip(_match_tone(picture, careless), 0, 255).astype(np.uint8)
    yuv = cv2.cvtColor(toned, cv2.COLOR_BGR2YUV)
    yuv[..., 0] = np.minimum(yuv[..., 0], grey)
    return np.asarray(cv2.cvtColor(yuv, cv2.COLOR_YUV2BGR), dtype=np.uint8)


def diffuse(picture: NDArray[np.float32], sketch: NDArray[np.uint8]) -> NDArray[np.float32]:
    """64 rounds in which each pixel takes the mean of itself and its neighbours, weighted by how like their sketch is.

    Args:
        picture: (H, W, 3) float32.
        sketch: (H, W) uint8.
    """
    return np.asarray(_compile_diffusion(sketch.shape)(picture, sketch))


@lru_cache(maxsize=8)
def _compile_diffusion(shape: tuple[int, int]) -> Any:  # noqa: ARG001  a program is for one size, and forgotten with it
    """All rounds as one compiled loop; the first page of a size takes a second more."""
    import tensorflow as tf  # loaded when it is needed: a second and 300 MB

    def shift(x: "tf.Tensor", down: int, right: int) -> "tf.Tensor":
        """x moved by one pixel, its own edge repeated."""
        padded = tf.pad(x, [[1, 1], [1, 1], *[[0, 0]] * (x.shape.rank - 2)], mode="SYMMETRIC")
        return padded[1 + down : tf.shape(x)[0] + 1 + down, 1 + right : tf.shape(x)[1] + 1 + right]

    ways = ((0, 0), (-1, 0), (0, -1), (0, 1), (1, 0))

    @tf.function(jit_compile=True)
    def run(picture: "tf.Tensor", sketch: "tf.Tensor") -> "tf.Tensor":
        lines = tf.cast(sketch, tf.float32)
        bonds = [tf.maximum(0.0, LINE_DEPTH - tf.abs(lines - shift(lines, *way))) for way in ways]
        total = tf.add_n(bonds)
        weights = [(bond / total)[..., None] for bond in bonds]
        return tf.while_loop(
            lambda count, _: count < ROUNDS,
            lambda count, x: (count + 1, tf.add_n([w * shift(x, *way) for w, way in zip(weights, ways, strict=True)])),
            (0, picture),
        )[1]

    return run


def _guide(picture: NDArray[np.float32], sketch: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Passes of a guided filter of radius 1, guided by the sketch; what depends on the sketch alone is made once."""
    guide = sketch.astype(np.float32)
    mean = _box(guide)
    scale = 1 / (_box(guide * guide) - mean * mean + np.float32(EPSILON))
    channels = []
    for channel in cv2.split(picture):
        result = channel
        for _ in range(PASSES):
            local = _box(result)
            slope = _box(cv2.multiply(guide, result))
            slope -= mean * local
            slope *= scale
            local -= slope * mean
            result = _box(slope)
            result *= guide
            result += _box(local)
        channels.append(result)
    return np.asarray(cv2.merge(channels), dtype=np.float32)


def _box(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.blur(plane, _WINDOW, borderType=cv2.BORDER_REFLECT), dtype=np.float32)


def _match_tone(picture: NDArray[np.float32], target: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Per channel, the parabola that takes low, mean and high of the picture to those of the target."""
    matched = []
    for channel, wanted in zip(cv2.split(picture), cv2.split(target), strict=True):
        here, there = _low_mean_high(channel), _low_mean_high(wanted.astype(np.float32))
        if len(set(here)) < 3:  # one tone has no parabola: it is moved
            matched.append(channel + np.float32(there[1] - here[1]))
            continue
        square, slope, offset = (np.float32(factor) for factor in np.polyfit(here, there, 2))
        matched.append((square * channel + slope) * channel + offset)
    return np.asarray(cv2.merge(matched), dtype=np.float32)


def _low_mean_high(channel: NDArray[np.float32]) -> tuple[float, float, float]:
    """Means of means: twice over what is at least the current one, four times over what is at most."""
    # In double: sums of millions of values.
    mean = float(channel.mean(dtype=np.float64))
    high, above = mean, channel.ravel()
    for _ in range(2):
        above = above[above >= np.float32(high)]
        if above.size:
            high = float(above.mean(dtype=np.float64))
    low, below = mean, channel.ravel()
    for _ in range(4):
        below = below[below <= np.float32(low)]
        if below.size:
            low = float(below.mean(dtype=np.float64))
    return low, mean, high
