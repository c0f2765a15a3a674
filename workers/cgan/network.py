"""The two networks of the conditional GAN: lightness in, chroma out. Definitions only."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CHROMA_SCALE = 40.0
"""Lab units per unit of network output: about the spread of a painted page's chroma."""
MIDDLE_BLOCKS = 3


@dataclass(frozen=True)
class NetworkConfig:
    """Shape of the generator; kept beside the weights, so that a file says how to build what it fills.

    Attributes:
        widths: channels of each level; level 0 works at a quarter of the input's size, each further one at half that.
        waves: how many octaves of sine and cosine of the lightness the network reads beside the lightness itself.
        chroma_scale: Lab units per unit of output.
    """

    widths: tuple[int, ...] = (64, 128, 192)
    waves: int = 4
    chroma_scale: float = CHROMA_SCALE

    @property
    def multiple_px(self) -> int:
        """Sides of the input must be multiples of this."""
        return 2 ** (len(self.widths) + 1)


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut; the first reads its input scaled to unit variance per pixel.

    The scaling looks at one pixel at a time, since statistics of a whole page differ from those of the crops that
    taught the network. The second convolution starts at zero: a deep stack begins as the identity.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        y = F.leaky_relu(self.first(_normalise(x)), 0.2)
        return x + self.second(y)


def _normalise(x: Tensor) -> Tensor:
    """Scale each pixel's (B, C, H, W) channels to mean 0 and variance 1: layer normalisation without parameters."""
    # In channels-last memory the channels of a pixel lie side by side, as the fused kernel wants them.
    return F.layer_norm(x.permute(0, 2, 3, 1), x.shape[1:2]).permute(0, 3, 1, 2)


def _add_waves(x: Tensor, waves: int) -> Tensor:
    """Put sines and cosines of x (B, 1, H, W), -1..1, beside it: (B, 1 + 2 · waves, H, W).

    A flat tone is the best clue to a flat colour, and two tones may differ by little: in waves they differ by much.

    Source: Tancik et al. 2020 (arXiv 2006.10739), section 3, with octaves as frequencies.
    """
    angles = [x * (torch.pi * 2**octave) for octave in range(waves)]
    return torch.cat([x, *(torch.sin(angle) for angle in angles), *(torch.cos(angle) for angle in angles)], dim=1)


class Generator(nn.Module):
    """A U-Net from lightness to chroma at half the size.

    Chroma is smooth where lightness is not; the page's own lightness guides it back to full size later.

    Source: Hensman & Aizawa 2017 (arXiv 1706.06918), section 3.1, for the U-Net that learns from one picture. Ours
    predicts Lab chroma in place of RGB, with a twelfth of the parameters, sums in place of concatenations, and no batch
    normalisation.
    """

    def __init__(self, config: NetworkConfig | None = None) -> None:
        super().__init__()
        self.config = config or NetworkConfig()
        widths = self.config.widths
        self.stem = nn.Conv2d(16 * (1 + 2 * self.config.waves), widths[0], 1)
        self.down = nn.ModuleList(ResidualBlock(w) for w in widths[:-1])
        self.widen = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in pairwise(widths))
        self.middle = nn.Sequential(*(ResidualBlock(widths[-1]) for _ in range(MIDDLE_BLOCKS)))
        self.narrow = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(widths))
        self.up = nn.ModuleList(ResidualBlock(w) for w in widths[:-1])
        self.head = nn.Conv2d(widths[0], 8, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, lightness: Tensor) -> Tensor:
        """Predict chroma.

        Args:
            lightness: (B, 1, H, W) float, L of CIELAB over 50 minus 1; H and W multiples of `config.multiple_px`.

        Returns:
            (B, 2, H / 2, W / 2) float, a and b over `config.chroma_scale`.
        """
        x = self.stem(F.pixel_unshuffle(_add_waves(lightness, self.config.waves), 4))  # (B, w0, H / 4, W / 4)
        skips = []
        for block, widen in zip(self.down, self.widen, strict=True):
            x = block(x)
            skips.append(x)
            x = widen(F.avg_pool2d(x, 2))
        x = self.middle(x)
        for i in reversed(range(len(skips))):
            x = F.interpolate(self.narrow[i](x), scale_factor=2.0, mode="nearest")
            x = self.up[i](x + skips[i])
        return F.pixel_shuffle(self.head(_normalise(x)), 2)


class Discriminator(nn.Module):
    """A small patch discriminator: is this chroma a real one for this lightness?

    Source: Isola et al. 2017 (arXiv 1611.07004), section 3.2.2 (PatchGAN); the original judges whole pictures with
    18 M parameters, which one reference page cannot feed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(6, 32, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(32, 64, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(64, 96, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(96, 1, 3, padding=1),
        )

    def forward(self, lightness: Tensor, chroma: Tensor) -> Tensor:
        """Judge patches.

        Args:
            lightness: (B, 1, H, W) float, as the generator reads it.
            chroma: (B, 2, H / 2, W / 2) float, as the generator gives it.

        Returns:
            (B, 1, H / 16, W / 16) float logits; positive means real.
        """
        return self.layers(torch.cat((F.pixel_unshuffle(lightness, 2), chroma), dim=1))
