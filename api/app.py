"""The application factory. `gunicorn 'api.app:create_app()'` serves it; nothing happens at import."""

from flask_openapi import Info, OpenAPI

from api import deliveries, events, files, health, jobs, pages, series, sight, tenant, uploads, web
from api.auth import register_auth
from api.bodies import register_body_limits
from api.context import EXTENSION, Context
from api.document import OPENAPI as OPENAPI_VERSION
from api.document import register_document
from api.guard import UnsafeAddressError, register_guard, require_loopback
from api.headers import register_cors, register_headers
from api.problems import answer_validation_error, register_problems
from api.quotas import register_rate_limit
from api.sight import register_measuring
from common.broker import Broker
from common.jobs.database import Database
from common.jobs.deliveries import DeliveryStore
from common.jobs.idempotency import IdempotencyStore
from common.jobs.models import LOCAL_TENANT
from common.jobs.outlook import OutlookStore
from common.jobs.overview import OverviewStore
from common.jobs.series import SeriesStore
from common.jobs.store import JobStore
from common.jobs.tenants import TenantStore, default_limits
from common.jobs.uploads import UploadStore
from common.names import VERSION
from common.settings import Settings, get_settings
from storage.configured import open_configured_store


def create_app(settings: Settings | None = None) -> OpenAPI:
    """Make the API; the database must be migrated (`prepare` does that).

    Raises:
        UnsafeAddressError: the settings would let it listen, or let pages of other origins use it, without auth.
    """
    settings = settings or get_settings()
    if settings.auth == "off":
        require_loopback(settings.host)
        if settings.cors_origins:
            raise UnsafeAddressError("NURIE_CORS_ORIGINS: without auth no page of another origin may use the API")
    app = OpenAPI(
        "nurie",
        static_folder=None,
        info=Info(title="Nurie", version=VERSION, description="Colours a grey manga chapter from one coloured page."),
        validation_error_status=400,
        validation_error_callback=answer_validation_error,
        doc_ui=False,
    )
    app.openapi_version = OPENAPI_VERSION
    database = Database(settings.database_url)
    store = open_configured_store(settings)
    tenants = TenantStore(database, default_limits(settings))
    context = Context(
        settings,
        database,
        JobStore(database),
        tenants,
        IdempotencyStore(database),
        DeliveryStore(database),
        OutlookStore(database, settings.interactive_pages),
        OverviewStore(database, settings.interactive_pages),
        UploadStore(database),
        SeriesStore(database),
        store,
        Broker(settings.broker_url),
    )
    app.extensions[EXTENSION] = context
    register_measuring(app)  # first, so that what the others refuse is counted, too
    register_problems(app)
    register_headers(app, settings)
    if settings.auth == "off":
        register_guard(app, settings)  # with keys no other site's page can ask in a user's name: it has no key
    if settings.cors_origins:
        register_cors(app, settings)
    register_body_limits(app, settings)
    register_auth(app, settings, tenants)
    if settings.auth == "keys":
        register_rate_limit(app, settings)
    for room in (health, sight, uploads, jobs, events, pages, series, deliveries, tenant):
        app.register_api(room.blueprint)
    app.register_blueprint(files.blueprint)
    app.register_blueprint(web.blueprint)
    register_document(app, needs_key=settings.auth == "keys")
    return app


def prepare(settings: Settings) -> None:
    """Bring database and storage into being; called once, before the app serves."""
    database = Database(settings.database_url)
    database.migrate()
    JobStore(database).ensure_tenant(LOCAL_TENANT)
    database.close()
    open_configured_store(settings).ensure()
