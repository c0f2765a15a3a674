"""Signed URLs for the local store, which our own API serves. Pure.

`{base_url}/storage/{key}?expires=…[&size=…&sha256=…&type=…&filename=…]&signature=…`: HMAC-SHA256 over the method, the
key and every parameter. Nothing in such a URL can be changed, left out or added.
"""

import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import quote, urlencode

from common.errors import InputError


class SignatureError(InputError):
    """A signed URL was changed, belongs to another method, or its time is over."""


@dataclass(frozen=True)
class SignedRequest:
    """What a signed URL allows: size in bytes and SHA-256 (hex) of an upload; type and name of a download."""

    size: int | None
    media_type: str | None
    filename: str | None
    sha256: str | None = None


def sign_url(base_url: str, secret: str, method: str, key: str, params: Mapping[str, str]) -> str:
    """Make a signed URL; `params` holds `expires` (seconds since 1970) and what else the URL fixes."""
    signed = {**params, "signature": _signature(secret, method, key, params)}
    return f"{base_url.rstrip('/')}/storage/{quote(key, safe='/')}?{urlencode(signed)}"


def verify(secret: str, method: str, key: str, params: Mapping[str, str]) -> SignedRequest:
    """Check a signed URL as it came in.

    Args:
        secret: the one it was signed with.
        method: the request's; HEAD may do what GET may.
        key: the object key, percent-decoded.
        params: the whole query, decoded, `signature` included.

    Raises:
        SignatureError: changed, of another method or key, or expired.
    """
    rest = {name: value for name, value in params.items() if name != "signature"}
    expected = _signature(secret, "GET" if method == "HEAD" else method, key, rest)
    # Bytes, because compare_digest refuses strings that are not ASCII.
    given = params.get("signature", "").encode(errors="replace")
    if not hmac.compare_digest(expected.encode(), given):
        raise SignatureError("the URL's signature does not match: ask for a new URL")
    if time.time() > int(rest["expires"]):
        raise SignatureError("the URL has expired: ask for a new one")
    return SignedRequest(
        size=int(rest["size"]) if "size" in rest else None,
        media_type=rest.get("type"),
        filename=rest.get("filename"),
        sha256=rest.get("sha256"),
    )


def content_disposition(filename: str) -> str:
    """The header that makes a browser save under this name, in any script (RFC 6266, RFC 8187)."""
    # The plain name is for clients that do not know the other; quotes and what is not ASCII cannot stand in it.
    plain = "".join(char if " " <= char <= "~" and char not in '"\\%' else "_" for char in filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='', errors='replace')}"


def _signature(secret: str, method: str, key: str, params: Mapping[str, str]) -> str:
    # Quoting makes the text unambiguous: no value can pose as a separator.
    text = "\n".join(
        (
            method,
            quote(key, safe="/", errors="surrogatepass"),
            urlencode(sorted(params.items()), errors="surrogatepass"),
        )
    )
    return hmac.new(secret.encode(), text.encode(), sha256).hexdigest()
