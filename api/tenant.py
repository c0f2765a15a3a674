"""/v1/tenant: what the tenant may use, what it uses, and the secret that its deliveries are signed with."""

from flask import Response
from flask_openapi import APIBlueprint, Tag

from api.auth import get_principal
from api.context import get_context
from api.problems import Problem
from api.replies import json_reply
from api.schemas import TenantReply, UsageView, WebhookSecretReply

blueprint = APIBlueprint("tenant", __name__, abp_tags=[Tag(name="tenant", description="Limits, usage, secrets")])


@blueprint.get("/v1/tenant", summary="Limits and usage", responses={200: TenantReply, 503: Problem})
def get_tenant() -> Response:
    principal, context = get_principal(), get_context()
    usage = context.tenants.usage(principal.tenant_id)
    limits = principal.limits
    reply = TenantReply(
        id=principal.tenant_id,
        key=principal.key_id,
        scopes=sorted(principal.scopes),
        queued_pages=UsageView(used=usage.queued_pages, limit=limits.queued_pages),
        stored_bytes=UsageView(used=usage.stored_bytes, limit=limits.stored_bytes),
        requests_per_minute=limits.requests_per_minute,
    )
    return json_reply(reply)


@blueprint.get(
    "/v1/tenant/webhook-secret",
    summary="What deliveries are signed with",
    description="Needs the scope admin.",
    responses={200: WebhookSecretReply, 503: Problem},
)
def get_webhook_secret() -> Response:
    context = get_context()
    return json_reply(WebhookSecretReply(secret=context.tenants.webhook_secret(context.tenant_id)))


@blueprint.post(
    "/v1/tenant/webhook-secret",
    summary="Replace what deliveries are signed with",
    description="Holds for every try from now on. Needs the scope admin.",
    responses={200: WebhookSecretReply, 503: Problem},
)
def replace_webhook_secret() -> Response:
    context = get_context()
    return json_reply(WebhookSecretReply(secret=context.tenants.replace_webhook_secret(context.tenant_id)))
