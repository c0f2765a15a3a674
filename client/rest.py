"""The REST API of Nurie, as a client sees it."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

ENDED = ("succeeded", "partial", "failed", "cancelled")
TIMEOUT_S = 60


class ApiError(Exception):
    """The API refused or failed; the message is its problem's detail."""


class ApiClient:
    """One server. Use as a context manager."""

    def __init__(self, base_url: str) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=TIMEOUT_S, follow_redirects=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def is_ready(self) -> bool:
        try:
            return self._http.get("/readyz", timeout=5).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def submit(
        self,
        pages: Sequence[Path],
        references: Sequence[Path],
        truths: Sequence[Path] = (),
        params: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Send pages in this order; returns the job. Raises ApiError."""
        fields = {"pages": pages, "references": references, "truths": truths}
        return self._send(fields, {"params": json.dumps(params or {})})

    def evaluate(self, real: Sequence[Path], output: Sequence[Path], references: Sequence[Path] = ()) -> dict[str, Any]:
        """Send results and true pictures of the same names to be scored; returns the job. Raises ApiError."""
        return self._send({"real": real, "output": output, "references": references}, {"kind": "evaluate"})

    def job(self, job_id: str) -> dict[str, Any]:
        return self._json("GET", f"/v1/jobs/{job_id}")

    def pages(self, job_id: str) -> list[dict[str, Any]]:
        """All pages of a job, in order."""
        return list(self._all_pages(job_id))

    def follow(self, job_id: str, every_s: float = 1.0) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
        """The job and its pages again and again, until it has ended; that state comes last."""
        while True:
            job = self.job(job_id)
            yield job, self.pages(job_id)
            if job["status"] in ENDED:
                return
            time.sleep(every_s)

    def download(self, path: str) -> bytes:
        """The bytes behind a link of the API. Raises ApiError."""
        return self._request("GET", path).content

    def _send(self, fields: dict[str, Sequence[Path]], data: dict[str, str]) -> dict[str, Any]:
        with ExitStack() as stack:
            files = [
                (field, (path.name, stack.enter_context(path.open("rb"))))
                for field, paths in fields.items()
                for path in paths
            ]
            return self._json("POST", "/v1/jobs", files=files, data=data)

    def _all_pages(self, job_id: str) -> Iterator[dict[str, Any]]:
        cursor: int | None = 0
        while cursor is not None:
            reply = self._json("GET", f"/v1/jobs/{job_id}/pages", params={"cursor": cursor})
            yield from reply["pages"]
            cursor = reply["next"]

    def _json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        reply: dict[str, Any] = self._request(method, path, **options).json()
        return reply

    def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise ApiError(f"{method} {path}: {error}") from error
        if response.is_error:
            raise ApiError(f"{method} {path}: {response.status_code}: {_detail(response)}")
        return response


def _detail(response: httpx.Response) -> str:
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return response.reason_phrase
