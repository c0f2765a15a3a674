"""Files of a hub, Hugging Face or GitHub: fetched so that breaking off at any byte costs nothing but the rest.

The hub is asked first what a file is: its size, and on Hugging Face its SHA-256 where it is kept as a large file. By
PyTorch's custom a file's name may end in the start of its SHA-256 too. Its bytes go into a partial file beside the
wanted one, which gets its name only when size and SHA-256 are right. The partial file is named for what the hub said,
so that a later run goes on from there, and never with another version of the file.

Why not by If-Range: a large file's bytes come from another server than what the hub says of it, and under another ETag.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from common.errors import ModelMissingError

TIMEOUT_S: Final = httpx.Timeout(30, connect=10)
MAX_REDIRECTS: Final = 5
SHA256: Final = re.compile(r"[0-9a-f]{64}")
NAMED_SHA256: Final = re.compile(r"-([0-9a-f]{8,64})\.pth")
"""The start of it, in the name of a file."""

Progress = Callable[[int, int], None]
"""Told after each piece: bytes that are here, bytes of the whole file."""


class HubError(ModelMissingError):
    """The hub does not answer, refuses, or sends what it did not promise; the message names the URL."""


@dataclass(frozen=True)
class Promise:
    """What the hub says of a file, and its name."""

    size_bytes: int
    etag: str
    sha256_start: str = ""

    @property
    def mark(self) -> str:
        """Names this version of the file, and no other."""
        return hashlib.sha256(f"{self.size_bytes} {self.etag}".encode()).hexdigest()[:12]

    def find_fault(self, path: Path) -> str | None:
        """What is wrong with a file that should be this one; None when nothing is."""
        size_bytes = path.stat().st_size
        if size_bytes != self.size_bytes:
            return f"{size_bytes} bytes, where the hub promises {self.size_bytes}"
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        # The ETag of a small file is git's own SHA-1, and GitHub's are no digests.
        if SHA256.fullmatch(self.etag) and digest != self.etag:
            return f"SHA-256 {digest}, where the hub promises {self.etag}"
        if not digest.startswith(self.sha256_start):
            return f"SHA-256 {digest}, where its name promises {self.sha256_start}…"
        return None


class Hub:
    """One hub; `close` it, as by contextlib.closing."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._http = httpx.Client(
            timeout=TIMEOUT_S,
            max_redirects=MAX_REDIRECTS,
            headers={"Accept-Encoding": "identity"},  # sizes and ranges are those of the file
            event_hooks={"request": [self._refuse_plain_http]},
        )

    def close(self) -> None:
        self._http.close()

    def url(self, folder: str, file: str) -> str:
        """Where a browser finds the file too."""
        return f"{self._endpoint}/{folder}/{file}"

    def fetch(self, folder: str, file: str, path: Path, progress: Progress) -> bool:
        """Make `path` the hub's file; False when it was already.

        Raises:
            HubError: the file could not be had. What came of it is kept for the next run, unless it was wrong.
            ModelMissingError: it could not be written here.
        """
        url = self.url(folder, file)
        try:
            promise = self._ask(url)
            if path.is_file() and promise.find_fault(path) is None:
                return False
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(f"{path.name}.{promise.mark}.partial")
            self._download(url, promise, partial, progress)
            if fault := promise.find_fault(partial):
                partial.unlink()
                raise HubError(f"{url}: {fault}")
            partial.replace(path)
            for outdated in path.parent.glob(f"{path.name}.*.partial"):
                outdated.unlink()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise HubError(f"{url}: {error or type(error).__name__}") from error
        except OSError as error:
            raise ModelMissingError(f"{path}: {error.strerror or error}") from error
        return True

    def _ask(self, url: str) -> Promise:
        request = self._http.build_request("HEAD", url)
        for _ in range(MAX_REDIRECTS):
            response = self._http.send(request)
            _check_status(response, url)
            # A redirect that says what the file is leads to its bytes; any other to where the hub moved it.
            if response.next_request is None or "x-linked-etag" in response.headers:
                break
            request = response.next_request
        else:
            raise HubError(f"{url}: more than {MAX_REDIRECTS} redirects")
        headers = response.headers
        size = headers.get("x-linked-size") or headers.get("content-length", "")
        if not size.isdecimal():
            raise HubError(f"{url}: the hub does not say how large the file is")
        etag = headers.get("x-linked-etag") or headers.get("etag", "")
        named = NAMED_SHA256.search(url)
        return Promise(int(size), etag.removeprefix("W/").strip('"'), named[1] if named else "")

    def _download(self, url: str, promise: Promise, partial: Path, progress: Progress) -> None:
        here_bytes = partial.stat().st_size if partial.exists() else 0
        if here_bytes >= promise.size_bytes > 0:
            return  # the last run ended between the last byte and the check
        headers = {"Range": f"bytes={here_bytes}-"} if here_bytes else {}
        with self._http.stream("GET", url, headers=headers, follow_redirects=True) as response:
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                partial.unlink()  # asking for the same again would end the same
            _check_status(response, url)
            resumes = response.headers.get("content-range", "").startswith(f"bytes {here_bytes}-")
            with partial.open("ab" if resumes else "wb") as file:
                for piece in response.iter_bytes():
                    file.write(piece)
                    progress(file.tell(), promise.size_bytes)
                    if file.tell() > promise.size_bytes:
                        return

    def _refuse_plain_http(self, request: httpx.Request) -> None:
        """Redirects stay on https; the operator's own endpoint may be without it (a mirror, a test)."""
        url, endpoint = request.url, httpx.URL(self._endpoint)
        if url.scheme != "https" and (url.scheme, url.host) != (endpoint.scheme, endpoint.host):
            raise HubError(f"{self._endpoint}: redirects to {url.scheme}://{url.host}, which is not https")


def _check_status(response: httpx.Response, url: str) -> None:
    # By its own URL, not by the one redirected to: that one is signed, long, and soon out of date.
    if response.is_error:
        raise HubError(f"{url}: HTTP {response.status_code} {response.reason_phrase}".rstrip())
