"""The Celery app: broker, queues, routes. Tasks live in the rooms; control sends them by name.

Redis carries messages with ids only, no results. Redelivery is ours, from SQL: what Celery cannot promise (a task
past `visibility_timeout` runs twice, a message can be lost between BRPOP and the unacked hash) does no harm here.
"""

import os
import socket
import threading
import time
from typing import Any

from celery import Celery, signals
from kombu.entity import Queue

from common.jobs.states import PAGE_ENDED
from common.logging import configure_logging, get_logger
from common.names import PAGE_TASKS, RUN_FAILURES, SET_TASK, STAGES, TRAIN_TASK, TRAINING, RunOutcome, Stage
from common.settings import get_settings
from common.telemetry import ATTEMPTS, PAGES_ENDED, WORKER_READY, begin_counting, share_metrics
from common.tracing import name_service, start_tracing, stop_tracing
from workers.gpus import open_gpus
from workers.readiness import TakeWhenReady, readiness
from workers.side_port import open_side_port

SIGN_IN_EVERY_S = 10
LOOK_EVERY_S = 0.5
"""How often it is looked whether the process became ready, in seconds."""
HARD_LIMIT_AFTER_S = 30
"""How long a stage may take to react to its soft limit before its process is killed, in seconds."""

app = Celery("nurie", task_cls="workers.readiness:CarefulTask")  # by name: it travels to the child
app.steps["consumer"].add(TakeWhenReady)


def configure(celery: Celery) -> None:
    settings = get_settings()
    limits = dict.fromkeys(PAGE_TASKS.values(), settings.stage_limit_s)
    limits |= {TRAIN_TASK: settings.training_limit_s, SET_TASK: settings.set_limit_s}
    celery.conf.update(
        broker_url=settings.broker_url,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # a worker waits for its broker however long that is away
        broker_transport_options={
            "visibility_timeout": 2 * (max(limits.values()) + HARD_LIMIT_AFTER_S),
            "socket_keepalive": True,
            "socket_connect_timeout": 5,
        },
        task_serializer="json",
        accept_content=["json"],
        task_queues=[Queue(stage.value) for stage in STAGES],
        task_routes={name: {"queue": stage.value} for stage, name in PAGE_TASKS.items()}
        | {TRAIN_TASK: {"queue": Stage.CGAN.value}, SET_TASK: {"queue": Stage.METRICS.value}},
        task_annotations={
            name: {"soft_time_limit": limit, "time_limit": limit + HARD_LIMIT_AFTER_S} for name, limit in limits.items()
        },
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=False,  # our reaper decides what happens to the page
        worker_disable_prefetch=True,
        worker_prefetch_multiplier=1,
        worker_pool_start_method="spawn",  # CUDA and threaded BLAS do not survive a fork
        worker_concurrency=1,
        worker_proc_alive_timeout=180,
        worker_soft_shutdown_timeout=settings.stage_limit_s,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
    )


configure(app)


@signals.setup_logging.connect
def _set_up_logging(**_: Any) -> None:
    settings = get_settings()
    configure_logging(settings.log_format, settings.log_level)


@signals.worker_init.connect
def _leave_others_alone(sender: Any, **_: Any) -> None:
    """Workers tell each other nothing: every sign of life would go from each to all, and who lives stands in SQL."""
    sender.options |= {"without_gossip": True, "without_mingle": True, "without_heartbeat": True}


@signals.celeryd_init.connect
def _open_to_operators(options: dict[str, Any], **_: Any) -> None:
    """In the parent, before anything else: its child counts into what it shares, and is named as it is."""
    share_metrics()
    kinds = [*options["queues"], *([TRAINING] if Stage.CGAN in options["queues"] else [])]
    begin_counting(ATTEMPTS, kinds, (*RunOutcome, *RUN_FAILURES))
    begin_counting(PAGES_ENDED, PAGE_ENDED)
    name_service(f"nurie-{'-'.join(options['queues'])}")
    open_side_port(get_settings(), find_obstacle, *([gpus] if (gpus := open_gpus()) else []))


@signals.worker_process_init.connect
def _start_tracing(**_: Any) -> None:
    start_tracing(get_settings())


def find_obstacle() -> str | None:
    """What keeps this worker from taking work; None when nothing does."""
    if _draining.is_set():
        return "draining: it ends when its page is done"
    return readiness.find_obstacle() or (None if _is_signed_in.is_set() else "starting")


@signals.worker_ready.connect
def _start_signing_in(sender: Any, **_: Any) -> None:
    (queue,) = {queue.name for queue in sender.task_consumer.queues}  # the Procfile gives each worker one
    threading.Thread(target=_sign_in_until_drained, args=(queue,), name="sign-in", daemon=True).start()
    from workers.deaths import DeathWatch

    DeathWatch().connect()


_is_signed_in = threading.Event()
_draining = threading.Event()


@signals.worker_shutting_down.connect
def _drain(**_: Any) -> None:
    # It takes nothing new from now on: control must not count on its slot while its last page is finished.
    _draining.set()


@signals.worker_shutdown.connect
def _sign_out(**_: Any) -> None:
    _work_store().sign_out()


@signals.worker_process_shutdown.connect
def _finish_aside(**_: Any) -> None:
    from workers.stage import get_resources

    get_resources().aside.wait()
    stop_tracing()  # the process leaves without Python's own end


def worker_name() -> str:
    """What this process is called in leases and logs."""
    return f"{socket.gethostname()}:{os.getpid()}"


def _sign_in_until_drained(queue: str) -> None:
    log = get_logger(__name__)
    store = _work_store()
    while True:
        draining = _draining.is_set()
        slots = _count_slots()
        WORKER_READY.labels(queue).set(slots)
        try:
            store.sign_in(queue, slots)
            _is_signed_in.set()
        except Exception:  # the database may be away; the next sign-in tries again
            log.warning("could not sign in", exc_info=True)
        if draining:
            return
        ends = time.monotonic() + SIGN_IN_EVERY_S
        while time.monotonic() < ends and _count_slots() == slots and not _draining.wait(LOOK_EVERY_S):
            pass


def _count_slots() -> int:
    return 0 if _draining.is_set() or readiness.find_obstacle() else 1


def _work_store() -> Any:
    # The parent process of a pool needs the database for signing in only.
    from workers.stage import get_resources

    return get_resources().work
