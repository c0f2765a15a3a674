"""What all commands share: which server, which project, how to speak."""

import inspect
import json
import shlex
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from nurie_client.client import Client
from nurie_client.connection import Notify
from nurie_client.errors import (
    InputError,
    NurieError,
    QuotaError,
    StoppedError,
    TooLargeError,
    UnauthorizedError,
    UnreachableError,
)
from nurie_client.notes import Notes
from nurie_client.project import KEY_VARIABLE, Project, choose_server, find_key, find_project
from nurie_client.records import Job

ID_CHARS: Final = 32
JOBS_SEARCHED: Final = 500
SHORT_PATIENCE_S: Final = 15.0
LEAST_PREFIX: Final = 8
SUCCEEDED, FAILED, PARTIAL, INTERRUPTED = 0, 1, 3, 130
"""Exit codes; 2 is for what was typed wrongly."""


@dataclass
class Setup:
    """The command line's own settings; `console` is standard error, so that standard output is for results alone."""

    asked_server: str | None = None
    console: Console = field(default_factory=lambda: Console(stderr=True))
    _project: Project | None = None

    @property
    def project(self) -> Project:
        if self._project is None:
            self._project = find_project(Path.cwd())
        return self._project

    @property
    def server(self) -> str:
        return choose_server(self.asked_server, self.project)

    def client(self, notify: Notify | None = None, patience_s: float = SHORT_PATIENCE_S) -> Client:
        """`patience_s`: short where somebody sits and waits for an answer, long where a chapter is under way."""
        return Client(self.server, find_key(self.server), notify=notify or self.say, patience_s=patience_s)

    def say(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)


class Failure(click.ClickException):
    """An error in words, with exit code 1."""

    exit_code = FAILED

    def show(self, file: Any = None) -> None:  # noqa: ARG002  click's
        click.echo(f"nurie: {self.format_message()}", err=True)


class Group(click.Group):
    """A group whose commands may raise NurieError; they are listed as they were added, the daily ones first."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except NurieError as error:
            raise Failure(explain(error)) from error


def explain(error: NurieError) -> str:  # noqa: PLR0911  a table, in words
    """An error, and what to do about it."""
    match error:
        case UnauthorizedError(status=401):
            return f"the server does not take this key: {error}. Set {KEY_VARIABLE}, or keep one with `nurie login`."
        case UnauthorizedError():
            return f"this key may not do that: {error}"
        case TooLargeError():
            return f"too large for this server: {error}"
        case QuotaError(code="quota_exceeded"):
            return f"{error}. Wait until jobs have ended, or delete some: `nurie jobs`, `nurie delete JOB`."
        case UnreachableError():
            return f"{error}. Is it running, and is its address right? `nurie doctor` looks closer."
        case StoppedError():
            return "stopped; run the same command again to go on"
        case _:
            return str(error)


def find_job(client: Client, text: str) -> str:
    """The id that somebody means: an id or its beginning, `last`, or a chapter's name, the latest of that name.

    Jobs that were sent from this machine go first: a colleague may have sent a chapter of the same name since.
    """
    if len(text) == ID_CHARS and set(text) <= set("0123456789abcdef"):
        return text
    notes, others, begin_so = Notes(), list[str](), list[str]()
    for job in islice(client.jobs(), JOBS_SEARCHED):
        if text in ("last", job.name):
            if notes.of_job(job.id):
                return job.id
            others.append(job.id)
        if len(text) >= LEAST_PREFIX and job.id.startswith(text):
            begin_so.append(job.id)
    if others:
        return others[0]
    if len(begin_so) == 1:
        return begin_so[0]
    if begin_so:
        raise InputError(f"{len(begin_so)} jobs have ids that begin with {text}: write more of it")
    raise InputError(
        "there are no jobs yet" if text == "last" else f"no job is called {text!r}: `nurie jobs` lists them"
    )


def take_home(text: str) -> str:
    """How to go on, with the job as somebody named it."""
    return f"`nurie wait {shlex.quote(text)}` takes the chapter home"


def parse_param(text: str) -> tuple[str, Any]:
    """`NAME=VALUE`, the value as JSON where it is some, and text otherwise. Raises BadParameter."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"{text!r} is not of the form NAME=VALUE")
    with suppress(ValueError):
        return name, json.loads(value, parse_constant=_refuse)
    return name, value


def _refuse(text: str) -> None:
    """NaN and Infinity are no JSON."""
    raise ValueError(text)


def read_params(project: Mapping[str, Any], shorthand: Mapping[str, Any], others: tuple[str, ...]) -> dict[str, Any]:
    """The project's parameters, and over them what was typed."""
    typed = {name: value for name, value in shorthand.items() if value is not None}
    return {**project, **typed, **dict(map(parse_param, others))}


def show_json(told: Any) -> None:
    """To standard output; where that is not in Unicode, in ASCII."""
    in_unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    click.echo(json.dumps(told, indent=1, ensure_ascii=not in_unicode))


def job_summary(job: Job) -> dict[str, Any]:
    """A job as `--json` shows it."""
    counts = {name: value for name, value in vars(job.pages).items() if value}
    return {
        "id": job.id,
        "name": job.name,
        "series": job.series,
        "kind": job.kind,
        "status": job.status,
        "pages": counts,
        "created_at": job.created_at,
        "finished_at": job.finished_at,
        "expires_at": job.expires_at,
    }


def with_examples(*examples: tuple[str, str]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Append examples, each a command and what it does, to a command's help."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        width = max(len(command) for command, _ in examples)
        lines = "\n".join(f"  {command:{width}}  {what}" for command, what in examples)
        # \b: as it is, not as a paragraph.
        function.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n\n\b\nExamples:\n{lines}"
        return function

    return add
