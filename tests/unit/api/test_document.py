"""The OpenAPI document says all that the API does, each with an example that holds."""

import json
from typing import Any

import pytest

from api.app import create_app, prepare
from api.context import EXTENSION
from api.examples import EXAMPLES, PROBLEMS
from api.problems import STATUSES
from tests.unit.api.conftest import on_sqlite


@pytest.fixture(params=["off", "keys"])
def document(request, settings) -> dict[str, Any]:
    mode = settings.model_copy(update={"auth": request.param})
    prepare(mode)
    app = create_app(mode)
    document = app.test_client().get("/openapi.json").json
    app.extensions[EXTENSION].database.close()
    return document


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


@on_sqlite
def test_every_operation_has_a_name_of_its_own_and_says_what_it_does(document):
    found = dict(operations(document))
    names = [operation["operationId"] for operation in found.values()]
    assert len(set(names)) == len(names) > 20
    assert all(operation["summary"] for operation in found.values())
    assert document["openapi"] == "3.1.0"


@on_sqlite
def test_every_body_and_every_answer_with_content_has_an_example(document):
    missing = []
    for name, operation in operations(document):
        bodies = {"request": operation.get("requestBody", {}), **operation["responses"]}
        for where, body in bodies.items():
            for media_type, content in body.get("content", {}).items():
                if not content.get("example"):
                    missing.append((name, where, media_type))
    assert missing == []


@pytest.mark.parametrize("model", EXAMPLES, ids=lambda model: model.__name__)
def test_every_example_is_one_of_its_model(model):
    shown = model.model_validate_json(json.dumps(EXAMPLES[model]), strict=True)
    assert shown.model_dump(mode="json", exclude_unset=True) == EXAMPLES[model]


def test_every_status_of_an_error_has_an_example():
    assert {*STATUSES.values(), 415} <= PROBLEMS.keys()


@on_sqlite
def test_errors_are_problems(document):
    for name, operation in operations(document):
        for status, answer in operation["responses"].items():
            if status >= "400" and operation["operationId"] != "get_readiness":
                (problem,) = answer["content"].values()
                assert list(answer["content"]) == ["application/problem+json"], (name, status)
                assert problem["example"]["status"] == int(status)


@on_sqlite
def test_every_parameter_is_described(document):
    for name, operation in operations(document):
        for parameter in operation.get("parameters", []):
            assert parameter.get("description"), (name, parameter["name"])


@on_sqlite
def test_what_needs_a_key_says_so(document):
    has_keys = "securitySchemes" in document["components"]
    for name, operation in operations(document):
        needs_key = has_keys and " /v1/" in name
        assert bool(operation.get("security")) == needs_key, name
        has_token = name == "GET /metrics"  # of its own, which is no API key
        assert ("401" in operation["responses"]) == (needs_key or has_token), name


@on_sqlite
def test_every_reference_leads_somewhere(document):
    def references(node):
        if isinstance(node, dict):
            if "$ref" in node:
                yield node["$ref"]
            node = list(node.values())
        if isinstance(node, list):
            for one in node:
                yield from references(one)

    found = set(references(document))
    assert found
    for reference in found:
        at = document
        for part in reference.removeprefix("#/").split("/"):
            at = at[part]


@on_sqlite
def test_a_job_leads_to_what_can_be_done_with_it(document):
    names = {operation["operationId"] for _, operation in operations(document)}
    links = document["paths"]["/v1/jobs"]["post"]["responses"]["202"]["links"]
    assert {"get_job", "cancel_job", "delete_job"} <= links.keys() <= names


@on_sqlite
def test_polling_and_repeating_are_described(document):
    job = document["paths"]["/v1/jobs/{job_id}"]["get"]
    assert "If-None-Match" in [parameter["name"] for parameter in job["parameters"]]
    assert {"ETag", "Retry-After"} <= job["responses"]["304"]["headers"].keys()
    for path in ("/v1/jobs", "/v1/uploads", "/v1/jobs/{job_id}/cancel", "/v1/jobs/{job_id}/retry"):
        post = document["paths"][path]["post"]
        assert "Idempotency-Key" in [parameter["name"] for parameter in post["parameters"]]
        assert {"409", "422"} <= post["responses"].keys()
        made = next(response for status, response in post["responses"].items() if status.startswith("2"))
        assert ("Idempotency-Replayed" in made.get("headers", {})) == (path != "/v1/uploads")
