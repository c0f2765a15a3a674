"""The two presets behind one door: learn from references, paint a page. Arrays in, arrays out."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from common.params import JobParams
from workers.cgan.model import ReferenceModel, train_reference
from workers.cgan.original import network as original
from workers.cgan.original.paint import paint_original
from workers.cgan.original.training import train_original
from workers.cgan.paint import paint_page
from workers.cgan.progress import OnProgress
from workers.cgan.result import CganResult
from workers.cgan.training import TrainingSettings, check_references

Model = ReferenceModel | original.Generator
"""What is learned from references: by `default` the first, by `original` the second."""


def learn(
    references: Sequence[NDArray[np.uint8]], names: Sequence[str], params: JobParams, on_progress: OnProgress
) -> Model:
    """Train the job's preset on its references.

    Args:
        references: one or more coloured pages, each (H, W, 3) uint8, RGB.
        names: what errors call them.
        params: `preset`, `epochs` and `seed` are used.
        on_progress: see `OnProgress`.

    Raises:
        BadImageError: there is no reference, or one has no colour.
        TrainingFailedError: a loss is no longer a finite number.
    """
    check_references(references, names)
    if params.preset == "original":
        return train_original(references, params.epochs, params.seed, on_progress)
    return train_reference(references, TrainingSettings(params.epochs, params.seed), on_progress)


def paint(page_rgb: NDArray[np.uint8], model: Model, params: JobParams) -> CganResult:
    """Colour a page (H, W, 3) uint8, RGB, as the preset that the model was learned by does."""
    if isinstance(model, original.Generator):
        return paint_original(page_rgb, model, params)
    return paint_page(page_rgb, model, params)
