"""Headers that keep browsers from doing with our answers what they are not for, and CORS for chosen origins."""

from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from flask import Flask, Response, request

from common.settings import Settings

NOTHING: Final = "default-src 'none'; frame-ancestors 'none'"
"""The policy of what is no page: it may load, run and be framed by nothing."""
KEPT_BY_ASKER: Final = "private, no-cache"
YEAR_S: Final = 31_536_000
METHODS: Final = "GET, POST, PUT, PATCH, DELETE"
ASKED: Final = "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID"
EXPOSED: Final = ", ".join(
    (
        *("ETag", "Location", "Retry-After", "RateLimit", "RateLimit-Policy"),
        *("Idempotency-Replayed", "Content-Disposition", "WWW-Authenticate"),
    )
)
PREFLIGHT_S: Final = 600


def register_headers(app: Flask, settings: Settings) -> None:
    """Put them on every answer, errors too."""
    public = urlsplit(settings.base_url)

    @app.after_request
    def protect(response: Response) -> Response:
        headers = response.headers
        if response.status_code == HTTPStatus.NOT_MODIFIED:  # what it stands for came with all of them
            headers["Cache-Control"] = KEPT_BY_ASKER
            return response
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("Content-Security-Policy", NOTHING)
        headers.setdefault("X-Frame-Options", "DENY")
        headers.setdefault("Referrer-Policy", "no-referrer")
        headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        if request.path.startswith("/v1/"):
            # What has an ETag may be kept by who asked, who asks whether it holds each time all the same.
            headers.setdefault("Cache-Control", KEPT_BY_ASKER if "ETag" in headers else "no-store")
        if public.scheme == "https":
            headers.setdefault("Strict-Transport-Security", f"max-age={YEAR_S}")
        return response


def register_cors(app: Flask, settings: Settings) -> None:
    """Let pages of these origins, and of no other, use the API with a key of their own: there are no cookies."""
    allowed = frozenset(settings.cors_origins)

    @app.before_request
    def answer_preflight() -> Response | None:
        if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
            return None
        return Response(status=204)

    @app.after_request
    def allow_origin(response: Response) -> Response:
        origin = request.headers.get("Origin")
        response.vary.add("Origin")
        if origin not in allowed:
            return response
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = EXPOSED
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        if request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Methods"] = METHODS
            response.headers["Access-Control-Allow-Headers"] = ASKED
            response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_S)
        return response
