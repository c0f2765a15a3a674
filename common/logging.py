"""Logs: readable on a terminal, JSON lines otherwise, with job, page and attempt on every line that has them.

What clients send cannot begin a line of its own, and no secret is written, wherever it comes from: both are seen to
where all lines pass, and not where each is made.
"""

import logging
import re
import sys
import traceback
from collections.abc import Mapping
from typing import Any, Final, TextIO

import structlog

SECRETS: Final = (
    (re.compile(r"(nurie_[0-9a-f]{16}_)[\w-]{10,}"), r"\1***"),  # API keys; their ids may be shown
    (re.compile(r"whsec_[\w+/=]{10,}"), "whsec_***"),
    (re.compile(r"(?i)\b(bearer|basic) +[\w.~+/=-]{8,}"), r"\1 ***"),
    (re.compile(r"(?i)\b((?:x-amz-)?(?:signature|credential|security-token))=[^&\s\"']+"), r"\1=***"),  # signed URLs
    (re.compile(r"(://[^\s:/@\"']*:)[^\s/@\"']+@"), r"\1***@"),  # a password in a URL
)
_LINE_BREAKS: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_INDENT: Final = "    | "
"""Stands before every line of a traceback on a terminal: one of a client's making would pass for one of ours."""


def redact(text: str) -> str:
    """The text without keys, secrets, signatures and passwords."""
    for pattern, replacement in SECRETS:
        text = pattern.sub(replacement, text)
    return text


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
        _escape,
    ]
    last: list[Any] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=_write_traceback)]
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
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last, _redact],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # These repeat at INFO what our own lines say.
    for noisy in ("botocore", "boto3", "urllib3", "httpx", "alembic", "kombu"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _escape(_logger: object, _method: str, event: Any) -> Any:
    """Line breaks and other control characters as they are written in Python."""
    return {name: _escaped(value) if isinstance(value, str) else value for name, value in event.items()}


def _escaped(text: str) -> str:
    return _LINE_BREAKS.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def _redact(_logger: object, _method: str, line: str | Mapping[str, Any]) -> str:
    assert isinstance(line, str)  # it was rendered
    return redact(line)


def _write_traceback(out: TextIO, error: Any) -> None:
    lines = "".join(traceback.format_exception(*error)).rstrip().split("\n")
    out.write("\n".join(_INDENT + _escaped(line) for line in lines))


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger


def bind_ids(**ids: object) -> None:
    """Put ids (job, page, attempt, stage) on every line that this thread logs, until `clear_ids`."""
    structlog.contextvars.bind_contextvars(**ids)


def clear_ids() -> None:
    structlog.contextvars.clear_contextvars()
