"""A short life of a whole house, watched by a Prometheus: whatever can be counted happens at least once.

The stages are those of tests/chaos/stages.py, which only tint; all around them is the real thing.
"""

import json
import threading
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.service import FAST_STAGES, PROCFILE, STAGES, Service
from tests.sight.pages import picture
from tests.sight.server import ROOT, Prometheus, wait_until

TOKEN = "a-token-for-metrics-alone"
SCRAPE_S = 1
JOB_LIMIT_S = 90
SEEN_LIMIT_S = 30
ENDED = ("succeeded", "partial", "failed", "cancelled")
SETTINGS = {
    "NURIE_METRICS_TOKEN": TOKEN,
    "NURIE_WEBHOOK_NETWORKS": "127.0.0.0/8",
    "NURIE_DEVICE": "cpu",
    "NURIE_TEST_STAGE_S": "0.2",
    # Short enough that a lost worker is noticed within a test, long enough for a machine that is busy.
    "NURIE_POLL_S": "0.2",
    "NURIE_LEASE_S": "6",
    "NURIE_HEARTBEAT_S": "1",
    "NURIE_QUEUE_LEASE_S": "3",
    "NURIE_RETRY_BACKOFF_S": "0.2",
    "NURIE_MAX_FAILURES": "2",
}
CHAPTER = [*(f"{number:03d}.png" for number in range(1, 9)), "unpaintable.png"]
POISONED, HUNG = 3, 5
"""Pages of the chapter: one kills the process of its stage, at one a whole worker is killed."""


@dataclass(frozen=True)
class Life:
    """What is over, but for Prometheus, which answers, and the house, which it goes on to scrape."""

    house: Service
    prometheus: Prometheus


@contextmanager
def live(program: Path, folder: Path, prometheus_folder: Path) -> Iterator[Life]:
    """Start everything, and let it happen."""
    faults = folder / "faults"
    faults.mkdir()
    environment = SETTINGS | {"NURIE_TEST_FAULTS": str(faults)}
    workers = ("control", *STAGES)
    with (
        Service(folder, "keys", workers, PROCFILE | FAST_STAGES, environment) as house,
        Prometheus(program, prometheus_folder, make_config(house, prometheus_folder)) as prometheus,
        _receiver() as callback_url,
    ):
        life = Life(house, prometheus)
        wait_until(lambda: _has_slots(prometheus), SEEN_LIMIT_S, lambda: "no slots: " + _logs(house))
        _colour_a_chapter(house, faults, callback_url)
        _do_the_rest(house, callback_url)
        _wait_until_seen(prometheus)
        yield life


def make_config(house: Service, folder: Path) -> dict[str, Any]:
    """As docker/prometheus/prometheus.yaml, with jobs of the same names, but for where the processes are."""
    (folder / "token").write_text(TOKEN)
    api = f"127.0.0.1:{house.port}"
    jobs = [
        _job("nurie-api", api) | {"authorization": {"type": "Bearer", "credentials_file": str(folder / "token")}},
        *(_job(f"nurie-{name}", f"127.0.0.1:{house.side_ports[name]}") for name in ("control", *STAGES)),
    ]
    return {
        "global": {"scrape_interval": f"{SCRAPE_S}s", "evaluation_interval": f"{SCRAPE_S}s"},
        "rule_files": [str(ROOT / "docker" / "prometheus" / "alerts.yaml")],
        "scrape_configs": jobs,
    }


def _job(name: str, target: str) -> dict[str, Any]:
    return {"job_name": name, "static_configs": [{"targets": [target]}]}


def _has_slots(prometheus: Prometheus) -> bool:
    return len(prometheus.now("nurie_slots > 0")) == len(STAGES)


def _colour_a_chapter(house: Service, faults: Path, callback_url: str) -> None:
    """With a page that fails, one that kills its process, and one at which its whole worker is killed."""
    poison, hang = faults / f"cgan.{POISONED}.poison", faults / f"s2p.{HUNG}.hang"
    poison.touch()
    hang.touch()
    job_id = _send(house, CHAPTER, callback_url=callback_url)
    wait_until(lambda: not hang.exists(), JOB_LIMIT_S, lambda: "page never came to s2p: " + _logs(house))
    house.kill("s2p")
    house.start_worker("s2p")
    ended = _finish(house, job_id)
    assert ended["status"] == "partial", ended
    poison.unlink()


def _do_the_rest(house: Service, callback_url: str) -> None:
    """A small job, the same chapter once more, one that is cancelled, clients' errors, and a receiver who is away."""
    _finish(house, _send(house, ["small.png"], reference=1, truth=True))
    assert _finish(house, _send(house, CHAPTER[:2]))["status"] == "succeeded"
    _finish(house, _send(house, CHAPTER[:2], callback_url=callback_url.replace("/taken", "/refused")))
    cancelled = _send(house, [f"{number}.png" for number in range(20, 26)])
    house.ask("POST", f"/v1/jobs/{cancelled}/cancel")
    for path in ("/v1/jobs/" + "0" * 32, "/nowhere"):
        try:
            house.ask("GET", path)
        except urllib.error.HTTPError as error:
            assert error.code == 404
        else:
            raise AssertionError(f"{path} is there")


def _send(house: Service, names: list[str], *, reference: int = 0, truth: bool = False, **fields: str) -> str:
    """Pages of the same name are the same. Another reference has a training of its own: a rate needs a second one."""
    pages = [("pages", name, picture(sum(name.encode()))) for name in names]
    references = [("references", "reference.png", picture(reference, coloured=True))]
    truths = [("truths", name, picture(sum(name.encode()), coloured=True)) for name in names] if truth else []
    return house.submit([*pages, *references, *truths], params=json.dumps({"epochs": 1}), **fields)


def _finish(house: Service, job_id: str) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def has_ended() -> bool:
        found.update(house.ask("GET", f"/v1/jobs/{job_id}?wait=2"))
        return found["status"] in ENDED

    wait_until(has_ended, JOB_LIMIT_S, lambda: f"{found}: {_logs(house)}")
    return found


def _wait_until_seen(prometheus: Prometheus) -> None:
    """Until the last that happened was scraped, twice as rates need it."""
    # The API looks at jobs every few seconds.
    last = (
        'nurie_deliveries_total{outcome="again"} > 0',
        'nurie_jobs{state="cancelled"} > 0',
        "nurie_deliveries_pending > 0",
    )
    for query in last:
        wait_until(lambda query=query: prometheus.now(query), SEEN_LIMIT_S, lambda query=query: f"never seen: {query}")
    scraped = len(prometheus.since_start("up")[0][1])
    wait_until(lambda: len(prometheus.since_start("up")[0][1]) > scraped + 2, SEEN_LIMIT_S, prometheus.log)


def _logs(house: Service) -> str:
    return "\n".join(f"{name}: {house.log(name)[-1500:]}" for name in ("control", *STAGES))


@contextmanager
def _receiver() -> Iterator[str]:
    """Takes what is sent to /taken, and nothing else."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204 if self.path == "/taken" else 503)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/taken"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
