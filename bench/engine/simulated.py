"""Workers without processes: hundreds of slots in one, which do to queues and truth what Celery's workers do.

They take the real messages from the real queues, claim and commit as `WorkStore` does (held equal to it by a test), and
send a chain's next message on. Only what costs a process of its own is missing: a stage is a time to wait for, and
what many slots do in the same moment is one transaction.
"""

import heapq
import json
import time
import uuid
from base64 import b64decode, b64encode
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any, Final

from redis import Redis
from sqlalchemy import insert, select, tuple_, update

from common.jobs.database import Database
from common.jobs.models import WHOLE_SET, Attempt, Job, Page, Worker
from common.jobs.states import PAGE_ENDED, JobStatus, PageStatus
from common.jobs.work import PageRef, WorkStore, finish_pages
from common.names import CONTROL_QUEUE, SET_TASK, STAGE_ARTIFACTS, STAGES, TRAIN_TASK, Stage
from common.settings import Settings

LEASE_S: Final = 60.0
SIGN_IN_EVERY_S: Final = 10.0
TICK_S: Final = 0.02
"""How often the slots are looked at, in seconds."""


@dataclass(frozen=True)
class Run:
    """A page at a stage, and the message that asked for it."""

    stage: Stage
    ref: PageRef
    message: dict[str, Any]


class SimulatedPools:
    """`slots` of every stage, each of which takes `stage_s` seconds for a page."""

    def __init__(self, settings: Settings, database: Database, slots: dict[Stage, int], stage_s: dict[Stage, float]):
        self._database = database
        self._redis = Redis.from_url(settings.broker_url)
        self._work = WorkStore(database, LEASE_S, "simulated")
        self._free = dict(slots)
        self._slots = slots
        self._stage_s = stage_s
        self._ends: list[tuple[float, int, Run]] = []
        self._signed_in_at = -SIGN_IN_EVERY_S
        self._counter = 0
        self.taken: Counter[Stage] = Counter()
        self.done: list[tuple[float, str]] = []
        """When each page ended (time.monotonic), and its job."""
        self.busy_s: Counter[Stage] = Counter()

    def tick(self) -> None:
        """End what is due, take what there are slots for."""
        self._sign_in()
        now = time.monotonic()
        ended = []
        while self._ends and self._ends[0][0] <= now:
            ended.append(heapq.heappop(self._ends)[2])
        for run in ended:
            self._free[run.stage] += 1
        taken = self._take()
        if not ended and not taken:
            return
        committed, claimed = self._settle(ended, taken)
        self._send_on(committed)
        for run in claimed:
            self._free[run.stage] -= 1
            self._counter += 1
            seconds = self._stage_s[run.stage]
            self.busy_s[run.stage] += seconds
            heapq.heappush(self._ends, (time.monotonic() + seconds, self._counter, run))

    def _sign_in(self) -> None:
        """Every slot is a worker of its own to control."""
        if time.monotonic() < self._signed_in_at + SIGN_IN_EVERY_S:
            return
        self._signed_in_at = time.monotonic()
        rows = [
            {"name": f"{stage}-{number}", "queue": stage.value, "slots": 1, "seen_at": time.time()}
            for stage, count in self._slots.items()
            for number in range(count)
        ]
        with self._database.writing() as session:
            if session.get(Worker, rows[0]["name"]) is None:
                session.execute(insert(Worker), rows)
            else:
                session.execute(update(Worker).values(seen_at=time.time()))

    def _take(self) -> list[Run]:
        stages = [stage for stage, free in self._free.items() if free > 0]
        with self._redis.pipeline(transaction=False) as pipe:
            for stage in stages:
                pipe.rpop(stage.value, self._free[stage])
            found = pipe.execute()
        runs = []
        for stage, messages in zip(stages, found, strict=True):
            for raw in messages or ():
                message = json.loads(raw)
                arguments = json.loads(b64decode(message["body"]))[0]
                if message["headers"]["task"] == TRAIN_TASK:
                    key, _, attempt = arguments
                    assert self._work.claim_model(key, attempt)
                    self._work.commit_model(key, attempt, 1.0)
                    self._redis.lpush(CONTROL_QUEUE, "wake")
                else:
                    runs.append(Run(stage, PageRef(*arguments), message))
        return runs

    def _settle(self, ended: list[Run], taken: list[Run]) -> tuple[list[Run], list[Run]]:
        """Commit and claim, all in one transaction; returns what of them was still ours."""
        now = time.time()
        with self._database.writing() as session:
            # Jobs before pages, in one order, as everybody takes them.
            ids = sorted({run.ref.job_id for run in (*ended, *taken)})
            jobs = {
                job.id: job
                for job in session.scalars(select(Job).where(Job.id.in_(ids)).order_by(Job.id).with_for_update())
            }
            committed = self._commit(session, ended, jobs, now)
            claimed = self._claim(session, taken, jobs, now)
        return committed, claimed

    def _commit(self, session: Any, ended: list[Run], jobs: dict[str, Job], now: float) -> list[Run]:
        by_stage = defaultdict(list)
        for run in ended:
            by_stage[run.stage].append(run)
        committed, finished = [], set()
        for stage, runs in by_stage.items():
            following = STAGES[STAGES.index(stage) + 1] if stage is not STAGES[-1] else None
            values = (
                {"stage": following, "lease_until": now}
                if following
                else {"stage": None, "lease_until": None, "status": PageStatus.SUCCEEDED}
            )
            mine = (*_is_one_of(runs), Page.stage == stage, Page.worker.is_not(None))
            artifacts = {
                "source": FILE,
                **{artifact.value: FILE for part in STAGE_ARTIFACTS.values() for artifact in part},
            }
            rows = session.execute(
                update(Page)
                .where(*mine)
                .values(worker=None, updated_at=now, artifacts=artifacts, timings=TIMINGS, **values)
                .returning(Page.job_id, Page.number)
                .execution_options(synchronize_session=False)
            ).all()
            ours = {tuple(row) for row in rows}
            done = [run for run in runs if (run.ref.job_id, run.ref.number) in ours]
            session.execute(
                update(Attempt)
                .where(tuple_(Attempt.job_id, Attempt.number, Attempt.attempt).in_(_keys(done)), Attempt.stage == stage)
                .values(ended_at=now, outcome="done")
                .execution_options(synchronize_session=False)
            )
            committed += done
            if following is None:
                finished |= {run.ref.job_id for run in done}
                moment = time.monotonic()
                self.done += [(moment, run.ref.job_id) for run in done if run.ref.number != WHOLE_SET]
        for job_id in sorted(finished):
            finish_pages(session, jobs[job_id])
        return committed

    def _claim(self, session: Any, taken: list[Run], jobs: dict[str, Job], now: float) -> list[Run]:
        claimed = []
        by_stage = defaultdict(list)
        for run in taken:
            by_stage[run.stage].append(run)
        for stage, runs in by_stage.items():
            free = (*_is_one_of(runs), Page.stage == stage, Page.worker.is_(None), Page.status.not_in(PAGE_ENDED))
            rows = session.execute(
                update(Page)
                .where(*free)
                .values(
                    status=PageStatus.RUNNING, worker=f"simulated-{stage}", lease_until=now + LEASE_S, updated_at=now
                )
                .returning(Page.job_id, Page.number)
                .execution_options(synchronize_session=False)
            ).all()
            first = {(run.ref.job_id, run.ref.number): run for run in reversed(runs)}  # a message may have come twice
            claimed += [first[job_id, number] for job_id, number in rows]
        for run in claimed:
            job = jobs[run.ref.job_id]
            if job.status == JobStatus.QUEUED:
                job.status, job.started_at, job.updated_at = JobStatus.RUNNING, now, now
        if claimed:
            session.execute(
                insert(Attempt),
                [
                    {
                        "job_id": run.ref.job_id,
                        "number": run.ref.number,
                        "attempt": run.ref.attempt,
                        "stage": run.stage,
                        "worker": "simulated",
                        "started_at": now,
                    }
                    for run in claimed
                ],
            )
        self.taken.update(run.stage for run in claimed)
        return claimed

    def _send_on(self, committed: list[Run]) -> None:
        """The next message of every chain, and one note to control."""
        with self._redis.pipeline(transaction=False) as pipe:
            for run in committed:
                if run.message["headers"]["task"] != SET_TASK and (sent := next_message(run.message)):
                    pipe.lpush(*sent)
            if committed:
                pipe.lpush(CONTROL_QUEUE, "wake")
                pipe.ltrim(CONTROL_QUEUE, 0, 0)
            pipe.execute()


def next_message(message: dict[str, Any]) -> tuple[str, str] | None:
    """What a worker sends when a task of a chain has ended: (queue, message); None after the last one."""
    _, _, embed = json.loads(b64decode(message["body"]))
    if not embed.get("chain"):
        return None
    *rest, following = embed["chain"]  # Celery keeps what is left of a chain in reverse
    task_id = following["options"].get("task_id") or str(uuid.uuid4())
    body = b64encode(json.dumps([following["args"], following["kwargs"], embed | {"chain": rest or None}]).encode())
    stage = following["task"].split(".")[0]
    headers = message["headers"] | {"task": following["task"], "id": task_id}
    delivery = message["properties"]["delivery_info"] | {"routing_key": stage}
    properties = message["properties"] | {"delivery_info": delivery, "delivery_tag": str(uuid.uuid4())}
    return stage, json.dumps(message | {"body": body.decode(), "headers": headers, "properties": properties})


FILE: Final = {"key": "simulated/page.png", "sha256": "0" * 64, "size": 100, "filename": "page.png"}
TIMINGS: Final = {stage.value: {"seconds": 0.5, "cached": False} for stage in STAGES}


def _is_one_of(runs: list[Run]) -> tuple[Any, ...]:
    return (tuple_(Page.job_id, Page.number, Page.attempt).in_(_keys(runs)),)


def _keys(runs: list[Run]) -> list[tuple[str, int, int]]:
    return [(run.ref.job_id, run.ref.number, run.ref.attempt) for run in runs]
