"""The whole house on PostgreSQL, straight and through PgBouncer: connections, commands of Redis, and that all works."""

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import psycopg
from redis import Redis

from bench.api.submissions import make_page
from bench.figures import Figure
from embedded.services import ROOT
from tests import pgbouncer
from tests.postgres import PORT, find_binaries, running
from tests.service import FAST_STAGES, PROCFILE, STAGES, Service

OUT = ROOT / "out" / "bench-scaling"
PAGES = 60
PAGE_PX = (240, 340)
LIMIT_S = 180
SETTLE_S = 15
SERVERS = 8
"""Connections that PgBouncer may have to the server."""
CONTROLS = {"control": PROCFILE["control"], "control2": PROCFILE["control"]}
WORKERS = {
    f"{stage}{number}": FAST_STAGES[stage].replace("-$$@", f"{number}-$$@") for stage in STAGES for number in (1, 2)
}


@dataclass(frozen=True)
class Seen:
    """What was seen of the house.

    Attributes:
        idle: connections to the database while there is nothing to do, most.
        most: while a chapter is under way.
        seconds: that the chapter took.
        idle_commands, idle_bytes: that Redis takes and sends in a second while there is nothing to do.
        broker_clients: connections to Redis after it.
    """

    idle: int
    most: int
    seconds: float
    idle_commands: float
    idle_bytes: float
    broker_clients: int


def measure_connections() -> list[Figure]:
    """Of two controls, API and eight workers, straight to the server; and what they ask of Redis."""
    with _postgres() as url:
        bare = _run(url, "bare", {}, 0)
        seen = _run(url, "straight", WORKERS, PAGES)
    workers = len(WORKERS)
    return [
        Figure("connections of API and two controls", bare.idle, ""),
        Figure("connections of a worker, waiting", (seen.idle - bare.idle) / workers, ""),
        Figure(f"connections in all with {workers} workers at work, most", seen.most, ""),
        Figure("connections of a worker at work, most", (seen.most - bare.most) / workers, ""),
        Figure("Redis: commands a second, API and two controls that wait", bare.idle_commands, "1/s"),
        Figure(
            "Redis: commands a second of a worker that waits",
            (seen.idle_commands - bare.idle_commands) / workers,
            "1/s",
        ),
        Figure("Redis: connections of a worker", (seen.broker_clients - bare.broker_clients) / workers, ""),
        Figure("Redis: bytes a second to a worker that waits", (seen.idle_bytes - bare.idle_bytes) / workers, "B/s"),
        Figure(f"seconds for {PAGES} pages, straight", seen.seconds, "s"),
    ]


def measure_pooler() -> list[Figure]:
    """The same through PgBouncer in transaction mode: a chapter must come to its end."""
    program = pgbouncer.find_pgbouncer()
    if program is None:
        raise RuntimeError("PgBouncer is not installed (Debian: apt-get install pgbouncer)")
    with _postgres() as url, pgbouncer.running(program, url, SERVERS) as pooled:
        seen = _run(pooled, "pooled", WORKERS, PAGES, server_url=url)
        stats = next(row for row in pgbouncer.show(pooled, "STATS") if row["database"] == "postgres")
    log = "".join((OUT / "pooled" / f"{name}.log").read_text() for name in ("api", *CONTROLS, *WORKERS))
    return [
        Figure("through PgBouncer: connections to the server, most", seen.most, "", SERVERS),
        Figure(f"through PgBouncer: seconds for {PAGES} pages", seen.seconds, "s"),
        Figure(
            "through PgBouncer: transactions a page, all that the house did", int(stats["total_xact_count"]) / PAGES, ""
        ),
        Figure("through PgBouncer: log lines about the database", log.count("database_unavailable"), "", 0),
    ]


def _run(url: str, name: str, workers: dict[str, str], pages: int, server_url: str | None = None) -> Seen:
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    settings = {"NURIE_TEST_STAGE_S": "0.1", "NURIE_LOG_LEVEL": "WARNING", "NURIE_DATABASE_URL": url}
    commands = {**CONTROLS, **workers}
    with Service(folder, "off", tuple(commands), commands, settings) as service, ExitStack() as stack:
        watcher = stack.enter_context(_watching(server_url or url))
        _wait_for_workers(watcher, len(workers))
        broker = stack.enter_context(Redis.from_url(service._environment["NURIE_BROKER_URL"]))
        _most_connections(watcher, SETTLE_S / 2)  # workers that come up greet each other
        before = broker.info("stats")
        idle = most = _most_connections(watcher, SETTLE_S)
        after, started = broker.info("stats"), time.monotonic()
        if pages:
            files = [("pages", f"{number:03}.jpg", make_page(number, size=PAGE_PX)) for number in range(pages)]
            files.append(("references", "r.jpg", make_page(5000, coloured=True, size=PAGE_PX)))
            job_id = service.submit(files)
            while (state := service.ask("GET", f"/v1/jobs/{job_id}")["status"]) not in (
                "succeeded",
                "failed",
                "partial",
            ):
                most = max(most, _connections(watcher))
                if time.monotonic() > started + LIMIT_S:
                    raise TimeoutError(f"the chapter is {state} after {LIMIT_S} s: see {folder}")
                time.sleep(0.1)
            if state != "succeeded":
                raise RuntimeError(f"the chapter ended {state}: see {folder}")
        seconds = time.monotonic() - started
        broker_clients = broker.info("clients")["connected_clients"]
    per_second = [
        (after[name] - before[name]) / SETTLE_S for name in ("total_commands_processed", "total_net_output_bytes")
    ]
    return Seen(idle, most, seconds, *per_second, broker_clients)


@contextmanager
def _postgres() -> Iterator[str]:
    binaries = find_binaries()
    if binaries is None:
        raise RuntimeError("PostgreSQL is not installed: see make setup-tests")
    with running(binaries) as server:
        yield server.url


@contextmanager
def _watching(url: str) -> Iterator[psycopg.Connection]:
    folder = parse_qs(urlsplit(url).query)["host"][0]
    with psycopg.connect(host=folder, port=PORT, user="postgres", dbname="postgres", autocommit=True) as connection:
        yield connection


def _connections(watcher: psycopg.Connection) -> int:
    count = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    return int(watcher.execute(count).fetchone()[0])


def _most_connections(watcher: psycopg.Connection, seconds: float) -> int:
    """In a while without work: control, its webhooks and the API ask at different moments."""
    most, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        most = max(most, _connections(watcher))
        time.sleep(0.05)
    return most


def _wait_for_workers(watcher: psycopg.Connection, count: int) -> None:
    deadline = time.monotonic() + LIMIT_S
    while watcher.execute("SELECT count(*) FROM workers WHERE slots > 0").fetchone()[0] < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"not all of {count} workers signed in")
        time.sleep(0.1)
