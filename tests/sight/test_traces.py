"""Traces of a real run, as a collector gets them: what every process did for a job, under the job's own id."""

import hashlib
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.service import FAST_STAGES, PROCFILE, STAGES, Service
from tests.sight.pages import picture

LIMIT_S = 90
SERVICES = {"nurie-api", "nurie-control", *(f"nurie-{stage}" for stage in STAGES)}


class Collector:
    """An OpenTelemetry collector that keeps every span, by service."""

    def __init__(self) -> None:
        spans = self.spans = defaultdict(list)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                body = self.rfile.read(int(self.headers["Content-Length"]))
                for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    attributes = {one.key: one.value.string_value for one in of_resource.resource.attributes}
                    for of_scope in of_resource.scope_spans:
                        spans[attributes["service.name"]].extend(of_scope.spans)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def is_chosen(job: str) -> bool:
    """Whether a job is in the half that is traced: by the last 56 bits of its id at least, which are drawn."""
    return int(job[-16:], 16) < 2**63


def run_jobs(folder: Path, collector: Collector) -> list[str]:
    """Colour chapters with fast stages until both kinds are among them; returns their ids once all spans are sent."""
    environment = {"NURIE_OTLP_ENDPOINT": collector.url, "NURIE_TRACE_RATIO": "0.5"}
    jobs: list[str] = []
    with Service(folder, "off", ("control", *STAGES), PROCFILE | FAST_STAGES, environment) as service:
        reference = ("references", "r.png", picture(0, coloured=True))
        while {is_chosen(job) for job in jobs} != {True, False}:
            jobs.append(service.submit([("pages", "1.png", picture(len(jobs) + 1)), reference]))
        deadline = time.monotonic() + LIMIT_S
        while any(service.ask("GET", f"/v1/jobs/{job}?wait=5")["status"] != "succeeded" for job in jobs):
            assert time.monotonic() < deadline
    return jobs


def test_the_trace_of_a_jobs_id_holds_what_every_process_did_for_it(tmp_path):
    collector = Collector()
    try:
        jobs = run_jobs(tmp_path, collector)
    finally:
        collector.close()
    # All processes choose the same jobs.
    seen = {span.trace_id.hex() for spans in collector.spans.values() for span in spans}
    assert seen == {job for job in jobs if is_chosen(job)}
    job = next(job for job in jobs if is_chosen(job))
    own = {name: [one for one in spans if one.trace_id.hex() == job] for name, spans in collector.spans.items()}
    assert {name for name, spans in own.items() if spans} == SERVICES
    everything = [span for spans in own.values() for span in spans]
    names = {span.name for span in everything}
    assert {"job", "POST /v1/jobs", "cgan.paint", "s2p.paint", "metrics.report", "control.package"} <= names
    (root,) = [span for span in everything if span.name == "job"]
    assert root.span_id.hex() == hashlib.sha256(job.encode()).hexdigest()[:16]
    assert not root.parent_span_id
    # Each hangs on another one of this trace, and so on the job's.
    ids = {span.span_id for span in everything}
    assert all(span.parent_span_id in ids for span in everything if span is not root)
    # The parts of a stage, with the time that storage and database took.
    (paint,) = [span for span in own["nurie-s2p"] if span.name == "s2p.paint"]
    parts = {span.name for span in everything if span.parent_span_id == paint.span_id}
    assert {"storage.get", "storage.put", "database.write"} <= parts
    assert {one.key: one.value for one in paint.attributes}["nurie.outcome"].string_value == "done"
    times = [root.start_time_unix_nano, paint.start_time_unix_nano, paint.end_time_unix_nano, root.end_time_unix_nano]
    assert times == sorted(times)
