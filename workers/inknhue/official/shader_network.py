"""The shading generator: a black-and-white page in, a softly shaded colour picture out.

Source: manga-colorization-v2's family, as inkn'hue (arXiv 2311.01804) uses it. Modules are named as in its file.
"""

from typing import Final

import torch
from torch import Tensor, nn

IN_CHANNELS: Final = 5
"""Grey, and four channels for colour hints, zero here."""
_SLOPE: Final = 0.2
_CARDINALITY: Final = 32
_EXPANSION: Final = 4
_SQUEEZE: Final = 16
_WAVE: Final = (1, 1, 2, 2, 4, 4, 2, 1)
"""Dilations of the shallow tunnels' bottlenecks: near, far, near."""


class ShadingGenerator(nn.Module):
    """Grey pages to shaded colour. 32.2 M parameters; `to4` and `tunnel1` are in the checkpoint but never run.

    Input (B, 5, H, W) float32, H and W multiples of 8: channel 0 grey, 0..1; the others zero. Output (B, 3, H, W), RGB,
    -1..1.
    """

    def __init__(self) -> None:
        super().__init__()
        self.encoder = _Encoder()
        self.to0 = _make_pair(IN_CHANNELS, 32, stride=1)
        self.to1 = _make_pair(32, 64, stride=2)
        self.to2 = _make_pair(64, 92, stride=2)
        self.to3 = _make_pair(92, 128, stride=2)
        self.to4 = _make_pair(128, 256, stride=2)
        self.deconv_for_decoder = nn.Sequential(
            nn.ConvTranspose2d(256, 128, 3, stride=2, padding=1, output_padding=1),
            _leaky(),
            nn.ConvTranspose2d(128, 64, 3, stride=2, padding=1, output_padding=1),
            _leaky(),
            nn.ConvTranspose2d(64, 32, 3, padding=1),
            _leaky(),
            nn.ConvTranspose2d(32, 3, 3, padding=1),
            nn.Tanh(),
        )
        self.tunnel4 = _make_tunnel(1024 + 128, 512, 1024, dilations=(1,) * 20)
        self.tunnel3 = _make_tunnel(256 + 512, 256, 512, dilations=_WAVE)
        self.tunnel2 = _make_tunnel(128 + 256 + 64, 128, 256, dilations=_WAVE)
        self.tunnel1 = _make_tunnel(64 + 32, 64, 128, dilations=_WAVE[:5], cardinality=16)
        self.exit = nn.Sequential(nn.Conv2d(64 + 32, 32, 3, padding=1), _leaky(), nn.Conv2d(32, 3, 1), nn.Tanh())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Colour, and the guide: the picture that training reads off the deepest features. Both (B, 3, H, W)."""
        colour, deep = self._paint(x)
        return colour, self.deconv_for_decoder(deep)

    def paint(self, x: Tensor) -> Tensor:
        """Colour alone, without the guide's cost."""
        return self._paint(x)[0]

    def _paint(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x0 = self.to0(x)  # (B, 32, H, W)
        aux = self.to3(self.to2(self.to1(x0)))  # (B, 128, H / 8, W / 8)
        x1, x2, x3, x4 = self.encoder(x[:, :1])
        deep = self.tunnel4(torch.cat((x4, aux), dim=1))  # (B, 256, H / 4, W / 4)
        y = self.tunnel3(torch.cat((deep, x3), dim=1))  # (B, 128, H / 2, W / 2)
        y = self.tunnel2(torch.cat((y, x2, x1), dim=1))  # (B, 64, H, W)
        return self.exit(torch.cat((y, x0), dim=1)), deep


class _Encoder(nn.Module):
    """SE-ResNeXt without pooling: (B, 1, H, W) to features of 1/2, 1/2, 1/4 and 1/8 of its sides."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = _make_layer(64, 64, blocks=3, stride=1)
        self.layer2 = _make_layer(256, 128, blocks=4, stride=2)
        self.layer3 = _make_layer(512, 256, blocks=6, stride=2)

    def forward(self, grey: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        x1 = torch.relu(self.bn1(self.conv1(grey)))  # (B, 64, H / 2, W / 2)
        x2 = self.layer1(x1)  # (B, 256, H / 2, W / 2)
        x3 = self.layer2(x2)  # (B, 512, H / 4, W / 4)
        return x1, x2, x3, self.layer3(x3)  # the last: (B, 1024, H / 8, W / 8)


class _SqueezeExcite(nn.Module):
    """Scales each channel by what the means of all channels say of it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels // _SQUEEZE, 1)
        self.conv2 = nn.Conv2d(channels // _SQUEEZE, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        means = x.mean(dim=(2, 3), keepdim=True)  # (B, C, 1, 1)
        return x * torch.sigmoid(self.conv2(torch.relu(self.conv1(means))))


class _EncoderBottleneck(nn.Module):
    """The encoder's block: 1×1, grouped 3×3, 1×1, each with batch norm, squeeze-excite, and the input on top."""

    def __init__(self, before: int, planes: int, stride: int) -> None:
        super().__init__()
        width, after = 2 * planes, _EXPANSION * planes
        self.conv1 = nn.Conv2d(before, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, groups=_CARDINALITY, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, after, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(after)
        self.selayer = _SqueezeExcite(after)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or before != after:
            self.downsample = nn.Sequential(
                nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.selayer(self.bn3(self.conv3(y)))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class _TunnelBottleneck(nn.Module):
    """The tunnels' block: as the encoder's, of one width, dilated, leaky, without batch norm and biases."""

    def __init__(self, channels: int, cardinality: int, dilation: int) -> None:
        super().__init__()
        width = channels // 2
        self.conv_reduce = nn.Conv2d(channels, width, 1, bias=False)
        self.conv_conv = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation, groups=cardinality, bias=False)
        self.conv_expand = nn.Conv2d(width, channels, 1, bias=False)
        self.selayer = _SqueezeExcite(channels)
        self.activation = _leaky()

    def forward(self, x: Tensor) -> Tensor:
        y = self.activation(self.conv_reduce(x))
        y = self.activation(self.conv_conv(y))
        return x + self.selayer(self.conv_expand(y))


def _make_layer(before: int, planes: int, *, blocks: int, stride: int) -> nn.Sequential:
    after = _EXPANSION * planes
    rest = (_EncoderBottleneck(after, planes, 1) for _ in range(blocks - 1))
    return nn.Sequential(_EncoderBottleneck(before, planes, stride), *rest)


def _make_pair(before: int, after: int, *, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride=stride, padding=1),
        _leaky(),
        nn.Conv2d(after, after, 3, padding=1),
        _leaky(),
    )


def _make_tunnel(
    before: int, width: int, after: int, *, dilations: tuple[int, ...], cardinality: int = _CARDINALITY
) -> nn.Sequential:
    """(B, before, h, w) to (B, after / 4, 2·h, 2·w)."""
    return nn.Sequential(
        nn.Conv2d(before, width, 3, padding=1),
        _leaky(),
        nn.Sequential(*(_TunnelBottleneck(width, cardinality, dilation) for dilation in dilations)),
        nn.Conv2d(width, after, 3, padding=1),
        nn.PixelShuffle(2),
        _leaky(),
    )


def _leaky() -> nn.Module:
    return nn.LeakyReLU(_SLOPE, inplace=True)
