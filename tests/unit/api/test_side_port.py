"""The side port of workers and control, and what it tells of GPUs."""

import socket
import urllib.error
import urllib.request

import pytest

from common.settings import Settings
from common.telemetry import ATTEMPTS, GOLDEN_ERROR
from workers.control.loop import SILENT_S, Control
from workers.gpus import GpuCollector, open_gpus
from workers.side_port import SidePort, open_side_port


class Worker:
    """What a side port asks."""

    def __init__(self) -> None:
        self.obstacle: str | None = None

    def find_obstacle(self) -> str | None:
        return self.obstacle


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def port(worker: Worker):
    side_port = SidePort("127.0.0.1", 0, worker.find_obstacle, GpuCollector(FakeNvml(), "1,GPU-abc"))
    yield side_port.port
    side_port.close()


def ask(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_it_is_ready_while_nothing_keeps_the_worker_from_work(port, worker):
    assert ask(port, "/readyz") == (200, "ready\n")
    worker.obstacle = "its golden page failed"
    assert ask(port, "/readyz") == (503, "its golden page failed\n")
    assert ask(port, "/healthz") == (200, "alive\n")  # to start it anew would not help


def test_metrics_are_told_with_those_that_are_asked_at_this_moment(port):
    ATTEMPTS.labels("s2p", "done").inc()
    GOLDEN_ERROR.labels("s2p").set(0.5)
    status, text = ask(port, "/metrics?x=1")
    assert status == 200
    for line in (
        'nurie_golden_error{stage="s2p"} 0.5',
        'nurie_gpu_memory_used_bytes{gpu="1"} 100.0',
        'nurie_gpu_utilisation_ratio{gpu="GPU-abc"} 0.4',
    ):
        assert line in text.splitlines()
    assert 'nurie_attempts_total{outcome="done",stage="s2p"}' in text


def test_there_is_nothing_else(port):
    assert ask(port, "/v1/jobs")[0] == 404


def test_a_port_that_is_taken_keeps_nobody_from_work(worker, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings(metrics_port=taken.getsockname()[1])
        assert open_side_port(settings, worker.find_obstacle) is None
    assert "no side port" in capsys.readouterr().out


def test_there_is_none_unless_one_is_asked_for(worker):
    assert open_side_port(Settings(metrics_port=None), worker.find_obstacle) is None


def test_control_is_not_ready_when_no_round_ends(monkeypatch):
    control = Control.__new__(Control)
    control._round_at = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: 1000.0 + SILENT_S)
    assert control.find_obstacle() is None
    monkeypatch.setattr("time.monotonic", lambda: 1001.0 + SILENT_S)
    assert "no round" in control.find_obstacle()


def test_without_nvidias_library_no_gpu_is_told_of():
    assert open_gpus() is None


class FakeNvml:
    """Two GPUs, of which the second is known by its UUID, too."""

    class NVMLError(Exception):
        pass

    class Memory:
        used, total = 100, 200

    class Rates:
        gpu = 40

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802  the library's own name
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:  # noqa: N802  the library's own name
        return f"handle {index}"

    def nvmlDeviceGetHandleByUUID(self, uuid: bytes) -> str:  # noqa: N802  the library's own name
        if uuid != b"GPU-abc":
            raise self.NVMLError
        return "handle 1"

    def nvmlDeviceGetMemoryInfo(self, _handle: str) -> Memory:  # noqa: N802  the library's own name
        return self.Memory()

    def nvmlDeviceGetUtilizationRates(self, _handle: str) -> Rates:  # noqa: N802  the library's own name
        return self.Rates()


def gpus_of(visible: str | None) -> list[str]:
    used, *_ = GpuCollector(FakeNvml(), visible).collect()
    return [sample.labels["gpu"] for sample in used.samples]


def test_only_the_gpus_that_the_process_may_use_are_told_of():
    assert gpus_of(None) == ["0", "1"]
    assert gpus_of("1") == ["1"]
    assert gpus_of("GPU-abc") == ["GPU-abc"]
    assert gpus_of("GPU-unknown") == gpus_of("") == gpus_of("-1") == []
