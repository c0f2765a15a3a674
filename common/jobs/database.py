"""Opening the database: SQLite (WAL, one writer at a time) or PostgreSQL, and bringing its schema up to date."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, Dialect, Engine, Select, create_engine, event, func, make_url, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from common.errors import DatabaseError
from common.telemetry import DATABASE_ERRORS, DATABASE_SECONDS, timed
from common.tracing import part_span

MIGRATIONS = Path(__file__).parent / "migrations"
MIGRATION_LOCK = 0x6E757269
"""Any number of ours: the processes that migrate at the same time wait for each other under it."""
BUSY_TIMEOUT_MS = 30_000
"""How long a SQLite writer waits for another one, in milliseconds."""
CONNECT_TIMEOUT_S = 10
"""A PostgreSQL server that takes longer to let us in counts as away, in seconds; the URL's `connect_timeout` wins."""
PREPARE_THRESHOLD = "prepare_threshold"
"""In a PostgreSQL URL: how often a statement is sent before the driver has the server prepare it; `none` for never.
Where a pooler hands a session's transactions to different servers, as PgBouncer may, what one has prepared the next one
does not know."""
# Gone, shutting down, locked, a deadlock: OperationalError. A server that only reads, as a standby does until it has
# taken over, or that ended a transaction which took too long: InternalError. No connection is free: PoolTimeoutError.
OUTAGES = (OperationalError, InterfaceError, InternalError, PoolTimeoutError)
"""What is no fault of a statement: worth another try, later."""
READ, WRITE = "read", "write"
"""Kinds of transactions, as they are measured."""


class Database:
    """Sessions on one database. Opens no connection before it is used, and is safe to share between threads."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = _create_engine(url)
        # SQLite upgrades a reading transaction to a writing one only by luck: writers say so from the start.
        self._writing_engine = self._engine.execution_options(writes=True)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Raises DatabaseError when the database does not answer."""
        with _measured(READ), _mapped(), Session(self._engine, expire_on_commit=False) as session:
            yield session

    def ask(self, statement: Select[*tuple[Any, ...]], **parameters: object) -> Sequence[Sequence[Any]]:
        """All rows of a query that is asked very often: compiled once, and put to the driver as it is.

        A session takes three times as long for a small query. Columns come as the driver gives them, JSON as text.

        Raises:
            DatabaseError: the database does not answer.
        """
        text, names, constants = _compile(statement, self._engine.dialect)
        values = constants | parameters
        with _measured(READ), _mapped(self._away):
            connection = self._engine.raw_connection()
            try:
                cursor = connection.cursor()
                cursor.execute(text, values if names is None else [values[name] for name in names])
                return cursor.fetchall()
            except self._away as error:
                connection.invalidate(error)  # whether it is of use still nobody knows
                raise
            finally:
                connection.close()

    @property
    def _away(self) -> tuple[type[Exception], ...]:
        """`OUTAGES`, and what SQLAlchemy wraps as such, by the driver's own names."""
        driver = self._engine.dialect.loaded_dbapi
        return *OUTAGES, driver.OperationalError, driver.InterfaceError, driver.InternalError

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction: committed at the end, rolled back on an exception.

        Raises:
            DatabaseError: the database does not answer.
        """
        with (
            _measured(WRITE),
            _mapped(),
            Session(self._writing_engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    def check(self) -> None:
        """Ask the database for a sign of life. Raises DatabaseError when there is none."""
        with self.reading() as session:
            session.execute(text("SELECT 1"))

    def migrate(self) -> None:
        """Bring the schema up to date; safe to call from several processes at once.

        Raises:
            DatabaseError: the database does not answer.
        """
        if make_url(self.url).get_backend_name() == "sqlite" and (path := make_url(self.url).database):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        # SQLite changes a column by making its table anew. Were foreign keys enforced meanwhile, dropping the old table
        # would delete what refers to it.
        engine = _create_engine(self.url, foreign_keys=False)
        try:
            with _mapped(), engine.execution_options(writes=True).begin() as connection:
                if connection.dialect.name == "postgresql":  # SQLite's writers wait for each other anyway
                    connection.execute(select(func.pg_advisory_xact_lock(MIGRATION_LOCK)))
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        finally:
            engine.dispose()

    def close(self) -> None:
        self._engine.dispose()


def at_commit(session: Session, count: Callable[[], object]) -> None:
    """Have something counted once the session's transaction is committed, and not if it comes to nothing."""
    event.listen(session, "after_commit", lambda _: count(), once=True)


def find_file(url: str) -> Path | None:
    """The file of a SQLite database, which need not be there; None for a server, and for one that is in memory.

    Raises:
        ValueError: it is no URL of a database.
    """
    parsed = _parse_url(url)
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:")
    return Path(str(parsed.database)) if is_file else None


def hide_password(url: str) -> str:
    """A URL as it may be shown. Raises ValueError."""
    return _parse_url(url).render_as_string(hide_password=True)


def _parse_url(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError:  # its own words would repeat the URL, password and all
        raise ValueError("not a URL such as postgresql+psycopg://user:password@host/name") from None


@lru_cache(maxsize=64)
def _compile(statement: Select[*tuple[Any, ...]], dialect: Dialect) -> tuple[str, Sequence[str] | None, dict[str, Any]]:
    """A query as the driver takes it: its text, the order of its parameters (None: by name), and its constants."""
    compiled = statement.compile(dialect=dialect)
    return str(compiled), compiled.positiontup, dict(compiled.params)


@contextmanager
def _measured(kind: str) -> Iterator[None]:
    # Its errors are shown as 0 from the first transaction on: the first of them would be missed else.
    errors = DATABASE_ERRORS.labels(kind).count_exceptions(DatabaseError)
    with timed(DATABASE_SECONDS.labels(kind).observe), part_span(f"database.{kind}"), errors:
        yield


@contextmanager
def _mapped(outages: tuple[type[Exception], ...] = OUTAGES) -> Iterator[None]:
    try:
        yield
    except outages as error:
        reason = error.orig if isinstance(error, DBAPIError) else error
        raise DatabaseError(f"the database does not answer: {reason}") from error


def _create_engine(url: str, *, foreign_keys: bool = True) -> Engine:
    parsed = make_url(url)
    options: dict[str, int | None] = {}
    if parsed.get_backend_name() == "postgresql":
        if "connect_timeout" not in parsed.query:
            options["connect_timeout"] = CONNECT_TIMEOUT_S
        if PREPARE_THRESHOLD in parsed.query:  # the driver takes a number or None, a URL has text
            options[PREPARE_THRESHOLD] = _read_threshold(parsed.query[PREPARE_THRESHOLD])
            parsed = parsed.difference_update_query([PREPARE_THRESHOLD])
    # A server may have closed a connection while it lay in the pool; a file cannot.
    is_server = parsed.get_backend_name() != "sqlite"
    engine = create_engine(parsed, pool_pre_ping=is_server, connect_args=options)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", partial(_configure_sqlite, foreign_keys=foreign_keys))
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _read_threshold(given: str | tuple[str, ...]) -> int | None:
    if given == "none":
        return None
    if isinstance(given, str) and given.isascii() and given.isdigit():
        return int(given)
    raise ValueError(f"{PREPARE_THRESHOLD} in the URL of the database is a number or none, not {given!r}")


def _configure_sqlite(connection: Any, _record: Any, *, foreign_keys: bool) -> None:
    # The driver's own BEGIN comes too late (before the first write); ours is sent by `_begin_sqlite`.
    connection.isolation_level = None
    enforced = "ON" if foreign_keys else "OFF"
    for pragma in (f"busy_timeout={BUSY_TIMEOUT_MS}", "synchronous=NORMAL", f"foreign_keys={enforced}"):
        connection.execute(f"PRAGMA {pragma}")
    # Of several processes that open a new file at once one changes it, and the others are refused without a wait.
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
