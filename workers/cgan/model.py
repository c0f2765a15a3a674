"""A reference model: the trained generator, with what the references show without it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.cgan.network import Generator
from workers.cgan.progress import OnProgress, prepare_each
from workers.cgan.reference import sample_colours
from workers.cgan.shading import measure_shading
from workers.cgan.training import TrainingSettings, check_references, train_generator


@dataclass(frozen=True)
class ReferenceModel:
    """What the preset `default` learns from references.

    Attributes:
        generator: in eval mode.
        samples: (N, 3) float32, pixels of the references from `sample_colours`, for the palette.
        shading: how much their colours vary inside regions, from `measure_shading`.
    """

    generator: Generator
    samples: NDArray[np.float32]
    shading: float


def train_reference(
    references: Sequence[NDArray[np.uint8]], settings: TrainingSettings, on_progress: OnProgress
) -> ReferenceModel:
    """Learn from coloured references; arguments and errors as `train_generator`, after those of `check_references`."""
    check_references(references)
    shading = measure_shading(prepare_each(references, settings.epochs, on_progress))
    generator = train_generator(references, settings, on_progress)
    return ReferenceModel(generator, sample_colours(references, settings.seed), shading)
