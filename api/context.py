"""What the routes work with, kept on the app."""

from dataclasses import dataclass

from flask import current_app

from common.broker import Broker
from common.errors import BrokerError
from common.jobs.database import Database
from common.jobs.models import LOCAL_TENANT
from common.jobs.store import JobStore
from common.logging import get_logger
from common.settings import Settings
from storage.protocol import ObjectStore

EXTENSION = "nurie"


@dataclass(frozen=True)
class Context:
    settings: Settings
    database: Database
    jobs: JobStore
    store: ObjectStore
    broker: Broker

    @property
    def tenant_id(self) -> str:
        """Whose request this is: embedded mode has one tenant and no auth."""
        return LOCAL_TENANT

    def wake_control(self) -> None:
        try:
            self.broker.wake_control()
        except BrokerError as error:
            # The job is safe in the database; control finds it when the broker is back.
            get_logger(__name__).warning("control was not woken", reason=str(error))


def get_context() -> Context:
    context = current_app.extensions[EXTENSION]
    assert isinstance(context, Context)
    return context
