"""An inbox that is coloured into an outbox: what lands, once it is whole; a restart goes on where it was."""

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from nurie_client.chapters import Chapter, loose_pages, open_archive, open_folder
from nurie_client.client import Client
from nurie_client.colouring import Order, Run, colour_chapter
from nurie_client.errors import ApiError, InputError, StoppedError
from nurie_client.names import ARCHIVE_SUFFIXES, FORMAT_SUFFIXES, free_name, is_page, natural_key, with_format
from nurie_client.notes import Notes, write_atomically
from nurie_client.outputs import Form, Target

RECORD_FILE: Final = ".nurie-watch.json"
UNFINISHED_SUFFIXES: Final = (".part", ".partial", ".crdownload", ".download", ".filepart", ".tmp", ".!ut", ".!qb")
"""What programs call files that they have not finished writing."""
SETTLED_S: Final = 5.0
"""How long something must have stayed as it is to count as whole, in seconds."""
LOOK_EVERY_S: Final = 1.0
AT_ONCE: Final = 4
RETRY_AFTER_S: Final = 60.0
"""When a chapter is tried again that could not be sent or taken home for want of a server, in seconds."""

CHAPTERS_OWN: Final = (400, 413, 415, 422)
"""Refusals that concern the chapter itself: it must change before it is tried again."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Item:
    """A chapter in the inbox.

    Attributes:
        name: its path within the inbox, with '/' between folders.
        signature: other whenever anything of it is: names, sizes, times.
        is_unfinished: somebody is writing it, by the names of its files.
    """

    name: str
    path: Path
    signature: str
    is_unfinished: bool = False


@dataclass(frozen=True)
class Record:
    """How an item ended: nothing is done about it again until it changes."""

    signature: str
    status: str
    job: str | None
    output: str | None
    detail: str | None = None


class Watcher:
    """Colours what lands in a folder, until it is stopped."""

    def __init__(
        self,
        client: Client,
        notes: Notes,
        order: Order,
        inbox: Path,
        outbox: Path,
        *,
        say: Say,
        settled_s: float = SETTLED_S,
    ) -> None:
        """Raises InputError: no such folder, or one lies within the other."""
        if not inbox.is_dir():
            raise InputError(f"{inbox} is no folder")
        here, there = inbox.resolve(), outbox.resolve()
        if here == there or here in there.parents or there in here.parents:
            raise InputError(f"{inbox} and {outbox}: neither may lie within the other")
        self._client, self._notes, self._order = client, notes, order
        self._inbox, self._outbox, self._say, self._settled_s = inbox, outbox, say, settled_s
        self._records = _read_records(outbox / RECORD_FILE)
        self._seen: dict[str, tuple[str, float]] = {}  # by name: the signature, and since when it is so
        self._not_before: dict[str, float] = {}
        self._busy: dict[str, threading.Thread] = {}
        self._unreadable: dict[Path, str] = {}
        self._claims: dict[str, str] = {}  # what single pages under way will be called
        self._lock = threading.Lock()

    def run(self) -> None:
        """Look, and begin what is whole, until the client is stopped. Raises StoppedError, InputError."""
        try:
            self._outbox.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{self._outbox}: {error.strerror}") from None
        while True:
            self.look()
            self._client.pause(LOOK_EVERY_S)

    def look(self) -> None:
        """Look once, and begin what is whole and not done."""
        now = time.monotonic()
        self._busy = {name: thread for name, thread in self._busy.items() if thread.is_alive()}
        for item in find_items(self._inbox, self._cannot_read):
            signature, since = self._seen.get(item.name, ("", now))
            if signature != item.signature:
                self._seen[item.name] = (item.signature, now)
                continue
            if item.is_unfinished or now - since < self._settled_s or self._is_done(item):
                continue
            if item.name in self._busy or len(self._busy) >= AT_ONCE or now < self._not_before.get(item.name, 0.0):
                continue
            thread = threading.Thread(target=self._colour, args=(item,), daemon=True)
            self._busy[item.name] = thread
            thread.start()

    def _cannot_read(self, path: Path, error: OSError) -> None:
        if self._unreadable.get(path) != str(error):
            self._unreadable[path] = str(error)
            self._say(f"{path} cannot be read: {error.strerror or error}; looked at again later")

    def _is_done(self, item: Item) -> bool:
        record = self._records.get(item.name)
        if record is None or record.signature != item.signature:
            return False
        return record.output is None or (self._outbox / record.output).exists()

    def _colour(self, item: Item) -> None:
        try:
            self._try_to_colour(item)
        except StoppedError:
            pass
        except Exception as error:  # noqa: BLE001  said, and tried again: one chapter must not end the watch
            self._later(item, error)

    def _try_to_colour(self, item: Item) -> None:
        run: Run | None = None
        try:
            chapter = open_item(item)
            run = Run(chapter, self._target(item, chapter))
            self._say(f"{item.name}: {len(chapter.pages)} pages, sending")
            colour_chapter(self._client, self._notes, self._order, run)
            assert run.job is not None
            output = run.output.relative_to(self._outbox).as_posix() if run.output else None
            self._keep(item, Record(item.signature, run.job.status, run.job.id, output))
            self._say(f"{item.name}: {run.job.status}{f', {run.output}' if output else ''}")
        except (InputError, ApiError) as error:
            if isinstance(error, ApiError) and error.status not in CHAPTERS_OWN:
                raise
            job = run.job.id if run and run.job else None
            self._keep(item, Record(item.signature, "error", job, None, str(error)))
            self._say(f"{item.name}: {error}")
        finally:
            if run is not None:
                run.chapter.close()

    def _target(self, item: Item, chapter: Chapter) -> Target:
        if chapter.is_archive or chapter.is_folder:
            return Target(self._outbox / item.name, Form.ARCHIVE if chapter.is_archive else Form.FOLDER)
        # 1.jpg and 1.png would both become 1.png: whoever comes first has that name.
        with self._lock:
            taken = set[str]()
            others = {name: record.output for name, record in self._records.items() if record.output} | self._claims
            for name, output in others.items():
                if name != item.name:
                    free_name(output, taken)
            suffix = FORMAT_SUFFIXES[str(self._order.params.get("format", "png"))][0]
            self._claims[item.name] = free_name(with_format(item.name, suffix), taken)
            return Target(self._outbox / self._claims[item.name], Form.PAGE)

    def _later(self, item: Item, error: Exception) -> None:
        self._not_before[item.name] = time.monotonic() + RETRY_AFTER_S
        self._say(f"{item.name}: {error}; tried again later")

    def _keep(self, item: Item, record: Record) -> None:
        with self._lock:
            self._records[item.name] = record
            told = {name: asdict(kept) for name, kept in self._records.items()}
            try:
                write_atomically(self._outbox / RECORD_FILE, json.dumps(told, indent=1, ensure_ascii=False))
            except OSError as error:
                self._say(f"{self._outbox / RECORD_FILE} cannot be written: {error}; a restart does this one again")


def find_items(inbox: Path, cannot_read: Callable[[Path, OSError], None]) -> list[Item]:
    """What lies in the inbox now: archives, folders with pictures, single pictures; archives in other folders."""
    return sorted(_items(inbox, inbox, cannot_read), key=lambda item: natural_key(item.name))


def open_item(item: Item) -> Chapter:
    """Raises InputError: it is no chapter, or damaged."""
    if item.path.is_dir():
        return open_folder(item.path)
    if item.path.suffix.lower() in ARCHIVE_SUFFIXES:
        return open_archive(item.path)
    return loose_pages([item.path])


def _items(folder: Path, inbox: Path, cannot_read: Callable[[Path, OSError], None]) -> Iterator[Item]:
    try:
        paths = [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError as error:
        cannot_read(folder, error)
        return
    for path in paths:
        try:
            if path.is_dir():
                item = _folder_item(path, inbox)
                yield from [item] if item else _items(path, inbox, cannot_read)
            elif path.suffix.lower() in ARCHIVE_SUFFIXES or (folder == inbox and is_page(path.name)):
                name = path.relative_to(inbox).as_posix()
                yield Item(name, path, _sign(folder, [path]), _is_cut_off(path))
        except OSError as error:  # it went away while we looked, or is somebody else's still
            cannot_read(path, error)


def _folder_item(path: Path, inbox: Path) -> Item | None:
    """A folder with pictures in it, however deep. Raises OSError."""
    files = sorted(_files(path))
    if not any(is_page(file.relative_to(path).as_posix()) for file in files):
        return None
    unfinished = any(file.suffix.lower() in UNFINISHED_SUFFIXES for file in files)
    return Item(path.relative_to(inbox).as_posix(), path, _sign(path, files), unfinished)


def _files(folder: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(here, name) for name in names if not name.startswith("."))


def _sign(folder: Path, files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        status = file.stat()
        digest.update(f"{file.relative_to(folder)}\0{status.st_size}\0{status.st_mtime_ns}\n".encode(errors="replace"))
    return digest.hexdigest()


def _is_cut_off(path: Path) -> bool:
    """Whether an archive lacks its directory, which is written last: a copy that stalls looks settled otherwise."""
    if path.suffix.lower() not in ARCHIVE_SUFFIXES:
        return False
    with path.open("rb") as file:
        is_zip = file.read(2) == b"PK"
        file.seek(max(0, file.seek(0, os.SEEK_END) - (1 << 16) - 22))
        return is_zip and b"PK\x05\x06" not in file.read()


def _read_records(path: Path) -> dict[str, Record]:
    """Raises InputError: it is not ours, and must not be written over."""
    try:
        return {name: Record(**told) for name, told in json.loads(path.read_text(encoding="utf-8")).items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path} cannot be read: {error}. Remove it to begin anew.") from None
