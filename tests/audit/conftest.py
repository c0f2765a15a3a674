"""A stand-in for OSV on loopback, which knows what a test tells it, or fails the way a test asks for."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


class Osv:
    """What the service knows and how it fails; both may change while it runs."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.asked: list[tuple[str, str]] = []
        self.raw: bytes | None = None
        self.status = 200
        self.breaks_after: int | None = None
        self.silent = False
        self.over = threading.Event()
        self.url = ""
        self.learn("jinja2", "2.4.1", "GHSA-462w-v97r-4m45", fixed="2.10.1")

    def learn(self, name: str, version: str, number: str, fixed: str | None = None, alias: str | None = None) -> None:
        events = [{"introduced": "0"}, *([{"fixed": fixed}] if fixed else [])]
        affected = {
            "package": {"name": name, "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": events}],
        }
        entry = {"id": number, "summary": f"{name} gives everything away", "affected": [affected]}
        if alias:
            entry["aliases"] = [alias]
        self.known.setdefault((name, version), []).append(entry)


@pytest.fixture
def osv(monkeypatch: pytest.MonkeyPatch) -> Iterator[Osv]:
    told = Osv()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.asked.append((query["package"]["name"], query["version"]))
            if told.silent:
                told.over.wait()
                return
            broken = told.breaks_after is not None and len(told.asked) > told.breaks_after
            vulns = told.known.get(told.asked[-1])
            body = told.raw if told.raw is not None else json.dumps({"vulns": vulns} if vulns else {}).encode()
            self.send_response(500 if broken else told.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            """Tests print nothing."""

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told.url = f"http://127.0.0.1:{server.server_port}/v1/query"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield told
        told.over.set()
        server.shutdown()
        thread.join()
