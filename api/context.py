"""What the routes work with, kept on the app."""

from dataclasses import dataclass

from flask import current_app

from api.auth import get_principal
from common.broker import Broker
from common.errors import BrokerError
from common.jobs.database import Database
from common.jobs.deliveries import DeliveryStore
from common.jobs.idempotency import IdempotencyStore
from common.jobs.outlook import OutlookStore
from common.jobs.overview import OverviewStore
from common.jobs.series import SeriesStore
from common.jobs.store import JobStore
from common.jobs.tenants import Limits, TenantStore
from common.jobs.uploads import UploadStore
from common.logging import get_logger
from common.settings import Settings
from storage.protocol import ObjectStore

EXTENSION = "nurie"


@dataclass(frozen=True)
class Context:
    settings: Settings
    database: Database
    jobs: JobStore
    tenants: TenantStore
    idempotency: IdempotencyStore
    deliveries: DeliveryStore
    outlooks: OutlookStore
    overviews: OverviewStore
    uploads: UploadStore
    series: SeriesStore
    store: ObjectStore
    broker: Broker

    @property
    def tenant_id(self) -> str:
        """Whose request this is."""
        return get_principal().tenant_id

    @property
    def limits(self) -> Limits:
        """What the tenant may use."""
        return get_principal().limits

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
