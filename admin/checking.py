"""Are the weights that people installed whole, and what does the stage say that would use them?

Files are looked at here; what is in them is the stage's room to judge, by its own loader in its own environment.
"""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from rich.filesize import decimal

from admin.formats import find_fault
from admin.installation import ROOT, find_python
from admin.models import ModelSet

ROOM_LIMIT_S: Final = 600
"""A room that takes longer to load its networks and to try them out is stopped."""


class Judgement(StrEnum):
    GOOD = "good"
    BAD = "bad"
    NONE = "none"
    """Nobody could be asked."""


@dataclass(frozen=True)
class Verdict:
    """What a room says of a folder of weights, in lines; files are named as from that folder."""

    judgement: Judgement
    said: tuple[str, ...]


@dataclass(frozen=True)
class FileCheck:
    """Attributes:
    fault: None when nothing is wrong with it.
    """

    name: str
    size_bytes: int | None
    fault: str | None

    def describe(self) -> str:
        size = "" if self.size_bytes is None else f", {decimal(self.size_bytes)}"
        return f"{self.name}  {self.fault or 'whole'}{size}"


@dataclass(frozen=True)
class SetCheck:
    """Attributes:
    verdict: None where nobody was asked: nothing is here, or its files say by themselves that they are right.
    """

    chosen: ModelSet
    folder: Path
    files: tuple[FileCheck, ...]
    verdict: Verdict | None

    @property
    def is_installed(self) -> bool:
        """Whether any of it is here."""
        return any(file.size_bytes is not None for file in self.files)

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong: all of it is here and whole, or nothing of it is here."""
        is_refused = self.verdict is not None and self.verdict.judgement is Judgement.BAD
        return not self.is_installed or not (is_refused or any(file.fault for file in self.files))

    def find_faults(self) -> list[str]:
        """What is wrong, in lines: a file's own fault goes before what the room makes of it."""
        faults = [f"{file.name}: {file.fault}" for file in self.files if file.fault]
        is_refused = self.verdict is not None and self.verdict.judgement is Judgement.BAD
        return faults or list(self.verdict.said if self.verdict and is_refused else ())

    def describe(self) -> Iterator[str]:
        if not self.is_installed:
            yield f"{self.chosen.name}: not installed; used instead: {self.chosen.instead_of_none}"
            return
        yield f"{self.chosen.name}, in {self.folder}"
        for file in self.files:
            yield f"  {file.describe()}"
        if self.verdict:
            whose = "" if self.verdict.judgement is Judgement.NONE else f"the stage {self.chosen.room}: "
            yield from (f"  {whose}{line}" for line in self.verdict.said)
        if any(file.size_bytes is None for file in self.files):
            yield f"  used instead: {self.chosen.instead_of_some}"


def check_set(chosen: ModelSet, folder: Path, root: Path = ROOT) -> SetCheck:
    """Look at a set's files in a folder, and ask the room of its stage about them where it would use them.

    Raises:
        OSError: a file cannot be read.
    """
    files = tuple(_check_file(folder, name) for name in chosen.files)
    # Without any of these the stage uses nothing of the set, and never looks at the other files.
    is_used = any(file.size_bytes is not None for file in files if file.name in chosen.together)
    verdict = _ask_room(chosen.room, folder, root) if chosen.room and is_used else None
    return SetCheck(chosen, folder, files, verdict)


def _check_file(folder: Path, name: str) -> FileCheck:
    path = folder / name
    if not path.is_file():
        return FileCheck(name, None, "missing")
    return FileCheck(name, path.stat().st_size, find_fault(path))


def _ask_room(room: str, folder: Path, root: Path) -> Verdict:
    """Let a room load the weights of a folder: `python -m workers.ROOM --check-weights FOLDER`."""
    python = find_python(root, room)
    if python is None:
        return Verdict(Judgement.NONE, (f"not checked: no environment .venvs/{room} (make setup)",))
    command = [str(python), "-P", "-m", f"workers.{room}", "--check-weights", str(folder.absolute())]
    try:
        ended = subprocess.run(  # noqa: S603  our own command
            command,
            check=False,
            env=os.environ | {"PYTHONPATH": str(root)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ROOM_LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        return Verdict(Judgement.BAD, (f"did not come to an end within {ROOM_LIMIT_S} s",))
    return _read_verdict(room, ended, f"{folder.absolute()}/")


def _read_verdict(room: str, ended: subprocess.CompletedProcess[str], prefix: str) -> Verdict:
    if ended.returncode == 0:
        return Verdict(Judgement.GOOD, tuple(line.replace(prefix, "") for line in ended.stdout.splitlines()))
    # Its own word has its name in front; libraries write to stderr, too.
    mark, lines = f"workers.{room}: ", ended.stderr.splitlines()
    own = [line.removeprefix(mark) for line in lines if line.startswith(mark)]
    said = own or [f"its check broke off (exit code {ended.returncode}): {lines[-1] if lines else 'no word of why'}"]
    return Verdict(Judgement.BAD, tuple(line.replace(prefix, "") for line in said))
