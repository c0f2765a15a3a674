"""Control's loop: unpack, train, dispatch, reap, package, sweep. All from SQL, so that it may die at any moment."""

import math
import threading
import time
from collections.abc import Callable

from celery import Celery

from common.broker import Broker
from common.errors import BrokerError, DatabaseError
from common.jobs.dispatch import DispatchStore
from common.jobs.garbage import GarbageStore
from common.logging import get_logger
from common.names import JOB_CLASSES
from common.settings import Settings
from common.telemetry import DISPATCH_WAIT, DUTY_CPU, DUTY_SECONDS, PAGES_SENT, REAPED, timed
from storage.protocol import ObjectStore
from workers.control.packaging import package_jobs
from workers.control.sweeping import Sweeper, sweep_leftovers
from workers.control.unpacking import unpack_archives
from workers.patience import LONGEST_PAUSE_S as LONGEST_WAIT_S
from workers.pipeline import send_pages, send_training

PAGE, TRAINING = "page", "training"
"""What is found to be lost."""
SHARE = 0.05
"""Of a processor, what rounds may take over a longer time."""
BURST_S = 0.2
"""Processor time that rounds may take at once after a quiet while, in seconds."""
LONGEST_PAUSE_S = 0.25
"""Workers have a message waiting beside the one that they work on: they do without control for so long, in seconds."""
SILENT_S = 120.0
"""A round that takes longer than this is stuck, in seconds: an archive of 2 GB takes a part of it to pack."""


class Budget:
    """Processor time for rounds: it grows by the clock, up to a burst, and what is overdrawn has to be waited for."""

    def __init__(self) -> None:
        self._left_s = BURST_S
        self._at = time.monotonic()

    def spend(self, cpu_s: float) -> float:
        """Take what a round took; returns the pause that must follow, in seconds."""
        now = time.monotonic()
        self._left_s = min(BURST_S, self._left_s + SHARE * (now - self._at)) - cpu_s
        self._at = now
        pause_s = min(LONGEST_PAUSE_S, max(0.0, -self._left_s / SHARE))
        self._left_s = max(self._left_s, -SHARE * pause_s)  # a long round is not held against those after it
        return pause_s


class Control:
    def __init__(
        self,
        settings: Settings,
        dispatch: DispatchStore,
        store: ObjectStore,
        broker: Broker,
        app: Celery,
        *,
        garbage: GarbageStore,
    ) -> None:
        self._settings = settings
        self._dispatch = dispatch
        self._garbage = garbage
        self._store = store
        self._broker = broker
        self._app = app
        self._reaped_at = 0.0  # of time.monotonic
        self._stuck_at = -math.inf
        self._round_at = time.monotonic()
        self._spare_until = time.monotonic() + self._grace_s  # the database may have been away until we started
        self._sweeper = Sweeper(settings, garbage, store)

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; woken by a note on the broker, or after `poll_s` without one.

        Workers wake it at every commit. Under load it pauses between two rounds, and the next one does at once what has
        come up meanwhile: so the rounds cost a share of a processor, not all of it. Where little goes on it never does.
        """
        log = get_logger(__name__)
        budget = Budget()
        while not stop.is_set():
            cpu_s = time.thread_time()
            for step in (self._unpack, self._reap, self._train, self._feed, self._package, self._sweep):
                self._attempt(step)
            self._round_at = time.monotonic()
            stop.wait(budget.spend(time.thread_time() - cpu_s))
            try:
                self._broker.wait_for_wake(self._settings.poll_s)
            except BrokerError as error:
                log.warning("no notes from the broker", reason=str(error))
                stop.wait(self._settings.poll_s)

    def find_obstacle(self) -> str | None:
        """What keeps it from its duties; None when nothing does."""
        silent_s = time.monotonic() - self._round_at
        return f"no round has ended for {silent_s:.0f} s" if silent_s > SILENT_S else None

    def _attempt(self, step: Callable[[], None]) -> None:
        duty, cpu_s = step.__name__.lstrip("_"), time.thread_time()
        try:
            with timed(DUTY_SECONDS.labels(duty).observe):
                step()
        except Exception as error:  # noqa: BLE001  one duty that fails now must not keep the others from being done
            if isinstance(error, DatabaseError):
                self._spare_until = time.monotonic() + self._grace_s
            get_logger(__name__).warning("a duty of control failed; it is tried again", duty=duty, exc_info=True)
        DUTY_CPU.labels(duty).inc(time.thread_time() - cpu_s)

    def _unpack(self) -> None:
        unpack_archives(self._dispatch, self._store, self._settings)

    @property
    def _grace_s(self) -> float:
        """While the database is away no lease can be renewed: so long workers have to do so when it is back."""
        return 2 * max(self._settings.heartbeat_s, LONGEST_WAIT_S)

    def _reap(self) -> None:
        if time.monotonic() < self._spare_until:
            return
        # Control is woken by every commit; leases run out by the second at most.
        if time.monotonic() < self._reaped_at + self._settings.poll_s:
            return
        self._reaped_at = time.monotonic()
        find_waiting = self._broker.find_waiting
        for what, find_lost in ((PAGE, self._dispatch.lost_pages), (TRAINING, self._dispatch.lost_trainings)):
            if lost := find_lost(find_waiting):
                REAPED.labels(what).inc(lost)
                get_logger(__name__).warning("work was lost and is sent again", what=what, count=lost)

    def _train(self) -> None:
        self._dispatch.fail_untaught()
        for message in self._dispatch.start_trainings():
            get_logger(__name__).info("training sent", model=message.key[:12], job=message.job_id)
            send_training(self._app, self._broker, message)

    def _feed(self) -> None:
        messages = self._dispatch.start_pages(self._settings.interactive_pages)
        if not messages:
            return
        send_pages(self._app, self._broker, messages)
        for message in messages:
            ref, job_class = message.ref, JOB_CLASSES[message.is_bulk]
            PAGES_SENT.labels(job_class).inc()
            DISPATCH_WAIT.labels(job_class).observe(message.waited_s)
            get_logger(__name__).info("page sent", job=ref.job_id, page=ref.number, attempt=ref.attempt)

    def _package(self) -> None:
        # A last page wakes us with its job: those whose end went unnoticed can wait, and looking at all of them costs.
        if time.monotonic() >= self._stuck_at + self._settings.poll_s:
            self._stuck_at = time.monotonic()
            self._dispatch.finish_stuck()
        for job_id in package_jobs(self._dispatch, self._store):
            sweep_leftovers(self._garbage, self._store, job_id)

    def _sweep(self) -> None:
        self._sweeper.work()
