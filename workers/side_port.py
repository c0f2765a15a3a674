"""The side port of a worker or control: /metrics for Prometheus, /healthz and /readyz for who starts and stops it.

On an address that clients do not reach: it asks for no key, and tells nothing of what is coloured.
"""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from prometheus_client.registry import Collector

from common.logging import get_logger
from common.settings import Settings
from common.telemetry import CONTENT_TYPE, render_metrics

PLAIN: Final = "text/plain; charset=utf-8"
SLOW_S: Final = 10.0
"""Who sends nothing for so long loses the connection, in seconds."""

FindObstacle = Callable[[], str | None]
"""Says what keeps this process from taking work; None when nothing does."""


class SidePort:
    """Answers from a thread of its own, as long as the process lives."""

    def __init__(self, host: str, port: int, find_obstacle: FindObstacle, *collectors: Collector) -> None:
        """Listens from now on; `port` 0 takes a free one. Raises OSError where it is taken."""
        self._server = ThreadingHTTPServer((host, port), partial(_Handler, find_obstacle, collectors))
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, name="side-port", daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def open_side_port(settings: Settings, find_obstacle: FindObstacle, *collectors: Collector) -> SidePort | None:
    """Open the side port that the settings name; None where they name none, or somebody has it already."""
    if settings.metrics_port is None:
        return None
    try:
        return SidePort(settings.metrics_host, settings.metrics_port, find_obstacle, *collectors)
    except OSError as error:
        # What can be seen must not keep pages from being coloured: another process of this machine may have the port.
        where = f"{settings.metrics_host}:{settings.metrics_port}"
        get_logger(__name__).warning("no side port", where=where, reason=str(error))
        return None


class _Handler(BaseHTTPRequestHandler):
    timeout = SLOW_S

    def __init__(self, find_obstacle: FindObstacle, collectors: Sequence[Collector], *connection: Any) -> None:
        self._find_obstacle, self._collectors = find_obstacle, collectors
        super().__init__(*connection)  # answers

    def do_GET(self) -> None:
        match self.path.partition("?")[0]:
            case "/metrics":
                self._answer(HTTPStatus.OK, render_metrics(*self._collectors), CONTENT_TYPE)
            case "/healthz":
                self._answer(HTTPStatus.OK, b"alive\n")
            case "/readyz":
                obstacle = self._find_obstacle()
                status = HTTPStatus.SERVICE_UNAVAILABLE if obstacle else HTTPStatus.OK
                self._answer(status, f"{obstacle or 'ready'}\n".encode())
            case _:
                self._answer(HTTPStatus.NOT_FOUND, b"here are /metrics, /healthz and /readyz\n")

    def _answer(self, status: HTTPStatus, body: bytes, content_type: str = PLAIN) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads a line for every scrape."""
