"""How gunicorn serves the API: `gunicorn -c python:api.server 'api.app:create_app()'`."""

from typing import Any

from PIL import Image

from api.app import prepare
from common.logging import configure_logging
from common.settings import get_settings
from common.telemetry import share_metrics
from common.tracing import name_service, start_tracing

settings = get_settings()

bind = f"{settings.host}:{settings.port}"
workers = 2
worker_class = "api.pace.PacedWorker"
# Requests that wait for a job, follow its events or serve a slow client hold one each. Idle ones cost next to nothing.
threads = 128
limit_request_line = 8190  # a signed URL holds a file name, percent-encoded
limit_request_fields = 64
limit_request_field_size = 8190
timeout = 120
graceful_timeout = 30
keepalive = 5
preload_app = True  # imported once for all workers; nothing connects before a request does
control_socket_disable = True


def on_starting(_server: Any) -> None:
    share_metrics()  # the app is loaded by now, but nothing was counted yet
    configure_logging(settings.log_format, settings.log_level)
    prepare(settings)
    Image.init()  # Pillow's readers, which the first upload would wait for otherwise


def post_fork(_server: Any, _worker: Any) -> None:
    name_service("nurie-api")
    start_tracing(settings)
