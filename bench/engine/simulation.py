"""10,000 pages of 20 tenants on 200 simulated workers, with PostgreSQL: throughput, fairness, and what control costs.

Everything but the workers is the real thing: PostgreSQL, Redis, control's process, the messages. The pools are made so
that their limit is known: as many slots a stage, and every stage takes the same time but the slowest.
"""

import os
import shutil
import sys
import time
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import httpx
import psutil
from redis import Redis
from sqlalchemy import text

from bench.engine.chapters import Chapters
from bench.engine.fairness import jain
from bench.engine.house import OUT
from bench.engine.simulated import FILE, TICK_S, SimulatedPools
from bench.figures import Figure
from bench.processes import Processes
from common.broker import Broker
from common.jobs.database import Database
from common.names import STAGES, Stage
from common.settings import Settings
from embedded.services import free_port
from storage.configured import open_configured_store
from tests.postgres import find_binaries, running

SLOTS: Final = 50
"""Workers of each stage: 200 in all."""
SLOWEST: Final = Stage.S2P
STAGE_S: Final = dict.fromkeys(STAGES, 1.6) | {SLOWEST: 2.0}
FAST_S: Final = dict.fromkeys(STAGES, 0.4) | {SLOWEST: 0.5}
"""With these the slowest pool's limit is 100 pages a second."""
TENANTS: Final = 20
PAGES: Final = 10_000
CHAPTER: Final = 50
MOST_CHAPTERS, FEWEST_CHAPTERS = 15, 5
ALL_HAVE_WORK: Final = TENANTS * FEWEST_CHAPTERS * CHAPTER // 2
"""When so many pages are done no tenant can have run dry, were they served evenly."""
EVERY_S: Final = 5.0
"""The report has a line for so many seconds."""
RAMP_S: Final = 10.0
LIMIT_S: Final = 900
BAR_SHARE, BAR_JAIN, BAR_CORE = 0.95, 0.95, 0.10
DISPATCH: Final = ("feed", "reap", "train")
"""Duties of control that are the dispatcher's."""
REPORT: Final = OUT / "simulation.md"


@dataclass(frozen=True)
class Moment:
    """What was seen at one moment: seconds since the start, pages done, processor time in seconds, and Redis.

    `dispatch_s` is the part of control's time in which it chooses, sends and finds what is lost; the rest of it unpacks
    and packs archives and sweeps.
    """

    at: float
    done: int
    control_s: float
    dispatch_s: float
    postgres_s: float
    pools_s: float
    messages: int
    redis_bytes: int


@dataclass(frozen=True)
class Result:
    """Of one run: what was seen, how many pages of each tenant were done while all had work, and the pools' limit."""

    moments: list[Moment]
    shares: list[int]
    limit: float

    @property
    def steady(self) -> tuple[Moment, Moment]:
        """Between the filling of the pools and the time when the first tenant may run dry."""
        inside = [one for one in self.moments if one.at >= RAMP_S and one.done < PAGES * 0.9]
        return inside[0], inside[-1]

    @property
    def rate(self) -> float:
        first, last = self.steady
        return (last.done - first.done) / (last.at - first.at)

    def share_of(self, name: str) -> float:
        """A process's share of one core over the steady time."""
        first, last = self.steady
        return (getattr(last, name) - getattr(first, name)) / (last.at - first.at)


def measure_simulation() -> list[Figure]:
    binaries = find_binaries()
    if binaries is None:
        raise RuntimeError("PostgreSQL is not installed: see make setup-tests")
    usual, fast = simulate("usual", STAGE_S, binaries), simulate("fast", FAST_S, binaries)
    REPORT.write_text(_write_report(usual, fast))
    print(f"written to {REPORT}")
    what = f"simulation, {PAGES} pages, {SLOTS * len(STAGES)} workers, {TENANTS} tenants"
    return [
        Figure(f"{what}: of the slowest pool's limit", usual.rate / usual.limit, "", BAR_SHARE, at_least=True),
        Figure(f"{what}: Jain's index", jain(usual.shares), "", BAR_JAIN, at_least=True),
        Figure(f"{what}: pages a second", usual.rate, "1/s"),
        Figure(f"{what}: control's share of a core", usual.share_of("control_s"), ""),
        Figure("limit of 100 pages/s: pages a second", fast.rate, "1/s"),
        Figure("limit of 100 pages/s: the dispatcher's share of a core", fast.share_of("dispatch_s"), "", BAR_CORE),
        Figure("the dispatcher's time of a page × 100/s", fast.share_of("dispatch_s") / fast.rate * 100, "", BAR_CORE),
        Figure("limit of 100 pages/s: control's, with packing", fast.share_of("control_s"), ""),
        Figure("limit of 100 pages/s: Jain's index", jain(fast.shares), "", BAR_JAIN, at_least=True),
    ]


def simulate(name: str, stage_s: dict[Stage, float], binaries: Path) -> Result:
    with running(binaries) as server:
        return _Simulation(name, stage_s, server.url).run()


class _Simulation:
    def __init__(self, name: str, stage_s: dict[Stage, float], database_url: str) -> None:
        self._stage_s = stage_s
        data = OUT / f"var-simulation-{name}"
        shutil.rmtree(data, ignore_errors=True)
        self._settings = Settings(
            data=data,
            database_url=database_url,
            broker_url=f"redis://127.0.0.1:{free_port()}/0",
            storage_url=f"file://{data / 'storage'}",
        )
        self._data, self._side_port = data, free_port()
        environment = {
            "NURIE_DATA": str(data),
            "NURIE_DATABASE_URL": database_url,
            "NURIE_BROKER_URL": self._settings.broker_url,
            "NURIE_LOG_LEVEL": "WARNING",
            "NURIE_METRICS_PORT": str(self._side_port),
        }
        self._processes = Processes(OUT / f"simulation-{name}.log", environment)

    def run(self) -> Result:
        database = Database(self._settings.database_url)
        database.migrate()
        store = open_configured_store(self._settings)
        store.ensure()
        store.put(FILE["key"], b"a page", media_type="image/png")
        chapters = Chapters(database, store, Broker(self._settings.broker_url))
        tenants = _submit(chapters)
        with database.writing() as session:
            session.execute(text("ANALYZE"))  # as PostgreSQL itself would within a minute: these rows came in a second
        pools = SimulatedPools(self._settings, database, dict.fromkeys(STAGES, SLOTS), self._stage_s)
        try:
            self._processes.start("redis", [sys.executable, "-m", "workers.redis_server"])
            _wait_for_redis(self._settings.broker_url)
            pools.tick()  # signs in
            self._processes.start("control", [sys.executable, "-m", "workers.control"])
            moments = self._watch(pools, database)
        finally:
            self._processes.stop()
            chapters.close()
            shutil.rmtree(self._data, ignore_errors=True)
        served = Counter(tenants[job_id] for _, job_id in pools.done[:ALL_HAVE_WORK])
        shares = [served[tenant] for tenant in sorted(set(tenants.values()))]
        return Result(moments, shares, SLOTS / max(self._stage_s.values()))

    def _dispatch_s(self) -> float:
        try:
            told = httpx.get(f"http://127.0.0.1:{self._side_port}/metrics").text
        except httpx.ConnectError:
            return 0.0  # control is starting
        lines = dict(line.rsplit(" ", 1) for line in told.splitlines() if not line.startswith("#"))
        return sum(float(lines.get(f'nurie_control_cpu_seconds_total{{duty="{duty}"}}', 0)) for duty in DISPATCH)

    def _watch(self, pools: SimulatedPools, database: Database) -> list[Moment]:
        """Let the pools work until all pages are done."""
        redis = Redis.from_url(self._settings.broker_url)
        own = psutil.Process()
        postgres = _postgres_of(database)
        started = time.monotonic()
        moments: list[Moment] = []
        while len(pools.done) < PAGES:
            tick = time.monotonic()
            pools.tick()
            at = time.monotonic() - started
            if at >= EVERY_S * len(moments):
                self._processes.check()
                cpu = own.cpu_times()
                moments.append(
                    Moment(
                        at,
                        len(pools.done),
                        self._processes.cpu_s("control"),
                        self._dispatch_s(),
                        _cpu_s(postgres),
                        cpu.user + cpu.system,
                        sum(int(redis.llen(stage)) for stage in STAGES),
                        int(redis.info("memory")["used_memory"]),
                    )
                )
            if at > LIMIT_S:
                raise TimeoutError(f"only {len(pools.done)} of {PAGES} pages were done within {LIMIT_S} s")
            time.sleep(max(0.0, TICK_S - (time.monotonic() - tick)))
        return moments


def _submit(chapters: Chapters) -> dict[str, str]:
    """Chapters of every tenant; the first has the most. Returns the tenants of the jobs."""
    chapters_of = [MOST_CHAPTERS - (number + 1) // 2 for number in range(TENANTS)]
    assert sum(chapters_of) * CHAPTER == PAGES
    return {
        chapters.insert(f"tenant-{number:02}", CHAPTER): f"tenant-{number:02}"
        for number, count in enumerate(chapters_of)
        for _ in range(count)
    }


def _wait_for_redis(url: str) -> None:
    broker, deadline = Broker(url), time.monotonic() + 30
    while True:
        try:
            return broker.check()
        except Exception:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def _postgres_of(database: Database) -> psutil.Process:
    """The server's first process, found by one that answers us."""
    with database.reading() as session:
        pid = session.scalar(text("SELECT pg_backend_pid()"))
    return psutil.Process(int(pid or 0)).parent() or psutil.Process(os.getpid())


def _cpu_s(process: psutil.Process) -> float:
    times = [one.cpu_times() for one in (process, *process.children())]
    return sum(one.user + one.system for one in times) + process.cpu_times().children_user


def _write_report(usual: Result, fast: Result) -> str:
    lines = [
        "# The simulation",
        "",
        f"{PAGES:,} pages in chapters of {CHAPTER}, of {TENANTS} tenants that have {FEWEST_CHAPTERS} to "
        f"{MOST_CHAPTERS} chapters; {SLOTS} simulated workers a stage; PostgreSQL, Redis and one control, all on "
        f"{os.cpu_count()} cores. `python -m bench.engine simulation` makes this.",
        "",
    ]
    for title, result, stage_s in (("Stages of 2 s", usual, STAGE_S), ("At 100 pages a second", fast, FAST_S)):
        lines += _describe(title, result, stage_s[SLOWEST])
    return "\n".join(lines)


def _describe(title: str, result: Result, slowest_s: float) -> list[str]:
    shares = {name: f"{result.share_of(f'{name}_s'):.1%}" for name in ("dispatch", "control", "postgres", "pools")}
    lines = [
        f"## {title}",
        "",
        f"The slowest stage, {SLOWEST}, takes {slowest_s:g} s: {result.limit:g} pages a second are the limit.",
        "",
        f"- Reached: {result.rate:.1f} pages a second, {result.rate / result.limit:.1%} of the limit.",
        f"- Jain's index over the tenants after {ALL_HAVE_WORK} pages: {jain(result.shares):.4f}; their pages then: "
        f"{', '.join(map(str, result.shares))}.",
        f"- Of a core: the dispatcher {shares['dispatch']}, control with packing {shares['control']}, PostgreSQL "
        f"{shares['postgres']}, the simulated workers {shares['pools']}.",
        f"- The dispatcher's time for a page: {result.share_of('dispatch_s') / result.rate * 1e3:.2f} ms.",
        "",
        "| s | pages done | pages/s | dispatcher | control | PostgreSQL | workers | messages | Redis, KB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for before, one in pairwise(result.moments):
        span = one.at - before.at
        names = ("dispatch_s", "control_s", "postgres_s", "pools_s")
        cores = " | ".join(f"{(getattr(one, name) - getattr(before, name)) / span:.1%}" for name in names)
        lines.append(
            f"| {one.at:.0f} | {one.done} | {(one.done - before.done) / span:.1f} | {cores} | {one.messages} | "
            f"{one.redis_bytes / 1024:.0f} |"
        )
    return [*lines, ""]
