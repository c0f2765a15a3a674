"""Errors as RFC 9457 problem+json, with our stable codes. Never a stack trace, never a path."""

from http import HTTPStatus
from typing import Any

from flask import Flask, Response, request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from werkzeug.exceptions import HTTPException

from api.quotas import describe_quota
from common.errors import (
    AuthError,
    ConflictError,
    InFlightError,
    InputError,
    NotFoundError,
    NurieError,
    QuotaError,
    RetryableError,
    ReusedKeyError,
    ScopeError,
    TooLargeError,
)
from common.jobs.ids import new_id
from common.logging import get_logger

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5

STATUSES: dict[type[NurieError], int] = {
    TooLargeError: 413,
    InputError: 400,
    AuthError: 401,
    ScopeError: 403,
    NotFoundError: 404,
    ConflictError: 409,
    ReusedKeyError: 422,
    QuotaError: 429,
    RetryableError: 503,
    NurieError: 500,
}
"""The first that fits, from top to bottom."""

HTTP_CODES = {
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    429: "rate_limited",
}


class Problem(BaseModel):
    """RFC 9457. `code` is stable; `detail` names what is wrong, where, and the limit."""

    model_config = ConfigDict(title="Problem")

    type: str = "about:blank"
    title: str = Field(examples=["Bad Request"])
    status: int = Field(examples=[400])
    code: str = Field(examples=["bad_image"])
    detail: str = Field(examples=["012.png: truncated or damaged"])
    instance: str = Field(examples=["/v1/jobs"])


def register_problems(app: Flask) -> None:
    app.register_error_handler(NurieError, _answer_nurie_error)
    app.register_error_handler(ValidationError, answer_validation_error)
    app.register_error_handler(HTTPException, _answer_http_error)
    app.register_error_handler(Exception, _answer_bug)


def problem_response(status: int, code: str, detail: str) -> Response:
    problem = Problem(title=HTTPStatus(status).phrase, status=status, code=code, detail=detail, instance=request.path)
    response = Response(problem.model_dump_json(), status=status, mimetype=MEDIA_TYPE)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def answer_validation_error(error: ValidationError) -> Response:
    return problem_response(400, InputError.code, describe_validation(error))


def describe_validation(error: ValidationError) -> str:
    """Where and what, without echoing what may be a long value."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, fault['loc'])) or 'body'}: {fault['msg']}" for fault in faults[:5])


def _answer_nurie_error(error: NurieError) -> Response:
    status = next(status for kind, status in STATUSES.items() if isinstance(error, kind))
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return _answer_bug(error)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        get_logger(__name__).warning("unavailable", code=error.code, exc_info=error)
        what = error.code.removesuffix("_unavailable")
        return problem_response(status, error.code, f"the {what} does not answer: try again later")
    response = problem_response(status, error.code, str(error))
    if isinstance(error, AuthError):
        response.headers["WWW-Authenticate"] = 'Bearer realm="nurie"'
    if isinstance(error, InFlightError):
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return describe_quota(response, error) if isinstance(error, QuotaError) else response


def _answer_http_error(error: HTTPException) -> Response | Any:
    if error.response is not None:  # an answer that some code aborted with
        return error.response
    status = error.code or 500
    code = HTTP_CODES.get(status, InputError.code if status < 500 else NurieError.code)
    response = problem_response(status, code, error.description or error.name)
    for name, value in error.get_headers():
        if name not in ("Content-Type", "Content-Length"):
            response.headers[name] = value  # such as Allow with 405
    return response


def _answer_bug(error: Exception) -> Response:
    trace_id = new_id()
    get_logger(__name__).error("a bug", trace_id=trace_id, exc_info=error)
    return problem_response(500, NurieError.code, f"internal error, trace id {trace_id}")
