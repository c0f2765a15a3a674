"""Who asks, and whether they may: API keys as `Authorization: Bearer`, with scopes; embedded, one tenant and no keys.

Everything under /v1 belongs to a tenant and needs a key; what lies elsewhere is public, or signed by itself.
"""

import time
from collections.abc import Mapping
from typing import Final

from flask import Flask, g, request

from common.api_keys import Scope, digest, key_id
from common.errors import AuthError, ScopeError
from common.jobs.models import LOCAL_TENANT
from common.jobs.tenants import UNLIMITED, Principal, TenantStore
from common.settings import Settings

PROTECTED: Final = "/v1/"
SAFE_METHODS: Final = ("GET", "HEAD")
BEARER: Final = "bearer "
CACHE_S: Final = 5.0
"""How long a key is taken without a look at the truth: so long a revoked one may still let somebody in, in seconds."""
CACHED_KEYS: Final = 1000
EMBEDDED: Final = Principal(LOCAL_TENANT, None, frozenset(Scope), UNLIMITED)
ENDPOINT_SCOPES: Final[Mapping[str, Scope]] = {
    "tenant.get_webhook_secret": Scope.ADMIN,
    "tenant.replace_webhook_secret": Scope.ADMIN,
}
"""Routes that need another scope than their method says: `read` to look, `submit` for the rest."""


def register_auth(app: Flask, settings: Settings, tenants: TenantStore) -> None:
    """Put the principal of every request under /v1 into `flask.g`, or refuse it."""
    door = Door(tenants)

    @app.before_request
    def identify() -> None:
        # A browser asks with OPTIONS, and without a key, whether it may ask.
        if not request.path.startswith(PROTECTED) or request.method == "OPTIONS":
            return
        g.principal = EMBEDDED if settings.auth == "off" else door.let_in(request.headers.get("Authorization"))
        needed = required_scope(request.endpoint, request.method)
        if needed not in g.principal.scopes:
            raise ScopeError(f"this key has not the scope {needed.value!r}, which {request.method} needs here")


def required_scope(endpoint: str | None, method: str) -> Scope:
    return ENDPOINT_SCOPES.get(endpoint or "", Scope.READ if method in SAFE_METHODS else Scope.SUBMIT)


def get_principal() -> Principal:
    """Whose request this is. Only under /v1."""
    principal = g.principal
    assert isinstance(principal, Principal)
    return principal


class Door:
    """Looks keys up, and remembers good ones for a moment. Safe to share between threads."""

    def __init__(self, tenants: TenantStore) -> None:
        self._tenants = tenants
        self._known: dict[str, tuple[Principal, float]] = {}  # SHA-256 of the key → whose it is, until when

    def let_in(self, header: str | None) -> Principal:
        """Raises AuthError: no key, or none that is good; which of these it is, nobody is told."""
        if header is None:
            raise AuthError("send your API key: Authorization: Bearer nurie_…")
        key = header[len(BEARER) :].strip() if header.lower().startswith(BEARER) else ""
        if key_id(key) is None:
            raise AuthError("Authorization holds no API key of this server: Bearer nurie_…")
        now, digested = time.monotonic(), digest(key)
        principal, until = self._known.get(digested, (None, 0.0))
        if principal is None or until < now:
            principal = self._tenants.find_principal(key)
            if principal is None:
                self._known.pop(digested, None)
                raise AuthError("this API key is unknown, or was revoked")
            if len(self._known) >= CACHED_KEYS:
                self._known.clear()
            self._known[digested] = (principal, now + CACHE_S)
        return principal
