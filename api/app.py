"""The application factory. `gunicorn 'api.app:create_app()'` serves it; nothing happens at import."""

from flask import Response
from flask_openapi import Info, OpenAPI
from pydantic import BaseModel

from api import deliveries, events, files, health, jobs, pages, tenant, uploads, web
from api.auth import register_auth
from api.context import EXTENSION, Context
from api.guard import register_guard, require_loopback
from api.problems import answer_validation_error, register_problems
from api.quotas import register_rate_limit
from common.broker import Broker
from common.jobs.database import Database
from common.jobs.deliveries import DeliveryStore
from common.jobs.idempotency import IdempotencyStore
from common.jobs.models import LOCAL_TENANT
from common.jobs.store import JobStore
from common.jobs.tenants import TenantStore, default_limits
from common.names import VERSION
from common.params import JobParams
from common.settings import Settings, get_settings
from storage.configured import open_configured_store


def create_app(settings: Settings | None = None) -> OpenAPI:
    """Make the API; the database must be migrated (`prepare` does that).

    Raises:
        UnsafeAddressError: the settings would let it listen, without auth, where others reach it.
    """
    settings = settings or get_settings()
    if settings.auth == "off":
        require_loopback(settings.host)
    app = OpenAPI(
        "nurie",
        static_folder=None,
        info=Info(title="Nurie", version=VERSION, description="Colours a grey manga chapter from one coloured page."),
        validation_error_status=400,
        validation_error_callback=answer_validation_error,
        doc_ui=False,
    )
    app.openapi_version = "3.1.0"
    app.config["MAX_CONTENT_LENGTH"] = settings.max_request_bytes
    app.config["MAX_FORM_PARTS"] = settings.max_pages * 2 + 100
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
        store,
        Broker(settings.broker_url),
    )
    app.extensions[EXTENSION] = context
    register_problems(app)
    if settings.auth == "off":
        register_guard(app, settings)  # with keys no other site's page can ask in a user's name: it has no key
    register_auth(app, settings, tenants)
    if settings.auth == "keys":
        register_rate_limit(app, settings)
    for room in (health, uploads, jobs, events, pages, deliveries, tenant):
        app.register_api(room.blueprint)
    app.register_blueprint(files.blueprint)
    app.register_blueprint(web.blueprint)
    _register_document(app)
    return app


def prepare(settings: Settings) -> None:
    """Bring database and storage into being; called once, before the app serves."""
    database = Database(settings.database_url)
    database.migrate()
    JobStore(database).ensure_tenant(LOCAL_TENANT)
    database.close()
    open_configured_store(settings).ensure()


def _register_document(app: OpenAPI) -> None:
    document = app.api_doc
    schemas = document["components"]["schemas"]
    models: list[type[BaseModel]] = [JobParams, *pages.BODY_MODELS.values()]
    for model in models:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {})
        schemas[model.__name__] = schema
    document["paths"]["/v1/jobs"]["post"]["requestBody"] = jobs.request_body()
    for (path, method), model in pages.BODY_MODELS.items():
        content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}
        document["paths"][path][method]["requestBody"] = {"required": True, "content": content}
    text = app.json.dumps(document)

    @app.route("/openapi.json")
    def get_document() -> Response:
        return Response(text, mimetype="application/json")
