"""A chapter from here to the server and back: sent, followed, taken home. What is there already is not done again."""

import hashlib
import json
import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from nurie_client.chapters import Chapter, Entry
from nurie_client.client import Client
from nurie_client.errors import (
    ApiError,
    ConflictError,
    InputError,
    NotFoundError,
    NurieError,
    OutputError,
    StoppedError,
)
from nurie_client.names import LEFT_BEHIND, format_suffix
from nurie_client.notes import Note, Notes
from nurie_client.outputs import Coloured, Form, Target, write_chapter
from nurie_client.records import Job, Outlook, Page
from nurie_client.sources import Source
from nurie_client.uploading import digest_all, run_all, upload_all

OUTLOOK_EVERY_S: Final = 5.0
MOST_TRIES: Final = 20
"""How many jobs of the very same chapter are looked at within a day before a new one is made in any case."""
TEXT_SUFFIXES: Final = (".xml", ".txt", ".nfo", ".md", ".json")
TEXT_BYTES: Final = 1 << 20
TEXT_NAME_CHARS: Final = 150
"""Texts beside the pages, such as ComicInfo.xml, are sent along, so that the server's own archive has them, too."""
UNPROCESSABLE: Final = 422


@dataclass(frozen=True)
class Order:
    """What is asked for, whichever chapter it is; `again` makes a new job even where the same was done before."""

    references: tuple[Source, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    series: str | None = None
    name: str | None = None
    keep_days: float | None = None
    again: bool = False


@dataclass
class Run:
    """One chapter under way, for whoever shows it; written by the thread that does it.

    Attributes:
        phase: `waiting reading sending submitting queued training colouring fetching writing done`.
        read: of `files`, how many have a known SHA-256; `sent`: of `size` bytes, how many are at the server.
        outlook: how long it may take; asked for again when `outlook_due`, of `time.monotonic()`, has come.
        output: the result, once it is written.
        halt: nothing new shall be sent; what is at the server already is followed on.
    """

    chapter: Chapter
    target: Target
    phase: str = "waiting"
    read: int = 0
    files: int = 0
    size: int = 0
    sent_by_file: dict[int, int] = field(default_factory=dict)
    job: Job | None = None
    pages: list[Page] = field(default_factory=list)
    outlook: Outlook | None = None
    outlook_due: float = 0.0
    fetched: int = 0
    output: Path | None = None
    error: NurieError | None = None
    detached: bool = False
    halt: threading.Event = field(default_factory=threading.Event, repr=False)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def sent(self) -> int:
        with self.lock:
            return sum(self.sent_by_file.values())

    @property
    def status(self) -> str:
        """How it ended: a job's status, `detached` or `error`; empty while it is under way."""
        if self.error:
            return "error"
        if self.detached:
            return "detached"
        return self.job.status if self.phase == "done" and self.job else ""


class _Sending:
    """What reading and sending tell a run."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def read(self, source: Source) -> None:  # noqa: ARG002  what `Progress` is told
        check_halt(self._run)
        with self._run.lock:
            self._run.read += 1

    def sent(self, source: Source, total: int) -> None:
        check_halt(self._run)
        with self._run.lock:
            self._run.sent_by_file[id(source)] = total


def check_halt(run: Run) -> None:
    """Raises StoppedError."""
    if run.halt.is_set():
        raise StoppedError("stopped")


def colour_chapter(client: Client, notes: Notes, order: Order, run: Run, *, detach: bool = False) -> None:
    """Send a chapter, wait until it has ended, and write it; with `detach` only send it.

    A job of the very same chapter, references and parameters is taken up again where there is one: what failed in it
    is tried once more. `run` is told everything; errors are raised.

    Raises:
        NurieError: it could not be sent, followed, or written. Pages that failed are no error: see `run.job`.
    """
    run.job = _find_or_send(client, notes, order, run)
    if detach:
        run.detached = True
        return
    finish_chapter(client, notes, run)


def finish_chapter(client: Client, notes: Notes, run: Run) -> None:
    """Follow a job that was sent, and write its chapter when it has ended. Raises NurieError."""
    assert run.job is not None
    run.phase = "queued"
    for job, pages in client.follow(run.job.id):
        run.job, run.pages = job, pages
        run.phase = _phase(job)
        _look_ahead(client, run)
    take_home(client, notes, run)
    run.phase = "done"


def take_home(client: Client, notes: Notes, run: Run) -> None:
    """Fetch the pictures of a job that has ended, and write its chapter. Raises NurieError."""
    assert run.job is not None
    entries = run.chapter.pages
    if len(entries) != len(run.pages):
        raise InputError(f"{run.chapter.path}: it has {len(entries)} pages now, and job {run.job.id} {len(run.pages)}")
    done = [page for page in run.pages if page.status == "succeeded" and page.picture]
    kept = {entries[page.number - 1].name for page in run.pages if page.status == "skipped"}
    if run.job.status == "cancelled" or not (done or kept):
        return
    run.phase = "fetching"
    folder = _scratch(run.target, run.job)
    try:
        folder.mkdir(parents=True, exist_ok=True)

        def fetch(page: Page) -> tuple[str, Coloured]:
            coloured = _fetch(client, run.job, page, folder)
            with run.lock:
                run.fetched += 1
            return entries[page.number - 1].name, coloured

        def note(files: Mapping[Path, Path]) -> None:
            with suppress(OSError):  # a machine without a home asks before it writes over it
                notes.keep_written(run.target.path, run.chapter.inputs[0], files)

        coloured = dict(run_all(fetch, done))
        run.phase = "writing"
        written = write_chapter(run.chapter, run.target, coloured, kept, note)
    except OSError as error:
        raise OutputError(f"{error.filename or folder} cannot be written: {error.strerror or error}") from None
    shutil.rmtree(folder, ignore_errors=True)
    run.output = written.path


def _scratch(target: Target, job: Job) -> Path:
    """Where pictures lie until all are there: on the disk of the result, and found again after a break."""
    path = target.path.absolute()
    return path / f".nurie-{job.id}" if target.form is Form.FOLDER else path.with_name(f".nurie-{job.id}")


def identify(server: str, chapter: Chapter, order: Order, digests: Mapping[str, Sequence[str]]) -> str:
    """SHA-256 of everything that a result depends on: the same digest, the same job."""
    said = {
        "server": server,
        "names": [entry.name for entry in chapter.pages],
        "digests": {field: list(found) for field, found in digests.items()},
        "params": dict(order.params),
        "series": order.series,
        "name": order.name,
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def _find_or_send(client: Client, notes: Notes, order: Order, run: Run) -> Job:
    chapter = run.chapter
    files = {
        "pages": chapter.sources(),
        "references": list(order.references),
        "extras": [chapter.source(entry) for entry in chapter.entries if _goes_along(entry)],
    }
    flat = [source for sources in files.values() for source in sources]
    run.phase, run.files, run.size = "reading", len(flat), sum(source.size for source in flat)
    sending = _Sending(run)
    digests = {name: digest_all(sources, sending) for name, sources in files.items()}
    if order.series and not order.references:  # then the result depends on those that the series has now
        known = client.series(order.series)
        digests["of the series"] = [str(one["sha256"]) for one in known.references] if known else []
    digest = identify(client.server, chapter, order, digests)
    job = None if order.again else _taken_up(client, notes.of_digest(digest))
    if job and job.series == order.series:  # a series that was forgotten meanwhile is made again
        _keep_note(notes, job, digest, client.server, run)
        return job

    run.phase = "sending"
    ids = {name: upload_all(client, sources, digests[name], sending) for name, sources in files.items()}
    body: dict[str, Any] = {name: found for name, found in ids.items() if found}
    body |= {"params": dict(order.params), "name": order.name or chapter.title}
    if order.series:
        body["series"] = order.series
    if order.keep_days is not None:
        body["keep_days"] = order.keep_days
    check_halt(run)
    run.phase = "submitting"
    try:
        job = _submit(client, body, digest, order.again)
    except ApiError as error:
        if not body.pop("extras", None) or not error.detail.startswith("extra"):
            raise
        job = _submit(client, body, digest, order.again)  # what we write here has them in any case
    _keep_note(notes, job, digest, client.server, run)
    return job


def _keep_note(notes: Notes, job: Job, digest: str, server: str, run: Run) -> None:
    inputs = tuple(str(path) for path in run.chapter.inputs)
    out = str(run.target.path.absolute())
    note = Note(job.id, server, digest, run.chapter.outline, inputs, out, run.target.form.name)
    with suppress(OSError, UnicodeError):  # a machine without a home goes without
        notes.keep(note)


def _goes_along(entry: Entry) -> bool:
    """Whether a file beside the pages is sent: small texts that no server has a reason to refuse."""
    hidden = any(part.startswith(".") or part in LEFT_BEHIND for part in entry.name.split("/"))
    is_text = entry.name.lower().endswith(TEXT_SUFFIXES)
    return not hidden and is_text and 0 < entry.size <= TEXT_BYTES and len(entry.name) <= TEXT_NAME_CHARS


def _taken_up(client: Client, note: Note | None) -> Job | None:
    """The job of a note where it is still of use; what failed in it is tried again."""
    if note is None:
        return None
    try:
        return _revived(client, client.job(note.job_id))
    except NotFoundError:
        return None


def _revived(client: Client, job: Job) -> Job | None:
    if job.status == "cancelled":
        return None
    if job.status in ("failed", "partial"):
        try:
            client.retry(job.id)
        except ConflictError:
            return job if job.status == "partial" else None
        return client.job(job.id)
    return job


def _submit(client: Client, body: Mapping[str, Any], digest: str, again: bool) -> Job:
    """The job of this digest; a new one where the last was cancelled or deleted, or where `again` says so."""
    if again:
        return client.create_job(body)
    for number in range(MOST_TRIES):
        try:
            sent = client.create_job(body, f"nurie-{digest[:40]}-{number}")
            job = _revived(client, client.job(sent.id))
        except NotFoundError:
            continue
        except ApiError as error:
            if error.status == UNPROCESSABLE:  # sent before with other upload ids, which have gone since
                continue
            raise
        if job is not None and job.series == body.get("series"):
            return job
    return client.create_job(body)


def _phase(job: Job) -> str:
    if job.reference_model and job.reference_model.status == "training":
        return "training"
    return "queued" if job.status == "queued" else "colouring"


def _look_ahead(client: Client, run: Run) -> None:
    assert run.job is not None
    if run.job.has_ended:
        run.outlook = None
        return
    if time.monotonic() >= run.outlook_due:
        run.outlook_due = time.monotonic() + OUTLOOK_EVERY_S
        run.outlook = client.outlook(run.job.id)


def _fetch(client: Client, job: Job | None, page: Page, folder: Path) -> Coloured:
    """A page's picture in a file; one that was fetched before a break, and is still the latest, is taken."""
    assert job is not None and page.picture is not None
    version = hashlib.sha256(f"{page.attempt} {page.updated_at}".encode()).hexdigest()[:12]
    file = folder / f"{page.number:05d}-{version}"
    if not file.exists():
        client.save(page.artifacts[page.picture], file)
    with file.open("rb") as stream:
        return Coloured(file, format_suffix(stream.read(12)))
