"""Levin's colorization as published, solved directly: what the embedded painter is measured against."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import splu


def colorize(
    lightness: NDArray[np.float64], chroma: NDArray[np.float64], marked: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Levin, Lischinski & Weiss 2004, "Colorization using Optimization", equations 1 and 2, by SciPy's sparse LU.

    Args:
        lightness: (h, w), 0..1.
        chroma: (h, w, 2), read where marked.
        marked: (h, w).

    Returns:
        (h, w, 2).
    """
    height, width = lightness.shape
    count = height * width
    number = np.arange(count).reshape(height, width)
    ways = [(down, right) for down in (0, 1, 2) for right in (0, 1, 2) if (down, right) != (1, 1)]
    padded, inside, numbers = np.pad(lightness, 1), np.pad(np.ones_like(lightness, dtype=bool), 1), np.pad(number, 1)

    def around(array: NDArray) -> NDArray:
        return np.stack([array[down : down + height, right : right + width] for down, right in ways])

    near, there, places = around(padded), around(inside), around(numbers)
    total = there.sum(axis=0) + 1
    mean = ((near * there).sum(axis=0) + lightness) / total
    variance = ((((near - mean) ** 2) * there).sum(axis=0) + (lightness - mean) ** 2) / total
    # The authors' own program: 0.6 of the variance, wide enough that the most alike neighbour has a weight of 0.01.
    least = np.where(there, (near - lightness) ** 2, np.inf).min(axis=0)
    spread = np.maximum(np.maximum(0.6 * variance, -least / np.log(0.01)), 2e-6)
    weights = np.exp(-((near - lightness) ** 2) / spread) * there
    weights /= weights.sum(axis=0)
    rows = np.broadcast_to(number, near.shape)
    used = there & ~marked
    entries = np.concatenate([np.ones(count), -weights[used]])
    indices = np.concatenate([number.ravel(), rows[used]]), np.concatenate([number.ravel(), places[used]])
    matrix = coo_matrix((entries, indices), shape=(count, count)).tocsc()
    wanted = np.where(marked[..., None], chroma, 0).reshape(count, 2)
    return np.asarray(splu(matrix).solve(wanted).reshape(height, width, 2))
