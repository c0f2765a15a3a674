"""Colour hints, the house's `hints.json`: written by cgan and by people, read by s2p. Pure."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from common.errors import InputError

MAX_HINTS = 2000
MAX_PALETTE = 256

Channel = Annotated[int, Field(ge=0, le=255)]
Rgb = tuple[Channel, Channel, Channel]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Hint(BaseModel):
    """A dot of colour. x and y are shares of the page's width and height from its top left; rgb is 0..255.

    confidence, 0..1, is how sure the network is of an automatic hint; people's hints have none. entry says which colour
    of the palette an automatic hint goes with: another colour given to that entry is given to the dot.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    x: Share
    y: Share
    rgb: Rgb
    region: Annotated[int, Field(ge=0)] | None = None
    source: Literal["cgan", "user"] = "user"
    confidence: Share | None = None
    entry: Annotated[int, Field(ge=0)] | None = None


class Hints(BaseModel):
    """All hints of a page; size is the page's (width, height) in pixels when they were made.

    palette has the main colours of the references, the most frequent first: the same on all pages of a job, unless
    some were given another palette_size.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    size: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]
    hints: Annotated[tuple[Hint, ...], Field(max_length=MAX_HINTS)]
    palette: Annotated[tuple[Rgb, ...], Field(max_length=MAX_PALETTE)] = ()

    @model_validator(mode="after")
    def _check_entries(self) -> Self:
        for index, hint in enumerate(self.hints):
            if hint.entry is not None and hint.entry >= len(self.palette):
                raise ValueError(f"hints.{index}.entry: {hint.entry} is not among the palette's {len(self.palette)}")
        return self

    def recolour(self, colours: Mapping[Rgb, Rgb]) -> "Hints":
        """The same with other colours on every automatic dot whose entry is one of these colours of the palette.

        What somebody coloured by hand keeps its colour.
        """

        def change(hint: Hint) -> Hint:
            if hint.entry is None or hint.source == "user":
                return hint
            rgb = colours.get(self.palette[hint.entry], hint.rgb)
            # A colour that somebody chose is sure.
            return hint if rgb == hint.rgb else hint.model_copy(update={"rgb": rgb, "confidence": None})

        return self.model_copy(update={"hints": tuple(map(change, self.hints))})

    def to_json(self) -> bytes:
        return self.model_dump_json().encode()


def parse_hints(raw: bytes | dict[str, Any], name: str) -> Hints:
    """Check hints from outside.

    Args:
        raw: the JSON text or what was parsed of it.
        name: what errors call it.

    Raises:
        InputError: names the first entries that are wrong, and the limit.
    """
    try:
        # By way of JSON in both cases, and strict: "0.5" and true are no numbers.
        return Hints.model_validate_json(raw if isinstance(raw, bytes) else json.dumps(raw), strict=True)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc'])) or 'all'}: {fault['msg']}" for fault in error.errors()[:3]]
        raise InputError(f"{name}: {'; '.join(faults)}") from None
