"""Which pages go next: interactive jobs before bulk, and within each tenants in turns, by deficit round-robin.

Source: Shreedhar and Varghese, "Efficient fair queueing using deficit round robin", SIGCOMM 1995, section 3. A page
costs the number of stages that are due on it, and a turn's quantum is a whole page: of pages of which one stage is
painted again, four go in a turn. Whose turn it is stands in SQL, so that any control goes on where another one stopped.
"""

import time
from collections import Counter
from dataclasses import dataclass

from sqlalchemy import ColumnElement, case, func, or_, select, tuple_, update
from sqlalchemy.orm import Session, aliased

from common.jobs.models import WHOLE_SET, Job, Page, ReferenceModel, Tenant, Worker
from common.jobs.states import JOB_OPEN, PAGE_ENDED, JobKind, ModelStatus, PageStatus
from common.jobs.work import PageRef
from common.names import STAGES, Stage

WORKER_SILENT_S = 45
"""A worker that has not signed in for so long does not count as a slot, in seconds."""
MESSAGES_PER_SLOT = 2
QUANTUM = len(STAGES)
"""What a tenant may have done in one turn, in stages."""
BULK_PATIENCE_S = 60
"""However many interactive pages come, a bulk page goes when none has been under way for so long, in seconds."""
FEED_LOCK = 0x6E757266
"""Any number of ours: controls on PostgreSQL choose pages one after the other under it, as SQLite's writers do."""


@dataclass(frozen=True)
class PageMessage:
    """A page to send: its ids and the stages that are due."""

    ref: PageRef
    first: Stage
    last: Stage
    is_bulk: bool
    waited_s: float  # since it was due


@dataclass(frozen=True)
class _Candidate:
    job_id: str
    number: int
    attempt: int
    tenant_id: str
    is_bulk: bool
    first: Stage
    last: Stage
    due_at: float  # seconds since 1970

    @property
    def cost(self) -> int:
        return STAGES.index(self.last) - STAGES.index(self.first) + 1


class _Room:
    """How many messages there is room for, in all and at each stage."""

    def __init__(self, slots: Counter[str], under_way: Counter[str]) -> None:
        self.left = MESSAGES_PER_SLOT * max(sum(slots.values()), len(STAGES)) - under_way.total()
        self._at_stage = {
            stage: MESSAGES_PER_SLOT * max(1, slots[stage.value]) - under_way[stage.value] for stage in STAGES
        }

    def is_any_left(self) -> bool:
        return self.left > 0 and any(left > 0 for left in self._at_stage.values())

    def has(self, stage: Stage) -> bool:
        return self.left > 0 and self._at_stage[stage] > 0

    def take(self, stage: Stage) -> None:
        self.left -= 1
        self._at_stage[stage] -= 1


def has_room(session: Session) -> bool:
    """Whether a page waits at a stage that has room; it may still turn out that its job keeps it from going."""
    now = time.time()
    room = _find_room(session, now)
    waiting = select(Page).where(*_is_waiting(now))
    with_room = [stage for stage in STAGES if room.has(stage)]
    return any(session.scalar(select(waiting.where(Page.stage == stage).exists())) for stage in with_room)


def feed_pages(session: Session, interactive_pages: int) -> list[PageMessage]:
    """Raise the attempt of the pages that go next, about two per slot, inside the caller's transaction."""
    if session.get_bind().dialect.name == "postgresql" and not session.scalar(
        select(func.pg_try_advisory_xact_lock(FEED_LOCK))
    ):
        return []  # another control chooses at this moment
    now = time.time()
    is_bulk = is_bulk_job(interactive_pages)
    room = _find_room(session, now)
    if not room.is_any_left():
        return []
    waiting = _candidates(session, is_bulk, room.left, now)
    if not waiting:
        return []
    turns = _Turns(session, {candidate.tenant_id for candidate in waiting})
    bulk = [candidate for candidate in waiting if candidate.is_bulk]
    chosen: list[_Candidate] = []
    has_waited = any(candidate.due_at < now - BULK_PATIENCE_S for candidate in bulk)
    if has_waited and not _is_bulk_under_way(session, is_bulk):
        chosen += turns.choose(bulk, room, most=1)
    chosen += turns.choose([candidate for candidate in waiting if not candidate.is_bulk], room)
    chosen += turns.choose([candidate for candidate in bulk if candidate not in chosen], room)
    return _start(session, chosen, now)


_UNDER_WAY = (Page.lease_until.is_not(None), Page.status.in_((PageStatus.QUEUED, PageStatus.RUNNING)))


def _find_room(session: Session, now: float) -> _Room:
    under_way = select(Page.stage, func.count()).where(*_UNDER_WAY).group_by(Page.stage)
    alive = select(Worker.queue, func.sum(Worker.slots)).where(Worker.seen_at > now - WORKER_SILENT_S)
    slots = session.execute(alive.group_by(Worker.queue)).all()
    at_stage = {stage or "": count for stage, count in session.execute(under_way)}
    return _Room(Counter(dict(slots)), Counter(at_stage))


def _is_bulk_under_way(session: Session, is_bulk: ColumnElement[bool]) -> bool:
    found = select(Page.number).join(Job, Job.id == Page.job_id).where(*_UNDER_WAY, is_bulk).limit(1)
    return session.scalar(found) is not None


class _Turns:
    """Deficit round-robin: who waits longest for a turn comes first."""

    def __init__(self, session: Session, tenant_ids: set[str]) -> None:
        # Not their keys: a job that is being inserted at this moment holds those, and must not keep us waiting.
        tenants = session.scalars(select(Tenant).where(Tenant.id.in_(tenant_ids)).with_for_update(key_share=True))
        self._tenants = {tenant.id: tenant for tenant in tenants}
        self._latest = session.scalar(select(func.max(Tenant.turn_at))) or 0.0

    def choose(self, waiting: list[_Candidate], room: _Room, most: int | None = None) -> list[_Candidate]:
        """The candidates that go, in this order; `waiting` is sorted as each tenant's own pages go."""
        queues: dict[str, list[_Candidate]] = {}
        for candidate in waiting:
            queues.setdefault(candidate.tenant_id, []).append(candidate)
        chosen: list[_Candidate] = []
        while (most is None or len(chosen) < most) and (heads := _heads(queues, room)):
            candidate = min(heads, key=lambda head: (self._tenants[head.tenant_id].turn_at, head.tenant_id))
            queue, tenant = queues[candidate.tenant_id], self._tenants[candidate.tenant_id]
            if tenant.deficit < candidate.cost:
                tenant.deficit += QUANTUM
            tenant.deficit -= candidate.cost
            queue.remove(candidate)
            room.take(candidate.first)
            chosen.append(candidate)
            if not queue or tenant.deficit < queue[0].cost:
                self._latest += 1.0
                tenant.turn_at = self._latest
            if not queue:
                tenant.deficit = 0.0  # who has nothing waiting saves nothing up
        return chosen


def _heads(queues: dict[str, list[_Candidate]], room: _Room) -> list[_Candidate]:
    """The first page of every tenant that there is room for."""
    heads = (next((candidate for candidate in queue if room.has(candidate.first)), None) for queue in queues.values())
    return [head for head in heads if head is not None]


def _start(session: Session, chosen: list[_Candidate], now: float) -> list[PageMessage]:
    """Raise the attempt of those that nobody else works on at this moment; the others stay where they are."""
    if not chosen:
        return []
    mine = tuple_(Page.job_id, Page.number).in_([(one.job_id, one.number) for one in chosen])
    waiting = (Page.status == PageStatus.QUEUED, Page.lease_until.is_(None))
    free = select(Page.job_id, Page.number, Page.stage, Page.attempt).where(mine, *waiting)
    stages = {(one.job_id, one.number): one.first for one in chosen}
    attempts = {
        (job_id, number): attempt
        for job_id, number, stage, attempt in session.execute(free.with_for_update(skip_locked=True))
        if stage == stages[job_id, number]  # it may have been corrected since it was chosen
    }
    session.execute(
        update(Page)
        .where(tuple_(Page.job_id, Page.number).in_(list(attempts)))
        .values(attempt=Page.attempt + 1, lease_until=now, updated_at=now)
        .execution_options(synchronize_session=False)
    )
    return [
        PageMessage(
            PageRef(one.job_id, one.number, attempts[one.job_id, one.number] + 1),
            one.first,
            one.last,
            one.is_bulk,
            max(0.0, now - one.due_at),
        )
        for one in chosen
        if (one.job_id, one.number) in attempts
    ]


def is_bulk_job(interactive_pages: int) -> ColumnElement[bool]:
    # An evaluation has no pages, and may have ten thousand pictures: nobody waits at the screen for it.
    return or_(Job.pages_total > interactive_pages, Job.kind == JobKind.EVALUATE)


def _is_waiting(now: float) -> tuple[ColumnElement[bool], ...]:
    """Of pages: due and not sent; a whole set is not before all of its pages have ended."""
    other = aliased(Page)
    open_pages = select(other.number).where(
        other.job_id == Page.job_id, other.number > WHOLE_SET, other.status.not_in(PAGE_ENDED)
    )
    is_due = or_(Page.number > WHOLE_SET, ~open_pages.exists())
    return Page.status == PageStatus.QUEUED, Page.lease_until.is_(None), Page.not_before <= now, is_due


def _candidates(session: Session, is_bulk: ColumnElement[bool], most: int, now: float) -> list[_Candidate]:
    """The first pages of every tenant at every stage, interactive and bulk: none may hide behind a flood of others.

    Of each at least twice its share of the room: what one could have beyond that, where others have less, goes in the
    next round, when those others wait no more.
    """
    ready = or_(ReferenceModel.status == ModelStatus.READY, Page.stage != Stage.CGAN)
    rank = func.row_number().over(partition_by=(Job.tenant_id, Page.stage, is_bulk), order_by=(Job.id, Page.number))
    # The page's own parameters stand in the place of its job's, all of them.
    stop_after = case(
        (Page.params.is_not(None), Page.params["stop_after"].as_string()), else_=Job.params["stop_after"].as_string()
    )
    due_at = case((Page.not_before > Page.updated_at, Page.not_before), else_=Page.updated_at)
    ranked = (
        select(
            *(Page.job_id, Page.number, Page.attempt, Job.tenant_id, Page.stage),
            *(is_bulk.label("is_bulk"), stop_after.label("stop_after"), due_at.label("due_at"), rank.label("rank")),
        )
        .join(Job, Page.job_id == Job.id)
        .outerjoin(ReferenceModel, ReferenceModel.key == Job.model_key)
        .where(Job.status.in_(JOB_OPEN), Job.unpacked.is_(True), ready)
        .where(*_is_waiting(now))
        .subquery()
    )
    lines = func.sum(case((ranked.c.rank == 1, 1), else_=0)).over()
    of = select(ranked, lines.label("lines")).subquery().c
    query = select(
        of.job_id, of.number, of.attempt, of.tenant_id, of.is_bulk, of.stage, of.stop_after, of.due_at
    ).where((of.rank - 1) * of.lines < 2 * most)
    return [
        _Candidate(job_id, number, attempt, tenant_id, bool(bulk), Stage(stage), Stage(stop or Stage.METRICS), due)
        for job_id, number, attempt, tenant_id, bulk, stage, stop, due in session.execute(
            query.order_by(of.is_bulk, of.job_id, of.number)
        )
    ]
