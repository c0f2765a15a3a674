"""/v1/jobs/{id}/pages and /palette: a job's pages, their artifacts, and corrections."""

from flask import Response, redirect
from flask_openapi import APIBlueprint, Tag
from flask_openapi.types import ResponseDict
from pydantic import BaseModel
from werkzeug.wrappers import Response as BaseResponse

from api.bodies import read_json_body, read_model
from api.context import get_context
from api.correcting import keep_hints, recolour_job, set_hints
from api.polling import answer, page_retry_after_s
from api.problems import Problem
from api.replies import json_reply
from api.requests import (
    ArtifactPath,
    JobPath,
    PageListQuery,
    PagePath,
    PaletteRequest,
)
from api.schemas import PageListReply, PageReply, PaletteReply, RerunReply
from api.views import PUBLIC_ARTIFACTS, media_type_of, view_page
from common.errors import InputError, NotFoundError
from common.hints import Hints, parse_hints
from common.jobs.records import PageVersion
from common.jobs.store import page_params
from common.names import Artifact, Stage
from common.params import JobParams, parse_params

ERRORS: ResponseDict = {400: Problem, 404: Problem, 503: Problem}

blueprint = APIBlueprint("pages", __name__, abp_tags=[Tag(name="pages", description="Pages and their pictures")])


@blueprint.get("/v1/jobs/<job_id>/pages", summary="A job's pages", responses={200: PageListReply, **ERRORS})
def list_pages(path: JobPath, query: PageListQuery) -> Response:
    context = get_context()
    pages = context.jobs.list_pages(context.tenant_id, path.job_id, query.limit, query.cursor)
    following = pages[-1].number if len(pages) == query.limit else None
    return json_reply(PageListReply(pages=[view_page(page) for page in pages], next=following))


@blueprint.get(
    "/v1/jobs/<job_id>/pages/<int:number>",
    summary="A page",
    description="ETag and If-None-Match make polling cheap.",
    responses={200: PageReply, 304: None, **ERRORS},
)
def get_page(path: PagePath) -> Response:
    context = get_context()
    jobs, here = context.jobs, (context.tenant_id, path.job_id, path.number)

    def look() -> PageVersion:
        return jobs.page_version(*here)

    found = look()
    return answer(found, lambda: view_page(jobs.get_page(*here)), look, page_retry_after_s(found.status))


@blueprint.get(
    "/v1/jobs/<job_id>/pages/<int:number>/<artifact>",
    summary="A picture or file of a page",
    description=f"One of {', '.join(PUBLIC_ARTIFACTS)}; redirects to a signed URL.",
    responses={302: None, **ERRORS},
)
def get_artifact(path: ArtifactPath) -> BaseResponse:
    return _redirect_to(path, path.artifact)


@blueprint.get(
    "/v1/jobs/<job_id>/pages/<int:number>/hints",
    summary="A page's hints",
    description="Redirects to a signed URL of hints.json, as any artifact.",
    responses={302: None, **ERRORS},
)
def get_hints(path: PagePath) -> BaseResponse:
    return _redirect_to(path, Artifact.HINTS)


@blueprint.get(
    "/v1/jobs/<job_id>/pages/<int:number>/params",
    summary="A page's parameters",
    description="Its own where it was given others, else the job's.",
    responses={200: JobParams, **ERRORS},
)
def get_params(path: PagePath) -> Response:
    context = get_context()
    page = context.jobs.get_page(context.tenant_id, path.job_id, path.number)
    job = context.jobs.get_job(context.tenant_id, path.job_id).job
    return json_reply(page_params(job, page))


def _redirect_to(path: PagePath, artifact: str) -> BaseResponse:
    context = get_context()
    page = context.jobs.get_page(context.tenant_id, path.job_id, path.number)
    if artifact not in PUBLIC_ARTIFACTS:
        raise NotFoundError(f"no artifact {artifact[:50]!r}; there are {', '.join(PUBLIC_ARTIFACTS)}")
    entry = page.artifacts.get(artifact)
    if entry is None:
        raise NotFoundError(f"page {page.number} has no {artifact} yet: it is {page.status}")
    url = context.store.presign_get(
        entry["key"],
        expires_s=context.settings.url_lifetime_s,
        filename=f"{page.number:04d}-{entry['filename'].rsplit('/', 1)[-1]}",
        media_type=media_type_of(entry["filename"]),
    )
    return redirect(url, 302)


@blueprint.put(
    "/v1/jobs/<job_id>/pages/<int:number>/hints",
    summary="Correct a page's hints",
    description="The page runs again from s2p.",
    responses={202: RerunReply, 409: Problem, **ERRORS},
)
def put_hints(path: PagePath) -> Response:
    context = get_context()
    # Checked for its existence first, so that an unknown page is 404 whatever the body says.
    context.jobs.get_page(context.tenant_id, path.job_id, path.number)
    body = read_json_body()
    if not isinstance(body, dict):
        raise InputError("hints: send an object as hints.json is")
    hints = parse_hints(body, "hints")
    set_hints(context, path.job_id, {path.number: keep_hints(context, path.job_id, path.number, hints)})
    return json_reply(RerunReply(stage=Stage.S2P), 202)


@blueprint.patch(
    "/v1/jobs/<job_id>/pages/<int:number>/params",
    summary="Give one page other parameters",
    description="The page runs again from the first stage that the change touches.",
    responses={202: RerunReply, 409: Problem, **ERRORS},
)
def patch_params(path: PagePath) -> Response:
    context = get_context()
    page = context.jobs.get_page(context.tenant_id, path.job_id, path.number)
    job = context.jobs.get_job(context.tenant_id, path.job_id).job
    changes = read_json_body()
    if not isinstance(changes, dict):
        raise InputError("params: send an object of parameters to change")
    params = parse_params(page_params(job, page).model_dump() | changes)
    stage = context.jobs.set_params(context.tenant_id, path.job_id, path.number, params)
    context.wake_control()
    return json_reply(RerunReply(stage=stage), 202)


@blueprint.patch(
    "/v1/jobs/<job_id>/palette",
    summary="Correct colours of the palette on all pages",
    description="Every automatic dot whose `entry` is one of these colours of the `palette` gets its new colour; "
    "what was coloured by hand keeps its own. The pages that this changes, and no others, run again from s2p. "
    "The job must have ended.",
    responses={202: PaletteReply, 409: Problem, **ERRORS},
)
def patch_palette(path: JobPath) -> Response:
    context = get_context()
    context.jobs.get_job(context.tenant_id, path.job_id)  # an unknown job is 404 whatever the body says
    body = read_model(PaletteRequest)
    changed = recolour_job(context, path.job_id, {colour.old: colour.new for colour in body.colours})
    return json_reply(PaletteReply(pages=changed), 202)


BODY_MODELS: dict[str, type[BaseModel]] = {
    "put_hints": Hints,
    "patch_params": JobParams,
    "patch_palette": PaletteRequest,
}
"""Bodies that the routes read by themselves, for the OpenAPI document."""
