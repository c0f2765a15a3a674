"""The server as Python sees it."""

import ssl
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx

from nurie_client.connection import PATIENCE_S, Connection, Notify
from nurie_client.errors import ApiError, InputError, NotFoundError, NurieError, OutputError
from nurie_client.records import Job, Outlook, Page, Series, Tenant
from nurie_client.sources import Source
from nurie_client.uploading import Progress, digest_all, upload_all

DEFAULT_SERVER: Final = "http://127.0.0.1:8000"
HOLD_S: Final = 10
"""How long the server is asked to hold an answer until something changes, in seconds."""
PAGES_AT_ONCE: Final = 500
JSON = dict[str, Any]


class Client:
    """One Nurie server. Use it as a context manager; several threads may share it.

        with Client("https://nurie.example.org", key="nurie_…") as nurie:
            job = nurie.submit(["001.png", "002.png"], ["coloured.png"], params={"blend": 0.6})
            for job, pages in nurie.follow(job.id):
                print(job.status, job.pages.ended, "of", job.pages.total)
            nurie.save_result(job.id, Path("chapter.cbz"))

    Every method raises `nurie_client.errors.NurieError`. Requests are tried again, after longer and longer pauses or
    when the server says, while it answers 429 or 5xx or does not answer at all; until `patience_s` has been waited.
    """

    def __init__(
        self,
        server: str = DEFAULT_SERVER,
        key: str | None = None,
        *,
        patience_s: float = PATIENCE_S,
        notify: Notify | None = None,
        verify: ssl.SSLContext | bool = True,
        proxy: str | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """
        Args:
            server: its address, such as `https://nurie.example.org`.
            key: an API key; None where the server asks for none.
            patience_s: how long a request waits in all between its tries, in seconds.
            notify: told in words whenever something is tried again.
            verify, proxy, transport: httpx's own; by default what HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE say.
        """
        self._sending: dict[str, threading.Lock] = {}  # by digest: what is being sent
        self._lock = threading.Lock()
        self._connection = Connection(
            server, key, patience_s=patience_s, notify=notify, verify=verify, proxy=proxy, transport=transport
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def server(self) -> str:
        return self._connection.server

    def stop(self) -> None:
        """End what other threads do with this client: it raises `StoppedError` there. There is no way back."""
        self._connection.stop()

    def close(self) -> None:
        self._connection.close()

    def pause(self, seconds: float) -> None:
        """Sleep, unless the client is stopped. Raises StoppedError."""
        self._connection.pause(seconds)

    # --- the server

    def is_ready(self, timeout_s: float = 5) -> bool:
        """Whether database, storage and broker answer, asked once."""
        try:
            self._connection.ask_now("/readyz", timeout_s)
        except NurieError:
            return False
        return True

    def version(self, timeout_s: float = 5) -> str:
        """The server's, asked once."""
        return str(read_json(self._connection.ask_now("/openapi.json", timeout_s))["info"]["version"])

    def tenant(self) -> Tenant:
        """Who the key belongs to, and what it may use."""
        return Tenant.of(self._get("/v1/tenant"))

    # --- sending

    def upload(self, source: Source, *, sha256: str | None = None, sent: Callable[[int], None] | None = None) -> str:
        """Send a file, unless the server has these bytes; returns the upload's id, good for a day.

        Args:
            source: the file.
            sha256: of its bytes, where that is known already.
            sent: told how many bytes are there, in all; fewer than before when it is tried again.
        """
        if not source.size:
            raise InputError(f"{source.label} is empty")
        announced: JSON = {"filename": source.name[-255:], "size": source.size, "sha256": sha256 or source.sha256()}
        tell = sent or (lambda _: None)

        def attempt() -> str:
            # Announced anew at each try: what arrived in spite of a lost answer is not sent again.
            told = read_json(self._connection.once("POST", "/v1/uploads", json=announced))
            if not told.get("received"):
                headers = {**told["headers"], "Content-Length": str(source.size)}
                self._connection.put_once(told["url"], _counted(source.pieces(), tell), headers)
            tell(source.size)
            return str(told["id"])

        # Files of the same bytes, as blank pages and references are, go one after the other: then they go once.
        with self._lock:
            sending = self._sending.setdefault(announced["sha256"], threading.Lock())
        with sending:
            return self._connection.persist(attempt)

    def submit(
        self,
        pages: Iterable[Source | Path | str],
        references: Iterable[Source | Path | str] = (),
        *,
        truths: Iterable[Source | Path | str] = (),
        extras: Iterable[Source | Path | str] = (),
        params: Mapping[str, Any] | None = None,
        name: str | None = None,
        series: str | None = None,
        keep_days: float | None = None,
        callback_url: str | None = None,
        progress: Progress | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Send a chapter; returns the job, queued.

        Args:
            pages: in reading order.
            references: coloured pages of the same work; with a series that the server knows there need be none.
            truths: pages in their true colours, named like the pages.
            extras: files that come back in the result as they are, such as ComicInfo.xml.
            params: `blend`, `epochs` and so on (docs/api.md).
            name: of the chapter, for people.
            series: whose references and colours it shares; remembered by the server.
            keep_days: when the job is deleted, in days after its end.
            callback_url: told when it ends.
            progress: told what has been read and sent.
            idempotency_key: under the same key the same submission makes no second job, for a day.
        """
        fields = {"pages": pages, "references": references, "truths": truths, "extras": extras}
        body: JSON = self._upload_fields({name: files for name, files in fields.items() if files}, progress)
        body["params"] = dict(params or {})
        options = {"name": name, "series": series, "keep_days": keep_days, "callback_url": callback_url}
        body |= {option: value for option, value in options.items() if value is not None}
        return self.create_job(body, idempotency_key)

    def evaluate(
        self,
        real: Iterable[Source | Path | str],
        output: Iterable[Source | Path | str],
        references: Iterable[Source | Path | str] = (),
        *,
        name: str | None = None,
        progress: Progress | None = None,
    ) -> Job:
        """Send results and true pictures of the same names to be scored; returns the job, queued."""
        fields = {"real": real, "output": output, "references": references}
        body = self._upload_fields({field: files for field, files in fields.items() if files}, progress)
        return self.create_job({"kind": "evaluate", **body, **({"name": name} if name else {})})

    def create_job(self, body: Mapping[str, Any], idempotency_key: str | None = None) -> Job:
        """POST /v1/jobs as it is: upload ids for files."""
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        return Job.of(self._request("POST", "/v1/jobs", dict(body), headers=headers))

    # --- jobs

    def job(self, job_id: str) -> Job:
        return Job.of(self._get(f"/v1/jobs/{job_id}"))

    def jobs(self, status: str | None = None) -> Iterator[Job]:
        """Own jobs, newest first."""
        for told in self._listed("/v1/jobs", "jobs", {"limit": 100, **({"status": status} if status else {})}):
            yield Job.of(told)

    def pages(self, job_id: str) -> Iterator[Page]:
        """A job's pages, in order."""
        for told in self._listed(f"/v1/jobs/{job_id}/pages", "pages", {"limit": PAGES_AT_ONCE}):
            yield Page.of(told)

    def page(self, job_id: str, number: int) -> Page:
        return Page.of(self._get(f"/v1/jobs/{job_id}/pages/{number}"))

    def outlook(self, job_id: str) -> Outlook:
        """How far down the queue it is."""
        return Outlook.of(self._get(f"/v1/jobs/{job_id}/queue"))

    def follow(self, job_id: str) -> Iterator[tuple[Job, list[Page]]]:
        """The job and its pages now, and again whenever something has changed, until the job has ended.

        At most every half second, and seldomer where there are many pages; at least every `HOLD_S` seconds.
        """
        etag, job, pages = "", None, list[Page]()
        while job is None or not job.has_ended:
            asked = {"params": {"wait": HOLD_S}, "headers": {"If-None-Match": etag}} if etag else {}
            reply = self._connection.request("GET", f"/v1/jobs/{job_id}", **asked)
            if reply.status_code != httpx.codes.NOT_MODIFIED:
                etag, job = reply.headers.get("ETag", ""), Job.of(read_json(reply))
                pages = list(self.pages(job_id)) if job.kind == "colorize" else []
            assert job is not None
            yield job, pages
            if not job.has_ended:
                self.pause(0.5 + len(pages) / 200)

    def cancel(self, job_id: str) -> Job:
        """Stop what has not ended."""
        return Job.of(self._post(f"/v1/jobs/{job_id}/cancel"))

    def retry(self, job_id: str) -> int:
        """Run the failed pages of an ended job again; how many. Raises ConflictError: nothing failed, or not ended."""
        return int(self._post(f"/v1/jobs/{job_id}/retry")["retried"])

    def delete(self, job_id: str) -> None:
        """Delete an ended job and its files. Raises ConflictError: it has not ended."""
        self._delete(f"/v1/jobs/{job_id}")

    # --- correcting

    def hints(self, job_id: str, number: int) -> JSON:
        """The dots of colour of a page; `hints.json` of docs/api.md."""
        return self._get(f"/v1/jobs/{job_id}/pages/{number}/hints")

    def set_hints(self, job_id: str, number: int, hints: Mapping[str, Any]) -> str | None:
        """Other dots; the page runs again from the stage that is returned, None where nothing changed."""
        return self._rerun("PUT", f"/v1/jobs/{job_id}/pages/{number}/hints", hints)

    def set_params(self, job_id: str, number: int, params: Mapping[str, Any]) -> str | None:
        """Other parameters for one page; it runs again from the stage that is returned, None where nothing changed."""
        return self._rerun("PATCH", f"/v1/jobs/{job_id}/pages/{number}/params", params)

    def recolour(self, job_id: str, colours: Mapping[tuple[int, int, int], tuple[int, int, int]]) -> list[int]:
        """Give colours of the palette other ones, on all pages; returns the numbers of those that run again."""
        told = self._request("PATCH", f"/v1/jobs/{job_id}/palette", {"colours": _pairs(colours)})
        return [int(number) for number in told["pages"]]

    # --- series

    def all_series(self) -> Iterator[Series]:
        for told in self._listed("/v1/series", "series", {"limit": 100}):
            yield Series.of(told)

    def series(self, name: str) -> Series | None:
        """What the server remembers under this name."""
        found = self._get("/v1/series", name=name)["series"]
        return Series.of(found[0]) if found else None

    def set_series_colours(
        self, series_id: str, colours: Mapping[tuple[int, int, int], tuple[int, int, int]]
    ) -> Series:
        """Replace the corrections of a series; none of them when empty."""
        return Series.of(self._request("PATCH", f"/v1/series/{series_id}", {"colours": _pairs(colours)}))

    def delete_series(self, series_id: str) -> None:
        """Forget its references and corrections; its jobs stay."""
        self._delete(f"/v1/series/{series_id}")

    # --- taking home

    def read(self, link: str) -> bytes:
        """What lies behind a link of the server, such as `page.artifacts["final"]`, in memory."""
        return self._connection.request("GET", link).content

    def save(self, link: str, to: Path) -> None:
        """What lies behind a link, into a file that is complete or not there."""
        part = to.with_name(to.name + ".part")

        def attempt() -> None:
            with self._connection.stream(link) as response, part.open("wb") as file:
                for piece in response.iter_bytes():
                    file.write(piece)

        try:
            self._connection.persist(attempt)
            part.replace(to)
        except OSError as error:
            raise OutputError(f"{to} cannot be written: {error.strerror or error}") from None
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)

    def save_result(self, job_id: str, to: Path) -> None:
        """The archive as the server packs it. Raises NotFoundError: there is none yet, or never will be."""
        self.save(f"/v1/jobs/{job_id}/result", to)

    # --- within

    def _upload_fields(
        self, fields: Mapping[str, Iterable[Source | Path | str]], progress: Progress | None
    ) -> dict[str, list[str]]:
        sources = {field: [as_source(file) for file in files] for field, files in fields.items()}
        flat = [source for files in sources.values() for source in files]
        ids = iter(upload_all(self, flat, digest_all(flat, progress), progress))
        return {field: [next(ids) for _ in files] for field, files in sources.items()}

    def _delete(self, path: str) -> None:
        tries = 0

        def attempt() -> None:
            nonlocal tries
            tries += 1
            try:
                self._connection.once("DELETE", path)
            except NotFoundError:
                if tries == 1:  # later it is what we asked for: the answer was lost
                    raise

        self._connection.persist(attempt)

    def _rerun(self, method: str, path: str, body: Mapping[str, Any]) -> str | None:
        stage = self._request(method, path, dict(body))["stage"]
        return None if stage is None else str(stage)

    def _listed(self, path: str, field: str, params: JSON) -> Iterator[JSON]:
        following: JSON = {}
        while True:
            reply = self._get(path, **params, **following)
            yield from reply[field]
            if reply["next"] is None:
                return
            following = {"cursor": reply["next"]}

    def _get(self, path: str, **params: Any) -> JSON:
        return self._request("GET", path, params=params)

    def _post(self, path: str) -> JSON:
        return self._request("POST", path, headers={"Idempotency-Key": str(uuid.uuid4())})

    def _request(self, method: str, path: str, body: JSON | None = None, **options: Any) -> JSON:
        return read_json(self._connection.request(method, path, json=body, **options))


def read_json(reply: httpx.Response) -> JSON:
    """Raises ApiError: it is no JSON object, so no Nurie answered."""
    try:
        told = reply.json()
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise ApiError(reply.status_code, "", f"{reply.request.url} answers something that is not Nurie's")
    return told


def as_source(file: Source | Path | str) -> Source:
    """Raises InputError: it cannot be read."""
    return file if isinstance(file, Source) else Source.file(Path(file))


def _pairs(colours: Mapping[tuple[int, int, int], tuple[int, int, int]]) -> list[JSON]:
    return [{"old": list(old), "new": list(new)} for old, new in colours.items()]


def _counted(pieces: Iterator[bytes], sent: Callable[[int], None]) -> Iterator[bytes]:
    total = 0
    for piece in pieces:
        yield piece
        total += len(piece)
        sent(total)
