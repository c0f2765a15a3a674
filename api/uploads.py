"""/v1/uploads: announce a file, then send its bytes straight to storage, unless they are there already."""

import time

from flask import Response
from flask_openapi import APIBlueprint, Tag

from api.bodies import read_model
from api.context import Context, get_context
from api.idempotency import makes_once, resource_id
from api.incoming import OCTETS, UploadedFile, safe_name
from api.problems import Problem
from api.replies import json_reply
from api.requests import UploadPath, UploadRequest
from api.schemas import UploadReply, UploadView
from api.views import iso_time
from common.errors import InputError, NotFoundError, TooLargeError
from common.jobs.models import Upload
from common.jobs.uploads import Announced
from storage import keys

blueprint = APIBlueprint("uploads", __name__, abp_tags=[Tag(name="uploads", description="Files sent ahead of a job")])


@blueprint.post(
    "/v1/uploads",
    summary="Announce a file",
    description="Answers where and how to PUT its bytes; name its id in POST /v1/jobs afterwards. A file with a sha256 "
    "that was announced before, under the same name, is the same upload (200), and kept anew. `received` says whether "
    "its bytes are there already, sent under whatever name.",
    responses={200: UploadReply, 201: UploadReply, 400: Problem, 413: Problem, 503: Problem},
)
@makes_once
def create_upload() -> Response:
    context = get_context()
    body = read_model(UploadRequest)
    if body.size > context.settings.max_request_bytes:
        raise TooLargeError(
            f"{body.filename}: {body.size} bytes is over the limit of {context.settings.max_request_bytes} bytes"
        )
    upload_id = resource_id()
    announced = _announce(context, body, upload_id)
    upload = announced.upload
    received = (
        (not announced.is_new and _is_received(context, upload))
        or _fill_from_twin(context, announced)
        or _fill_from_series(context, upload)
    )
    presigned = context.store.presign_put(
        upload.storage_key,
        size=upload.size,
        media_type=OCTETS,
        expires_s=context.settings.url_lifetime_s,
        sha256=upload.sha256,
    )
    reply = UploadReply(
        id=upload.id,
        url=presigned.url,
        headers=presigned.headers,
        expires_at=iso_time(presigned.expires_at.timestamp()),
        received=received,
    )
    return json_reply(reply, 201 if upload.id == upload_id else 200)


@blueprint.get(
    "/v1/uploads/<upload_id>",
    summary="Whether a file has arrived",
    description="For who lost the answer to a PUT: what has arrived need not be sent again.",
    responses={200: UploadView, 404: Problem, 503: Problem},
)
def get_upload(path: UploadPath) -> Response:
    context = get_context()
    upload = context.uploads.get(context.tenant_id, path.upload_id)
    received = _is_received(context, upload)
    view = UploadView(id=upload.id, filename=upload.filename, size=upload.size, sha256=upload.sha256, received=received)
    return json_reply(view)


def _announce(context: Context, body: UploadRequest, upload_id: str) -> Announced:
    new = Upload(
        id=upload_id,
        tenant_id=context.tenant_id,
        filename=safe_name(body.filename, "upload"),
        size=body.size,
        sha256=body.sha256,
        storage_key=keys.upload(context.tenant_id, upload_id),
        created_at=time.time(),
    )
    return context.uploads.announce(new, context.limits, keep_s=context.settings.upload_keep_hours * 3600)


def _is_received(context: Context, upload: Upload) -> bool:
    info = context.store.stat(upload.storage_key)
    return info is not None and info.size == upload.size


def _fill_from_twin(context: Context, announced: Announced) -> bool:
    """Copy an upload's bytes from one of another name that has them; whether there is such a one."""
    for twin in announced.twins:
        if not _is_received(context, twin):
            continue
        try:
            # Not every store checks what it is sent: wrong bytes must not go from one upload to the next.
            UploadedFile(twin.filename, twin, context.store).check()
            context.store.copy(twin.storage_key, announced.upload.storage_key)
        except (InputError, NotFoundError):
            continue  # they were wrong, and are deleted now; or the sweep came first
        return True
    return False


def _fill_from_series(context: Context, upload: Upload) -> bool:
    """Copy an upload's bytes from a series' reference, which is kept for longer; whether there is one."""
    if upload.sha256 is None:
        return False
    key = context.series.find_reference(context.tenant_id, upload.sha256, upload.size)
    if key is None:
        return False
    try:
        context.store.copy(key, upload.storage_key)
    except NotFoundError:
        return False  # the series has other references since
    return True
