"""The pictures that are evaluated: named files that are read only when their turn comes. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.imaging import ImageLimits, decode_image


@dataclass(frozen=True)
class PictureFile:
    """A picture by the name that people know it by, and how to get its bytes."""

    name: str
    """With or without folders and suffix: pairs are found by it."""
    read: Callable[[], bytes]

    def decode(self, limits: ImageLimits) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB: alpha over white, 16-bit samples scaled to 8. Raises BadImageError, TooLargeError."""
        return decode_image(self.read(), self.name, limits)


@dataclass(frozen=True)
class PictureSets:
    """What an evaluation compares."""

    real: Sequence[PictureFile]
    """The true pages; none where nobody knows them."""
    output: Sequence[PictureFile]
    """The results."""
    pages: Sequence[PictureFile] = ()
    """The grey pages that were coloured, named as `output`'s; a page without one stands as the truth's grey."""
    references: Sequence[PictureFile] = ()
    """What the colours were learned from: their palette is followed over the pages."""
