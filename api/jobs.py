"""/v1/jobs: submit, follow, cancel, retry, delete, take home."""

from pathlib import PurePosixPath

from flask import Response, redirect
from flask_openapi import APIBlueprint, Tag
from flask_openapi.types import ResponseDict
from werkzeug.wrappers import Response as BaseResponse

from api.context import get_context
from api.evaluation import Evaluation, submit_evaluation
from api.idempotency import idempotent, is_repeated, resource_id
from api.intake import submit_job
from api.polling import answer, retry_after_s, wait_for_change
from api.problems import Problem, problem_response
from api.references import redirect_to_reference
from api.replies import json_reply
from api.requests import JobListQuery, JobPath, JobQuery, ReferencePath
from api.schemas import JobListReply, JobReply, QueueReply, RetryReply
from api.submissions import read_submission
from api.views import view_job
from common.errors import NotFoundError
from common.jobs.records import JobVersion
from common.names import FILE_TYPES, Artifact
from storage import keys

RETRY_AFTER_S = 2
ERRORS: ResponseDict = {400: Problem, 404: Problem, 503: Problem}

TAG = Tag(name="jobs", description="Chapters to colour, and results to score")

blueprint = APIBlueprint("jobs", __name__, abp_tags=[TAG])


@blueprint.post(
    "/v1/jobs",
    summary="Submit a chapter, or results to score",
    description="As multipart with files, or as JSON with upload ids. Answers 202 and where to look. "
    "Kind colorize takes pages or archive, references, truths, extras, params, series; "
    "kind evaluate takes real, output, references. Both take name, keep_days and callback_url.",
    responses={202: JobReply, 400: Problem, 413: Problem, 415: Problem, 503: Problem},
)
@idempotent
def create_job() -> Response:
    job_id = resource_id()
    if is_repeated() and get_context().jobs.has_job(job_id):
        return _accepted(job_id)
    get_context().broker.check()  # nobody would start it: better refused now, with when to come back
    submitted = read_submission()
    if submitted is None:
        return problem_response(415, "unsupported_media_type", "send multipart/form-data or application/json")
    context = get_context()
    if isinstance(submitted, Evaluation):
        submit_evaluation(context, submitted, job_id)
    else:
        submit_job(context, submitted, job_id)
    return _accepted(job_id)


def _accepted(job_id: str) -> Response:
    context = get_context()
    reply = view_job(context.jobs.get_job(context.tenant_id, job_id), context.settings.keep_days)
    response = json_reply(reply, 202)
    response.headers["Location"] = reply.links["self"]
    response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


@blueprint.get("/v1/jobs", summary="List own jobs, newest first", responses={200: JobListReply, **ERRORS})
def list_jobs(query: JobListQuery) -> Response:
    context = get_context()
    views = context.jobs.list_jobs(context.tenant_id, query.limit, query.cursor, query.status)
    following = views[-1].job.id if len(views) == query.limit else None
    shown = [view_job(view, context.settings.keep_days) for view in views]
    return json_reply(JobListReply(jobs=shown, next=following))


@blueprint.get(
    "/v1/jobs/<job_id>",
    summary="A job",
    description="ETag and If-None-Match make polling cheap; `wait` holds the answer until something changes.",
    responses={200: JobReply, 304: None, **ERRORS},
)
def get_job(path: JobPath, query: JobQuery) -> BaseResponse:
    context = get_context()
    jobs, tenant_id, job_id = context.jobs, context.tenant_id, path.job_id

    def look() -> JobVersion:
        return jobs.job_version(tenant_id, job_id)

    def view() -> JobReply:
        return view_job(jobs.get_job(tenant_id, job_id), context.settings.keep_days)

    found = wait_for_change(look, query.wait)
    return answer(found, view, look, retry_after_s(found))


@blueprint.post("/v1/jobs/<job_id>/cancel", summary="Cancel what has not ended", responses={200: JobReply, **ERRORS})
@idempotent
def cancel_job(path: JobPath) -> Response:
    context = get_context()
    context.jobs.cancel_job(context.tenant_id, path.job_id)
    view = context.jobs.get_job(context.tenant_id, path.job_id)
    return json_reply(view_job(view, context.settings.keep_days))


@blueprint.post(
    "/v1/jobs/<job_id>/retry", summary="Try again what failed", responses={202: RetryReply, 409: Problem, **ERRORS}
)
@idempotent
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


@blueprint.get(
    "/v1/jobs/<job_id>/queue",
    summary="How far down the queue a job is",
    description="An estimate by how long stages took within the last hour; worth asking every few seconds.",
    responses={200: QueueReply, **ERRORS},
)
def get_queue(path: JobPath) -> Response:
    context = get_context()
    job = context.jobs.get_job(context.tenant_id, path.job_id).job
    outlook = context.outlooks.find(job)
    estimate_s = None if outlook.seconds is None else round(outlook.seconds, 1)
    return json_reply(QueueReply(pages_ahead=outlook.pages_ahead, pages_left=outlook.pages_left, estimate_s=estimate_s))


@blueprint.get(
    "/v1/jobs/<job_id>/references/<int:index>",
    summary="A reference as it was sent",
    description="Redirects to a signed URL, as any artifact.",
    responses={302: None, **ERRORS},
)
def get_reference(path: ReferencePath) -> BaseResponse:
    context = get_context()
    references = context.jobs.get_job(context.tenant_id, path.job_id).job.references
    return redirect_to_reference(references, path.index, f"job {path.job_id}")


@blueprint.get("/v1/jobs/<job_id>/result", summary="The archive", responses={302: None, **ERRORS})
def get_result(path: JobPath) -> BaseResponse:
    context = get_context()
    job = context.jobs.get_job(context.tenant_id, path.job_id).job
    if job.result_key is None:
        raise NotFoundError(f"job {job.id} has no result yet: it is {job.status}")
    extension = PurePosixPath(job.result_key).suffix
    url = context.store.presign_get(
        job.result_key,
        expires_s=context.settings.url_lifetime_s,
        filename=f"{job.name or f'nurie-{job.id}'}{extension}",
        media_type="application/zip",
    )
    return redirect(url, 302)


@blueprint.get("/v1/jobs/<job_id>/metrics", summary="All figures, as JSON", responses={302: None, **ERRORS})
def get_metrics(path: JobPath) -> BaseResponse:
    return _redirect_to(path.job_id, Artifact.METRICS)


@blueprint.get("/v1/jobs/<job_id>/report", summary="The report, as HTML", responses={302: None, **ERRORS})
def get_report(path: JobPath) -> BaseResponse:
    return _redirect_to(path.job_id, Artifact.REPORT)


@blueprint.get("/v1/jobs/<job_id>/table", summary="Figures by picture, as CSV", responses={302: None, **ERRORS})
def get_table(path: JobPath) -> BaseResponse:
    return _redirect_to(path.job_id, Artifact.TABLE)


def _redirect_to(job_id: str, artifact: Artifact) -> BaseResponse:
    context = get_context()
    view = context.jobs.get_job(context.tenant_id, job_id)
    if view.whole_set is None:
        raise NotFoundError(f"job {job_id} has no {artifact}: it is not one whose pages are scored together")
    entry = view.whole_set.artifacts.get(artifact)
    if entry is None:
        state = f"the job is {view.job.status}, its scoring {view.whole_set.status}"
        raise NotFoundError(f"job {job_id} has no {artifact} yet: {state}")
    url = context.store.presign_get(
        entry["key"],
        expires_s=context.settings.url_lifetime_s,
        # A name makes it a download: a report must never run as a page of our own origin.
        filename=f"nurie-{job_id}-{entry['filename']}",
        media_type=FILE_TYPES[PurePosixPath(entry["filename"]).suffix],
    )
    return redirect(url, 302)
