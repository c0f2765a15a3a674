"""Requests to one server: tried again where that may help, and errors in plain words."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, sleep_using_event, wait_random_exponential

from nurie_client.errors import KINDS, ApiError, InputError, InsecureError, NurieError, StoppedError, UnreachableError

TIMEOUT: Final = httpx.Timeout(60, connect=10)
"""Seconds; the server holds an answer for 30 at most."""
FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 30.0
SHORTEST_WAIT_S: Final = 0.2
PATIENCE_S: Final = 600.0
"""How long is waited in all before a request is given up, in seconds."""
RATE_LIMITED: Final = 429
CONFLICT: Final = 409
SERVER_FAULTS: Final = (408, 500, 502, 503, 504)
NO_COMMON_TLS: Final = (
    "WRONG_VERSION_NUMBER", "UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "NO_PROTOCOLS_AVAILABLE",
    "SSLV3_ALERT_HANDSHAKE_FAILURE", "TLSV1_ALERT_UNKNOWN_CA", "TLSV13_ALERT_CERTIFICATE_REQUIRED",
)  # fmt: skip
"""Reasons of OpenSSL's that stay; others, such as an end in the middle of the handshake, may pass."""

Notify = Callable[[str], None]
Answer = TypeVar("Answer")


class _TryAgainError(Exception):
    """What happened may pass: the request is worth trying again."""

    def __init__(self, final: NurieError, after_s: float | None = None) -> None:
        super().__init__(str(final))
        self.final, self.after_s = final, after_s


class Connection:
    """One server. Proxies and certificates are httpx's: HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE, SSL_CERT_DIR."""

    def __init__(
        self,
        server: str,
        key: str | None,
        *,
        patience_s: float = PATIENCE_S,
        notify: Notify | None = None,
        transport: httpx.BaseTransport | None = None,
        verify: ssl.SSLContext | bool = True,
        proxy: str | None = None,
    ) -> None:
        self.server = server.rstrip("/")
        self._patience_s = patience_s
        self._notify = notify or (lambda _: None)
        self._closing = threading.Event()
        headers = {"Authorization": f"Bearer {_checked(key)}"} if key else {}
        options: dict[str, Any] = {"timeout": TIMEOUT, "transport": transport, "verify": verify, "proxy": proxy}
        try:
            self._http = httpx.Client(base_url=self.server, headers=headers, **options)
            # Signed URLs need no key, and may be somebody else's: a bucket must not be told it.
            self._bare = httpx.Client(**options)
        except httpx.InvalidURL as error:
            raise UnreachableError(f"{server}: {error}") from None
        except (ValueError, OSError) as error:  # certificates that are not there, a proxy that is none
            raise InputError(f"the settings of the network are wrong (proxies, SSL_CERT_FILE): {error}") from None

    def stop(self) -> None:
        """End all waiting, in whichever thread: what is under way raises `StoppedError`."""
        self._closing.set()

    def close(self) -> None:
        self.stop()
        self._http.close()
        self._bare.close()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Ask until there is an answer that does not tell to come back.

        Raises:
            ApiError: refused.
            UnreachableError: nothing answered for as long as we are patient.
        """
        return self.persist(lambda: self.once(method, path, **options))

    def once(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Ask once; to be called within `persist`, which tries again."""
        return self._send(self._http, method, path, **options)

    def put_once(self, url: str, content: Iterator[bytes], headers: dict[str, str]) -> None:
        """Send bytes to a signed URL; to be called within `persist`."""
        self._send(self._bare, "PUT", url, content=self._until_stopped(content), headers=headers)

    @contextmanager
    def stream(self, path: str) -> Iterator[httpx.Response]:
        """An answer whose body is read piece by piece; to be used within `persist`."""
        with self._translated(path), self._http.stream("GET", path, follow_redirects=True) as response:
            if response.is_error:
                response.read()
            _check(response)
            yield response

    def persist(self, call: Callable[[], Answer]) -> Answer:
        """Call until it succeeds, fails for good, or patience ends."""
        retrying: Retrying = Retrying(
            retry=retry_if_exception_type(_TryAgainError),
            wait=_how_long,
            stop=self._has_enough,
            sleep=sleep_using_event(self._closing),
            before_sleep=self._say,
            reraise=True,
        )
        try:
            answer: Answer = retrying(self._unless_stopped, call)
        except _TryAgainError as error:
            self._check_open()
            raise error.final from None
        return answer

    def ask_now(self, path: str, timeout_s: float) -> httpx.Response:
        """Ask without patience. Raises as `request` does."""
        try:
            return self.once("GET", path, timeout=timeout_s)
        except _TryAgainError as error:
            raise error.final from None

    def pause(self, seconds: float) -> None:
        """Wait, unless the client is closed meanwhile. Raises StoppedError."""
        self._closing.wait(seconds)
        self._check_open()

    def _send(self, http: httpx.Client, method: str, url: str, **options: Any) -> httpx.Response:
        with self._translated(url):
            # What is no GET would become one on the way: the address must be the right one.
            response = http.request(method, url, follow_redirects=method == "GET", **options)
        if response.has_redirect_location:
            to = response.headers["Location"]
            raise UnreachableError(f"{self.server} leads on to {to}: name that as the server's address")
        return _check(response)

    @contextmanager
    def _translated(self, path: str) -> Iterator[None]:
        try:
            yield
        except (httpx.LocalProtocolError, httpx.DecodingError, httpx.TooManyRedirects, httpx.InvalidURL) as error:
            raise UnreachableError(f"{self.server}{path}: {error}") from None
        except httpx.TransportError as error:
            raise self._explain(error) from error

    def _explain(self, error: httpx.TransportError) -> Exception:
        host = error.request.url.netloc.decode()
        if isinstance(error, httpx.UnsupportedProtocol):
            return UnreachableError(f"{self.server!r} is no address of a server: it starts with http:// or https://")
        if refused := _tls_fault(error):
            return InsecureError(
                f"{host}: no secure connection, TLS was refused: {refused}. Where its certificate is signed by an "
                "authority of your own, name that in SSL_CERT_FILE."
            )
        if isinstance(error, httpx.TimeoutException):
            reason = "it does not answer in time"
        else:
            reason = str(error) or type(error).__name__
        return _TryAgainError(UnreachableError(f"{host} cannot be reached: {reason}"))

    def _unless_stopped(self, call: Callable[[], Answer]) -> Answer:
        self._check_open()
        return call()

    def _until_stopped(self, content: Iterator[bytes]) -> Iterator[bytes]:
        for piece in content:
            self._check_open()
            yield piece

    def _check_open(self) -> None:
        if self._closing.is_set():
            raise StoppedError("stopped")

    def _has_enough(self, state: RetryCallState) -> bool:
        # What was spent waiting, not what a long upload took before it broke off.
        return self._closing.is_set() or state.idle_for + state.upcoming_sleep > self._patience_s

    def _say(self, state: RetryCallState) -> None:
        assert state.outcome is not None
        self._notify(f"{state.outcome.exception()}; trying again in {max(1, round(state.upcoming_sleep))} s")


_backoff = wait_random_exponential(multiplier=FIRST_WAIT_S, max=LONGEST_WAIT_S)


def _how_long(state: RetryCallState) -> float:
    """The server's own word where it gave one, and longer each time where it did not; seconds."""
    assert state.outcome is not None
    error = state.outcome.exception()
    assert isinstance(error, _TryAgainError)
    # Never at once, whatever the server says: patience is counted in what was waited.
    return max(error.after_s or 0.0, _backoff(state), SHORTEST_WAIT_S)


def _check(response: httpx.Response) -> httpx.Response:
    """Raises ApiError, or _TryAgainError around one where the server asks to come back."""
    if not response.is_error:
        return response
    error = _api_error(response)
    after_s = _retry_after(response.headers.get("Retry-After"))
    if response.status_code in (RATE_LIMITED, *SERVER_FAULTS):
        raise _TryAgainError(error, after_s)
    if response.status_code == CONFLICT and after_s is not None:  # the same request is being answered already
        raise _TryAgainError(error, after_s)
    raise error


def _api_error(response: httpx.Response) -> ApiError:
    code, detail = "", f"{response.status_code} {response.reason_phrase}".strip()
    try:
        problem = response.json()
        code, detail = str(problem.get("code", "")), str(problem["detail"])
    except (ValueError, KeyError, TypeError, AttributeError):
        detail = f"{response.request.url.host} answers {detail}, and that is not how Nurie says no"
    return KINDS.get(response.status_code, ApiError)(response.status_code, code, detail)


def _retry_after(text: str | None) -> float | None:
    """Seconds; both forms of RFC 9110, 10.2.3. None where there is neither."""
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (when - datetime.now(when.tzinfo or UTC)).total_seconds()) if when.tzinfo else None


def _checked(key: str) -> str:
    """Raises InputError, which does not show the key."""
    key = key.strip()
    if not key.isascii() or not key.isprintable() or " " in key:
        raise InputError("the API key has characters that no key has: copy it again")
    return key


def _tls_fault(error: BaseException | None) -> str | None:
    """What TLS found wrong, anywhere among an error's causes."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        if isinstance(error, ssl.SSLError) and (reason := getattr(error, "reason", None)) in NO_COMMON_TLS:
            return str(reason)
        error = error.__cause__ or error.__context__
    return None
