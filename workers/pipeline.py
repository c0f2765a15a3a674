"""The chain of a page, and a training: messages of ids, sent by task name."""

from celery import Celery, chain

from common.jobs.dispatch import TrainingMessage
from common.jobs.feeding import PageMessage
from common.jobs.models import WHOLE_SET
from common.names import PAGE_TASKS, SET_TASK, STAGES, TRAIN_TASK


def send_page(app: Celery, message: PageMessage) -> None:
    """Send the stages of a page that are due, each on its own queue, one after the other; or a job's whole set."""
    ids = (message.ref.job_id, message.ref.number, message.ref.attempt)
    if message.ref.number == WHOLE_SET:
        app.signature(SET_TASK, args=ids, immutable=True).apply_async()
        return
    due = STAGES[STAGES.index(message.first) : STAGES.index(message.last) + 1]
    chain(app.signature(PAGE_TASKS[stage], args=ids, immutable=True) for stage in due).apply_async()


def send_training(app: Celery, message: TrainingMessage) -> None:
    app.signature(TRAIN_TASK, args=(message.key, message.job_id, message.attempt), immutable=True).apply_async()
