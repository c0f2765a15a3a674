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

from workers.s2p.features import FEATURES

STRIDE: Final = 16
"""Height and width of what the network reads are multiples of this."""


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes of the network.

    Attributes:
        features: channels that it reads at working size.
        channels: of its levels, from half the working size down, each level half as large as the one before.
        heads: of the attention at the last level.
    """

    features: int = FEATURES
    channels: tuple[int, ...] = (48, 96, 144, 192)
    heads: int = 4


def build_network(config: NetworkConfig | None = None) -> keras.Model:
    """Build the network with fresh weights; its last layer is zero, so that it starts as its prior.

    Returns:
        A model from (B, h, w, features) float32 to (B, h, w, 2) float32, the correction of chroma in units of
        `CHROMA_SCALE`; h and w are multiples of `STRIDE`.
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
    for level in reversed(range(len(config.channels) - 1)):
        x = layers.Conv2D(4 * config.channels[level], 1, name=f"up{level}")(x)
        x = DepthToSpace(name=f"enlarge{level}")(x) + skips[level]
        x = _residual(x, config.channels[level], f"decode{level}")
    x = layers.Conv2D(8, 3, padding="same", kernel_initializer="zeros", name="residual")(x)
    return keras.Model(inputs, DepthToSpace(name="pixels")(x), name="s2p_embedded")


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
