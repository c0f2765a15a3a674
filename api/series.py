"""/v1/series: what the chapters of a work have in common. Made by POST /v1/jobs that names a series."""

from flask import Response
from flask_openapi import APIBlueprint, Tag
from flask_openapi.types import ResponseDict
from pydantic import BaseModel
from werkzeug.wrappers import Response as BaseResponse

from api.bodies import read_model
from api.context import get_context
from api.problems import Problem
from api.references import redirect_to_reference
from api.replies import json_reply
from api.requests import SeriesColoursRequest, SeriesListQuery, SeriesPath, SeriesReferencePath
from api.schemas import SeriesListReply, SeriesReply
from api.views import view_series
from storage import keys

ERRORS: ResponseDict = {400: Problem, 404: Problem, 503: Problem}

TAG = Tag(name="series", description="References and corrected colours that chapters have in common")

blueprint = APIBlueprint("series", __name__, abp_tags=[TAG])


@blueprint.get("/v1/series", summary="List own series, newest first", responses={200: SeriesListReply, **ERRORS})
def list_series(query: SeriesListQuery) -> Response:
    context = get_context()
    found = context.series.list_series(context.tenant_id, query.limit, query.cursor, query.name)
    following = found[-1].id if len(found) == query.limit else None
    return json_reply(SeriesListReply(series=[view_series(one) for one in found], next=following))


@blueprint.get("/v1/series/<series_id>", summary="A series", responses={200: SeriesReply, **ERRORS})
def get_series(path: SeriesPath) -> Response:
    context = get_context()
    return json_reply(view_series(context.series.get(context.tenant_id, path.series_id)))


@blueprint.patch(
    "/v1/series/<series_id>",
    summary="Replace a series' corrected colours",
    description="They hold for jobs that are submitted from now on; an empty list forgets all.",
    responses={200: SeriesReply, **ERRORS},
)
def patch_series(path: SeriesPath) -> Response:
    context = get_context()
    context.series.get(context.tenant_id, path.series_id)  # an unknown series is 404 whatever the body says
    body = read_model(SeriesColoursRequest)
    colours = {colour.old: colour.new for colour in body.colours}
    return json_reply(view_series(context.series.set_colours(context.tenant_id, path.series_id, colours)))


@blueprint.delete(
    "/v1/series/<series_id>",
    summary="Delete a series with its references",
    description="Its jobs stay, with copies of the references they were made with.",
    responses={204: None, **ERRORS},
)
def delete_series(path: SeriesPath) -> Response:
    context = get_context()
    context.series.delete(context.tenant_id, path.series_id)
    context.store.delete_prefix(keys.series_prefix(path.series_id))
    return Response(status=204)


@blueprint.get(
    "/v1/series/<series_id>/references/<int:index>",
    summary="A series' reference as it was sent",
    description="Redirects to a signed URL, as any artifact.",
    responses={302: None, **ERRORS},
)
def get_series_reference(path: SeriesReferencePath) -> BaseResponse:
    context = get_context()
    series = context.series.get(context.tenant_id, path.series_id)
    return redirect_to_reference(series.references, path.index, f"series {series.id}")


BODY_MODELS: dict[str, type[BaseModel]] = {"patch_series": SeriesColoursRequest}
"""Bodies that the routes read by themselves, for the OpenAPI document."""
