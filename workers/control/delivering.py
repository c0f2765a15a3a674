"""Deliveries to callback URLs: each tried until it is taken or given up. Beside control's loop, in a thread of its own.

A receiver is not to be trusted: it may be slow, send without end, redirect, or have a name that leads to a machine of
ours. So a try has one deadline for all it does, goes to an address that was looked at, follows nothing, and reads no
more of the answer than its head.
"""

import asyncio
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from functools import lru_cache
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final

import httpx

from common.jobs.deliveries import DeliveryStatus, DeliveryStore, DueDelivery, Try
from common.logging import get_logger
from common.names import VERSION
from common.telemetry import DELIVERIES, DELIVERY_SECONDS
from common.webhooks import Address, Network, RefusedAddressError, check_address, check_callback_url, sign

TIMEOUT_S: Final = 15.0
"""All that a try may take, from the look-up of the name to the head of the answer, in seconds."""
LEASE_S: Final = 60.0
"""A control that is silent for so long after it took a delivery has died, in seconds."""
MAX_AT_ONCE: Final = 32
MAX_OF_TENANT: Final = 4
THREADS: Final = 2 * MAX_AT_ONCE
MAX_ERROR_CHARS: Final = 200
LOOK_AGAIN_S: Final = 0.1
AGAIN, GONE = "again", "gone"
DELIVERY_OUTCOMES: Final = (AGAIN, GONE, DeliveryStatus.DELIVERED.value, DeliveryStatus.FAILED.value)
"""What a try comes to: it is to be tried again, its job is gone, or the delivery has ended."""


class Deliverer:
    """Sends what is due, up to `MAX_AT_ONCE` at a time."""

    def __init__(self, deliveries: DeliveryStore, networks: Iterable[Network], poll_s: float) -> None:
        """`networks` are those that the operator has opened; `poll_s` is how often the truth is asked, in seconds."""
        self._deliveries = deliveries
        self._networks = tuple(networks)
        self._poll_s = poll_s
        self._held: Counter[str] = Counter()  # deliveries of each tenant that are under way

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; what is under way then is brought to its end, which takes `TIMEOUT_S` at most."""
        asyncio.run(self._run(stop))

    async def deliver_due(self) -> int:
        """Send all that is due now, and wait for it; returns how many tries that were."""
        tasks = await self._start_due(MAX_AT_ONCE)
        await asyncio.gather(*tasks)
        return len(tasks)

    async def _run(self, stop: threading.Event) -> None:
        # A look-up of a name cannot be broken off: what hangs longer than a try must not keep others from a thread.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, "deliveries"))
        under_way: set[asyncio.Task[None]] = set()
        asked_at = -self._poll_s
        while not stop.is_set():
            free = MAX_AT_ONCE - len(under_way)
            if free and time.monotonic() >= asked_at + self._poll_s:
                asked_at = time.monotonic()
                try:
                    under_way |= await self._start_due(free)
                except Exception:  # noqa: BLE001  the truth may be away for a while; what is due stays due
                    get_logger(__name__).warning("deliveries are looked for again", exc_info=True)
            if under_way:
                _, under_way = await asyncio.wait(under_way, timeout=LOOK_AGAIN_S)
            else:
                await asyncio.to_thread(stop.wait, self._poll_s)
        if under_way:
            await asyncio.wait(under_way)

    async def _start_due(self, limit: int) -> set[asyncio.Task[None]]:
        take = self._deliveries.take_due
        taken = await asyncio.to_thread(take, limit, MAX_OF_TENANT, Counter(self._held), LEASE_S)
        self._held.update(due.tenant_id for due in taken)
        return {asyncio.create_task(self._deliver(due)) for due in taken}

    async def _deliver(self, due: DueDelivery) -> None:
        log = get_logger(__name__).bind(job=due.job_id, delivery=due.id)
        try:
            result = await try_delivery(due, self._networks)
            outcome = await asyncio.to_thread(self._deliveries.record, due.id, result)
            _count(result, outcome)
            # Not the URL, which may hold a token.
            log.info("delivery tried", outcome=outcome, status=result.status, error=result.error)
        except Exception:  # the lease runs out, and it is sent once more under the same id
            log.exception("a delivery was not brought to its end")
        finally:
            self._held[due.tenant_id] -= 1


def _count(result: Try, outcome: DeliveryStatus | None) -> None:
    # A try that is to be tried again leaves its delivery pending.
    label = GONE if outcome is None else AGAIN if outcome is DeliveryStatus.PENDING else outcome.value
    DELIVERIES.labels(label).inc()
    DELIVERY_SECONDS.labels(label).observe(result.seconds)


async def try_delivery(due: DueDelivery, networks: Iterable[Network]) -> Try:
    """POST a delivery once. Never raises for what a receiver does."""
    at, started = time.time(), time.monotonic()
    status, pause_s, is_final = None, None, False
    error: str | None
    try:
        async with asyncio.timeout(TIMEOUT_S):
            status, retry_after = await _post(due, tuple(networks), int(at))
        error, is_final = _judge(status), status == HTTPStatus.GONE
        pause_s = _pause_s(retry_after)
    except TimeoutError:
        error = f"no answer within {TIMEOUT_S:g} s"
    except RefusedAddressError as refused:
        error, is_final = str(refused), True
    except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as failed:
        error = f"{type(failed).__name__}: {failed}"[:MAX_ERROR_CHARS]
    return Try(at, time.monotonic() - started, status, error, is_final, pause_s)


def _judge(status: int) -> str | None:
    """What is wrong with an answer; None when the delivery was taken."""
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    if status == HTTPStatus.GONE:
        return "the receiver wants no more of it"
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return "redirects are not followed: name the final address"
    return "the receiver did not take it"


async def _post(due: DueDelivery, networks: tuple[Network, ...], timestamp: int) -> tuple[int, str | None]:
    """The answer's status and its Retry-After."""
    check_callback_url(due.url, networks)  # the operator may have closed a network since
    url, body = httpx.URL(due.url), due.payload.encode()
    address = await _resolve(url, networks)
    headers = {
        "Host": url.netloc.decode("ascii"),
        "Content-Type": "application/json",
        "User-Agent": f"Nurie/{VERSION}",
        "webhook-id": due.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(due.secret, due.id, timestamp, body),
    }
    # To the very address that was looked at: asked again, the name might lead elsewhere. No proxy of the environment
    # either, which would look the name up by itself.
    async with (
        httpx.AsyncClient(verify=_tls(), trust_env=False, follow_redirects=False, timeout=TIMEOUT_S) as client,
        client.stream(
            "POST",
            url.copy_with(host=str(address)),
            headers=headers,
            content=body,
            extensions={"sni_hostname": url.host},
        ) as response,
    ):
        return response.status_code, response.headers.get("Retry-After")


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """Made once: reading all roots takes longer than a delivery."""
    return httpx.create_ssl_context(trust_env=False)


async def _resolve(url: httpx.URL, networks: tuple[Network, ...]) -> Address:
    """The first address of the host, once all of them have been looked at. Raises RefusedAddressError, OSError."""
    port = url.port or {"http": 80, "https": 443}[url.scheme]
    found = await asyncio.get_running_loop().getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
    addresses = [ip_address(entry[4][0]) for entry in found]
    for address in addresses:
        check_address(address, networks)
    return addresses[0]


def _pause_s(retry_after: str | None) -> float | None:
    """The pause that a Retry-After asks for: seconds, or a date (RFC 9110, 10.2.3)."""
    if retry_after is None:
        return None
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None
