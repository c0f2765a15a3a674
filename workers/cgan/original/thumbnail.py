"""A page as the original's networks see it: squeezed to a square. Pure."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from workers.cgan.original.network import SIDE_PX


def make_thumbnail(picture: NDArray[np.uint8]) -> Tensor:
    """Squeeze a picture of any shape to 128×128 px, bicubic.

    Args:
        picture: (H, W) or (H, W, C) uint8, 0..255.

    Returns:
        (C, 128, 128) float32, 0..1, where C is 1 for (H, W).
    """
    planes = torch.from_numpy(np.ascontiguousarray(picture)).reshape(*picture.shape[:2], -1).permute(2, 0, 1)
    small = F.interpolate(planes[None].float(), (SIDE_PX, SIDE_PX), mode="bicubic", antialias=True)
    return (small[0] / 255).clamp(0, 1)  # bicubic swings beyond black and white
