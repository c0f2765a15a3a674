"""The embedded painter's network: a compact U-Net that corrects the chroma of propagation.

Source: Ronneberger, Fischer & Brox 2015, "U-Net" (MICCAI); residual blocks without normalisation as Zhang, Dauphin & Ma
2019, "Fixup Initialization" (ICLR) starts them; attention as Vaswani et al. 2017 at the coarsest level, so that a
region may look for hints in others that look like it. All of it works at half the working size, on 2×2 blocks of pixels
(Shi et al. 2016, "Real-Time Single Image Super-Resolution", section 3), which is what makes it fast on two cores.
"""

from dataclasses import dataclass
from typing import Any, Final

import keras
import tensorflow as tf
from keras import layers

from workers.s2p.features import ALIKE, FEATURES, HINTS, PRIOR

STRIDE: Final = 16
"""Height and width of what the network reads are multiples of this."""


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes of the network.

    Attributes:
        features: channels that it reads at working size.
        channels: of its levels, from half the working size down, each level half as large as the one before.
        heads: looks around the page at the last level; each brings the colour of places that look alike.
        reaches_px: how far away, in pixels of working size, it may fetch colour from, in eight directions.
    """

    features: int = FEATURES
    channels: tuple[int, ...] = (48, 96, 144, 192)
    heads: int = 6
    reaches_px: tuple[int, ...] = (4,)


def build_network(config: NetworkConfig | None = None) -> keras.Model:
    """Build the network with fresh weights; its last layer is zero, so that it starts as its prior.

    Returns:
        A model from (B, h, w, features) float32 to (B, h, w, 2) float32, chroma in units of `CHROMA_SCALE`; h and w are
        multiples of `STRIDE`.
    """
    config = config or NetworkConfig()
    inputs = layers.Input((None, None, config.features), name="features")
    x = SpaceToDepth(name="blocks")(inputs)  # (B, h/2, w/2, 4·features)
    x = layers.Conv2D(config.channels[0], 3, padding="same", name="stem")(x)
    skips = []
    for level, channels in enumerate(config.channels):
        if level:
            x = layers.Conv2D(channels, 3, strides=2, padding="same", name=f"down{level}")(x)
        x = _residual(x, channels, f"encode{level}")
        skips.append(x)
    x = PlaceAttention(config.channels[-1], config.heads, name="attention")(x)
    x = _residual(x, config.channels[-1], "middle")
    alike = LookAround(config.heads, 32, name="look_around")([x, inputs])
    for level in reversed(range(len(config.channels) - 1)):
        x = layers.Conv2D(4 * config.channels[level], 1, name=f"up{level}")(x)
        x = DepthToSpace(name=f"enlarge{level}")(x) + skips[level]
        x = _residual(x, config.channels[level], f"decode{level}")
    planes = 1 + 2 + 8 * len(config.reaches_px) + config.heads + 2
    x = layers.Activation("relu")(x)
    x = layers.Conv2D(4 * planes, 3, padding="same", kernel_initializer="zeros", name="mixture")(x)
    shares = DepthToSpace(name="pixels")(x)
    outputs = MixChroma(config.reaches_px, dtype="float32", name="mix")([shares, inputs, alike])
    return keras.Model(inputs, outputs, name="s2p_embedded")


def _residual(x: Any, channels: int, name: str) -> Any:
    inner = layers.Activation("relu")(x)
    inner = layers.Conv2D(channels, 3, padding="same", activation="relu", name=f"{name}_a")(inner)
    return x + layers.Conv2D(channels, 3, padding="same", kernel_initializer="zeros", name=f"{name}_b")(inner)


class SpaceToDepth(layers.Layer):
    """(B, h, w, c) → (B, h/2, w/2, 4·c): each 2×2 block of pixels becomes channels."""

    def call(self, x: Any) -> Any:
        return tf.nn.space_to_depth(x, 2)


class DepthToSpace(layers.Layer):
    """(B, h, w, 4·c) → (B, 2·h, 2·w, c)."""

    def call(self, x: Any) -> Any:
        return tf.nn.depth_to_space(x, 2)


class PlaceAttention(layers.Layer):
    """Self-attention over all places of (B, h, w, c), added to them; nothing at the start."""

    def __init__(self, channels: int, heads: int, **options: Any) -> None:
        super().__init__(**options)
        self.norm = layers.LayerNormalization(name="norm")
        self.attention = layers.MultiHeadAttention(heads, channels // heads, name="heads")
        self.out = layers.Dense(channels, kernel_initializer="zeros", name="out")

    def call(self, x: Any) -> Any:
        shape = tf.shape(x)
        tokens = tf.reshape(self.norm(x), (shape[0], shape[1] * shape[2], x.shape[-1]))
        return x + tf.reshape(self.out(self.attention(tokens, tokens)), shape)


class LookAround(layers.Layer):
    """For each place of (B, h, w, c), the mean chroma of places that look like it: a plane per head, (B, h, w, n, 2).

    It is of the hints' chroma where there are hints, and of the prior's elsewhere; a head learns how much more a place
    with a hint counts.
    """

    def __init__(self, heads: int, size: int, **options: Any) -> None:
        super().__init__(**options)
        self.heads, self.size = heads, size
        self.norm = layers.LayerNormalization(name="norm")
        self.query = layers.Dense(heads * size, name="query")
        self.key = layers.Dense(heads * size, name="key")

    def build(self, input_shape: Any) -> None:  # noqa: ARG002  Keras gives it
        self.hinted = self.add_weight(name="hinted", shape=(self.heads,), initializer=keras.initializers.Constant(2.0))

    def call(self, inputs: Any) -> Any:
        x, features = inputs
        batch, height, width = (tf.shape(x)[axis] for axis in range(3))
        places = height * width
        tokens = tf.reshape(self.norm(x), (batch, places, x.shape[-1]))
        query, key = (
            tf.reshape(layer(tokens), (batch, places, self.heads, self.size)) for layer in (self.query, self.key)
        )
        pooled = tf.nn.avg_pool2d(tf.cast(features[..., PRIOR.start : HINTS.stop], tf.float32), STRIDE, STRIDE, "VALID")
        prior, hint, weight = tf.split(tf.reshape(pooled, (batch, places, 5)), (2, 2, 1), axis=-1)
        has_hint = tf.minimum(weight * 20, 1.0)  # one dot in a block of 16×16 is enough
        chroma = has_hint * hint / tf.maximum(weight, 1e-6) + (1 - has_hint) * prior
        likeness = tf.einsum("bqhd,bkhd->bhqk", query, key) / self.size**0.5
        bonus = tf.cast(self.hinted, tf.float32)[:, None, None] * has_hint[:, None, None, :, 0]
        likeness = tf.cast(likeness, tf.float32) + bonus
        mixed = tf.einsum("bhqk,bkc->bqhc", tf.nn.softmax(likeness), chroma)
        return tf.reshape(mixed, (batch, height, width, self.heads, 2))


class MixChroma(layers.Layer):
    """Moves the prior towards other chroma, by shares (B, h, w, planes) that the network gives.

    The planes are: grey; what hints say of places that look alike, near and far; the prior from some way off, in eight
    directions; what each head looked up; and, last, a and b of a correction of its own. All but the last two turn with
    the hints' hue, so what it learns of one colour holds for every other.
    """

    def __init__(self, reaches_px: tuple[int, ...], **options: Any) -> None:
        super().__init__(**options)
        self.reaches_px = reaches_px

    def call(self, inputs: Any) -> Any:
        shares, features, alike = (tf.cast(each, tf.float32) for each in inputs)
        prior = features[..., PRIOR]
        height, width = tf.shape(prior)[1], tf.shape(prior)[2]
        mixed = prior * (1 - shares[..., :1]) + shares[..., -2:]
        plane = 1
        for near in tf.split(features[..., ALIKE], 2, axis=-1):
            mixed += shares[..., plane : plane + 1] * (near - prior)
            plane += 1
        for reach in self.reaches_px:
            padded = tf.pad(prior, ((0, 0), (reach, reach), (reach, reach), (0, 0)), "SYMMETRIC")
            for down in (0, reach, 2 * reach):
                for right in (0, reach, 2 * reach):
                    if down == right == reach:
                        continue
                    moved = padded[:, down : down + height, right : right + width]
                    mixed += shares[..., plane : plane + 1] * (moved - prior)
                    plane += 1
        for head in range(alike.shape[3]):
            found = tf.image.resize(alike[..., head, :], (height, width), "bilinear")
            mixed += shares[..., plane : plane + 1] * (found - prior)
            plane += 1
        return mixed
