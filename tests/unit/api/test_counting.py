"""Requests a minute are counted in Redis, by all processes together, in one round trip each."""

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
import redis

from api.app import create_app, prepare
from api.context import EXTENSION
from common.api_keys import Scope
from common.jobs.tenants import Limits, TenantStore
from embedded.services import free_port
from tests.unit.api.conftest import on_sqlite
from workers.redis_server import find_server

START_LIMIT_S = 20
pytestmark = on_sqlite


@pytest.fixture
def redis_url() -> Iterator[str]:
    port = free_port()
    command = [find_server(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    url = f"redis://127.0.0.1:{port}/0"
    deadline = time.monotonic() + START_LIMIT_S
    with redis.Redis.from_url(url) as client:
        while True:
            with suppress(redis.ConnectionError):
                client.ping()
                break
            assert time.monotonic() < deadline
            time.sleep(0.02)
    yield url
    server.terminate()
    server.wait(START_LIMIT_S)


@pytest.fixture
def clients(settings, broker_there, redis_url):
    """Two processes, as good as: they share nothing but database and Redis."""
    shared = settings.model_copy(update={"auth": "keys", "broker_url": redis_url})
    prepare(shared)
    apps = [create_app(shared) for _ in range(2)]
    tenants: TenantStore = apps[0].extensions[EXTENSION].tenants
    tenants.create_tenant("small", Limits(requests_per_minute=4))
    headers = {"Authorization": f"Bearer {tenants.create_key('small', [Scope.READ], '')}"}
    yield [lambda app=app: app.test_client().get("/v1/jobs", headers=headers) for app in apps]
    for app in apps:
        app.extensions[EXTENSION].database.close()


def test_all_processes_count_together(clients, redis_url):
    replies = [clients[number % 2]() for number in range(6)]
    assert [reply.status_code for reply in replies] == [200] * 4 + [429] * 2
    left = [re.match(r'"requests";r=(\d+);t=(\d+)$', reply.headers["RateLimit"]) for reply in replies]
    assert [int(found[1]) for found in left] == [3, 2, 1, 0, 0, 0]
    assert all(50 < int(found[2]) <= 61 for found in left)
    assert 0 < int(replies[-1].headers["Retry-After"]) <= 61
    with redis.Redis.from_url(redis_url) as client:
        assert [60 >= client.ttl(key) > 0 for key in client.keys("*nurie*")] == [True]


def test_a_window_that_is_over_begins_anew(clients, redis_url):
    for _ in range(5):
        clients[0]()
    with redis.Redis.from_url(redis_url) as client:
        client.delete(*client.keys("*nurie*"))
    assert clients[0]().headers["RateLimit"].startswith('"requests";r=3;')


def test_a_request_costs_redis_one_round_trip(clients, redis_url):
    clients[0]()
    with redis.Redis.from_url(redis_url, socket_timeout=START_LIMIT_S) as client, client.monitor() as monitor:
        client.ping()  # it has greeted before
        clients[0]()
        client.set("the end", 1)
        seen = []
        for command in monitor.listen():
            if "the end" in command["command"]:
                break
            seen.append(command["command"].split(" ")[0])
    assert seen[-5:] == ["MULTI", "SET", "INCRBY", "TTL", "EXEC"]
