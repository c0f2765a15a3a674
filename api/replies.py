"""Answers in JSON, from the models that the OpenAPI document shows."""

from flask import Response
from pydantic import BaseModel


def json_reply(model: BaseModel, status: int = 200) -> Response:
    return Response(model.model_dump_json(), status=status, mimetype="application/json")
