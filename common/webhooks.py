"""Webhooks as Standard Webhooks 1.0 has them: how a delivery is signed, and where one may go. Pure.

The address rules keep a client from having us ask machines that only we can reach (server-side request forgery). They
hold for what a name resolves to, whatever its spelling, and the operator may open networks.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md; IANA's registries
of special-purpose addresses (RFC 6890).
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from common.errors import InputError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

SECRET_PREFIX: Final = "whsec_"  # noqa: S105  the mark of one, none itself
SECRET_BYTES: Final = 32
MAX_URL_CHARS: Final = 2000

# What wraps an IPv4 address: how many bits stand to the right of it.
_WRAPPED: Final = (
    (IPv6Network("::ffff:0:0/96"), 0),  # mapped
    (IPv6Network("::/96"), 0),  # compatible, outdated
    (IPv6Network("64:ff9b::/96"), 0),  # NAT64
    (IPv6Network("2002::/16"), 80),  # 6to4
)
_GLOBAL_IPV6: Final = IPv6Network("2000::/3")
"""All that is assigned to the Internet at large; the rest is local, or for nobody yet."""
_SPECIAL_IPV6: Final = (IPv6Network("2001::/23"), IPv6Network("2001:db8::/32"), IPv6Network("3fff::/20"))
_SPECIAL_IPV4: Final = (
    IPv4Network("192.0.0.0/24"),  # protocols' own; Oracle's metadata among them
    IPv4Network("192.88.99.0/24"),  # relays to IPv6, outdated
    IPv4Network("168.63.129.16/32"),  # Azure's metadata; those of other clouds are link-local, shared or unique local
)

_HOST_NAME: Final = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")


class RefusedAddressError(InputError):
    """A callback leads where we do not go."""


def make_secret() -> str:
    """A new signing secret: `whsec_` and 256 random bits in base64."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def sign(secret: str, delivery_id: str, timestamp: int, payload: bytes) -> str:
    """The `webhook-signature` of a delivery: HMAC-SHA256 over id, seconds since 1970, and body."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = b".".join((delivery_id.encode(), str(timestamp).encode(), payload))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def check_callback_url(url: str, networks: Iterable[Network]) -> None:
    """Refuse what can never be delivered to; a name is looked up only when something is.

    Args:
        url: as a client sent it.
        networks: what the operator has opened.

    Raises:
        InputError: no absolute http or https URL of at most 2,000 visible ASCII characters, or one with a user, a
            fragment or a backslash.
        RefusedAddressError: names an address that we do not go to.
    """
    if len(url) > MAX_URL_CHARS:
        raise InputError(f"callback_url: {len(url)} characters are over the limit of {MAX_URL_CHARS}")
    if not re.fullmatch(r"[!\"$-\[\]-~]+", url):
        raise InputError("callback_url: use visible ASCII characters other than # and \\ (percent-encoding, punycode)")
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        fault = _fault(parts, host)
    except ValueError as error:
        raise InputError(f"callback_url: {error}") from None
    if fault:
        raise InputError(f"callback_url: {fault}")
    address = _literal(host)
    if address is not None:
        check_address(address, networks)


def check_address(address: Address, networks: Iterable[Network]) -> None:
    """Refuse every address that is not on the Internet at large, and those of clouds' metadata.

    An IPv4 address inside an IPv6 one (mapped, NAT64, 6to4) is judged as the IPv4 address that it stands for.

    Args:
        address: what a name resolved to.
        networks: what the operator has opened.

    Raises:
        RefusedAddressError: names the address and the setting that opens it.
    """
    judged = _unwrap(address)
    if any(judged in network for network in networks):
        return
    if not _is_public(judged):
        raise RefusedAddressError(
            f"callback_url: {address} is no address on the Internet; an operator may open it (NURIE_WEBHOOK_NETWORKS)"
        )


def _fault(parts: SplitResult, host: str) -> str | None:
    """Raises ValueError for a port that is none."""
    faults = {
        "start with https:// or http://": parts.scheme not in ("http", "https"),
        "has a user or password: put a token into the path or the query": "@" in parts.netloc,
        "port 0 is none": parts.port == 0,
        f"{host[:100]!r} is no host name": _literal(host) is None and not _HOST_NAME.fullmatch(host),
    }
    return next((fault for fault, is_so in faults.items() if is_so), None)


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _unwrap(address: Address) -> Address:
    if isinstance(address, IPv6Address):
        for network, shift in _WRAPPED:
            if address in network:
                return IPv4Address(int(address) >> shift & 0xFFFFFFFF)
    return address


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address):
        return address in _GLOBAL_IPV6 and not any(address in network for network in _SPECIAL_IPV6)
    is_special = address.is_multicast or any(address in network for network in _SPECIAL_IPV4)
    return address.is_global and not is_special
