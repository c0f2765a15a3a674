"""Where this installation lies, and which of its environments are made."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
ACCELERATORS: Final = ("cpu", "cu")
"""What `make setup` can make a stage's environment for: NURIE_ACCELERATOR."""


def find_accelerator(root: Path, room: str) -> str | None:
    """What a stage's environment was made for, by the mark that make leaves when it is ready; None where it is not."""
    return next((its for its in ACCELERATORS if (root / ".venvs" / room / f".ready-{its}").is_file()), None)


def find_python(root: Path, room: str) -> Path | None:
    """The interpreter of a stage's environment; None where that is not ready."""
    return root / ".venvs" / room / "bin" / "python" if find_accelerator(root, room) else None
