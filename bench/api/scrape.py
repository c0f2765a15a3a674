"""How long /metrics takes with 100,000 jobs in the database, of which one in a hundred is open, on PostgreSQL."""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from flask.testing import FlaskClient
from sqlalchemy import insert, text

from api.app import create_app
from api.context import EXTENSION
from bench.figures import Figure
from common.jobs.database import Database
from common.jobs.ids import new_id
from common.jobs.models import Job, Page, Tenant
from common.settings import Settings
from tests.postgres import find_binaries, running

JOBS: Final = 100_000
PAGES: Final = 3
OPEN_EVERY: Final = 100
TENANTS: Final = 20
BATCH: Final = 5_000
SCRAPES: Final = 14
EVERY_S: Final = 1.0
"""Between two scrapes, in seconds: the truth is looked at again in some of them."""
BAR_MS: Final = 50


def measure_scrape() -> list[Figure]:
    binaries = find_binaries()
    if binaries is None:
        raise RuntimeError("PostgreSQL is not installed: see make setup-tests")
    with running(binaries) as server, tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder), database_url=server.url, broker_url="redis://127.0.0.1:1/0")
        _fill(server.url)
        app = create_app(settings)
        client = app.test_client()
        client.get("/healthz")
        first = _scrape_ms(client)
        later = [_scrape_ms(client, EVERY_S) for _ in range(SCRAPES)]
        app.extensions[EXTENSION].database.close()
    what = f"/metrics with {JOBS:,} jobs"
    return [
        Figure(f"{what}: the first after a start", first, "ms"),
        Figure(f"{what}: median of {SCRAPES}", statistics.median(later), "ms", BAR_MS),
        Figure(f"{what}: slowest of them", max(later), "ms", BAR_MS),
    ]


def _scrape_ms(client: FlaskClient, pause_s: float = 0.0) -> float:
    time.sleep(pause_s)
    started = time.perf_counter()
    reply = client.get("/metrics")
    assert b"nurie_jobs{" in reply.data
    return (time.perf_counter() - started) * 1e3


def _fill(url: str) -> None:
    database, now = Database(url), time.time()
    database.migrate()
    with database.writing() as session:
        session.add_all(Tenant(id=f"tenant-{number}", created_at=now) for number in range(TENANTS))
    for start in range(0, JOBS, BATCH):
        jobs = [_job(number, now) for number in range(start, start + BATCH)]
        pages = [_page(job, number, now) for job in jobs for number in range(1, PAGES + 1)]
        with database.writing() as session:
            session.execute(insert(Job), jobs)
            session.execute(insert(Page), pages)
    with database.writing() as session:
        session.execute(text("ANALYZE"))  # as PostgreSQL does by itself within a minute
    database.close()


def _job(number: int, now: float) -> dict[str, Any]:
    return {
        "id": new_id(),
        "tenant_id": f"tenant-{number % TENANTS}",
        "kind": "colorize",
        "status": "running" if number % OPEN_EVERY == 0 else "succeeded",
        "params": {},
        "pages_total": PAGES,
        "references": [],
        "unpacked": True,
        "created_at": now,
        "updated_at": now,
    }


def _page(job: dict[str, Any], number: int, now: float) -> dict[str, Any]:
    is_open = job["status"] == "running"
    return {
        "job_id": job["id"],
        "number": number,
        "name": f"{number}.png",
        "status": "queued" if is_open else "succeeded",
        "stage": "s2p" if is_open else None,
        "artifacts": {},
        "timings": {},
        "weights": {},
        "updated_at": now,
    }
