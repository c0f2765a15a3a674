"""The doctor's look at what Nurie talks to: database, storage, broker, and the port of its API.

They are asked for a sign of life, and nothing is made or changed: what is not there yet, Nurie makes when it starts.
"""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

import httpx
from rich.filesize import decimal

from admin.findings import Finding, State
from admin.machine import find_above
from common.broker import Broker
from common.errors import NurieError
from common.jobs.database import Database, find_file, hide_password
from common.settings import Settings
from storage.connect import find_folder, open_store

ANSWER_LIMIT_S: Final = 5
PARTS: Final = frozenset({"database", "storage", "broker"})
"""What `GET /readyz` speaks of."""
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  where a server that listens there is reached


def look_at_database(settings: Settings) -> Finding:
    what = "database"
    try:
        shown, file = hide_password(settings.database_url), find_file(settings.database_url)
    except ValueError as error:
        return Finding(State.BROKEN, what, f"NURIE_DATABASE_URL: {error}", "set it right (docs/settings.md)")
    if file is not None:
        return _look_at_place(what, file, "NURIE_DATABASE_URL") or _read_sqlite(file)

    def check() -> None:
        database = Database(settings.database_url)
        try:
            database.check()
        finally:
            database.close()

    return _ask(what, shown, check, "bring it back, or set NURIE_DATABASE_URL right")


def look_at_storage(settings: Settings) -> Finding:
    what = "storage"
    try:
        folder = find_folder(settings.storage_url)
    except NurieError as error:
        return Finding(State.BROKEN, what, str(error), "set NURIE_STORAGE_URL right")
    if folder is not None:
        return _look_at_place(what, folder, "NURIE_STORAGE_URL") or Finding(State.OK, what, f"{folder} can be written")
    secret = settings.s3_secret_key.get_secret_value() if settings.s3_secret_key else None

    def check() -> None:
        open_store(
            settings.storage_url,
            base_url=settings.base_url,
            secret="",  # nothing is signed
            s3_endpoint_url=settings.s3_endpoint_url,
            s3_region=settings.s3_region,
            s3_access_key=settings.s3_access_key,
            s3_secret_key=secret,
        ).check()

    shown = f"{settings.storage_url} at {settings.s3_endpoint_url or 'Amazon'}"
    return _ask(what, shown, check, "see NURIE_STORAGE_URL and NURIE_S3_…; a missing bucket is made when Nurie starts")


def look_at_broker(settings: Settings) -> Finding:
    # Whoever names a broker runs it; else `make serve` starts one, on a port that is free then.
    if is_broker_embedded(settings):
        return Finding(State.OK, "broker", "embedded: started by make serve")
    parts = urlsplit(settings.broker_url)
    shown = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    remedy = "bring it back, or set NURIE_BROKER_URL right"
    return _ask("broker", shown, lambda: Broker(settings.broker_url).check(), remedy)


def is_broker_embedded(settings: Settings) -> bool:
    return "broker_url" not in settings.model_fields_set


def look_at_port(settings: Settings) -> Finding:
    """Whether the API's port is free, or a Nurie answers there."""
    what, host = f"port {settings.port}", _EVERYWHERE.get(settings.host, settings.host)
    url = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}/readyz"
    taken = "choose another with NURIE_PORT=…, or end what listens there"
    try:
        with httpx.Client(trust_env=False, timeout=ANSWER_LIMIT_S) as http:  # what is here needs no proxy
            reply = http.get(url)
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        if _is_refused(error):
            return Finding(State.OK, what, f"free on {settings.host}")
        return Finding(State.BROKEN, what, f"{settings.host} cannot be reached: {error}", "set NURIE_HOST right")
    except httpx.HTTPError as error:
        detail = f"taken by something that is no Nurie ({type(error).__name__})"
        return Finding(State.BROKEN, what, detail, taken)
    return _read_readiness(what, reply) or Finding(State.BROKEN, what, "taken by something that is no Nurie", taken)


def _is_refused(error: BaseException | None) -> bool:
    """Whether nobody listens there; any other reason says nothing of the port."""
    while error is not None and not isinstance(error, ConnectionRefusedError):
        error = error.__cause__ or error.__context__
    return error is not None


def _read_readiness(what: str, reply: httpx.Response) -> Finding | None:
    """None where it is not Nurie's."""
    try:
        parts = reply.json()
    except ValueError:
        return None
    if not isinstance(parts, dict) or not parts.keys() >= PARTS:
        return None
    away = [f"{part}: {parts[part]}" for part in sorted(PARTS) if parts[part] != "ok"]
    if not away:
        return Finding(State.OK, what, "a Nurie runs here, and is ready")
    detail = f"a Nurie runs here, and is not ready: {', '.join(away)}"
    return Finding(State.BROKEN, what, detail, "see its log (docs/operations.md)")


def _look_at_place(what: str, path: Path, variable: str) -> Finding | None:
    """Of a file or folder of ours: that it cannot be written, or that it is not there yet; None where it is good."""
    above = find_above(path)
    folder = above if above.is_dir() else above.parent
    if not os.access(above, os.W_OK) or not os.access(folder, os.W_OK | os.X_OK):
        return Finding(State.BROKEN, what, f"{above} cannot be written", f"chown or chmod it, or set {variable}")
    if above == path.absolute():
        return None
    if not above.is_dir():
        return Finding(State.BROKEN, what, f"{above} is no folder", f"take it away, or set {variable}")
    return Finding(State.OK, what, f"{path} is made by make serve")


def _read_sqlite(file: Path) -> Finding:
    # Immutable: any other way of opening makes files beside one in WAL mode. It reads past what others are writing now.
    try:
        connection = sqlite3.connect(f"file:{quote(str(file.absolute()))}?immutable=1", uri=True)
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        remedy = "put a backup in its place, or set NURIE_DATABASE_URL"
        return Finding(State.BROKEN, "database", f"{file}: {error}", remedy)
    return Finding(State.OK, "database", f"{file} can be read, {decimal(file.stat().st_size)}")


def _ask(what: str, shown: str, check: Callable[[], None], remedy: str) -> Finding:
    try:
        check()
    except Exception as error:  # noqa: BLE001  whatever it is, this part does not answer
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        return Finding(State.BROKEN, what, f"{shown}: {reason}", remedy)
    return Finding(State.OK, what, f"{shown} answers")
