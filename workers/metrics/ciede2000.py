"""CIEDE2000 colour difference. Pure.

By torch on 32-bit floats, for its vector arithmetic: scikit-image takes four times as long, as long as all figures of a
page together. The tests hold it against scikit-image's and the paper's own examples.
"""

from math import pi, radians
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

_TURN: Final = 2 * pi
_CHROMA_KNEE: Final = 25.0**7


def delta_e2000(first_lab: NDArray[np.float32], second_lab: NDArray[np.float32]) -> NDArray[np.float32]:
    """The colour difference of each pixel; 1 is about the least that people see.

    Args:
        first_lab: (..., 3) float32 CIELAB: L 0..100, a and b about -128..127.
        second_lab: the same shape.

    Returns:
        (...) float32, 0 and above; within 1e-3 of the exact value.

    Source: Sharma, Wu & Dalal 2005, "The CIEDE2000 Color-Difference Formula: Implementation Notes, Supplementary Test
        Data, and Mathematical Observations", equations 2 to 22, with all weights 1. Cosines of multiples of the mean
        hue come from its own sine and cosine.
    """
    with torch.inference_mode():
        l1, a1, b1 = _planes(first_lab)
        l2, a2, b2 = _planes(second_lab)
        stretch = 1.5 - 0.5 * _knee((_length(a1, b1) + _length(a2, b2)) / 2)
        a1, a2 = a1 * stretch, a2 * stretch
        c1, c2 = _length(a1, b1), _length(a2, b2)
        h1 = torch.atan2(b1, a1)
        turn = torch.atan2(b2, a2) - h1
        turn -= _TURN * torch.round(turn / _TURN)  # the shorter way round
        hue_gap = 2 * torch.sqrt(c1 * c2) * torch.sin(turn / 2)
        # Where one of the two is grey, the mean hue is the other's; the grey one's own is 0, so the sum is that.
        hue = torch.where(c1 * c2 == 0, 2 * h1 + turn, h1 + turn / 2)
        chroma = (c1 + c2) / 2
        light = (l2 - l1) / _lightness_weight(l1, l2)
        saturation = (c2 - c1) / (1 + 0.045 * chroma)
        tint = hue_gap / (1 + 0.015 * chroma * _hue_weight(hue))
        blue = torch.remainder(hue, _TURN) * (180 / pi)
        rotation = -2 * _knee(chroma) * torch.sin(radians(60) * torch.exp(-(((blue - 275) / 25) ** 2)))
        squares = light * light + saturation * saturation + tint * tint + rotation * saturation * tint
        return torch.sqrt(squares.clamp_min_(0)).numpy().reshape(first_lab.shape[:-1])


def delta_e2000_of_grey(lightness: NDArray[np.float32], lab: NDArray[np.float32]) -> NDArray[np.float32]:
    """As `delta_e2000` where the first picture has no chroma: no hue is left to differ, and most of the formula goes.

    Args:
        lightness: (...) float32, L of the first picture, 0..100.
        lab: (..., 3) float32 CIELAB.

    Returns:
        (...) float32, 0 and above.
    """
    with torch.inference_mode():
        l1 = torch.from_numpy(np.ascontiguousarray(lightness.reshape(-1)))
        l2, a2, b2 = _planes(lab)
        stretch = 1.5 - 0.5 * _knee(_length(a2, b2) / 2)
        chroma = _length(a2 * stretch, b2)
        light = (l2 - l1) / _lightness_weight(l1, l2)
        return _length(light, chroma / (1 + 0.045 * chroma / 2)).numpy().reshape(lightness.shape)


def _planes(lab: NDArray[np.float32]) -> torch.Tensor:
    """(3, N) float32, each plane contiguous."""
    return torch.from_numpy(np.ascontiguousarray(lab.reshape(-1, 3).T))


def _length(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return torch.sqrt(a * a + b * b)


def _knee(chroma: torch.Tensor) -> torch.Tensor:
    squared = chroma * chroma
    seventh = squared * squared * squared * chroma
    return torch.sqrt(seventh / (seventh + _CHROMA_KNEE))


def _lightness_weight(l1: torch.Tensor, l2: torch.Tensor) -> torch.Tensor:
    """S_L of the paper's equation 16."""
    off_middle = ((l1 + l2) / 2 - 50) ** 2
    return 1 + 0.015 * off_middle / torch.sqrt(20 + off_middle)


def _hue_weight(hue: torch.Tensor) -> torch.Tensor:
    """T of the paper's equation 15."""
    cos1, sin1 = torch.cos(hue), torch.sin(hue)
    cos2, sin2 = 2 * cos1 * cos1 - 1, 2 * sin1 * cos1
    cos3, sin3 = cos2 * cos1 - sin2 * sin1, sin2 * cos1 + cos2 * sin1
    cos4, sin4 = 2 * cos2 * cos2 - 1, 2 * sin2 * cos2

    def shifted(cosine: torch.Tensor, sine: torch.Tensor, degrees: float) -> torch.Tensor:
        """cos(x + degrees)."""
        angle = torch.tensor(radians(degrees), dtype=torch.float32)
        return cosine * torch.cos(angle) - sine * torch.sin(angle)

    return (
        1
        - 0.17 * shifted(cos1, sin1, -30)
        + 0.24 * cos2
        + 0.32 * shifted(cos3, sin3, 6)
        - 0.20 * shifted(cos4, sin4, -63)
    )
