"""Embedded mode has no auth: it listens on loopback only, and checks Host and Origin.

Without these checks any web page that the user visits could reach a server on loopback, by DNS rebinding or by a
form that posts across origins.
"""

from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Flask, Response, request

from api.problems import problem_response
from common.errors import NurieError
from common.settings import Settings

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class UnsafeAddressError(NurieError):
    """The server was asked to listen where others could reach it, without auth."""


def require_loopback(host: str) -> None:
    """Raises UnsafeAddressError unless `host` is a loopback address."""
    if not _is_loopback(host):
        raise UnsafeAddressError(f"NURIE_HOST={host}: without auth the API listens on loopback only, such as 127.0.0.1")


def register_guard(app: Flask, settings: Settings) -> None:
    public = urlsplit(settings.base_url).hostname

    @app.before_request
    def refuse_foreign_hosts() -> Response | None:
        if not _is_own(request.host, public):
            return problem_response(403, "forbidden_host", f"Host {request.host[:100]!r} is not this server's")
        origin = request.headers.get("Origin")
        if origin and request.method not in SAFE_METHODS and _netloc(origin) != request.host:
            return problem_response(403, "forbidden_origin", f"Origin {origin[:100]!r} is not this server's")
        return None


def _netloc(url: str) -> str:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""


@lru_cache(maxsize=100)
def _is_own(host: str, public: str | None) -> bool:
    name = _hostname(f"//{host}")
    return name == public or _is_loopback(name)


def _hostname(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
