"""What the embedded autoencoder is trained by: distances in colours as the network sees them, and a discriminator."""

from itertools import pairwise
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workers.inknhue.colour import LAB_OFFSET, LAB_SCALE

CHROMA_UNIT: Final = 25.0
"""Of CIELAB's a and b: so far from the truth weighs like black for white."""
_XYZ_TO_LINEAR: Final = (
    (3.240479, -1.53715, -0.498535),
    (-0.969256, 1.875991, 0.041556),
    (0.055648, -0.204043, 1.057311),
)
_WHITE: Final = (0.950456, 1.0, 1.088754)


def measure_loss(picture: Tensor, truth: Tensor) -> Tensor:
    """Distances (N,) of pictures (N, 3, H, W) from the truth: in RGB, in chroma, and of the gradients of both."""
    picture, truth = to_lab(picture), to_lab(truth)
    colour = lab_to_rgb(picture) - lab_to_rgb(truth)
    chroma = (picture - truth)[:, 1:] / CHROMA_UNIT
    # Of the two channels as one vector, and smooth where it is all but right.
    distance = torch.sqrt((chroma**2).sum(dim=1) + (1 / CHROMA_UNIT) ** 2)
    along = _gradients(colour) + _gradients(chroma)
    return colour.abs().mean(dim=(1, 2, 3)) + distance.mean(dim=(1, 2)) + 0.5 * along


def to_lab(picture: Tensor) -> Tensor:
    """Pictures as the network sees them (N, 3, H, W), as CIELAB in float32."""
    scale, offset = (torch.tensor(each, device=picture.device).view(1, 3, 1, 1) for each in (LAB_SCALE, LAB_OFFSET))
    return (picture.float() + offset) * scale


def lab_to_rgb(lab: Tensor) -> Tensor:
    """CIELAB (N, 3, H, W) as sRGB, 0..1 (D65); what lies outside is cut off, without a gradient there."""
    y = (lab[:, 0] + 16) / 116
    roots = torch.stack([y + lab[:, 1] / 500, y, y - lab[:, 2] / 200], dim=1)
    ratios = torch.where(roots > 6 / 29, roots**3, (roots - 4 / 29) * (3 * (6 / 29) ** 2))
    matrix = torch.tensor(_XYZ_TO_LINEAR, device=lab.device) * torch.tensor(_WHITE, device=lab.device)
    linear = torch.einsum("ij,njhw->nihw", matrix, ratios).clamp(0, 1)
    curved = 1.055 * linear.clamp_min(0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear > 0.0031308, curved, linear * 12.92)


def _gradients(error: Tensor) -> Tensor:
    across, down = error[..., 1:] - error[..., :-1], error[..., 1:, :] - error[..., :-1, :]
    return across.abs().mean(dim=(1, 2, 3)) + down.abs().mean(dim=(1, 2, 3))


class PatchDiscriminator(nn.Module):
    """Says of every patch of a page (N, 3, H, W) in its colours (N, 3, H, W) whether they are true: (N, 1, h, w).

    Source: Isola et al. 2017, "Image-to-Image Translation with Conditional Adversarial Networks" (CVPR), section 3.2.2.
    """

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        widths = [4, channels, 2 * channels, 4 * channels]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Conv2d(inputs, outputs, 4, 2, 1), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 3, padding=1))

    def forward(self, shaded: Tensor, picture: Tensor) -> Tensor:
        return self.layers(torch.cat([shaded[:, :1], picture], dim=1))


def hinge_loss(real: Tensor, made: Tensor) -> Tensor:
    """Of a discriminator, by what it says of true and of made pictures (Lim & Ye 2017, "Geometric GAN", section 3)."""
    return F.relu(1 - real).mean() + F.relu(1 + made).mean()
