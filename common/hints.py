"""Colour hints, the house's `hints.json`: written by cgan and by people, read by s2p. Pure."""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from common.errors import InputError

MAX_HINTS = 2000

Channel = Annotated[int, Field(ge=0, le=255)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Hint(BaseModel):
    """A dot of colour. x and y are shares of the page's width and height from its top left; rgb is 0..255.

    confidence, 0..1, is how sure the network is of an automatic hint; people's hints have none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    x: Share
    y: Share
    rgb: tuple[Channel, Channel, Channel]
    region: Annotated[int, Field(ge=0)] | None = None
    source: Literal["cgan", "user"] = "user"
    confidence: Share | None = None


class Hints(BaseModel):
    """All hints of a page; size is the page's (width, height) in pixels when they were made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    size: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]
    hints: Annotated[tuple[Hint, ...], Field(max_length=MAX_HINTS)]

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
