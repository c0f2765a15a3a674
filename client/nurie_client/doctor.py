"""What works here, and what is missing: findings, each with what to do about it. Nothing is changed."""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final, Literal

from nurie_client.client import Client
from nurie_client.errors import (
    InputError,
    InsecureError,
    NotFoundError,
    NurieError,
    UnauthorizedError,
    UnreachableError,
)
from nurie_client.project import KEY_VARIABLE, Project

State = Literal["ok", "warning", "broken"]
HTTPX_VARIABLES: Final = (
    "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
HOUSE_LIMIT_S: Final = 60


@dataclass(frozen=True)
class Finding:
    """One line: how it is with `what`, in words, and what to do where it is not well."""

    state: State
    what: str
    detail: str
    remedy: str | None = None


def examine(server: str, project: Project, key: str | None, house: Path | None) -> Iterator[Finding]:
    """Look at this machine, at the server, and, in a checkout of Nurie, at that."""
    yield Finding("ok", "nurie", f"{version('nurie-client')}, Python {platform.python_version()}")
    yield from _project(project)
    yield from _network()
    try:
        with Client(server, key, patience_s=0) as client:
            yield from _server(client, key)
    except InputError as error:
        yield Finding("broken", "server", str(error), "mend the settings of the network, or the key")
    if house is not None:
        yield from examine_house(house)


def examine_house(house: Path) -> Iterator[Finding]:
    """What operators want to know, by the checkout's own means."""
    command = [sys.executable, "-P", "-m", "admin", "doctor", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(house)}
    try:
        told = subprocess.run(  # noqa: S603  our own command
            command, env=environment, capture_output=True, text=True, timeout=HOUSE_LIMIT_S, check=False
        )
        yield from (Finding(**one) for one in json.loads(told.stdout))
    except (OSError, ValueError, TypeError, subprocess.TimeoutExpired) as error:
        yield Finding("broken", "this installation", f"could not be looked at: {error}", f"make setup, in {house}")


def _project(project: Project) -> Iterator[Finding]:
    if project.file is None:
        yield Finding("ok", "project", "no nurie.toml here or above: everything comes from the command line")
        return
    missing = [str(path) for path in project.references if not path.exists()]
    if missing:
        yield Finding("broken", "project", f"{project.file}: no such reference: {', '.join(missing)}", "mend the file")
    else:
        what = f", series {project.series}" if project.series else ""
        yield Finding("ok", "project", f"{project.file}{what}; references: {len(project.references)}")


def _network() -> Iterator[Finding]:
    given = [name for name in HTTPX_VARIABLES if os.environ.get(name) or os.environ.get(name.lower())]
    if given:
        yield Finding("ok", "network", f"set in the environment: {', '.join(given)}")
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        if (path := os.environ.get(name)) and not Path(path).exists():
            yield Finding("broken", "network", f"{name}: there is no {path}", f"mend or unset {name}")


def _server(client: Client, key: str | None) -> Iterator[Finding]:
    began = time.monotonic()
    try:
        told = client.version()
    except InsecureError as error:
        yield Finding("broken", "server", str(error), "name your authority in SSL_CERT_FILE")
        return
    except UnreachableError as error:
        yield Finding("broken", "server", str(error), "set NURIE_SERVER or `server` in nurie.toml; or: make serve")
        return
    except (NurieError, ValueError, KeyError, TypeError) as error:
        yield Finding("broken", "server", f"{client.server} is no Nurie: {error}", "look at its address")
        return
    took_ms = (time.monotonic() - began) * 1000
    ours = version("nurie-client")
    same = told.split(".")[:2] == ours.split(".")[:2]
    remedy = None if same else "use the client of the server's version"
    detail = f"{client.server}: Nurie {told}, answers in {took_ms:.0f} ms"
    yield Finding("ok" if same else "warning", "server", detail, remedy)
    if not client.is_ready():
        yield Finding("broken", "server", "its database, storage or broker does not answer", "tell its operator")
    yield from _key(client, key)


def _key(client: Client, key: str | None) -> Iterator[Finding]:
    try:
        tenant = client.tenant()
    except UnauthorizedError as error:
        remedy = f"set {KEY_VARIABLE}, or `nurie login`" if not key else "ask the operator for another key"
        yield Finding("broken", "key", str(error), remedy)
        return
    except (NotFoundError, NurieError) as error:
        yield Finding("broken", "key", str(error), None)
        return
    if tenant.key is None:
        yield Finding("ok", "key", "this server asks for none")
    else:
        yield Finding("ok", "key", f"{tenant.key} of {tenant.id}: {', '.join(tenant.scopes)}")
        if not {"submit", "admin"} & set(tenant.scopes):
            yield Finding("warning", "key", "it may look, and not send", "ask for a key with the scope submit")
    for what, usage in (("pages waiting", tenant.queued_pages), ("bytes stored", tenant.stored_bytes)):
        if usage.limit is not None:
            full = usage.used >= usage.limit
            yield Finding(
                "warning" if full else "ok",
                what,
                f"{usage.used:,} of {usage.limit:,}",
                "wait, or delete jobs: `nurie jobs`" if full else None,
            )
