"""The alignment autoencoder: rough colours through a bottleneck, drawn anew along the page's own shading and lines.

Source: inkn'hue (arXiv 2311.01804), "Enhancing Manga Colorization from Multiple Priors with Alignment Multi-Encoder
VAE"; its parts are those of the latent-diffusion autoencoder (Rombach et al. 2022, arXiv 2112.10752, appendix G).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LOG_VARIANCE: Final = (-30.0, 20.0)


@dataclass(frozen=True)
class AutoencoderConfig:
    """Sizes of the autoencoder; the defaults are those of the official weights (107.9 M parameters).

    Attributes:
        channels: at the page's size; a level has `multipliers` times as many.
        multipliers: one for each level; each level but the last halves the picture.
        blocks: residual blocks of an encoder's level; a decoder's has one more.
        z_channels: of what `encoder` gives and `cond_decoder` takes.
        embed_channels: of z itself.
        groups: of every group norm.
        attention_side: places along the sides of the blocks within which places see each other; None: all places, whose
            time grows with the square of the page.
    """

    channels: int = 128
    multipliers: tuple[int, ...] = (1, 2, 4, 4)
    blocks: int = 2
    z_channels: int = 4
    embed_channels: int = 4
    groups: int = 32
    attention_side: int | None = None

    @property
    def stride(self) -> int:
        """Sides of pictures are multiples of this."""
        return int(2 ** (len(self.multipliers) - 1))


class Autoencoder(nn.Module):
    """Encoder, conditional encoder and conditional decoder.

    Pictures are (N, 3, H, W) float, -1..1, RGB, with sides that are multiples of `config.stride`.
    """

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = _Encoder(config)
        self.quant_conv = nn.Conv2d(2 * config.z_channels, 2 * config.embed_channels, 1)
        self.post_quant_conv = nn.Conv2d(config.embed_channels, config.z_channels, 1)
        self.cond_encoder = _ConditionEncoder(config)
        self.cond_decoder = _ConditionedDecoder(config)

    def encode(self, rough: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of z, each (N, embed_channels, H / stride, W / stride), of a rough picture."""
        mean, log_variance = self.quant_conv(self.encoder(rough)).chunk(2, dim=1)
        return mean, log_variance.clamp(*LOG_VARIANCE)

    def encode_cond(self, shaded: Tensor) -> list[Tensor]:
        """The conditions of a shaded grey page (three equal channels), one for each level, the page's size first."""
        return self.cond_encoder(shaded)

    def decode(self, z: Tensor, conditions: Sequence[Tensor]) -> Tensor:
        """The picture (N, 3, H, W) that z and conditions stand for."""
        return self.cond_decoder(self.post_quant_conv(z), conditions)

    def forward(self, rough: Tensor, shaded: Tensor) -> Tensor:
        """The aligned picture (N, 3, H, W), about -1..1, of a rough picture and its page.

        z is the mean, where the original draws it by chance: the same page gives the same picture.
        """
        return self.decode(self.encode(rough)[0], self.encode_cond(shaded))


class ResidualBlock(nn.Module):
    """Group norm, swish and conv, twice, beside the input."""

    def __init__(self, inputs: int, outputs: int, groups: int) -> None:
        super().__init__()
        self.norm1 = _norm(inputs, groups)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2 = _norm(outputs, groups)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        if inputs != outputs:
            self.nin_shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.conv1(F.silu(self.norm1(x), inplace=True))
        inner = self.conv2(F.silu(self.norm2(inner), inplace=True))
        return inner + (self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x)


class AttentionBlock(nn.Module):
    """Every place looks at every other, or at those of its block of `side` by `side` places, with one head."""

    def __init__(self, channels: int, groups: int, side: int | None) -> None:
        super().__init__()
        self.side = side
        self.norm = _norm(channels, groups)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(channels, channels, 1) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        normed = self.norm(x)
        queries, keys, values = self.q(normed), self.k(normed), self.v(normed)
        seen = torch.empty_like(values)
        for rows in _cut(x.shape[2], self.side):
            for columns in _cut(x.shape[3], self.side):
                blocks = (each[:, :, rows, columns] for each in (queries, keys, values))
                # (N, one head, places, channels); its scale is channels ** -0.5
                q, k, v = (block.flatten(2).mT.unsqueeze(1).contiguous() for block in blocks)
                made = F.scaled_dot_product_attention(q, k, v)
                seen[:, :, rows, columns] = made.squeeze(1).mT.reshape(seen[:, :, rows, columns].shape)
        return x + self.proj_out(seen)


def _cut(length: int, side: int | None) -> Iterator[slice]:
    """An axis in equal parts of at most `side`."""
    count = 1 if side is None else -(-length // side)
    for index in range(count):
        yield slice(length * index // count, length * (index + 1) // count)


class _Middle(nn.Module):
    def __init__(self, channels: int, config: AutoencoderConfig) -> None:
        super().__init__()
        groups = config.groups
        self.block_1 = ResidualBlock(channels, channels, groups)
        self.attn_1 = AttentionBlock(channels, groups, config.attention_side)
        self.block_2 = ResidualBlock(channels, channels, groups)

    def forward(self, x: Tensor) -> Tensor:
        return self.block_2(self.attn_1(self.block_1(x)))


class _Down(nn.Module):
    """Half the size, by a conv of stride 2 over the picture with one more row and column."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class _Up(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class _DownLevel(nn.Module):
    def __init__(self, inputs: int, outputs: int, config: AutoencoderConfig, *, is_last: bool) -> None:
        super().__init__()
        widths = [inputs] + [outputs] * config.blocks
        self.block = nn.ModuleList(ResidualBlock(*pair, config.groups) for pair in pairwise(widths))
        if not is_last:
            self.downsample = _Down(outputs)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.block:
            x = block(x)
        return x


class _UpLevel(nn.Module):
    def __init__(self, inputs: int, outputs: int, config: AutoencoderConfig, *, is_last: bool) -> None:
        super().__init__()
        widths = [inputs] + [outputs] * (config.blocks + 1)
        self.block = nn.ModuleList(ResidualBlock(*pair, config.groups) for pair in pairwise(widths))
        if not is_last:
            self.upsample = _Up(outputs)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        for block in self.block:
            x = block(x)
        x = x + condition
        return self.upsample(x) if hasattr(self, "upsample") else x


def _widths(config: AutoencoderConfig) -> list[int]:
    return [config.channels * multiplier for multiplier in config.multipliers]


def _down_levels(config: AutoencoderConfig) -> nn.ModuleList:
    widths = [config.channels, *_widths(config)]
    levels = len(config.multipliers)
    return nn.ModuleList(_DownLevel(widths[i], widths[i + 1], config, is_last=i == levels - 1) for i in range(levels))


class _Encoder(nn.Module):
    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        deepest = _widths(config)[-1]
        self.conv_in = nn.Conv2d(3, config.channels, 3, padding=1)
        self.down = _down_levels(config)
        self.mid = _Middle(deepest, config)
        self.norm_out = _norm(deepest, config.groups)
        self.conv_out = nn.Conv2d(deepest, 2 * config.z_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_in(x)
        for level in self.down:
            x = level(x)
            if hasattr(level, "downsample"):
                x = level.downsample(x)
        return self.conv_out(F.silu(self.norm_out(self.mid(x))))


class _ConditionEncoder(nn.Module):
    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(3, config.channels, 3, padding=1)
        self.down = _down_levels(config)
        self.proj = nn.ModuleList(nn.Conv2d(width, width, 1) for width in _widths(config))

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.conv_in(x)
        conditions = []
        for level, proj in zip(self.down, self.proj, strict=True):
            x = level(x)
            conditions.append(proj(x))
            if hasattr(level, "downsample"):
                x = level.downsample(x)
        return conditions


class _ConditionedDecoder(nn.Module):
    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        widths = _widths(config)
        self.conv_in = nn.Conv2d(config.z_channels, widths[-1], 3, padding=1)
        self.mid = _Middle(widths[-1], config)
        levels = len(widths)
        self.up = nn.ModuleList(
            _UpLevel(widths[min(i + 1, levels - 1)], widths[i], config, is_last=i == 0) for i in range(levels)
        )
        self.norm_out = _norm(widths[0], config.groups)
        self.conv_out = nn.Conv2d(widths[0], 3, 3, padding=1)

    def forward(self, z: Tensor, conditions: Sequence[Tensor]) -> Tensor:
        x = self.mid(self.conv_in(z))
        for level, condition in zip(reversed(self.up), reversed(conditions), strict=True):
            x = level(x, condition)
        return self.conv_out(F.silu(self.norm_out(x)))


def _norm(channels: int, groups: int) -> nn.GroupNorm:
    return nn.GroupNorm(groups, channels, eps=1e-6)
