"""The API with Redis, as it is served, on random ports and in folders of its own; with workers where asked for.

For environments other than the API's, which cannot import `embedded.services`: standard library alone.
"""

import json
import os
import shlex
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[1]
PROCFILE = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
STAGES = ("cgan", "s2p", "inknhue", "metrics")
FAST_STAGES = {
    stage: f".venv/bin/celery -A tests.chaos.stages worker -Q {stage} -n {stage}-$$@%h -c 1" for stage in STAGES
}
"""Workers that only tint, in milliseconds; NURIE_TEST_STAGE_S says in how many seconds."""
START_LIMIT_S = 60
STOP_LIMIT_S = 40
BOUNDARY = "nurie-form"
NO_LIMIT = "1000000000"


class Service:
    def __init__(
        self,
        folder: Path,
        auth: str,
        workers: tuple[str, ...] = (),
        commands: Mapping[str, str] = PROCFILE,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`workers` are names in `commands`, such as control and cgan; `environment` goes over all else."""
        self.folder, self.port, redis_port = folder, _free_port(), _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._python = str(ROOT / ".venv" / "bin" / "python")
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("NURIE_")} | {
            "NURIE_DATA": str(folder / "var"),
            "NURIE_BROKER_URL": f"redis://127.0.0.1:{redis_port}/0",
            "NURIE_PORT": str(self.port),
            "NURIE_AUTH": auth,
            "NURIE_LOG_FORMAT": "json",
            "NURIE_TENANT_QUEUED_PAGES": NO_LIMIT,
            "NURIE_TENANT_REQUESTS_PER_MINUTE": NO_LIMIT,
            **environment,
        }
        self._commands = commands
        self.key = ""
        self._workers = workers
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.side_ports: dict[str, int] = {}
        """Where control and workers answer operators."""

    def __enter__(self) -> Self:
        try:
            if self._environment["NURIE_AUTH"] == "keys":
                self._admin("tenant", "create", "contract")
                self.key = self._admin("key", "create", "contract", "--scope", "admin")
            self._start("redis", self._python, "-m", "workers.redis_server")
            self.start_api()
            for name in self._workers:
                self.start_worker(name)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def start_api(self) -> None:
        """Returns when it answers."""
        self._start("api", self._python, "-m", "gunicorn", "-c", "python:api.server", "api.app:create_app()")
        self._wait_until_ready()

    def start_worker(self, name: str) -> None:
        """Start what `commands` has under this name; once more, where it was killed."""
        self._start(name, *shlex.split(self._commands[name].removeprefix("exec ").replace("$$", str(self.port))))

    def kill(self, name: str) -> None:
        """SIGKILL for a process and those that it started."""
        process = self._processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def signal(self, name: str, number: int) -> None:
        os.killpg(self._processes[name].pid, number)

    def pid(self, name: str) -> int:
        return self._processes[name].pid

    def wait(self, name: str) -> int:
        """Wait for a process that ends; its exit code."""
        return self._processes[name].wait(STOP_LIMIT_S)

    def log(self, name: str = "api") -> str:
        return (self.folder / f"{name}.log").read_text()

    def ask(self, method: str, path: str, body: object = None, media_type: str = "application/json") -> Any:
        """What a route answers, as JSON. Bytes are sent as they are, anything else as JSON."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        headers = {"Content-Type": media_type} if data is not None else {}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.loads(reply.read() or b"null")

    def submit(self, files: Iterable[tuple[str, str, bytes]], **fields: str) -> str:
        """Send a job as a multipart form; its id. `files` are (field, name, bytes)."""
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="%s"'
        body = b"".join(f"{head % name}\r\n\r\n{value}\r\n".encode() for name, value in fields.items())
        for field, name, data in files:
            body += f'{head % field}; filename="{name}"\r\n\r\n'.encode() + data + b"\r\n"
        body += f"--{BOUNDARY}--\r\n".encode()
        return self.ask("POST", "/v1/jobs", body, f"multipart/form-data; boundary={BOUNDARY}")["id"]

    def _admin(self, *arguments: str) -> str:
        command = [self._python, "-m", "admin", "admin", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self._environment, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def _start(self, name: str, *arguments: str) -> None:
        self.side_ports.setdefault(name, _free_port())
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                arguments,
                cwd=ROOT,
                env={"NURIE_METRICS_PORT": str(self.side_ports[name])} | self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._processes[name] = process

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_LIMIT_S
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                ended = [one.returncode for one in self._processes.values() if one.poll() is not None]
                if ended or time.monotonic() > deadline:
                    raise RuntimeError(f"the API did not start: {ended}: {self.log()[-2000:]}") from None
            time.sleep(0.1)

    def _stop(self) -> None:
        for process in reversed(self._processes.values()):
            process.terminate()
            try:
                process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
