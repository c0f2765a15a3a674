"""`Idempotency-Key` on POST: a client that lost an answer may send the same request again, and nothing is made twice.

What is the same request is decided by what was sent, not by how: the parts of a multipart body count, their boundary
does not. Only what succeeded is kept; who was refused may mend the request and use the key again.
"""

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from http import HTTPStatus
from typing import ParamSpec

from flask import Response, g, request

from api.bodies import read_form
from api.context import Context, get_context
from api.incoming import CHUNK_BYTES
from common.errors import DatabaseError, InputError, NurieError
from common.jobs.idempotency import LOCKED_S, Answer
from common.jobs.ids import new_id
from common.logging import get_logger

Given = ParamSpec("Given")

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
RENEW_S = LOCKED_S / 3
KEPT_HEADERS = ("Content-Type", "Location", "Retry-After")
_KEY = re.compile(r'"?(?P<key>[\x21\x23-\x7e]{1,255})"?')


def idempotent(view: Callable[Given, Response]) -> Callable[Given, Response]:
    """Have a POST answered once for each key; without the header nothing is changed.

    Raises:
        InputError: the header is no key: 1 to 255 visible ASCII characters.
        ReusedKeyError, InFlightError: see `IdempotencyStore.begin`.
    """
    return _once(view, keeps_answer=True)


def makes_once(view: Callable[Given, Response]) -> Callable[Given, Response]:
    """As `idempotent`, for answers that grow old: what is made is made once, and each request is answered anew."""
    return _once(view, keeps_answer=False)


def _once(view: Callable[Given, Response], *, keeps_answer: bool) -> Callable[Given, Response]:
    @wraps(view)
    def answer_once(*args: Given.args, **kwargs: Given.kwargs) -> Response:
        given = request.headers.get(HEADER)
        if given is None:
            return view(*args, **kwargs)
        match = _KEY.fullmatch(given)
        if match is None:
            raise InputError(f"{HEADER}: send 1 to 255 visible ASCII characters, such as a UUID")
        context, key = get_context(), match["key"]
        tenant_id = context.tenant_id
        begun = context.idempotency.begin(tenant_id, key, _fingerprint())
        if isinstance(begun, Answer):
            response = Response(begun.body, begun.status, begun.headers)
            response.headers[REPLAYED] = "true"
            return response
        g.reservation = begun
        try:
            with _held(context, tenant_id, key):
                response = view(*args, **kwargs)
        except DatabaseError:
            _attempt(lambda: context.idempotency.unlock(tenant_id, key))  # it may have been made all the same
            raise
        except Exception:
            _attempt(lambda: context.idempotency.release(tenant_id, key))
            raise
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            context.idempotency.release(tenant_id, key)
            return response
        if not keeps_answer:
            _attempt(lambda: context.idempotency.unlock(tenant_id, key))
            return response
        headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
        answer = Answer(response.status_code, headers, response.get_data(as_text=True))
        # Where it cannot be kept the client has its answer all the same; a repeated request finds what this one made.
        _attempt(lambda: context.idempotency.finish(tenant_id, key, answer))
        return response

    return answer_once


@contextmanager
def _held(context: Context, tenant_id: str, key: str) -> Iterator[None]:
    """Say again and again that a request is worked on, however long that takes: a large chapter takes minutes."""
    done = threading.Event()

    def renew() -> None:
        while not done.wait(RENEW_S):
            _attempt(lambda: context.idempotency.renew(tenant_id, key))

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()  # so that no renewal comes after what was decided


def resource_id() -> str:
    """The id for what this request makes: reserved under its key, or a new one."""
    reservation = g.get("reservation")
    return reservation.resource_id if reservation else new_id()


def is_repeated() -> bool:
    """Whether an earlier try of this request may have made its resource already."""
    return "reservation" in g and g.reservation.is_repeated


def _attempt(call: Callable[[], None]) -> None:
    """What is not kept now is found out by whoever repeats the request; the answer to this one stands."""
    try:
        call()
    except NurieError:
        get_logger(__name__).warning("the state of an idempotency key could not be kept", exc_info=True)


def _fingerprint() -> str:
    """SHA-256 (hex) of the request: method, path, and what was sent."""
    digest = hashlib.sha256()
    for part in _parts():
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


def _parts() -> Iterator[bytes]:
    yield f"{request.method} {request.full_path}".encode()
    if request.mimetype != "multipart/form-data":
        yield request.get_data()
        return
    form, sent = read_form()
    for name, values in sorted(form.lists()):
        yield json.dumps([name, values]).encode()
    for name, files in sorted(sent.lists()):
        for file in files:
            yield json.dumps([name, file.filename]).encode()
            while chunk := file.stream.read(CHUNK_BYTES):
                yield chunk
            file.stream.seek(0)
