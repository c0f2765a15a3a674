"""/v1/jobs: submit, follow, cancel, retry, delete, take home."""

import hashlib
import json
import time
from typing import Any

from flask import Response, redirect, request
from flask_openapi import APIBlueprint, Tag
from flask_openapi.types import ResponseDict
from werkzeug.wrappers import Response as BaseResponse

from api.context import get_context
from api.incoming import IncomingFile, SentFile, UploadedFile, safe_name
from api.intake import Submission, submit_job
from api.problems import Problem, parse_json_body, problem_response
from api.replies import json_reply
from api.schemas import JobListQuery, JobListReply, JobPath, JobQuery, JobReply, JobRequest, RetryReply
from api.views import view_job
from common.errors import InputError, NotFoundError
from common.jobs.states import JOB_ENDED
from common.params import JobParams
from storage import keys

RETRY_AFTER_S = 2
WAIT_STEP_S = 0.25
FILE_FIELDS = ("pages", "archive", "references", "truths")
TEXT_FIELDS = ("kind", "params")

ERRORS: ResponseDict = {400: Problem, 404: Problem, 503: Problem}

blueprint = APIBlueprint("jobs", __name__, abp_tags=[Tag(name="jobs", description="Chapters to colour")])

MULTIPART_SCHEMA = {
    "type": "object",
    "required": ["references"],
    "properties": {
        "kind": {"type": "string", "enum": ["colorize"], "default": "colorize"},
        "pages": {"type": "array", "items": {"type": "string", "format": "binary"}},
        "archive": {"type": "string", "format": "binary", "description": "ZIP or CBZ, instead of pages"},
        "references": {"type": "array", "items": {"type": "string", "format": "binary"}},
        "truths": {"type": "array", "items": {"type": "string", "format": "binary"}},
        "params": {"type": "string", "contentMediaType": "application/json", "description": "JobParams as JSON"},
    },
}


@blueprint.post(
    "/v1/jobs",
    summary="Submit a chapter",
    description="As multipart with files, or as JSON with upload ids. Answers 202 and where to look.",
    responses={202: JobReply, 400: Problem, 413: Problem, 415: Problem, 503: Problem},
)
def create_job() -> Response:
    if request.mimetype == "multipart/form-data":
        submission = _read_multipart()
    elif request.mimetype == "application/json":
        submission = _read_json()
    else:
        return problem_response(415, "unsupported_media_type", "send multipart/form-data or application/json")
    context = get_context()
    job_id = submit_job(context, submission)
    reply = view_job(context.jobs.get_job(context.tenant_id, job_id))
    response = json_reply(reply, 202)
    response.headers["Location"] = reply.links["self"]
    response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


@blueprint.get("/v1/jobs", summary="List own jobs, newest first", responses={200: JobListReply, **ERRORS})
def list_jobs(query: JobListQuery) -> Response:
    context = get_context()
    views = context.jobs.list_jobs(context.tenant_id, query.limit, query.cursor, query.status)
    following = views[-1].job.id if len(views) == query.limit else None
    return json_reply(JobListReply(jobs=[view_job(view) for view in views], next=following))


@blueprint.get(
    "/v1/jobs/<job_id>",
    summary="A job",
    description="ETag and If-None-Match make polling cheap; `wait` holds the answer until something changes.",
    responses={200: JobReply, 304: None, **ERRORS},
)
def get_job(path: JobPath, query: JobQuery) -> BaseResponse:
    context = get_context()
    deadline = time.monotonic() + query.wait
    first = None
    while True:
        view = context.jobs.get_job(context.tenant_id, path.job_id)
        response = json_reply(view_job(view))
        etag = hashlib.sha256(response.get_data()).hexdigest()[:32]
        first = first or etag
        ended = view.job.status in JOB_ENDED
        changed = etag != first or bool(request.if_none_match and etag not in request.if_none_match)
        if ended or changed or time.monotonic() >= deadline:
            break
        time.sleep(WAIT_STEP_S)
    if not ended:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    response.set_etag(etag)
    return response.make_conditional(request)


@blueprint.post("/v1/jobs/<job_id>/cancel", summary="Cancel what has not ended", responses={200: JobReply, **ERRORS})
def cancel_job(path: JobPath) -> Response:
    context = get_context()
    context.jobs.cancel_job(context.tenant_id, path.job_id)
    return json_reply(view_job(context.jobs.get_job(context.tenant_id, path.job_id)))


@blueprint.post(
    "/v1/jobs/<job_id>/retry", summary="Try the failed pages again", responses={202: RetryReply, 409: Problem, **ERRORS}
)
def retry_job(path: JobPath) -> Response:
    context = get_context()
    count = context.jobs.retry_job(context.tenant_id, path.job_id)
    context.wake_control()
    return json_reply(RetryReply(retried=count), 202)


@blueprint.delete(
    "/v1/jobs/<job_id>", summary="Delete an ended job and its files", responses={204: None, 409: Problem, **ERRORS}
)
def delete_job(path: JobPath) -> Response:
    context = get_context()
    context.jobs.delete_job(context.tenant_id, path.job_id)
    context.store.delete_prefix(keys.job_prefix(path.job_id))
    return Response(status=204)


@blueprint.get("/v1/jobs/<job_id>/result", summary="The archive", responses={302: None, **ERRORS})
def get_result(path: JobPath) -> BaseResponse:
    context = get_context()
    job = context.jobs.get_job(context.tenant_id, path.job_id).job
    if job.result_key is None:
        raise NotFoundError(f"job {job.id} has no result yet: it is {job.status}")
    extension = job.params["archive"]
    url = context.store.presign_get(
        job.result_key,
        expires_s=context.settings.url_lifetime_s,
        filename=f"nurie-{job.id}.{extension}",
        media_type="application/zip",
    )
    return redirect(url, 302)


def request_body() -> dict[str, Any]:
    """The OpenAPI request body of POST /v1/jobs, which the framework cannot derive from two media types."""
    json_schema = JobRequest.model_json_schema()
    json_schema["properties"]["params"] = {"$ref": f"#/components/schemas/{JobParams.__name__}"}
    return {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": MULTIPART_SCHEMA},
            "application/json": {"schema": json_schema},
        },
    }


def _read_multipart() -> Submission:
    for name in (*request.form, *request.files):
        if name not in (*FILE_FIELDS, *TEXT_FIELDS):
            raise InputError(f"unknown field {name[:100]!r}; known are {', '.join((*FILE_FIELDS, *TEXT_FIELDS))}")
    for name in FILE_FIELDS:
        if name in request.form:
            raise InputError(f"{name}: send files, with a file name each")
    if request.form.get("kind", "colorize") != "colorize":
        raise InputError("kind: only colorize is known")
    archives = _sent("archive")
    if len(archives) > 1:
        raise InputError("archive: send one")
    try:
        params = json.loads(request.form.get("params") or "{}")
    except (ValueError, RecursionError) as error:
        raise InputError(f"params is not valid JSON: {error}") from None
    return Submission(_sent("pages"), archives[0] if archives else None, _sent("references"), _sent("truths"), params)


def _sent(field: str) -> list[IncomingFile]:
    files = request.files.getlist(field)
    return [SentFile(safe_name(file.filename, f"{field}-{index}"), file) for index, file in enumerate(files, 1)]


def _read_json() -> Submission:
    body = JobRequest.model_validate(parse_json_body(request.get_data()))
    archive = _uploaded([body.archive])[0] if body.archive else None
    return Submission(_uploaded(body.pages), archive, _uploaded(body.references), _uploaded(body.truths), body.params)


def _uploaded(upload_ids: list[str]) -> list[IncomingFile]:
    context = get_context()
    try:
        uploads = [context.jobs.get_upload(context.tenant_id, upload_id) for upload_id in upload_ids]
    except NotFoundError as error:
        raise InputError(str(error)) from None
    return [UploadedFile(upload.filename, upload, context.store) for upload in uploads]
