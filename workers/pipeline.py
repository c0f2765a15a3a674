"""The chain of a page, and a training: messages of ids, sent by task name.

What is written is what Celery itself would write (protocol 2, as kombu's Redis transport keeps it), which a test holds
it to. But Celery sends one message at a time and takes half a millisecond of a processor for it: control sends all that
go in a round together.
"""

import json
from base64 import b64encode
from collections.abc import Sequence
from functools import lru_cache

from celery import Celery
from celery.utils.nodenames import anon_nodename
from kombu.utils.uuid import uuid

from common.broker import Broker
from common.jobs.dispatch import TrainingMessage
from common.jobs.feeding import PageMessage
from common.jobs.models import WHOLE_SET
from common.names import PAGE_TASKS, SET_TASK, STAGES, TRAIN_TASK, Stage

Ids = tuple[str | int, ...]
STAGE_OF = {name: stage for stage, name in PAGE_TASKS.items()} | {TRAIN_TASK: Stage.CGAN, SET_TASK: Stage.METRICS}


def send_pages(app: Celery, broker: Broker, messages: Sequence[PageMessage]) -> None:
    """Send the stages of pages that are due, each on its own queue, one after the other; or jobs' whole sets.

    Raises:
        BrokerError: Redis does not answer; some may have been sent.
    """
    sent = []
    for message in messages:
        ids = (message.ref.job_id, message.ref.number, message.ref.attempt)
        due = STAGES[STAGES.index(message.first) : STAGES.index(message.last) + 1]
        is_set = message.ref.number == WHOLE_SET
        sent.append(write_message(app, [SET_TASK] if is_set else [PAGE_TASKS[stage] for stage in due], ids))
    broker.send(sent)


def send_training(app: Celery, broker: Broker, message: TrainingMessage) -> None:
    """Raises BrokerError."""
    broker.send([write_message(app, [TRAIN_TASK], (message.key, message.job_id, message.attempt))])


def write_message(app: Celery, tasks: Sequence[str], ids: Ids) -> tuple[str, str]:
    """The first task of a chain, with those that follow in it, all of the same ids: (queue, message)."""
    first, *following = tasks
    chain = [_signature(name, ids) for name in reversed(following)]  # a worker takes the next one from its end
    task_id = uuid()
    task = app.amqp.as_task_v2(
        task_id, first, args=ids, kwargs={}, chain=chain, root_id=task_id, origin=_origin(), ignore_result=None
    )
    queue = STAGE_OF[first].value
    message = {
        "body": b64encode(json.dumps(task.body).encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": task.headers,
        "properties": task.properties
        | {
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": queue},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": uuid(),
        },
    }
    return queue, json.dumps(message)


def _signature(name: str, ids: Ids) -> dict[str, object]:
    return {
        "task": name,
        "args": ids,
        "kwargs": {},
        "options": {"task_id": uuid()},
        "subtask_type": None,
        "immutable": True,
    }


@lru_cache(maxsize=1)
def _origin() -> str:
    return str(anon_nodename())
