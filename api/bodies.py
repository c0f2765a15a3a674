"""Bodies of requests: how large they may be, and JSON read strictly. What is refused is refused before it is parsed."""

import json
import math
from http import HTTPStatus
from typing import Any, Final, TypeVar

from flask import Flask, abort, request
from pydantic import BaseModel
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge

from common.errors import InputError
from common.settings import Settings

Model = TypeVar("Model", bound=BaseModel)

MAX_JSON_BYTES: Final = 8 * 1024**2
"""Ten thousand upload ids take 0.4 MB, and the hints of a page with ten thousand dots 1.5 MB."""
MAX_DEPTH: Final = 32
LARGE: Final[dict[str | None, str | None]] = {"files.put_file": None, "jobs.create_job": "multipart/form-data"}
"""Endpoints that take files, up to `max_request_bytes`, and as which media type; None: as any."""
JSON: Final = "application/json"


def register_body_limits(app: Flask, settings: Settings) -> None:
    """Bound the body of every request by its route, also where it does not say how long it is."""
    app.config["MAX_CONTENT_LENGTH"] = MAX_JSON_BYTES
    app.config["MAX_FORM_PARTS"] = settings.max_pages * 2 + 100

    @app.before_request
    def limit_body() -> None:
        if request.endpoint in LARGE and LARGE[request.endpoint] in (None, request.mimetype):
            request.max_content_length = settings.max_request_bytes
        length = request.content_length
        if length and length > (request.max_content_length or MAX_JSON_BYTES):
            raise RequestEntityTooLarge(f"a body of {length} bytes is over the limit of {request.max_content_length}")


def read_json_body() -> Any:
    """The request's body as JSON.

    Raises:
        UnsupportedMediaType: it says that it is something else.
        RequestEntityTooLarge: longer than its route allows.
        InputError: see `parse_json`.
    """
    if request.mimetype != JSON:
        abort(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send {JSON}")
    data = request.get_data()
    # A body that does not say how long it is ends at the limit, without a word.
    if request.content_length is None and len(data) >= (request.max_content_length or MAX_JSON_BYTES):
        raise RequestEntityTooLarge(f"the body is over the limit of {request.max_content_length}")
    return parse_json(data, "the body")


def read_form() -> tuple[MultiDict[str, str], MultiDict[str, FileStorage]]:
    """Fields and files of a multipart body. Raises InputError: a part has no name."""
    if None in request.form or None in request.files:
        raise InputError("a part of the form has no name")
    return request.form, request.files


def read_model(model: type[Model]) -> Model:
    """The request's JSON body as a model, strictly: "5" and true are no numbers. Raises as `read_json_body`, and
    ValidationError."""
    return model.model_validate_json(json.dumps(read_json_body()), strict=True)


def parse_json(data: bytes | str, what: str) -> Any:
    """JSON as RFC 8259 has it, and nothing that only some readers take, or take in different ways.

    Raises:
        InputError: not valid, not UTF-8, nested deeper than `MAX_DEPTH`, a name twice in an object, a number that is
            none or beyond a float, a NUL or half a character in a text.
    """
    try:
        text = data.decode() if isinstance(data, bytes) else data
        value = json.loads(
            text, parse_constant=_refuse_constant, parse_float=_parse_float, object_pairs_hook=_parse_object
        )
    except (ValueError, RecursionError) as error:
        raise InputError(f"{what} is not valid JSON: {error}") from None
    _check(value, what)
    return value


def _check(value: Any, what: str) -> None:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise InputError(f"{what} is nested deeper than {MAX_DEPTH} levels")
        inner: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                inner += [*one.keys(), *one.values()]
            elif isinstance(one, list):
                inner += one
            elif isinstance(one, str) and (one.isascii() is False or "\0" in one):
                _check_text(one, what)
        level = inner


def _check_text(text: str, what: str) -> None:
    # Databases take neither.
    if "\0" in text:
        raise InputError(f"{what}: a text has a NUL character in it")
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise InputError(f"{what}: a text has half a surrogate pair in it")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _parse_float(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text[:50]} is too large")
    return value


def _parse_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice[:50]!r} stands twice in an object")
    return found
