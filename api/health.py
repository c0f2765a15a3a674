"""Is the process alive, and can it do its work?"""

from collections.abc import Callable

from flask import Response
from flask_openapi import APIBlueprint, Tag

from api.context import get_context
from api.replies import json_reply
from api.schemas import HealthReply, ReadyReply
from common.logging import get_logger

blueprint = APIBlueprint("health", __name__, abp_tags=[Tag(name="health", description="For operators")])


@blueprint.get("/healthz", summary="The process answers", responses={200: HealthReply})
def get_health() -> Response:
    return json_reply(HealthReply())


@blueprint.get("/readyz", summary="Database, storage and broker answer", responses={200: ReadyReply, 503: ReadyReply})
def get_readiness() -> Response:
    context = get_context()
    reply = ReadyReply(
        database=_try("database", context.database.check),
        storage=_try("storage", context.store.check),
        broker=_try("broker", context.broker.check),
    )
    ready = {reply.database, reply.storage, reply.broker} == {"ok"}
    return json_reply(reply, 200 if ready else 503)


def _try(what: str, check: Callable[[], None]) -> str:
    try:
        check()
    except Exception as error:  # noqa: BLE001  whatever it is, the answer is that this part is not ready
        get_logger(__name__).warning("not ready", part=what, reason=str(error))
        return "does not answer"
    return "ok"
