"""The faults: each strikes once at a job under way, and says whom it hit and since when recovery counts."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import httpx

from common.names import STAGES, Stage
from tests.chaos.checks import Truth, now
from tests.chaos.disk import Filler
from tests.chaos.house import House, is_listening, wait_until
from tests.chaos.outage import S3Proxy
from tests.postgres import PostgresServer

STRIKE_LIMIT_S = 60
REDIS_AWAY_S = 5
STORAGE_AWAY_S = 20
DATABASE_LOCKED_S = 10
DATABASE_AWAY_S = 10
LEASE_SHORTER_THAN_OUTAGE = {"NURIE_LEASE_S": "6", "NURIE_HEARTBEAT_S": "1"}
"""So that no lease can be renewed in time."""
DISK_FULL_S = 10
HANG_LIMIT_S = 5
BEFORE_ALL_IS_SENT = 0.4
"""For what strikes a page that was not sent yet: some ten are under way, those of a short chapter sent soon."""

LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
connection.execute("ROLLBACK")
"""


Ground = S3Proxy | Path | PostgresServer | None
"""What the house stands on, where a fault needs it: a proxy before S3, a small disk's folder, the database's server."""


@dataclass(frozen=True)
class Field:
    """What a fault may lay hands on."""

    house: House
    truth: Truth
    random: Random
    ground: Ground = None


@dataclass(frozen=True)
class Blow:
    """What a fault did.

    Attributes:
        since: from when recovery counts, in seconds since 1970: the fault, or the return of what was away.
        pages: those that must have committed a stage again by then; any page where none is named.
        poisoned: pages that must fail.
        what: for the table.
        recovered_s: where the fault itself saw what counts as recovery.
    """

    since: float
    pages: frozenset[int] = frozenset()
    poisoned: frozenset[int] = frozenset()
    what: str = ""
    recovered_s: float | None = None


@dataclass(frozen=True)
class Fault:
    """How to strike, and how soon the house must have recovered (seconds; None: it only must)."""

    strike: Callable[[Field], Blow]
    bar_s: float | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    keeps_redis: bool = False
    needs: str = ""
    """What the house must stand on: a name of `tests.chaos.rounds.GROUNDS`."""
    is_outage: bool = False
    """What all share was away: held against no page."""
    latest: float = 0.6
    """Until when it may strike, as a share of the chapter's stages that are done."""


def kill_child(at: Field) -> Blow:
    """SIGKILL for the process that works on a page; its parent, the worker, lives on."""
    stage, number, pid = _freeze_holder(at, at.random.choice(STAGES))
    os.kill(pid, signal.SIGKILL)
    return Blow(now(), frozenset({number}), what=f"{stage}, page {number}")


def kill_worker(at: Field) -> Blow:
    """SIGKILL for a worker that has a page, parent and child."""
    stage, number, _ = _freeze_holder(at, at.random.choice(STAGES))
    at.house.processes[stage].kill()
    return Blow(now(), frozenset({number}), what=f"{stage}, page {number}")


def kill_control(at: Field) -> Blow:
    """Recovered when a page that control had not yet sent has come through a stage."""
    unsent = frozenset(page.number for page in at.truth.pages() if page.attempt == 0)
    at.house.processes["control"].kill()
    struck = now()
    if not unsent:
        return Blow(struck)

    def come_through() -> list[float]:
        return [commit.at for commit in at.truth.commits() if commit.number in unsent]

    wait_until(come_through, STRIKE_LIMIT_S, "no page was sent after control's death")
    return Blow(struck, recovered_s=min(come_through()) - struck)


def kill_api(at: Field) -> Blow:
    """Recovered when it says that it is ready."""
    at.house.processes["api"].kill()
    struck = now()
    wait_until(lambda: not is_listening(at.house.port), STRIKE_LIMIT_S, "the API did not go")

    def is_ready() -> bool:
        with suppress(httpx.TransportError):
            return httpx.get(f"{at.house.base_url}/readyz", timeout=5).is_success
        return False

    wait_until(is_ready, STRIKE_LIMIT_S, "the API did not come back")
    return Blow(struck, recovered_s=now() - struck)


def flush_redis(at: Field) -> Blow:
    pages = at.truth.in_flight()
    at.house.redis.flushall()
    return Blow(now(), frozenset(pages), what=f"{len(pages)} pages in flight")


def stop_redis(at: Field) -> Blow:
    """Killed, away for some seconds, started again; with or without what it held, as the house was made."""
    with at.house.away("redis"):
        pages = at.truth.in_flight()
        time.sleep(REDIS_AWAY_S)
    wait_until(at.house.redis_answers, STRIKE_LIMIT_S, "Redis did not come back")
    return Blow(now(), frozenset(pages), what=f"away {REDIS_AWAY_S} s, {len(pages)} pages in flight")


def stop_storage(at: Field) -> Blow:
    """Every request is answered by 503 for a while."""
    assert isinstance(at.ground, S3Proxy)
    at.ground.is_away.set()
    time.sleep(STORAGE_AWAY_S)
    at.ground.is_away.clear()
    return Blow(now(), what=f"503 for {STORAGE_AWAY_S} s")


def lock_database(at: Field) -> Blow:
    """Another process holds SQLite's write lock."""
    with subprocess.Popen(
        [sys.executable, "-c", LOCK, str(at.house.database_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdin
        assert holder.stdout
        assert holder.stdout.readline() == b"locked\n"
        time.sleep(DATABASE_LOCKED_S)
        holder.stdin.close()
        holder.wait(STRIKE_LIMIT_S)
    return Blow(now(), what=f"locked {DATABASE_LOCKED_S} s")


def restart_database(at: Field) -> Blow:
    """PostgreSQL crashes, is away for longer than a lease, and is started again."""
    assert isinstance(at.ground, PostgresServer)
    at.ground.stop()
    time.sleep(DATABASE_AWAY_S)
    at.ground.start()
    return Blow(now(), what=f"PostgreSQL away {DATABASE_AWAY_S} s")


def double_message(at: Field) -> Blow:
    """A message that waits in a queue is put there once more."""
    queues = [stage.value for stage in STAGES]
    at.random.shuffle(queues)

    def double_one() -> str:
        for queue in queues:
            if message := at.house.redis.lindex(queue, -1):
                at.house.redis.lpush(queue, message)
                return queue
        return ""

    doubled: list[str] = []
    wait_until(lambda: doubled.append(double_one()) or doubled[-1], STRIKE_LIMIT_S, "no message waited")
    return Blow(now(), what=doubled[-1])


def hang(at: Field) -> Blow:
    """A stage goes on for ever; its time limit must end it. Counts from when it began to hang."""
    stage, number = _choose_unsent(at)
    mark = at.house.faults / f"{stage}.{number}.hang"
    mark.touch()
    wait_until(lambda: not mark.exists(), STRIKE_LIMIT_S, f"page {number} did not reach {stage}")
    return Blow(now(), frozenset({number}), what=f"{stage}, page {number}, limit {HANG_LIMIT_S} s")


def poison(at: Field) -> Blow:
    """A page kills the process of its stage whenever it comes. Recovered when the page has failed."""
    stage, number = _choose_unsent(at)
    (at.house.faults / f"{stage}.{number}.poison").touch()
    wait_until(
        lambda: at.truth.page(number).worker and at.truth.page(number).stage == stage,
        STRIKE_LIMIT_S,
        f"page {number} did not reach {stage}",
    )
    return Blow(now(), poisoned=frozenset({number}), what=f"{stage}, page {number}")


def fill_disk(at: Field) -> Blow:
    """The store's disk has no byte left for a while."""
    assert isinstance(at.ground, Path)
    filler = Filler(at.ground)
    filler.fill()
    ends = time.monotonic() + DISK_FULL_S
    while time.monotonic() < ends:
        filler.fill()  # what a failed write gave back is taken too
        time.sleep(0.05)
    assert filler.is_full()
    filler.free()
    return Blow(now(), what=f"full {DISK_FULL_S} s")


FAULTS = {
    "child-killed": Fault(kill_child, bar_s=15),
    "worker-killed": Fault(kill_worker, bar_s=75),
    "control-killed": Fault(kill_control, latest=BEFORE_ALL_IS_SENT),
    "api-killed": Fault(kill_api),
    "redis-flushed": Fault(flush_redis, bar_s=60, is_outage=True),
    "redis-restarted": Fault(stop_redis, bar_s=60, keeps_redis=True, is_outage=True),
    "redis-lost": Fault(stop_redis, bar_s=60, is_outage=True),
    "storage-503": Fault(stop_storage, needs="s3", is_outage=True),
    "database-locked": Fault(lock_database, is_outage=True),
    "database-restarted": Fault(
        restart_database, settings=LEASE_SHORTER_THAN_OUTAGE, needs="postgresql", is_outage=True
    ),
    "message-twice": Fault(double_message),
    "stage-hangs": Fault(hang, settings={"NURIE_STAGE_LIMIT_S": str(HANG_LIMIT_S)}, latest=BEFORE_ALL_IS_SENT),
    "page-poisoned": Fault(poison, latest=BEFORE_ALL_IS_SENT),
    "disk-full": Fault(fill_disk, needs="disk", is_outage=True),
}


def _freeze_holder(at: Field, stage: Stage) -> tuple[Stage, int, int]:
    """Stop the process that works on a page of the stage in the middle of it: stage, page, process."""
    found: list[tuple[int, int]] = []

    def freeze() -> bool:
        page = at.truth.held(stage)
        if page is None or page.worker is None:
            return False
        pid = int(page.worker.rpartition(":")[2])
        if pid not in _children(at.house.processes[stage].pid):
            return False
        os.kill(pid, signal.SIGSTOP)
        again = at.truth.page(page.number)
        if (again.stage, again.worker) != (stage, page.worker):  # it was done just before
            os.kill(pid, signal.SIGCONT)
            return False
        found.append((page.number, pid))
        return True

    wait_until(freeze, STRIKE_LIMIT_S, f"no page at {stage}", every_s=0.005)
    return (stage, *found[-1])


def _choose_unsent(at: Field) -> tuple[Stage, int]:
    unsent = [page.number for page in at.truth.pages() if page.attempt == 0]
    assert unsent, "every page was sent already"
    return at.random.choice(STAGES), at.random.choice(unsent)


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    return []
