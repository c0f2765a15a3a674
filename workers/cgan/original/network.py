"""The original's two networks: a U-Net that colours a page squeezed to 128×128 px, and the judge of its pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SIDE_PX: Final = 128
"""Both networks see pictures of this size; the judge's last layer is fitted to it."""


@dataclass(frozen=True)
class OriginalConfig:
    """Channels of the five levels, from the picture's own size to a sixteenth of it; the default is the original's."""

    widths: tuple[int, int, int, int, int] = (64, 128, 256, 512, 1024)


class Generator(nn.Module):
    """Grey (B, 1, 128, 128), 0..1, to colour (B, 3, 128, 128), RGB, -1..1, taught to be 0..1. 34.5 M parameters.

    Source: Hensman & Aizawa 2017 (arXiv 1706.06918), section 3.2, in the layout of the original pipeline.
    """

    def __init__(self, config: OriginalConfig | None = None) -> None:
        super().__init__()
        self.config = config or OriginalConfig()
        widths = self.config.widths
        steps = list(pairwise(widths))
        self.encoder = nn.ModuleList(_make_block(before, after, _leaky) for before, after in [(1, widths[0]), *steps])
        self.rise = nn.ModuleList(
            nn.Sequential(nn.ConvTranspose2d(deep, wide, 3, stride=2, padding=1, output_padding=1), nn.ReLU())
            for wide, deep in reversed(steps)
        )
        self.decoder = nn.ModuleList(_make_block(2 * wide, wide, nn.ReLU) for wide, _ in reversed(steps))
        self.to_rgb = nn.Conv2d(widths[0], 3, 1)

    def forward(self, grey: Tensor) -> Tensor:
        skips: list[Tensor] = []
        x = grey
        for level, block in enumerate(self.encoder):
            x = block(F.max_pool2d(x, 2) if level else x)
            skips.append(x)  # (B, widths[level], 128 / 2^level, ...)
        skips.pop()
        for rise, block in zip(self.rise, self.decoder, strict=True):
            x = block(torch.cat((rise(x), skips.pop()), dim=1))
        return torch.tanh(self.to_rgb(x))


class Discriminator(nn.Module):
    """Judges colour (B, 3, 128, 128) given its grey (B, 1, 128, 128): (B, 1), 0..1, 1 = real. 18.3 M parameters.

    Source: as for `Generator`. One block serves both branches.
    """

    def __init__(self, config: OriginalConfig | None = None) -> None:
        super().__init__()
        widths = (config or OriginalConfig()).widths
        self.colour = _make_block(3, widths[0], _leaky)
        self.grey = _make_block(1, widths[0], _leaky)
        self.shared = _make_block(widths[0], widths[1], _leaky)
        self.joined = _make_block(2 * widths[1], widths[3], _leaky)
        self.deep = _make_block(widths[3], widths[4], _leaky)
        self.to_score = nn.Linear(widths[4] * (SIDE_PX // 8) ** 2, 1)

    def forward(self, rgb: Tensor, grey: Tensor) -> Tensor:
        branches = (self.shared(F.max_pool2d(first, 2)) for first in (self.colour(rgb), self.grey(grey)))
        x = F.max_pool2d(torch.cat(tuple(branches), dim=1), 2)  # (B, 2 × widths[1], 32, 32)
        x = self.deep(F.max_pool2d(self.joined(x), 2))  # (B, widths[4], 16, 16)
        return torch.sigmoid(self.to_score(x.flatten(1)))


def _make_block(before: int, after: int, make_activation: Callable[[], nn.Module]) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1),
        nn.BatchNorm2d(after),
        make_activation(),
        nn.Conv2d(after, after, 3, padding=1),
        nn.BatchNorm2d(after),
        make_activation(),
    )


def _leaky() -> nn.Module:
    return nn.LeakyReLU(0.2)
