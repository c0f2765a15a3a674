"""A page's shading by the official generator: resized, padded, shaded tile by tile, cut back. Pure.

Source: the preparation of manga-colorization-v2's family, as inkn'hue uses it. We differ where a page is longer than
`TILE_PX`: it is shaded in tiles that overlap, so that memory is bounded.
"""

from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from common.windows import Window, blend_windows
from workers.inknhue.official.shader_network import IN_CHANNELS, ShadingGenerator
from workers.inknhue.working_size import SHADE_TILE_PX

SHADE_SIZE_PX: Final = 576
"""The width of a portrait page before the network; a landscape page's height is one and a half times as much."""
TILE_PX: Final = SHADE_TILE_PX
OVERLAP_SHARE: Final = 0.25
"""Of a tile's length, the least that neighbours share. Squeeze-excite makes means of a whole tile, so tiles differ in
tone everywhere, and a wide ramp hides it."""
BLOCK_PX: Final = 32
MAX_LONG_PX: Final = 24_576
"""No page is enlarged beyond this: a strip of a few pixels' width would have gigapixels."""


def shade_page(
    network: ShadingGenerator, page_grey: NDArray[np.uint8], size: int = SHADE_SIZE_PX, tile_px: int = TILE_PX
) -> NDArray[np.uint8]:
    """Shade a page; the result has the page's size.

    Args:
        network: in eval mode; the work is done on its parameters' device.
        page_grey: (H, W) uint8, 255 = paper.
        size: as for `working_shape`.
        tile_px: the long side of a tile at the network's own size, a multiple of `BLOCK_PX`.

    Returns:
        (H, W) uint8.
    """
    height, width = page_grey.shape
    shaded = shade_small(network, page_grey, size, tile_px)
    if shaded.shape == (height, width):
        return shaded
    method = cv2.INTER_AREA if shaded.shape[0] > height else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(shaded, (width, height), interpolation=method), dtype=np.uint8)


def shade_small(
    network: ShadingGenerator, page_grey: NDArray[np.uint8], size: int = SHADE_SIZE_PX, tile_px: int = TILE_PX
) -> NDArray[np.uint8]:
    """As `shade_page`, at the network's own size: (h, w) uint8, `working_shape` of the page's."""
    assert not network.training, "batch norm would go by this page's own statistics"
    assert page_grey.ndim == 2
    assert page_grey.dtype == np.uint8
    height, width = working_shape(page_grey.shape[0], page_grey.shape[1], size)
    resized = np.asarray(cv2.resize(page_grey, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    padded = pad_to_blocks(resized)

    def shade(tile: Window) -> NDArray[np.float32]:
        return _shade_tile(network, padded[tile])[..., None]

    grey = blend_windows(padded.shape, shade, tile_px, round(OVERLAP_SHARE * tile_px))[:height, :width, 0]
    return np.clip(np.rint(grey * 255), 0, 255).astype(np.uint8)


def working_shape(height: int, width: int, size: int = SHADE_SIZE_PX) -> tuple[int, int]:
    """The size at which the network sees a page of `height`×`width` px: (h, w), its shape kept.

    A portrait or square page gets the width `size`, a landscape page the height int(1.5·size); smaller where the long
    side would exceed `MAX_LONG_PX`.
    """
    scale = size / width if height >= width else int(1.5 * size) / height
    scale = min(scale, MAX_LONG_PX / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def pad_to_blocks(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lengthen the long side to the next multiple of 32 px, by at least one; the short side only where it is none.

    Args:
        grey: (h, w) uint8.

    Returns:
        (h', w') uint8: rows below have each column's maximum, columns to the right each row's: paper, mostly.
    """
    height, width = grey.shape
    below, right = -height % BLOCK_PX, -width % BLOCK_PX
    if height >= width:
        below = below or BLOCK_PX
    else:
        right = right or BLOCK_PX
    return np.pad(grey, ((0, below), (0, right)), mode="maximum")


@torch.inference_mode()
def _shade_tile(network: ShadingGenerator, grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(h, w) uint8, sides multiples of 32, to (h, w) float32, 0..1."""
    device = next(network.parameters()).device
    x = torch.zeros((1, IN_CHANNELS, *grey.shape), device=device)
    x[0, 0] = torch.from_numpy(np.ascontiguousarray(grey)).to(device) / 255
    rgb = network.paint(x)[0].permute(1, 2, 0) * 0.5 + 0.5  # (h, w, 3)
    return np.asarray(cv2.cvtColor(rgb.contiguous().cpu().numpy(), cv2.COLOR_RGB2GRAY), dtype=np.float32)
