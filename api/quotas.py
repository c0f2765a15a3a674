"""How much a tenant may ask: requests per minute, counted in Redis; pages and bytes, counted in the truth.

While Redis is away each process counts for itself. Headers as in draft-ietf-httpapi-ratelimit-headers-10: every limit
that was looked at is named with what is left of it.
"""

import time
from typing import Final

from flask import Flask, Response, g
from flask_limiter import ApplicationLimit, Limiter, RequestLimit
from redis import RedisError

from api.auth import get_principal
from api.counting import PREFIX
from common.broker import TIMEOUT_S
from common.errors import QuotaError
from common.logging import get_logger
from common.settings import Settings

MINUTE_S: Final = 60
RETRY_QUOTA_S: Final = 60
"""When there may be room again for pages or bytes, in seconds: nobody knows, so clients are kept from asking often."""


def register_rate_limit(app: Flask, settings: Settings) -> None:
    """Count the requests of tenants that have a limit, after `register_auth` has said whose they are."""
    limiter = Limiter(
        key_func=_tenant_id,
        application_limits=[ApplicationLimit(_limit, key_function=_tenant_id)],
        storage_uri=PREFIX + settings.broker_url,
        storage_options={"socket_connect_timeout": TIMEOUT_S, "socket_timeout": TIMEOUT_S},
        strategy="fixed-window",
        in_memory_fallback_enabled=True,
        key_prefix="nurie",
    )
    limiter.request_filter(_is_unlimited)
    limiter.init_app(app)

    @app.after_request
    def tell_rate(response: Response) -> Response:
        limit = limiter.current_limit
        try:
            if limit is not None:
                _tell(response, limit)
        except RedisError as error:  # the next request falls back to this process's own count
            get_logger(__name__).warning("the rate is not known", reason=str(error))
        return response


def _tell(response: Response, limit: RequestLimit) -> None:
    reset_s = max(1, limit.reset_at - int(time.time()))
    rate = limit.limit.amount
    describe_limit(response, "requests", limit=rate, left=limit.remaining, reset_s=reset_s, window_s=MINUTE_S)
    if limit.breached:
        response.headers["Retry-After"] = str(reset_s)


def describe_limit(
    response: Response, name: str, *, limit: int, left: int, reset_s: int, window_s: int | None = None
) -> None:
    """Name a limit in the answer's headers, and in how many seconds it is worth to ask again."""
    window = f";w={window_s}" if window_s else ""
    response.headers.add("RateLimit-Policy", f'"{name}";q={limit}{window}')
    response.headers.add("RateLimit", f'"{name}";r={max(0, left)};t={reset_s}')


def describe_quota(response: Response, error: QuotaError) -> Response:
    response.headers["Retry-After"] = str(RETRY_QUOTA_S)
    describe_limit(response, error.name, limit=error.limit, left=error.left, reset_s=RETRY_QUOTA_S)
    return response


def _tenant_id() -> str:
    return get_principal().tenant_id


def _is_unlimited() -> bool:
    """Whether nothing is counted: a tenant without a limit, or what is public."""
    return "principal" not in g or get_principal().limits.requests_per_minute is None


def _limit() -> str:
    return f"{get_principal().limits.requests_per_minute}/minute"
