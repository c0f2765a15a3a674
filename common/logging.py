"""Logs: readable on a terminal, JSON lines otherwise, with job, page and attempt on every line that has them."""

import logging
import sys
from typing import Any

import structlog


def configure_logging(log_format: str, level: str) -> None:
    """Set up structlog and route the standard library's loggers through it.

    Args:
        log_format: console, json, or auto (console when stderr is a terminal).
        level: the lowest level that is logged, such as INFO.
    """
    console = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    # The JSON renderer escapes line breaks of what clients send; on a console key=repr does.
    last: list[Any] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)]
        if console
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # These repeat at INFO what our own lines say.
    for noisy in ("botocore", "boto3", "urllib3", "httpx", "alembic", "kombu"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger


def bind_ids(**ids: object) -> None:
    """Put ids (job, page, attempt, stage) on every line that this thread logs, until `clear_ids`."""
    structlog.contextvars.bind_contextvars(**ids)


def clear_ids() -> None:
    structlog.contextvars.clear_contextvars()
