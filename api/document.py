"""The OpenAPI document: what the framework makes of routes and models, completed with what it cannot know.

Headers, problems that any route may answer, examples, links between operations, and the key that is asked for.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final

from flask import Response
from flask_openapi import OpenAPI
from pydantic import BaseModel

from api import pages, requests, series, submissions
from api.examples import EVENTS, EXAMPLES, METRICS, problem_example
from api.problems import MEDIA_TYPE, Problem
from api.views import PUBLIC_ARTIFACTS
from common.params import JobParams

Node = dict[str, Any]

OPENAPI: Final = "3.1.0"
KEY: Final = "apiKey"
PROTECTED: Final = "/v1/"
BODY_MODELS: Final[dict[str, type[BaseModel]]] = {
    "create_upload": requests.UploadRequest,
    **pages.BODY_MODELS,
    **series.BODY_MODELS,
}
"""JSON bodies that the routes read by themselves; that of `create_job` comes beside a form."""
EVENT: Final[Node] = {
    "type": "object",
    "description": "Each event: its id is for Last-Event-ID; data is a JobReply or a PageReply as JSON.",
    "properties": {"id": {"type": "string"}, "event": {"enum": ["job", "page"]}, "data": {"type": "string"}},
}
IDEMPOTENT: Final = ("create_job", "create_upload", "cancel_job", "retry_job")
TAGGED: Final = ("get_job", "get_page")
"""What has an ETag."""
ID: Final = "$response.body#/id"
LINKS: Final[dict[str, tuple[str, ...]]] = {
    "create_job": ("get_job", "list_pages", "cancel_job", "retry_job", "delete_job", "get_events", "list_deliveries"),
}
"""Operations that the answer's id leads to."""

HEADERS: Final[dict[str, Node]] = {
    "ETag": {"description": "Names this very state.", "schema": {"type": "string"}, "example": '"9f86d081884c7d65"'},
    "Location": {"description": "Where to look.", "schema": {"type": "string"}, "example": "/v1/jobs/019ab3…"},
    "Retry-After": {"description": "When to ask again, in seconds.", "schema": {"type": "integer"}, "example": 2},
    "RateLimit": {
        "description": "What is left of a limit.",
        "schema": {"type": "string"},
        "example": '"requests";r=599;t=42',
    },
    "RateLimit-Policy": {"description": "The limit.", "schema": {"type": "string"}, "example": '"requests";q=600;w=60'},
    "WWW-Authenticate": {
        "description": "How to show a key.",
        "schema": {"type": "string"},
        "example": 'Bearer realm="nurie"',
    },
    "Idempotency-Replayed": {"description": "An earlier answer.", "schema": {"type": "string"}, "example": "true"},
}
STATUS_HEADERS: Final[dict[int, tuple[str, ...]]] = {
    202: ("Retry-After",),
    302: ("Location",),
    401: ("WWW-Authenticate",),
    429: ("Retry-After", "RateLimit", "RateLimit-Policy"),
    503: ("Retry-After",),
}
REQUEST_HEADERS: Final[dict[str, Node]] = {
    "Idempotency-Key": {
        "description": "The same request under the same key is answered once.",
        "schema": {"type": "string", "pattern": '^"?[!#-~]{1,255}"?$'},
        "example": "chapter-01",
    },
    "If-None-Match": {
        "description": "The ETag that the client has; 304 while it holds.",
        "schema": {"type": "string"},
        "example": '"9f86d081884c7d65"',
    },
    "Last-Event-ID": {
        "description": "The last event that the client saw.",
        "schema": {"type": "string"},
        "example": "1795762847000000-9f86d081884c7d65",
    },
}
PARAMETERS: Final[dict[str, Node]] = {
    "job_id": {"description": "The job.", "example": "019ab3c7d2e40123456789abcdef0123"},
    "series_id": {"description": "The series.", "example": "019ab3c7d2e40123456789abcdef2468"},
    "name": {"description": "Only the series of this very name.", "example": "Night Scans"},
    "upload_id": {"description": "The upload.", "example": "019ab3c7c0f10123456789abcdef4567"},
    "index": {"description": "Which of the references, from 1.", "example": 1},
    "number": {"description": "The page, from 1.", "example": 1},
    "artifact": {"description": "What of the page.", "example": "final"},
    "limit": {"description": "How many at most."},
    "cursor": {"description": "`next` of the answer before."},
    "status": {"description": "Only jobs in this state."},
}


_BY_NAME: Final = {model.__name__: example for model, example in EXAMPLES.items()}


def register_document(app: OpenAPI, *, needs_key: bool) -> None:
    """Serve the document at /openapi.json; after all routes are there."""
    document = app.api_doc
    _complete_components(document)
    names = {
        (_path(rule.rule), method.lower()): rule.endpoint
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
    }
    for path, method, operation in _operations(document):
        operation["operationId"] = names[path, method].rpartition(".")[2]
        _complete(operation, path, needs_key=needs_key)
    if needs_key:
        document["components"]["securitySchemes"] = {
            KEY: {"type": "http", "scheme": "bearer", "description": "An API key: nurie_…"}
        }
    text = app.json.dumps(document)

    @app.route("/openapi.json")
    def get_document() -> Response:
        return Response(text, mimetype="application/json")


def _operations(document: Node) -> Iterator[tuple[str, str, Node]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _path(rule: str) -> str:
    """As the document spells it: without converters."""
    return "".join("{" + part.rpartition(":")[2] + "}" if odd % 2 else part for odd, part in enumerate(_split(rule)))


def _split(rule: str) -> list[str]:
    return rule.replace(">", "<").split("<")


def _complete_components(document: Node) -> None:
    components = document["components"]["schemas"]
    components.pop("ValidationErrorModel", None)  # of the framework; ours are problems
    models: list[type[BaseModel]] = [JobParams, *BODY_MODELS.values()]
    for model in models:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        components |= schema.pop("$defs", {})
        components[model.__name__] = schema


def _complete(operation: Node, path: str, *, needs_key: bool) -> None:
    name = operation["operationId"]
    is_protected = path.startswith(PROTECTED)
    operation.pop("deprecated", None)
    for parameter in operation.get("parameters", []):
        parameter.update(PARAMETERS.get(parameter["name"], {}))
        if parameter["name"] == "artifact":
            parameter["schema"]["enum"] = list(PUBLIC_ARTIFACTS)
    if name == "create_job":
        operation["requestBody"] = submissions.request_body(EXAMPLES[requests.JobRequest])
    elif name in BODY_MODELS:
        content = _content(BODY_MODELS[name])
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    for header in _request_headers(name):
        operation.setdefault("parameters", []).append({"name": header, "in": "header"} | REQUEST_HEADERS[header])
    if is_protected and needs_key:
        operation["security"] = [{KEY: []}]
    # The framework's own word for 400; a route that can answer so says it.
    responses = {status: response for status, response in operation["responses"].items() if not _is_foreign(response)}
    for status in _common(name, is_protected=is_protected, needs_key=needs_key, has_body="requestBody" in operation):
        responses.setdefault(str(status.value), {"description": status.phrase})
    operation["responses"] = {status: responses[status] for status in sorted(responses)}
    for status, response in operation["responses"].items():
        _complete_response(response, int(status), path, name, needs_key=needs_key and is_protected)


def _request_headers(name: str) -> Iterator[str]:
    if name in IDEMPOTENT:
        yield "Idempotency-Key"
    if name in TAGGED:
        yield "If-None-Match"
    if name == "get_events":
        yield "Last-Event-ID"


def _common(name: str, *, is_protected: bool, needs_key: bool, has_body: bool) -> Iterator[HTTPStatus]:
    """What the house answers, whatever the route is."""
    yield HTTPStatus.INTERNAL_SERVER_ERROR
    if not needs_key:
        yield HTTPStatus.FORBIDDEN  # another Host or Origin
    elif is_protected:
        yield from (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS)
    if has_body:
        yield from (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    if name in IDEMPOTENT:
        yield from (HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY)


def _complete_response(response: Node, status: int, path: str, name: str, *, needs_key: bool) -> None:
    if _is_problem(response) or (status >= HTTPStatus.BAD_REQUEST and "content" not in response):
        problem = {"schema": _reference(Problem), "example": problem_example(status, HTTPStatus(status).phrase, path)}
        response["content"] = {MEDIA_TYPE: problem}
    elif name == "get_events" and status == HTTPStatus.OK:
        response["content"] = {"text/event-stream": {"schema": EVENT, "example": EVENTS}}
    elif path == "/metrics" and status == HTTPStatus.OK:
        response["content"] = {"text/plain": {"schema": {"type": "string"}, "example": METRICS}}
    for content in response.get("content", {}).values():
        model = content["schema"].get("$ref", "").rpartition("/")[2]
        if model in _BY_NAME:
            content["example"] = _BY_NAME[model]
    headers = list(STATUS_HEADERS.get(status, ()))
    if name in TAGGED and status in (HTTPStatus.OK, HTTPStatus.NOT_MODIFIED):
        headers += ["ETag", "Retry-After"]
    if name in LINKS and status < HTTPStatus.MULTIPLE_CHOICES:
        headers.append("Location")
        response["links"] = {target: {"operationId": target, "parameters": {"job_id": ID}} for target in LINKS[name]}
    if name in IDEMPOTENT and name != "create_upload" and status < HTTPStatus.MULTIPLE_CHOICES:  # that answers anew
        headers.append("Idempotency-Replayed")
    if needs_key and status < HTTPStatus.BAD_REQUEST:
        headers += ["RateLimit", "RateLimit-Policy"]
    if headers:
        response["headers"] = {header: HEADERS[header] for header in headers}


def _is_foreign(response: Node) -> bool:
    return "ValidationErrorModel" in str(response)


def _is_problem(response: Node) -> bool:
    return any(content["schema"] == _reference(Problem) for content in response.get("content", {}).values())


def _content(model: type[BaseModel]) -> Node:
    return {"schema": _reference(model), "example": EXAMPLES[model]}


def _reference(model: type[BaseModel]) -> Node:
    return {"$ref": f"#/components/schemas/{model.__name__}"}
