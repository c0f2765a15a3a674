"""A PgBouncer before the tests' PostgreSQL, in transaction mode: on a Unix socket only, few connections behind it."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg

from tests.postgres import unprivileged_account

PORT = 6432
START_LIMIT_S = 30
SETTINGS = """
[databases]
postgres = host={server} port={server_port} user=postgres

[pgbouncer]
listen_addr =
unix_socket_dir = {folder}
listen_port = {port}
auth_type = any
admin_users = postgres
pool_mode = transaction
default_pool_size = {servers}
max_client_conn = 1000
logfile = {folder}/log
"""


def find_pgbouncer() -> str | None:
    return shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")


@contextmanager
def running(program: str, database_url: str, servers: int) -> Iterator[str]:
    """Start it, and stop it at the end.

    Args:
        program: of PgBouncer.
        database_url: of the server behind it.
        servers: how many connections to that it may have.

    Yields:
        The URL to reach the database by.
    """
    behind = parse_qs(urlsplit(database_url).query)
    # Not in pytest's own folder, which nobody but root may enter where root runs the tests.
    with tempfile.TemporaryDirectory(prefix="nurie-pgbouncer-") as name:
        folder = Path(name)
        settings = folder / "pgbouncer.ini"
        settings.write_text(
            SETTINGS.format(
                server=behind["host"][0], server_port=behind["port"][0], folder=folder, port=PORT, servers=servers
            )
        )
        account = unprivileged_account(folder)  # it refuses to run as root, as PostgreSQL does
        process = subprocess.Popen(
            [program, "-q", settings], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **account
        )
        try:
            deadline = time.monotonic() + START_LIMIT_S
            while not _answers(folder):
                log = folder / "log"
                assert process.poll() is None and time.monotonic() < deadline, log.exists() and log.read_text()
                time.sleep(0.02)
            yield f"postgresql+psycopg://postgres@/postgres?host={folder}&port={PORT}&prepare_threshold=none"
        finally:
            process.terminate()
            process.wait()


def show(pooler_url: str, what: str) -> list[dict[str, object]]:
    """What PgBouncer says of itself: `SHOW POOLS` and the like."""
    folder = parse_qs(urlsplit(pooler_url).query)["host"][0]
    with psycopg.connect(
        host=folder,
        port=PORT,
        user="postgres",
        dbname="pgbouncer",
        autocommit=True,
        prepare_threshold=None,
        row_factory=psycopg.rows.dict_row,
        cursor_factory=psycopg.ClientCursor,  # its console knows the simple protocol alone
    ) as connection:
        return connection.execute(f"SHOW {what}").fetchall()


def _answers(folder: Path) -> bool:
    if not (folder / f".s.PGSQL.{PORT}").exists():
        return False
    try:
        psycopg.connect(host=str(folder), port=PORT, user="postgres", dbname="postgres").close()
    except psycopg.OperationalError:
        return False
    return True
