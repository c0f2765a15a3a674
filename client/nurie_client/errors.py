"""Everything that can go wrong, as a tree; the message of each says what, where, and what to do.

NurieError
├── InputError             a file, a setting or an argument here is not usable; nothing was sent
├── OutputError            a result cannot be written here
├── UnreachableError       no server answered, however often it was asked
│   └── InsecureError      TLS: its certificate was refused
├── StoppedError           the client was closed in the middle of it
└── ApiError               the server refused (status, code and detail of its problem, RFC 9457)
    ├── UnauthorizedError  401, 403: the key is wrong, or may not do that
    ├── NotFoundError      404
    ├── ConflictError      409
    ├── TooLargeError      413
    └── QuotaError         429: over a quota or a rate, for longer than the client was patient
"""

from typing import Final


class NurieError(Exception):
    """Base of all errors of this package."""


class InputError(NurieError):
    """A file, a setting or an argument is not usable."""


class OutputError(NurieError):
    """A result cannot be written: no room, no permission."""


class UnreachableError(NurieError):
    """No server answered."""


class InsecureError(UnreachableError):
    """The server's certificate was refused."""


class StoppedError(NurieError):
    """The client was closed while this was under way."""


class ApiError(NurieError):
    """The server refused.

    Attributes:
        status: of HTTP.
        code: stable, such as `bad_image`; empty where something else than Nurie answered.
        detail: what is wrong, in words.
    """

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail


class UnauthorizedError(ApiError):
    """No key, a wrong one, or one that may not do that."""


class NotFoundError(ApiError):
    """There is no such thing, or it is somebody else's."""


class ConflictError(ApiError):
    """Not in this state."""


class TooLargeError(ApiError):
    """Over a limit of the server."""


class QuotaError(ApiError):
    """Over a quota or a rate."""


KINDS: Final[dict[int, type[ApiError]]] = {
    401: UnauthorizedError,
    403: UnauthorizedError,
    404: NotFoundError,
    409: ConflictError,
    413: TooLargeError,
    429: QuotaError,
}
