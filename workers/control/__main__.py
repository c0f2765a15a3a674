"""`python -m workers.control`: the process that moves jobs on. Stops on SIGTERM or SIGINT after its current round."""

import signal
import threading

from common.broker import Broker
from common.jobs.database import Database
from common.jobs.deliveries import DeliveryStore
from common.jobs.dispatch import DispatchStore
from common.jobs.garbage import GarbageStore
from common.jobs.states import JOB_ENDED, PAGE_ENDED
from common.logging import configure_logging, get_logger
from common.settings import get_settings
from common.telemetry import DELIVERIES, JOBS_ENDED, PAGES_ENDED, REAPED, begin_counting
from common.tracing import name_service, start_tracing
from storage.configured import open_configured_store
from workers.celery import app
from workers.control.delivering import DELIVERY_OUTCOMES, Deliverer
from workers.control.loop import PAGE, TRAINING, Control
from workers.side_port import open_side_port


def main() -> None:
    settings = get_settings()
    configure_logging(settings.log_format, settings.log_level)
    name_service("nurie-control")
    start_tracing(settings)
    begin_counting(PAGES_ENDED, PAGE_ENDED)
    begin_counting(JOBS_ENDED, JOB_ENDED)
    begin_counting(REAPED, (PAGE, TRAINING))
    begin_counting(DELIVERIES, DELIVERY_OUTCOMES)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    database = Database(settings.database_url)
    database.migrate()
    store = open_configured_store(settings)
    store.ensure()
    dispatch = DispatchStore(
        database,
        queue_lease_s=settings.queue_lease_s,
        max_failures=settings.max_failures,
    )
    get_logger(__name__).info("control started")
    garbage = GarbageStore(database, keep_days=settings.keep_days)
    deliverer = Deliverer(DeliveryStore(database), settings.webhook_networks, settings.poll_s)
    delivering = threading.Thread(target=deliverer.run, args=(stop,), name="deliveries")
    delivering.start()
    side_port = None
    try:
        control = Control(settings, dispatch, store, Broker(settings.broker_url), app, garbage=garbage)
        side_port = open_side_port(settings, control.find_obstacle)
        control.run(stop)
    finally:
        stop.set()
        delivering.join()
        if side_port is not None:
            side_port.close()
    get_logger(__name__).info("control stopped")


if __name__ == "__main__":
    main()
