"""How a training tells how far it is. Pure; shared by both presets."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TrainingProgress:
    """How far a training is: `epoch` of `epochs` done, the last losses by name, and seconds since the start."""

    epoch: int
    epochs: int
    losses: dict[str, float]
    seconds: float


OnProgress = Callable[[TrainingProgress], None]
"""Called at the start, about once a second and at the end; may raise `CancelledError` to stop the training."""


def prepare_each(
    references: Sequence[NDArray[np.uint8]], epochs: int, on_progress: OnProgress
) -> Iterator[NDArray[np.uint8]]:
    """The references one by one, with a report before each: twenty pages take seconds to prepare."""
    for reference in references:
        on_progress(TrainingProgress(0, epochs, {}, 0.0))
        yield reference
