"""Control's loop: unpack, train, dispatch, reap, package, sweep. All from SQL, so that it may die at any moment."""

import threading
import time
from collections.abc import Callable

from celery import Celery

from common.broker import Broker
from common.errors import BrokerError, DatabaseError
from common.jobs.dispatch import DispatchStore
from common.jobs.garbage import GarbageStore
from common.logging import get_logger
from common.settings import Settings
from common.telemetry import DUTY_SECONDS, REAPED, timed
from storage.protocol import ObjectStore
from workers.control.packaging import package_jobs
from workers.control.sweeping import Sweeper, sweep_leftovers
from workers.control.unpacking import unpack_archives
from workers.patience import LONGEST_PAUSE_S
from workers.pipeline import send_page, send_training

PAGE, TRAINING = "page", "training"
"""What is found to be lost."""
SILENT_S = 120.0
"""A round that takes longer than this is stuck, in seconds: an archive of 2 GB takes a part of it to pack."""


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
        self._round_at = time.monotonic()
        self._spare_until = time.monotonic() + self._grace_s  # the database may have been away until we started
        self._sweeper = Sweeper(settings, garbage, store)

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; woken by a note on the broker, or after `poll_s` without one."""
        log = get_logger(__name__)
        while not stop.is_set():
            for step in (self._unpack, self._reap, self._train, self._feed, self._package, self._sweep):
                self._attempt(step)
            self._round_at = time.monotonic()
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
        try:
            with timed(DUTY_SECONDS.labels(step.__name__.lstrip("_")).observe):
                step()
        except Exception as error:  # noqa: BLE001  one duty that fails now must not keep the others from being done
            if isinstance(error, DatabaseError):
                self._spare_until = time.monotonic() + self._grace_s
            get_logger(__name__).warning(
                "a duty of control failed; it is tried again", duty=step.__name__, exc_info=True
            )

    def _unpack(self) -> None:
        unpack_archives(self._dispatch, self._store, self._settings)

    @property
    def _grace_s(self) -> float:
        """While the database is away no lease can be renewed: so long workers have to do so when it is back."""
        return 2 * max(self._settings.heartbeat_s, LONGEST_PAUSE_S)

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
            send_training(self._app, message)

    def _feed(self) -> None:
        for message in self._dispatch.start_pages(self._settings.interactive_pages):
            ref = message.ref
            get_logger(__name__).info("page sent", job=ref.job_id, page=ref.number, attempt=ref.attempt)
            send_page(self._app, message)

    def _package(self) -> None:
        for job_id in package_jobs(self._dispatch, self._store):
            sweep_leftovers(self._garbage, self._store, job_id)

    def _sweep(self) -> None:
        self._sweeper.work()
