"""How a training tells how far it is. Pure; shared by both presets."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingProgress:
    """How far a training is: `epoch` of `epochs` done, the last losses by name, and seconds since the start."""

    epoch: int
    epochs: int
    losses: dict[str, float]
    seconds: float


OnProgress = Callable[[TrainingProgress], None]
"""Called at the start, about once a second and at the end; may raise `CancelledError` to stop the training."""
