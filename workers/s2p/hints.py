"""Hints as a picture: dots of colour on an empty background. Pure; `hints.json` is read by common.hints."""

import io
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from common.errors import InputError
from common.hints import MAX_HINTS, Hint, Hints
from common.imaging import check_image, decode_image

ASPECT_TOLERANCE: Final = 0.02
"""How far the shapes of two pictures of one page may lie apart, as a share: rounding of small previews stays below."""


def read_hint_picture(data: bytes, name: str, page_size: tuple[int, int]) -> Hints:
    """Read the hints that a picture shows: each 4-connected blob of one colour is a hint at its centroid.

    Background is what is more than half transparent, and any colour that covers more than half of the picture.

    Args:
        data: the file's bytes, of any picture format that we read, any size, RGB or RGBA.
        name: what errors call it.
        page_size: the page's (width, height) in pixels, whose shape the picture must have.

    Raises:
        BadImageError, TooLargeError: as `decode_image`.
        InputError: the shape is not the page's, or there are more than `MAX_HINTS` blobs.

    Source: Style2Paints V4.5's reading of hint pictures, with transparency added.
    """
    check_image(data, name)
    rgb = decode_image(data, name)
    height, width = rgb.shape[:2]
    check_same_shape((width, height), page_size, name)
    packed = (rgb.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], dtype=np.int32)).astype(np.int32)
    packed[_is_transparent(data, (height, width))] = -1
    colours, counts = np.unique(packed, return_counts=True)
    packed[np.isin(packed, colours[counts > packed.size / 2])] = -1
    blobs = _label_blobs(packed)
    if len(blobs) > MAX_HINTS:
        raise InputError(
            f"{name}: {len(blobs)} blobs of colour are over the limit of {MAX_HINTS} hints; "
            "dots must be of one plain colour each, without soft edges, and the picture not a JPEG"
        )
    hints = tuple(
        Hint(x=float(x / width), y=float(y / height), rgb=(colour >> 16, colour >> 8 & 255, colour & 255))
        for x, y, colour in blobs
    )
    return Hints(size=page_size, hints=hints)


def check_same_shape(size: tuple[int, int], page_size: tuple[int, int], name: str) -> None:
    """Check that a picture has the page's proportions.

    Args:
        size: (width, height) of the picture in pixels.
        page_size: (width, height) of the page in pixels.
        name: what errors call the picture.

    Raises:
        InputError: width / height lies more than 2% from the page's, and by more than rounding to whole pixels.
    """
    (width, height), (page_width, page_height) = size, page_size
    expected = height * page_width / page_height
    if abs(width - expected) > max(ASPECT_TOLERANCE * expected, 1.0, page_width / page_height):
        raise InputError(
            f"{name}: {width}×{height} px is not of the page's shape ({page_width}×{page_height} px); "
            f"width / height may differ by {ASPECT_TOLERANCE:.0%}"
        )


def _is_transparent(data: bytes, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Which pixels (H, W) are more than half transparent."""
    with Image.open(io.BytesIO(data)) as image:
        if not (image.has_transparency_data and image.size == (shape[1], shape[0])):
            return np.zeros(shape, dtype=np.bool_)
        return np.asarray(image.convert("RGBA").getchannel("A")) < 128


def _label_blobs(packed: NDArray[np.int32]) -> list[tuple[float, float, int]]:
    """Centroid x, y in pixels and colour of each 4-connected run of one colour ≥ 0.

    Colours come as they are met from the top left, and with each all of its runs: the original's order.
    """
    rows, columns = np.nonzero(packed >= 0)
    number = np.full(packed.shape, -1, dtype=np.int32)
    number[rows, columns] = np.arange(len(rows), dtype=np.int32)
    ends = []
    for one, other in (
        (np.s_[:, :-1], np.s_[:, 1:]),
        (np.s_[:-1], np.s_[1:]),
    ):
        equal = (packed[one] == packed[other]) & (packed[one] >= 0)
        ends.append(np.stack([number[one][equal], number[other][equal]]))
    first, second = np.concatenate(ends, axis=1)
    edges = coo_matrix((np.ones(len(first), dtype=np.int8), (first, second)), shape=(len(rows), len(rows)))
    count, label = connected_components(edges, directed=False)
    sizes = np.bincount(label, minlength=count)
    x, y = (np.bincount(label, weights=axis, minlength=count) / sizes for axis in (columns, rows))
    colour = np.zeros(count, dtype=np.int64)
    colour[label] = packed[rows, columns]
    _, first, kind = np.unique(colour, return_index=True, return_inverse=True)
    order = np.argsort(first[kind], kind="stable")
    return [(float(x[blob]), float(y[blob]), int(colour[blob])) for blob in order]
