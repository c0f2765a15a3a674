"""Messages: what control writes is what Celery itself would write, and what workers understand."""

import json
import re
from base64 import b64decode
from unittest import mock

import pytest
from celery import Celery, chain
from kombu.transport.memory import Channel

from common.broker import Broker, _arguments
from common.jobs.dispatch import TrainingMessage
from common.jobs.feeding import PageMessage
from common.jobs.models import WHOLE_SET
from common.jobs.work import PageRef
from common.names import PAGE_TASKS, SET_TASK, STAGES, TRAIN_TASK, Stage
from workers.celery import app, configure
from workers.pipeline import send_pages, send_training, write_message

IDS = ("0" * 32, 7, 2)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Sent(Broker):
    """A broker that keeps what it is given."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str]] = []

    def send(self, messages) -> None:
        self.messages += messages


def celerys_own(tasks: list[str]) -> tuple[str, str]:
    """What Celery puts into which queue for a chain of these tasks."""
    own, sent = Celery("nurie"), []
    configure(own)
    own.conf.broker_url = "memory://"
    with mock.patch.object(
        Channel, "_put", lambda _self, queue, message, **_: sent.append((queue, json.dumps(message)))
    ):
        chain(own.signature(name, args=IDS, immutable=True) for name in tasks).apply_async()
    ((queue, message),) = sent
    return queue, message


def unique(message: str) -> dict:
    """A message without what differs from one to the next, and without where answers go: there are none."""
    found = json.loads(message)
    body = json.loads(b64decode(found["body"]))
    found["properties"].pop("reply_to", None)
    for signature in body[2]["chain"] or ():
        signature["options"].pop("reply_to", None)
    return json.loads(_UUID.sub("one of them", json.dumps(found | {"body": body})))


@pytest.mark.parametrize("tasks", [[*PAGE_TASKS.values()], [*PAGE_TASKS.values()][2:], [SET_TASK], [TRAIN_TASK]])
def test_a_message_is_what_celery_would_write(tasks):
    queue, message = write_message(app, tasks, IDS)
    own_queue, own = celerys_own(tasks)
    assert queue == own_queue
    assert unique(message) == unique(own)
    # Every id is another one, but those that name the message itself.
    assert len(set(_UUID.findall(message))) == len(set(_UUID.findall(re.sub(r'"reply_to": "[^"]*"', "", own))))


def test_what_waits_is_found_by_its_ids():
    assert _arguments(write_message(app, [SET_TASK], IDS)[1]) == IDS


@pytest.mark.parametrize(
    ("number", "first", "last", "tasks"),
    [
        (1, Stage.CGAN, Stage.METRICS, [*PAGE_TASKS.values()]),
        (1, Stage.INKNHUE, Stage.METRICS, ["inknhue.paint", "metrics.score"]),
        (1, Stage.CGAN, Stage.CGAN, ["cgan.paint"]),
        (WHOLE_SET, Stage.METRICS, Stage.METRICS, [SET_TASK]),
    ],
)
def test_a_page_is_sent_as_a_chain_and_a_set_as_a_task_of_its_own(number, first, last, tasks):
    broker = Sent()
    send_pages(app, broker, [PageMessage(PageRef("j", number, 2), first, last, True, 0.0)])
    ((queue, text),) = broker.messages
    message = json.loads(text)
    arguments, _, embed = json.loads(b64decode(message["body"]))
    following = [(one["task"], one["args"]) for one in reversed(embed["chain"] or [])]
    assert [(message["headers"]["task"], arguments), *following] == [(name, ["j", number, 2]) for name in tasks]
    assert queue == first == (STAGES[-1] if number == WHOLE_SET else first)


def test_a_training_goes_to_the_stage_that_uses_it():
    broker = Sent()
    send_training(app, broker, TrainingMessage("k", "j", 3))
    ((queue, message),) = broker.messages
    assert queue == Stage.CGAN
    assert _arguments(message) == ("k", "j", 3)
