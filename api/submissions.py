"""What is sent to POST /v1/jobs: a form with files, or JSON with upload ids. Either is read into the same records."""

from collections.abc import Iterable
from typing import Any

from flask import request
from pydantic import TypeAdapter, ValidationError

from api.bodies import JSON, parse_json, read_form, read_model
from api.context import get_context
from api.evaluation import Evaluation
from api.incoming import IncomingFile, SentFile, UploadedFile, safe_name
from api.intake import Submission
from api.requests import MAX_KEEP_DAYS, MAX_NAME_CHARS, JobName, JobRequest
from common.errors import InputError, NotFoundError
from common.jobs.states import JobKind
from common.params import JobParams
from common.webhooks import MAX_URL_CHARS, check_callback_url

FIELDS = {
    JobKind.COLORIZE: (
        "name",
        "series",
        "pages",
        "archive",
        "references",
        "truths",
        "extras",
        "params",
        "keep_days",
        "callback_url",
    ),
    JobKind.EVALUATE: ("name", "real", "output", "references", "keep_days", "callback_url"),
}
TEXT_FIELDS = ("kind", "name", "series", "params", "keep_days", "callback_url")

_NAME: TypeAdapter[str] = TypeAdapter(JobName)

FILES = {"type": "array", "items": {"type": "string", "format": "binary"}}
SERIES = "colorize: the series that the chapter belongs to. References that are sent become the series' own"
MULTIPART_SCHEMA = {
    "type": "object",
    "properties": {
        "kind": {"type": "string", "enum": list(JobKind), "default": JobKind.COLORIZE},
        "name": {"type": "string", "minLength": 1, "maxLength": MAX_NAME_CHARS},
        "series": {"type": "string", "minLength": 1, "maxLength": MAX_NAME_CHARS, "description": SERIES},
        "pages": FILES,
        "archive": {"type": "string", "format": "binary", "description": "ZIP or CBZ, instead of pages"},
        "references": FILES | {"description": "colorize needs one, unless its series has some; evaluate may have some"},
        "truths": FILES,
        "extras": FILES | {"description": "with pages: files that are none; the result has them as they are"},
        "params": {"type": "string", "contentMediaType": "application/json", "description": "JobParams as JSON"},
        "keep_days": {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_KEEP_DAYS},
        "callback_url": {"type": "string", "format": "uri", "maxLength": MAX_URL_CHARS},
        "real": FILES | {"description": "evaluate: true pictures"},
        "output": FILES | {"description": "evaluate: results, named like the true pictures"},
    },
}

MULTIPART_EXAMPLE = {"pages": ["001.png", "002.png"], "references": ["coloured.png"], "params": '{"blend": 0.8}'}


def request_body(example: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI request body of POST /v1/jobs, which the framework cannot derive from two media types."""
    json_schema = JobRequest.model_json_schema(ref_template="#/components/schemas/{model}")
    del json_schema["$defs"]  # what stands there is among the schemas already
    json_schema["properties"]["params"] = {"$ref": f"#/components/schemas/{JobParams.__name__}"}
    return {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": MULTIPART_SCHEMA, "example": MULTIPART_EXAMPLE},
            "application/json": {"schema": json_schema, "example": example},
        },
    }


def read_submission() -> Submission | Evaluation | None:
    """What the request asks for, not yet checked; None where its media type is neither of the two.

    Raises:
        InputError: a field that the kind does not have, or that is not what it should be; an upload that is not there.
    """
    if request.mimetype == "multipart/form-data":
        return _read_multipart()
    return _read_json() if request.mimetype == JSON else None


def _check_fields(kind: JobKind, given: Iterable[str]) -> None:
    """Refuse fields that the kind does not have. Raises InputError."""
    known = ("kind", *FIELDS[kind])
    for name in given:
        if name not in known:
            raise InputError(f"unknown field {name[:100]!r}; a job of kind {kind} has {', '.join(known)}")


def _read_multipart() -> Submission | Evaluation:
    form, files = read_form()
    given = form.get("kind", JobKind.COLORIZE)
    if given not in list(JobKind):
        raise InputError(f"kind: {given[:100]!r} is none of {', '.join(JobKind)}")
    kind = JobKind(given)
    _check_fields(kind, (*form, *files))
    for field in FIELDS[kind]:
        if field in form and field not in TEXT_FIELDS:
            raise InputError(f"{field}: send files, with a file name each")
    keep_days = _read_keep_days(form.get("keep_days"))
    callback_url = _checked_callback(form.get("callback_url"))
    name, series = (_read_name(field, form.get(field)) for field in ("name", "series"))
    if kind is JobKind.EVALUATE:
        return Evaluation(_sent("real"), _sent("output"), _sent("references"), keep_days, callback_url, name)
    archives = _sent("archive")
    if len(archives) > 1:
        raise InputError("archive: send one")
    params = parse_json(form.get("params") or "{}", "params")
    return Submission(
        pages=_sent("pages"),
        archive=archives[0] if archives else None,
        references=_sent("references"),
        truths=_sent("truths"),
        params=params,
        keep_days=keep_days,
        callback_url=callback_url,
        name=name,
        series=series,
        extras=_sent("extras"),
    )


def _read_keep_days(text: str | None) -> float | None:
    """Raises InputError: no number, or out of range."""
    if text is None:
        return None
    try:
        days = float(text)
    except ValueError:
        raise InputError(f"keep_days: {text[:100]!r} is no number") from None
    if not 0 < days <= MAX_KEEP_DAYS:  # false for NaN too
        raise InputError(f"keep_days: {text[:100]} is not above 0 and at most {MAX_KEEP_DAYS}")
    return days


def _read_name(field: str, text: str | None) -> str | None:
    """Raises InputError: empty, too long, or with control characters."""
    try:
        return None if text is None else _NAME.validate_python(text)
    except ValidationError as error:
        raise InputError(f"{field}: {error.errors()[0]['msg']}") from None


def _checked_callback(url: str | None) -> str | None:
    """Raises InputError."""
    if url is not None:
        check_callback_url(url, get_context().settings.webhook_networks)
    return url


def _sent(field: str) -> list[IncomingFile]:
    files = request.files.getlist(field)
    return [SentFile(safe_name(file.filename, f"{field}-{index}"), file) for index, file in enumerate(files, 1)]


def _read_json() -> Submission | Evaluation:
    body = read_model(JobRequest)
    _check_fields(body.kind, body.model_fields_set)
    callback_url = _checked_callback(body.callback_url)
    if body.kind is JobKind.EVALUATE:
        real, output, references = [_uploaded(ids) for ids in (body.real, body.output, body.references)]
        return Evaluation(real, output, references, body.keep_days, callback_url, body.name)
    return Submission(
        pages=_uploaded(body.pages),
        archive=_uploaded([body.archive])[0] if body.archive else None,
        references=_uploaded(body.references),
        truths=_uploaded(body.truths),
        params=body.params,
        keep_days=body.keep_days,
        callback_url=callback_url,
        name=body.name,
        series=body.series,
        extras=_uploaded(body.extras),
    )


def _uploaded(upload_ids: list[str]) -> list[IncomingFile]:
    context = get_context()
    try:
        uploads = [context.uploads.get(context.tenant_id, upload_id) for upload_id in upload_ids]
    except NotFoundError as error:
        raise InputError(str(error)) from None
    return [UploadedFile(upload.filename, upload, context.store) for upload in uploads]
