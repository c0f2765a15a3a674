"""/v1/uploads: announce a file, then send its bytes straight to storage."""

import time

from flask import Response
from flask_openapi import APIBlueprint, Tag

from api.bodies import read_model
from api.context import get_context
from api.idempotency import idempotent, is_repeated, resource_id
from api.incoming import OCTETS, safe_name
from api.problems import Problem
from api.replies import json_reply
from api.schemas import UploadPath, UploadReply, UploadRequest, UploadView
from api.views import iso_time
from common.errors import TooLargeError
from common.jobs.models import Upload
from storage import keys

blueprint = APIBlueprint("uploads", __name__, abp_tags=[Tag(name="uploads", description="Files sent ahead of a job")])


@blueprint.post(
    "/v1/uploads",
    summary="Announce a file",
    description="Answers where and how to PUT its bytes; name its id in POST /v1/jobs afterwards.",
    responses={201: UploadReply, 400: Problem, 413: Problem, 503: Problem},
)
@idempotent
def create_upload() -> Response:
    context = get_context()
    body = read_model(UploadRequest)
    if body.size > context.settings.max_request_bytes:
        raise TooLargeError(
            f"{body.filename}: {body.size} bytes is over the limit of {context.settings.max_request_bytes} bytes"
        )
    upload_id = resource_id()
    key = keys.upload(context.tenant_id, upload_id)
    presigned = context.store.presign_put(
        key, size=body.size, media_type=OCTETS, expires_s=context.settings.url_lifetime_s, sha256=body.sha256
    )
    upload = Upload(
        id=upload_id,
        tenant_id=context.tenant_id,
        filename=safe_name(body.filename, "upload"),
        size=body.size,
        sha256=body.sha256,
        storage_key=key,
        created_at=time.time(),
    )
    if not (is_repeated() and context.jobs.has_upload(upload_id)):
        context.jobs.add_upload(upload, context.limits)
    reply = UploadReply(
        id=upload_id,
        url=presigned.url,
        headers=presigned.headers,
        expires_at=iso_time(presigned.expires_at.timestamp()),
    )
    return json_reply(reply, 201)


@blueprint.get(
    "/v1/uploads/<upload_id>",
    summary="Whether a file has arrived",
    description="For who lost the answer to a PUT: what has arrived need not be sent again.",
    responses={200: UploadView, 404: Problem, 503: Problem},
)
def get_upload(path: UploadPath) -> Response:
    context = get_context()
    upload = context.jobs.get_upload(context.tenant_id, path.upload_id)
    info = context.store.stat(upload.storage_key)
    received = info is not None and info.size == upload.size
    view = UploadView(id=upload.id, filename=upload.filename, size=upload.size, sha256=upload.sha256, received=received)
    return json_reply(view)
