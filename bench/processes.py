"""Processes that a bench runs beside itself, with one log; they end with it, whatever happens."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from embedded.services import ROOT, die_with_parent

STOP_LIMIT_S = 40


class Processes:
    def __init__(self, log: Path, environment: dict[str, str]) -> None:
        """`environment` replaces all NURIE_ variables of the shell's: no setting of it must have us work on others'
        database or broker."""
        self._log = log
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("NURIE_")}
        self._environment |= environment
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        log.unlink(missing_ok=True)

    def start(self, name: str, command: list[str]) -> None:
        with self._log.open("ab") as log:
            self._running[name] = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509  no thread runs yet
            )

    def pids(self, name: str) -> list[int]:
        """Of a process and its children."""
        pid = self._running[name].pid
        return [pid, *(int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]

    def cpu_s(self, name: str) -> float:
        """Processor time that a process and its children have taken since their start, in seconds."""
        fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in self.pids(name)]
        return sum(int(field[11]) + int(field[12]) for field in fields) / os.sysconf("SC_CLK_TCK")

    def check(self) -> None:
        """Raises RuntimeError when one of them has ended."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended with {process.returncode}: see {self._log}")

    def stop(self) -> None:
        # Redis last: who loses its broker while it stops only fills the log.
        for names in ([name for name in self._running if name != "redis"], ["redis"]):
            stopping = [self._running[name] for name in names if name in self._running]
            for process in stopping:
                process.terminate()
            deadline = time.monotonic() + STOP_LIMIT_S
            for process in stopping:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.1, deadline - time.monotonic()))
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # what is left of it, a pool's process too
                process.wait()
