"""Control's alarm clock on Redis, and a look at the queues. Only notifications pass here; the truth is SQL."""

import json
from base64 import b64decode
from collections.abc import Iterable

from redis import Redis, RedisError

from common.errors import BrokerError
from common.names import CONTROL_QUEUE

TIMEOUT_S = 2


class Broker:
    """Connects when it is used, not before."""

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(url, socket_connect_timeout=TIMEOUT_S, socket_timeout=TIMEOUT_S)

    def check(self) -> None:
        """Raises BrokerError when Redis does not answer."""
        try:
            self._redis.ping()
        except RedisError as error:
            raise BrokerError(f"the broker does not answer: {error}") from error

    def wake_control(self) -> None:
        """Tell control that there is something to do. Raises BrokerError; control looks by itself soon anyway."""
        try:
            # One waiting note is as good as many: control looks at everything when it wakes.
            with self._redis.pipeline(transaction=False) as both:
                both.lpush(CONTROL_QUEUE, "wake")
                both.ltrim(CONTROL_QUEUE, 0, 0)
                both.execute()
        except RedisError as error:
            raise BrokerError(f"the broker does not answer: {error}") from error

    def wait_for_wake(self, timeout_s: float) -> bool:
        """Wait for a note, at most `timeout_s` (below the socket's timeout). Raises BrokerError."""
        try:
            return self._redis.blpop([CONTROL_QUEUE], timeout=min(timeout_s, TIMEOUT_S / 2)) is not None
        except RedisError as error:
            raise BrokerError(f"the broker does not answer: {error}") from error

    def send(self, messages: Iterable[tuple[str, str]]) -> None:
        """Put messages into their queues, in this order: (queue, message). Raises BrokerError; some may be there."""
        try:
            with self._redis.pipeline(transaction=False) as together:
                for queue, message in messages:
                    together.lpush(queue, message)
                together.execute()
        except RedisError as error:
            raise BrokerError(f"the broker does not answer: {error}") from error

    def find_waiting(self, queue: str) -> set[tuple[object, ...]]:
        """The arguments of all messages that wait in a queue: ids, as they were sent. Raises BrokerError."""
        try:
            messages = self._redis.lrange(queue, 0, -1)
        except RedisError as error:
            raise BrokerError(f"the broker does not answer: {error}") from error
        return {_arguments(message) for message in messages}


def _arguments(message: bytes | str) -> tuple[object, ...]:
    """What a Celery message, protocol 2, calls its task with."""
    arguments, _, _ = json.loads(b64decode(json.loads(message)["body"]))
    return tuple(arguments)
