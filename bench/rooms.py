"""The bench of every room in its short form, with the calibration load before and after it."""

import json
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench.calibration import Calibration
from bench.figures import Figure, figures_file

ROOT = Path(__file__).parents[1]
ROOMS = {
    "house": ".venv",
    "cgan": ".venvs/cgan",
    "s2p": ".venvs/s2p",
    "inknhue": ".venvs/inknhue",
    "metrics": ".venvs/metrics",
    "engine": ".venv",
    "api": ".venv",
    "page": ".venvs/page",
    "client": ".venv",
}
"""Room → the environment that its bench runs in."""
LIMIT_S = 1200
TOLD_LINES = 3


@dataclass
class RoomResult:
    """What a room's bench told.

    Attributes:
        figures: all that it measured.
        failures: what it could not measure, and why.
        seconds: that it took.
        before, after: the calibration.
    """

    room: str
    before: Calibration
    after: Calibration
    seconds: float = 0.0
    figures: list[Figure] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def calibration(self) -> Calibration:
        """The mean of both."""
        pairs = zip(vars(self.before).values(), vars(self.after).values(), strict=True)
        return Calibration(*((one + other) / 2 for one, other in pairs))

    @property
    def missed(self) -> list[Figure]:
        return [figure for figure in self.figures if not figure.is_met]


def calibrate() -> Calibration:
    """In a process of its own: torch is not in this one's environment."""
    python = ROOT / ".venvs" / "cgan" / "bin" / "python"
    done = subprocess.run([python, "-m", "bench.calibration"], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return Calibration(**json.loads(done.stdout))


def measure_room(room: str, before: Calibration, log: Path) -> RoomResult:
    """Run a room's bench; whatever becomes of it is in the result, and its output in the log."""
    file = figures_file(ROOT / "out" / f"bench-{room}", room, is_short=True)
    file.unlink(missing_ok=True)
    command = [str(ROOT / ROOMS[room] / "bin" / "python"), "-m", f"bench.{room}", "--short"]
    started = time.monotonic()
    why = _run(command, log)
    seconds = time.monotonic() - started
    result = RoomResult(room, before, calibrate(), seconds)
    result.figures, result.failures = read_figures(file)
    if not file.exists():
        result.failures[f"bench.{room}"] = why or "it wrote no figures"
    return result


def read_figures(file: Path) -> tuple[list[Figure], dict[str, str]]:
    """The figures and the failures that `bench.figures.report` has written; none where there is no file."""
    entries = json.loads(file.read_text()) if file.exists() else []
    figures = [Figure(**entry) for entry in entries if "failure" not in entry]
    return figures, {entry["what"]: entry["failure"] for entry in entries if "failure" in entry}


def _run(command: list[str], log: Path) -> str:
    """The last lines that it told, for who wants to know why it failed."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            return f"it took longer than {LIMIT_S} s"
        finally:
            _stop(process)
    return " / ".join(log.read_text(errors="replace").strip().splitlines()[-TOLD_LINES:])


def _stop(process: subprocess.Popen[bytes]) -> None:
    """A bench stops what it started when it is asked to end."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
