"""/v1/jobs/{id}/deliveries: what became of the news that a job's callback URL was sent."""

from flask import Response
from flask_openapi import APIBlueprint, Tag

from api.context import get_context
from api.problems import Problem
from api.replies import json_reply
from api.requests import JobPath
from api.schemas import DeliveryListReply
from api.views import view_delivery

MOST = 100
"""A job has one for each time that it ended: more than these nobody reads."""

blueprint = APIBlueprint("deliveries", __name__, abp_tags=[Tag(name="jobs", description="Chapters to colour")])


@blueprint.get(
    "/v1/jobs/<job_id>/deliveries",
    summary="What its callback URL was sent",
    description=f"One for each time that the job ended, the latest {MOST}, with every try.",
    responses={200: DeliveryListReply, 404: Problem, 503: Problem},
)
def list_deliveries(path: JobPath) -> Response:
    context = get_context()
    found = context.deliveries.list_deliveries(context.tenant_id, path.job_id, MOST)
    return json_reply(DeliveryListReply(deliveries=[view_delivery(delivery) for delivery in found]))
