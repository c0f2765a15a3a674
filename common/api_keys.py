"""API keys: `nurie_`, an id, `_`, a secret. Shown once; what is kept is the SHA-256 of the whole key. Pure.

The secret is 256 random bits, so that a plain hash keeps it: there is nothing to guess, and nothing to slow down.
"""

import hashlib
import hmac
import re
import secrets
from enum import StrEnum
from typing import Final

PREFIX: Final = "nurie_"
_KEY: Final = re.compile(r"nurie_(?P<id>[0-9a-f]{16})_[A-Za-z0-9_-]{43}")
_TENANT: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class Scope(StrEnum):
    """What a key may do within its tenant."""

    READ = "read"  # look and take home
    SUBMIT = "submit"  # send, correct, cancel, delete
    ADMIN = "admin"  # both, and the tenant's secrets


GRANTS: Final[dict[Scope, frozenset[Scope]]] = {
    Scope.READ: frozenset({Scope.READ}),
    Scope.SUBMIT: frozenset({Scope.SUBMIT}),
    Scope.ADMIN: frozenset(Scope),
}
"""What each scope includes."""


def make_key() -> tuple[str, str]:
    """A new key, and its id, which may be shown again."""
    key_id = secrets.token_hex(8)
    return f"{PREFIX}{key_id}_{secrets.token_urlsafe(32)}", key_id


def key_id(key: str) -> str | None:
    """The id in a key; None for what is no key of ours."""
    match = _KEY.fullmatch(key)
    return match["id"] if match else None


def digest(key: str) -> str:
    """SHA-256, hex: what is kept of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def is_key_of(key: str, kept_digest: str) -> bool:
    """Compares in constant time."""
    return hmac.compare_digest(digest(key), kept_digest)


def granted(scopes: list[str]) -> frozenset[Scope]:
    """All that these scopes allow."""
    return frozenset().union(*(GRANTS[Scope(scope)] for scope in scopes))


def is_tenant_id(text: str) -> bool:
    """Lower-case letters, digits and hyphens, at most 63: it stands in object keys."""
    return _TENANT.fullmatch(text) is not None
