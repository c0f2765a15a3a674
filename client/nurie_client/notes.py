"""What this machine remembers of jobs that it sent: so that the same command goes on, and `wait` knows where to write.

Nothing depends on it but comfort: where a note is missing, the server is asked, and gives its own archive.
"""

import hashlib
import json
import os
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from platformdirs import user_state_path

KEPT_S: Final = 60 * 86_400
"""How long a note is kept, in seconds: longer than most servers keep a job."""


@dataclass(frozen=True)
class Note:
    """One job: what was sent, and where the result goes.

    Attributes:
        digest: of everything that was sent and asked for (`colouring.identify`).
        outline: of the chapter, `Chapter.outline`: whether what lies there is still what was sent.
        inputs: absolute paths: one archive or folder, or the pages.
        out: absolute path of the result.
        form: name of an `outputs.Form`.
    """

    job_id: str
    server: str
    digest: str
    outline: str
    inputs: tuple[str, ...]
    out: str
    form: str


class Notes:
    def __init__(self, folder: Path | None = None) -> None:
        """`folder`: where they lie; by default the user's own place for such (`XDG_STATE_HOME`)."""
        self._folder = (folder or user_state_path("nurie")) / "jobs"
        self._written = self._folder.with_name("written")
        self._lock = threading.Lock()

    def keep(self, note: Note) -> None:
        """Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._forget_old()
        write_atomically(self._folder / f"{note.job_id}.json", json.dumps(asdict(note), indent=1))

    def of_job(self, job_id: str) -> Note | None:
        return _read(self._folder / f"{job_id}.json") if job_id.isalnum() else None

    def of_digest(self, digest: str) -> Note | None:
        """The latest of this digest: ids of jobs sort by time."""
        return next((note for note in self.all() if note.digest == digest), None)

    def all(self) -> list[Note]:
        """The latest first."""
        try:
            paths = sorted((path for path in self._folder.iterdir() if path.suffix == ".json"), reverse=True)
        except OSError:
            return []
        return [note for note in map(_read, paths) if note]

    def forget(self, job_id: str) -> None:
        if job_id.isalnum():
            with suppress(OSError):
                (self._folder / f"{job_id}.json").unlink(missing_ok=True)

    def keep_written(self, target: Path, source: Path, files: Mapping[Path, Path]) -> None:
        """Remember the files of a result that is about to be put in place.

        What is there now stays known, too: a break may come before it is replaced.

        Args:
            target: the archive, folder or page.
            source: the chapter that it is made of.
            files: the name that each is to have → where it lies now; its size and time stay the same.

        Raises:
            OSError: it cannot be written down.
        """
        with self._lock:
            known = self._stamps(target)
            for file, part in files.items():
                name = os.fsdecode(file.absolute())
                stamp: list[int | str] = [*_stamp(part), os.fsdecode(source.absolute())]
                known[name] = [*known.get(name, [])[-1:], stamp]
            write_atomically(self._written_file(target), json.dumps(known))

    def is_as_written(self, target: Path, source: Path, file: Path) -> bool:
        """Whether a file is of a result that we made of this very chapter, and nobody has changed it since."""
        try:
            stamp = [*_stamp(file), os.fsdecode(source.absolute())]
        except OSError:
            return False
        return stamp in self._stamps(target).get(os.fsdecode(file.absolute()), [])

    def _stamps(self, target: Path) -> dict[str, list[list[int | str]]]:
        try:
            known = json.loads(self._written_file(target).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}

    def _written_file(self, target: Path) -> Path:
        digest = hashlib.sha256(os.fsencode(target.absolute())).hexdigest()
        return self._written / f"{digest[:32]}.json"

    def _forget_old(self) -> None:
        for path in self._folder.glob("*.json"):
            with suppress(OSError):
                if path.stat().st_mtime < time.time() - KEPT_S:
                    path.unlink()


def _stamp(file: Path) -> list[int]:
    """Raises OSError."""
    status = file.stat()
    return [status.st_size, status.st_mtime_ns]


def write_atomically(path: Path, text: str, *, private: bool = False) -> None:
    """Write a file that is complete or as it was; `private` for its owner alone. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # readable by its owner alone
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        if not private:
            Path(part).chmod(0o644)
        Path(part).replace(path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


def _read(path: Path) -> Note | None:
    """None where it is missing, or no note: somebody else's or an older version's."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return Note(**{**told, "inputs": tuple(told["inputs"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
