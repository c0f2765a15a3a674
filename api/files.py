"""/storage: the signed URLs of a local store. With S3 clients go straight to the bucket and nothing is here."""

from collections.abc import Iterator
from typing import BinaryIO

from flask import Blueprint, Response, request

from api.context import get_context
from api.incoming import CHUNK_BYTES, OCTETS
from api.problems import problem_response
from common.errors import InputError, NotFoundError
from storage.local import LocalStore
from storage.signing import SignatureError, content_disposition

blueprint = Blueprint("files", __name__)


@blueprint.errorhandler(SignatureError)
def refuse_signature(error: SignatureError) -> Response:
    return problem_response(403, "forbidden_url", str(error))


@blueprint.get("/storage/<path:key>")
def get_file(key: str) -> Response:
    store = _local_store()
    allowed = store.verify("GET", key, request.args)
    info = store.stat(key)
    if info is None:
        raise NotFoundError("this file is gone")
    stream = store.open(key)
    response = Response(_chunks(stream), content_type=allowed.media_type or OCTETS)
    response.call_on_close(stream.close)
    response.content_length = info.size
    if allowed.filename:
        response.headers["Content-Disposition"] = content_disposition(allowed.filename)
    # A signed URL's object never changes; what it shows belongs to one client.
    response.headers["Cache-Control"] = "private, max-age=3600"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


@blueprint.put("/storage/<path:key>")
def put_file(key: str) -> Response:
    store = _local_store()
    allowed = store.verify("PUT", key, request.args)
    if request.content_length is None:
        raise InputError("send a Content-Length")
    assert allowed.size is not None
    if request.content_length != allowed.size:
        raise InputError(f"{request.content_length} bytes were sent, {allowed.size} were announced")
    # Readable is all that is asked of the stream.
    store.receive(key, request.stream, allowed.size, allowed.sha256)  # type: ignore[arg-type]
    return Response(status=200)


def _local_store() -> LocalStore:
    store = get_context().store
    if not isinstance(store, LocalStore):
        raise NotFoundError("files are served by the bucket itself")
    return store


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK_BYTES):
        yield chunk
