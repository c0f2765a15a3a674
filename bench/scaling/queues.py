"""How much memory of Redis a page's message takes while it waits in a queue."""

import subprocess
import sys
import time

from celery import Celery
from redis import Redis, RedisError

from bench.figures import Figure
from common.jobs.feeding import MESSAGES_PER_SLOT, PageMessage
from common.jobs.ids import new_id
from common.jobs.work import PageRef
from common.names import STAGES
from embedded.services import die_with_parent, free_port
from workers.redis_server import find_server, server_arguments

MESSAGES = 2000
START_LIMIT_S = 20


def measure_messages() -> list[Figure]:
    """Sends the chains of many pages to a Redis of its own, as control does."""
    from workers.celery import configure
    from workers.pipeline import send_page

    url = f"redis://127.0.0.1:{free_port()}/0"
    server = subprocess.Popen(
        [find_server(), *server_arguments(url)],
        stdout=sys.stderr,
        preexec_fn=die_with_parent,  # noqa: PLW1509  no thread runs yet
    )
    try:
        redis = Redis.from_url(url)
        _wait_for(redis)
        app = Celery("bench")
        configure(app)
        app.conf.broker_url = url
        send_page(app, _message())  # makes what is made once
        before, commands = redis.info("memory")["used_memory"], redis.info("stats")["total_commands_processed"]
        started = time.monotonic()
        for _ in range(MESSAGES):
            send_page(app, _message())
        seconds = time.monotonic() - started
        used = redis.info("memory")["used_memory"] - before
        asked = redis.info("stats")["total_commands_processed"] - commands
        length = len(redis.lindex(STAGES[0].value, 0))
        app.close()
        redis.close()
    finally:
        server.terminate()
        server.wait()
    return [
        Figure("Redis: memory of a page that waits, chain of four stages", used / MESSAGES, "B"),
        Figure("Redis: length of its message", length, "B"),
        Figure(
            f"Redis: memory of {MESSAGES_PER_SLOT} messages a slot, 1,000 slots",
            used / MESSAGES * MESSAGES_PER_SLOT * 1000 / 1e6,
            "MB",
        ),
        Figure("Redis: commands to send a page", asked / MESSAGES, ""),
        Figure("Redis: pages a second that one process sends", MESSAGES / seconds, "1/s"),
    ]


def _message() -> PageMessage:
    return PageMessage(PageRef(new_id(), 1, 1), STAGES[0], STAGES[-1])


def _wait_for(redis: Redis) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while True:
        try:
            redis.ping()
            return
        except RedisError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.02)
