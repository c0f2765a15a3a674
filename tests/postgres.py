"""A PostgreSQL server of the tests' own: on a Unix socket only, with its data in a temporary folder, without fsync.

It dies with the process that started it.
"""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

DEBIAN_BINARIES = "/usr/lib/postgresql"
PORT = 5432
"""Part of the socket's name only: nobody listens on a port."""
START_LIMIT_S = 60
STOP_LIMIT_S = 30
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)
OPTIONS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "deadlock_timeout": "50ms",
}


class PostgresServer:
    """A server whose data outlast `stop` and `start`."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        """
        Args:
            binaries: the folder of `initdb` and `postgres`.
            folder: for data, socket and log; where root runs the tests, another user's soon.
        """
        self._binaries, self._folder = binaries, folder
        self._account = unprivileged_account(folder)
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"postgresql+psycopg://postgres@/postgres?host={folder}&port={PORT}"
        made = subprocess.run(
            [
                binaries / "initdb",
                "-D",
                "data",
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
            ],
            check=False,
            cwd=folder,
            capture_output=True,
            text=True,
            **self._account,
        )
        assert made.returncode == 0, f"initdb failed: {made.stdout}{made.stderr}"

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        options = [f"--{name}={value}" for name, value in OPTIONS.items()]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", "data", "-k", self._folder, "-p", str(PORT), *options],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the tests, which then stop it
                preexec_fn=_die_with_parent(os.getpid()),  # noqa: PLW1509  system calls only
                **self._account,
            )
        deadline = time.monotonic() + START_LIMIT_S
        while not self._answers():
            running = self._process.poll() is None
            if not running or time.monotonic() > deadline:
                self.stop()
                raise AssertionError(f"PostgreSQL did not start: {(self._folder / 'log').read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop it at once, as a crash would; sessions are cut off, and what was committed is there after `start`."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGQUIT)
        try:
            self._process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _answers(self) -> bool:
        try:
            psycopg.connect(host=str(self._folder), port=PORT, user="postgres", dbname="postgres").close()
        except psycopg.OperationalError:
            return False
        return True


def find_binaries() -> Path | None:
    """The folder of `initdb` and `postgres`, of the PATH's first, else of the newest version that Debian installed."""
    if found := shutil.which("initdb"):
        folders = [Path(found).resolve().parent]
    else:
        folders = sorted(Path(DEBIAN_BINARIES).glob("*/bin"), key=lambda folder: float(folder.parent.name))
    return next((folder for folder in reversed(folders) if (folder / "postgres").exists()), None)


@contextmanager
def running(binaries: Path) -> Iterator[PostgresServer]:
    """Make and start a server, stop and delete it at the end."""
    # Not in pytest's own folder, which nobody but root may enter where root runs the tests.
    with tempfile.TemporaryDirectory(prefix="nurie-postgresql-") as folder:
        server = PostgresServer(binaries, Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()


def unprivileged_account(folder: Path) -> dict[str, Any]:
    """How a process is started that PostgreSQL accepts, which refuses to run as root; the folder becomes its own."""
    if os.geteuid() != 0:
        return {}
    names = {account.pw_name for account in pwd.getpwall()}
    account = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    os.chown(folder, account.pw_uid, account.pw_gid)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _die_with_parent(parent: int) -> Any:
    def ask_to_be_told() -> None:
        # SIGQUIT: the server takes its own processes along.
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return ask_to_be_told
