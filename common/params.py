"""The parameters of a colour job, with the original's names and values as defaults."""

import json
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from common.errors import BadParamsError
from common.names import Stage

MAX_ORIGINAL_EPOCHS: Final = 300
"""An epoch of the original takes seconds, three times as many on a shared machine. Asked of what comes in, not of
stored jobs: one that was accepted before must not stop those beside it."""

Radius = Annotated[int, Field(ge=1, le=100)]


class JobParams(BaseModel):
    """What a client may choose. Unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(100, ge=1, le=1000, description="Length of the training on the reference, in epochs.")
    trapped_ball_radii: tuple[Radius, ...] = Field(
        (15, 10, 9, 8, 7, 6, 5, 4), min_length=1, max_length=20, description="Radii of the trapped ball, in pixels."
    )
    saturation: float = Field(1.2, ge=0, le=4, description="Factor on the saturation of the region colours.")
    palette_size: int = Field(
        12,
        ge=1,
        le=256,
        description="Number of colours of the palette: of the references, by the original of the page.",
    )
    min_region_px: int = Field(
        200,
        ge=1,
        le=1_000_000,
        description="Regions below this get no hint; pixels of a page of 768 px (original: its own) short side.",
    )
    blend: float = Field(0.8, ge=0, le=1, description="λ: 0 takes all chroma from the aligned picture, 1 from rough.")
    keep_lightness: bool = Field(True, description="The result keeps the page's own lightness.")
    skip_coloured: bool = Field(True, description="Pages that are in colour already pass through byte for byte.")
    preset: Literal["default", "original"] = Field(
        "default", description="How the cGAN learns and paints: ours, or as the original did (12 times as slow)."
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="Seed of everything random.")
    format: Literal["png", "jpeg", "webp"] = Field("png", description="Picture format of the result.")
    archive: Literal["cbz", "zip"] = Field("cbz", description="Archive format of the result.")
    stop_after: Literal["cgan", "s2p", "inknhue"] | None = Field(None, description="End every page after this stage.")


TRAINING_PARAMS = ("epochs", "preset", "seed")
"""The parameters that a reference model depends on."""

STAGE_PARAMS = {
    Stage.CGAN: (
        "trapped_ball_radii",
        "saturation",
        "palette_size",
        "min_region_px",
        "skip_coloured",
        *TRAINING_PARAMS,
    ),
    Stage.S2P: (),
    Stage.INKNHUE: ("blend", "keep_lightness", "format"),
    Stage.METRICS: (),
}
"""The parameters that each stage's result depends on: part of its stage key, and where a change re-runs from."""


def parse_params(raw: object, *, from_shell: bool = False) -> JobParams:
    """Check parameters from outside.

    Args:
        raw: an object, as JSON has it: "0.5" and true are no numbers.
        from_shell: all values are text, where numbers are.

    Raises:
        BadParamsError: names each parameter that is unknown or out of range, and the limit.
    """
    try:
        params = JobParams.model_validate_json(json.dumps(raw), strict=not from_shell)
    except ValidationError as error:
        faults = (f"params.{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise BadParamsError("; ".join(faults)) from None
    if params.preset == "original" and params.epochs > MAX_ORIGINAL_EPOCHS:
        raise BadParamsError(f"params.preset: original takes at most {MAX_ORIGINAL_EPOCHS} epochs")
    return params


def first_changed_stage(old: JobParams, new: JobParams) -> Stage | None:
    """The earliest stage whose result a change of parameters touches, or None when none is touched."""
    for stage, names in STAGE_PARAMS.items():
        if any(getattr(old, name) != getattr(new, name) for name in names):
            return stage
    return None
