"""The card that lies beside a stored reference model: what it is, what it was learned from, how it went. Pure."""

from collections.abc import Sequence
from typing import Any

from common.names import TRAINING_VERSION
from common.palette import find_palette
from common.params import TRAINING_PARAMS, JobParams
from workers.cgan.model import ReferenceModel
from workers.cgan.presets import Model
from workers.cgan.progress import TrainingProgress


def describe_model(
    model: Model, params: JobParams, reference_sha256: Sequence[str], last: TrainingProgress
) -> dict[str, Any]:
    """Describe a model as JSON takes it.

    Args:
        model: just trained.
        params: of the job that it was trained for.
        reference_sha256: of each reference's file.
        last: the training's last report.
    """
    generator = model.generator if isinstance(model, ReferenceModel) else model
    card: dict[str, Any] = {
        "training_version": TRAINING_VERSION,
        **{name: getattr(params, name) for name in TRAINING_PARAMS},
        "references": list(reference_sha256),
        "parameters": sum(parameter.numel() for parameter in generator.parameters()),
        "seconds": round(last.seconds, 1),
        "losses": {name: round(value, 4) for name, value in last.losses.items()},
    }
    if isinstance(model, ReferenceModel):
        palette = find_palette(model.samples, params.palette_size)
        card["shading"] = round(model.shading, 3)
        card["palette_lab"] = [[round(float(value), 1) for value in colour] for colour in palette]
    return card
